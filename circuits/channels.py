"""The standard autoencoder, whose output and input layers are at different sites, and its learning channels.

Populations `layer0`, `layer1`, `layer2`, each at its own site; projections `A1` (the paper's B) and `A2` (the paper's
A). The learning channels are projections too:

- `C1` from the input to `target2`, a copy of the input at the output layer; `error2` beside it is I - O2;
- `C2` from the output layer to the hidden layer. An error arrives at `error1`, which gates it with f'(S1). An output
  arrives at `again1`, the second pass of the hidden neurons; `held1` remembers both passes, O1(0) = F A1 I and
  O1(1) = F C2 O2;
- `C3` from the output layer to the input layer: it arrives at `image0`, and layer 0 passes it on in cycle 1.

Identity matrices must be loaded (`Channels.identities`). Output neurons may have biases. Hidden neurons have none,
since `again1` would have to share those of `layer1`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Activates, Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuit.weights import OWN, Tied, Transposed, Weights
from circuitsim.circuits.choices import refuse_sizes
from circuitsim.errors import CircuitError
from circuitsim.rules import delta, error_recirculation, recirculation
from circuitsim.timetable.protocol import Protocol

OUTPUT, ERROR = "output", "error"
BACK = {"transposed": "A2", "shared": "A1"}  # projections whose weights C2 uses, as A2^T or as A1


@dataclass(frozen=True)
class Channels:
    """Learning channels of a standard autoencoder, their matrices, and the signal on C2 or C3.

    Parameters
    ----------
    c1 : True brings the input to the output layer by C1 = Id.
    c2 : "" for none; random (and fixed); transposed, A2^T; shared, A1; adaptive: random, learning the transposed
        increments of A2 (only for errors).
    c3 : "" for none; identity; random (and fixed); adaptive: the top layer of a circular autoencoder with two hidden
        layers (only for outputs, without C1).
    carries : output (O2) or error (I - O2, which needs C1).
    """

    c1: bool = False
    c2: str = ""
    c3: str = ""
    carries: str = OUTPUT

    def __post_init__(self) -> None:
        error = self.carries == ERROR
        known2 = ("", "random", "transposed", "shared", *(["adaptive"] if error else []))
        known3 = ("", "identity", "random", *(["adaptive"] if not (error or self.c1) else []))
        fits = (self.c2 in known2, self.c3 in known3, not (self.c2 and self.c3), self.carries in (OUTPUT, ERROR))
        if not all(fits) or (error and not self.c1):
            raise CircuitError(
                "learning channels of a standard autoencoder",
                got=f"c1={self.c1}, c2={self.c2!r}, c3={self.c3!r}, carries={self.carries!r}",
                expected=f"not both c2 and c3; c2 one of {_words(known2)}; c3 one of {_words(known3)}; "
                "carries output, or error beside c1",
                remedy="Choose one of ROWS, or leave out a channel.",
            )

    @property
    def recirculates(self) -> bool:
        """True if there is a second pass, cycle 1."""
        return bool(self.c3 or (self.c2 and self.carries == OUTPUT))

    @property
    def identities(self) -> tuple[str, ...]:
        """Projections whose weights must be loaded as identities."""
        return ("C1",) * self.c1 + ("C3",) * (self.c3 == "identity")


ROWS: Mapping[str, Channels] = MappingProxyType(
    {
        "row1": Channels(),
        "row2-random": Channels(c2="random"),
        "row2-shared": Channels(c2="shared"),
        "row3-identity": Channels(c3="identity"),
        "row3-random": Channels(c3="random"),
        "row3-adaptive": Channels(c3="adaptive"),
        "row4": Channels(c1=True),
        "row5-transposed": Channels(c1=True, c2="transposed", carries=ERROR),
        "row5-random": Channels(c1=True, c2="random", carries=ERROR),
        "row5-adaptive": Channels(c1=True, c2="adaptive", carries=ERROR),
        "row6-identity": Channels(c1=True, c3="identity", carries=ERROR),
        "row6-random": Channels(c1=True, c3="random", carries=ERROR),
        "row7-random": Channels(c1=True, c2="random"),
        "row7-transposed": Channels(c1=True, c2="transposed"),
        "row7-shared": Channels(c1=True, c2="shared"),
        "row8-identity": Channels(c1=True, c3="identity"),
        "row8-random": Channels(c1=True, c3="random"),
    }
)
"""Rows of Table 5, each with the matrices that its text names."""


def standard_autoencoder(
    sizes: Sequence[int],
    channels: Channels,
    *,
    hidden: Activates = "tanh",
    output: Activates = "logistic",
    bias: bool = True,
    delay: int = 1,
    window: int | None = None,
) -> tuple[Circuit, Protocol]:
    """Build an autoencoder whose output and input are at different sites, with learning channels, and one presentation.

    The rule of each projection follows from the signals that reach its neurons:

        dA2 = (I - O2) O1(0)^T with C1; (O2(0) - O2(1)) O1(0)^T where C3 carries outputs and there is no C1
        dA1 = f'(S1) C2 (I - O2) I^T or (F A1 I - F C2 O2) I^T where C2 carries errors or outputs
        dA1 = F A1 C3 (I - O2) I^T or (F A1 I - F A1 C3 O2) I^T where C3 does

    A projection without such a channel does not learn.

    Parameters
    ----------
    sizes : units in layers 0, 1 and 2, the last equal to the first.
    channels : see `ROWS` for those of Table 5.
    hidden, output : activation functions of layers 1 and 2. bias : True gives output neurons a bias.
    delay : of every projection, ticks. window : memory of neurons, ticks; None: as long as the rules need.

    Returns
    -------
    The circuit and the protocol. If C3 carries outputs and there is no C1, the circuit's output is `image0`, at the
    site of the input: the signal of C3 or, if C3 is no identity, the output O3 of a third layer above a second hidden
    layer.

    Source
    ------
    Baldi & Sadowski 2018, Appendix B, Table 5, Figures 12 to 16; for A2 without C1, section B3: the circuit is a
    circular autoencoder with C3 as its highest layer, hence eq. 23 for h < L.
    """
    _check(sizes)
    circuit = Circuit(
        "standard autoencoder",
        tuple(_populations(sizes, channels, hidden, output)),
        tuple(_projections(channels, bias, delay)),
        inputs="layer0",
        outputs="image0" if _circular(channels) else "layer2",
        exchanges=tuple(_exchanges(channels)),
        plasticity=tuple(_learning(channels)),
        local=channels.c2 not in BACK and output != "softmax",
    )
    # if nothing learns, a presentation serves only its output
    readouts = () if circuit.plasticity else (("layer2", "O", 0),)
    return circuit, Protocol(cycles=int(channels.recirculates), readouts=readouts, window=window)


def _populations(sizes: Sequence[int], channels: Channels, hidden: Activates, output: Activates) -> list[Population]:
    visible, middle, _ = sizes
    third = _third(channels)
    found = [
        Population("layer0", visible, mixes=bool(channels.c3)),
        Population("layer1", middle, hidden),
        Population("layer2", visible, hidden if third else output),
    ]
    if channels.c1:
        found.append(Population("target2", visible, site="layer2"))
        found.append(Population("error2", visible, site="layer2", feedback=True))
    if channels.c2 and channels.carries == ERROR:
        found.append(Population("error1", middle, site="layer1", feedback=True))
    elif channels.c2:
        found.append(Population("again1", middle, hidden, site="layer1"))
        found.append(Population("held1", middle, site="layer1", mixes=True))
    if channels.c3:
        found.append(Population("image0", visible, output if third else "identity", site="layer0"))
    return found


def _projections(channels: Channels, bias: bool, delay: int) -> list[Projection]:
    third = _third(channels)
    found = [
        Projection("A1", "layer0", "layer1", delay),
        Projection("A2", "layer1", "layer2", delay, bias and not third),
    ]
    source, arrives = ("error2", "error1") if channels.carries == ERROR else ("layer2", "again1")
    if channels.c1:
        found.append(Projection("C1", "layer0", "target2", delay))
    if channels.c2:
        weights: dict[str, Weights] = {"transposed": Transposed(BACK["transposed"]), "shared": Tied(BACK["shared"])}
        found.append(Projection("C2", source, arrives, delay, weights=weights.get(channels.c2, OWN)))
    if channels.c3:
        found.append(Projection("C3", source, "image0", delay, bias and third))
    return found


def _exchanges(channels: Channels) -> list[Exchange]:
    found = []
    if channels.c1:
        found += [Exchange("target2", "error2", Carries.TARGET), Exchange("layer2", "error2", Carries.ACTUAL)]
    if channels.c2 and channels.carries == ERROR:
        found.append(Exchange("layer1", "error1", Carries.SLOPE))
    elif channels.c2:
        found += [Exchange("layer1", "held1", Carries.INPUT), Exchange("again1", "held1", Carries.OUTPUT)]
    if channels.c3:
        found.append(Exchange("image0", "layer0", Carries.OUTPUT))
    return found


def _learning(channels: Channels) -> list[Plasticity]:
    """Return the rules whose readings are available."""
    found = []
    if channels.c3 or channels.c2:
        found.append(_below(channels))
    if channels.c1:
        found.append(Plasticity("A2", delta, post="error2"))
    elif _circular(channels):
        found.append(Plasticity("A2", recirculation))
    if channels.c2 == "adaptive":
        # the increment of A2 mirrored, as in adaptive random backpropagation; no velocity
        found.append(Plasticity("C2", delta, post="layer1", momentum=False))
    if channels.c3 == "adaptive":
        found.append(Plasticity("C3", recirculation, post="layer0"))
    return found


def _below(channels: Channels) -> Plasticity:
    """Return the rule of A1."""
    if channels.carries == ERROR:
        return Plasticity("A1", delta, post="error1") if channels.c2 else Plasticity("A1", error_recirculation)
    return Plasticity("A1", recirculation, post="held1" if channels.c2 else "")


def _circular(channels: Channels) -> bool:
    """Tell if the loop through C3 is the only source of the error, so that the output lies at its end."""
    return bool(channels.c3) and not channels.c1


def _third(channels: Channels) -> bool:
    """Tell if C3 is no identity and so makes a third layer, whose neurons are the output."""
    return _circular(channels) and channels.c3 != "identity"


def _words(known: Sequence[str]) -> str:
    return ", ".join(name or "none" for name in known)


def _check(sizes: Sequence[int]) -> None:
    if len(sizes) != 3 or sizes[0] != sizes[2]:
        expected, remedy = "three layers, the last as large as the first", "Repeat the size of the input at the end."
        refuse_sizes("a standard autoencoder", sizes, expected, remedy)
