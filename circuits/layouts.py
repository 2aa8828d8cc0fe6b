"""Circular autoencoders with one hidden layer in two spatial layouts: bidirectional and conjoined.

Populations `layer0` (input), `layer1` (hidden) and `layer2` (output), the last at the site of the first. Projections
`A1` (the paper's B) up and `A2` (the paper's A) down. *Bidirectional*: both are directions of the same connections,
which have one length and so one delay. *Conjoined*: they are separate connections, each with its own delay. Output
neurons may have biases; hidden neurons have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Activates, Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuit.weights import Own, Transposed
from circuitsim.errors import CircuitError
from circuitsim.rules import builtin_rule, recirculation
from circuitsim.timetable.protocol import Protocol

WEIGHTS = ("asymmetric", "symmetric", "mirrored")


def bidirectional_autoencoder(
    sizes: Sequence[int],
    weights: str = "asymmetric",
    *,
    hidden: Activates = "tanh",
    output: Activates = "logistic",
    bias: bool = True,
    delay: int = 1,
    window: int | None = None,
) -> tuple[Circuit, Protocol]:
    """Build a circular autoencoder whose signals go both ways along the same connections, and one presentation.

    Asymmetric: each direction has its own weight and learns by eq. 31. Symmetric: the connection has one weight,
    A1 = A2^T at all times, and signals in both directions change it:

        dA2 = (O0(0) - O0(1)) O1(0)^T + O0(0) (O1(0) - O1(1))^T

    Parameters
    ----------
    sizes : units in layers 0, 1 and 2, the last equal to the first.
    weights : asymmetric or symmetric.
    hidden, output : activation functions. bias : True gives output neurons a bias. delay : of the connections, ticks.
    window : memory of neurons, ticks; None: as long as the rules need.

    Returns
    -------
    The circuit and the protocol. A symmetric circuit is not declared local: A1 uses the weights of A2.

    Source
    ------
    Baldi & Sadowski 2018, Appendix A, Figure 11 left. They give no rule for the symmetric case; the sum over both
    directions is ours. An isotropic connection would have one weight in one place; the audit treats synapses as
    directed and names the wire in either layout.
    """
    if weights == "mirrored":
        _refuse(sizes, weights, WEIGHTS[:2])
    return _circular("circular bidirectional", sizes, weights, hidden, output, bias, (delay, delay), window)


def conjoined_autoencoder(
    sizes: Sequence[int],
    weights: str = "asymmetric",
    *,
    hidden: Activates = "tanh",
    output: Activates = "logistic",
    bias: bool = True,
    delays: tuple[int, int] = (1, 1),
    window: int | None = None,
) -> tuple[Circuit, Protocol]:
    """Build a circular autoencoder with separate connections up and down, and one presentation.

    Asymmetric and symmetric as in `bidirectional_autoencoder`. Mirrored: A1 and A2 have their own weights and both
    learn by the sum of both rules, each from its own end,

        dA2 = (O0(0) - O0(1)) O1(0)^T + O0(0) (O1(0) - O1(1))^T = dA1^T

    so A1 - A2^T stays as it was before training: symmetry without a wire if it starts symmetric.

    Parameters
    ----------
    sizes : units in layers 0, 1 and 2, the last equal to the first.
    weights : asymmetric, symmetric or mirrored.
    hidden, output : activation functions. bias : True gives output neurons a bias. delays : of the connections up and
        down, ticks. window : memory of neurons, ticks; None: as long as the rules need.

    Returns
    -------
    The circuit and the protocol.

    Source
    ------
    Baldi & Sadowski 2018, Appendix A, Figure 11 middle and right. `mirrored` is ours; section 3.2 asks for such a
    mechanism, and section 6.2 says that eq. 31 alone is not one.
    """
    return _circular("circular conjoined", sizes, weights, hidden, output, bias, delays, window)


@builtin_rule
def recirculation_reversed(pre: Any, post: Any, w: Any) -> Any:
    """Recirculation of the opposite direction: the two ends of the synapse change places.

    dw_ij = O_i(0) (O_j(0) - O_j(1)); a bias, whose presynaptic unit is always 1, does not change

    Source
    ------
    Ours, from Baldi & Sadowski 2018, eq. 31, transposed.
    """
    return post.at(0) * (pre.at(0) - pre.at(1))


def _circular(
    name: str,
    sizes: Sequence[int],
    weights: str,
    hidden: Activates,
    output: Activates,
    bias: bool,
    delays: tuple[int, int],
    window: int | None,
) -> tuple[Circuit, Protocol]:
    if weights not in WEIGHTS or len(sizes) != 3 or sizes[0] != sizes[2]:
        _refuse(sizes, weights, WEIGHTS)
    tied = weights == "symmetric"
    circuit = Circuit(
        f"{name} autoencoder, {weights}",
        (
            Population("layer0", sizes[0], mixes=True),
            Population("layer1", sizes[1], hidden),
            Population("layer2", sizes[2], output, site="layer0"),
        ),
        (
            Projection("A1", "layer0", "layer1", delays[0], weights=Transposed("A2") if tied else Own()),
            Projection("A2", "layer1", "layer2", delays[1], bias),
        ),
        inputs="layer0",
        outputs="layer2",
        exchanges=(Exchange("layer2", "layer0", Carries.OUTPUT),),
        plasticity=tuple(_learning(weights)),
        local=not tied and output != "softmax",
    )
    return circuit, Protocol(cycles=1, window=window)


def _learning(weights: str) -> list[Plasticity]:
    """Return eq. 31 for each set of weights, and the reversed rule where both directions change it."""
    rules = [Plasticity("A2", recirculation, post="layer0")]
    if weights != "asymmetric":
        rules.append(Plasticity("A2", recirculation_reversed, post="layer0"))
    if weights != "symmetric":
        rules.append(Plasticity("A1", recirculation))
    if weights == "mirrored":
        rules.append(Plasticity("A1", recirculation_reversed))
    return rules


def _refuse(sizes: Sequence[int], weights: str, known: Sequence[str]) -> None:
    raise CircuitError(
        "layout of a circular autoencoder",
        got=f"sizes {list(sizes)}, weights {weights!r}",
        expected=f"three layers, the last as large as the first, and weights one of {', '.join(known)}",
        remedy="Choose one of these; circular_autoencoder has more layers.",
    )
