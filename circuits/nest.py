"""A Tourbillon of Tourbillons: a circular autoencoder whose hidden layers are circular autoencoders.

The outer loop leads from `layer0` through the hidden layers back to `layer{L}`, which is layer 0. Each hidden layer h
is itself a loop: its neurons `layer{h}` project to a smaller `core{h}` and from there back to their own site, where the
reconstruction arrives as `image{h}`. What goes on from a hidden layer is its image. While the outer loop turns once the
inner ones turn twice: in cycle 0 activity passes through them, in cycle 1 the image has been sent around once more, and
in cycle 2 the outer loop has come around. Projections `A{h}` of the outer loop, `P{h}` (to the core), `Q{h}` (back).
"""

from __future__ import annotations

from collections.abc import Sequence

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuits.blocks import TUNING, Block, Parts, block_parts, together
from circuitsim.errors import CircuitError
from circuitsim.rules import recirculation
from circuitsim.timetable.protocol import Protocol

PERIOD = 2  # cycles of the inner loops in one turn of the outer one
OUTER = "outer"


def nested_autoencoder(
    sizes: Sequence[int],
    cores: Sequence[int],
    *,
    hidden: str = "tanh",
    output: str = "logistic",
    bias: bool = True,
    delay: int = 1,
    outer_delay: int = 3,
    bounded: bool = False,
    window: int | None = None,
) -> tuple[Circuit, Protocol]:
    """A circular autoencoder with circular autoencoders as hidden layers, and one presentation of it.

    Inner loops: dw_ij = (O_i(0) - O_i(1)) O_j(0); the outer one: dw_ij = (O_i(0) - O_i(2)) O_j(0), for A{h} and, in the
    group "tuning", for P{h} and Q{h} too, which then learn from the outer loop beside their own.

    Parameters
    ----------
    sizes : units in layers 0 ... L of the outer loop, at least three, the last equal to the first.
    cores : units of the core of each hidden layer, one number for each.
    hidden, output : activations; images have that of hidden layers. bias : whether neurons have one.
    delay : of the inner loops' projections, ticks. outer_delay : of the outer loop's: inner loops turn faster.
    bounded : whether cores bound the norm of their incoming synapses (parameter max_norm).
    window : how long neurons remember, ticks; None: as long as the rules need.

    Returns
    -------
    The circuit and the protocol. Groups of rules: "encoder {h}" and "decoder {h}" of inner loops, "outer", "tuning".

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, sections 5.2 and 7, which leave the training open; the way of training is
    ours. The axon of an image that has been around twice would bring that, too, to the next layer, which takes no
    notice of it: only what belongs to the outer loop's turn is read.
    """
    _check(sizes, cores)
    top = len(sizes) - 1
    layers = tuple(
        Population(f"layer{h}", n, hidden if h else "identity", mixes=True) for h, n in enumerate(sizes[:-1])
    )
    last = Population(f"layer{top}", sizes[top], output, site="layer0")
    middle = tuple(Population(f"core{h}", n, hidden, mixes=True, bounded=bounded) for h, n in enumerate(cores, 1))
    loops = [_loop(h, layers[h], middle[h - 1], bias, delay) for h in range(1, top)]
    outer = [
        Projection(f"A{h}", f"image{h - 1}" if h > 1 else "layer0", f"layer{h}", outer_delay, bias)
        for h in range(1, top + 1)
    ]
    parts = (
        Parts((*layers, *middle), tuple(outer))
        + together(loops)
        + Parts((last,), exchanges=(Exchange(last.name, "layer0", Carries.OUTPUT, period=PERIOD),))
        + Parts(plasticity=_outer_rules(outer, top))
    )
    return Circuit(
        "tourbillon of tourbillons",
        parts.populations,
        parts.projections,
        inputs="layer0",
        outputs=last.name,
        exchanges=parts.exchanges,
        plasticity=parts.plasticity,
        local=True,
    ), Protocol(cycles=PERIOD, window=window)


def _check(sizes: Sequence[int], cores: Sequence[int]) -> None:
    if len(sizes) < 3 or sizes[0] != sizes[-1]:
        raise CircuitError(
            "sizes of a nested autoencoder",
            got=str(list(sizes)),
            expected="at least three layers, the last as large as the first",
            remedy="Layer L is layer 0: repeat the first size at the end.",
        )
    if len(cores) != len(sizes) - 2:
        raise CircuitError(
            "cores of a nested autoencoder",
            got=str(list(cores)),
            expected=f"{len(sizes) - 2}, one for each hidden layer",
            remedy="Give as many cores as there are hidden layers.",
        )


def _loop(h: int, layer: Population, core: Population, bias: bool, delay: int) -> Parts:
    """The circular autoencoder that a hidden layer is; its input is taken over anew when the outer loop has turned."""
    image = Population(f"image{h}", layer.size, layer.activation, site=layer.name)
    up = Projection(f"P{h}", f"inner{h}", core.name, delay, bias)
    down = Projection(f"Q{h}", core.name, image.name, delay, bias)
    parts = block_parts(Block(str(h), layer, core, up, down, image, f"inner{h}", period=PERIOD))
    tuning = (
        Plasticity(up.name, recirculation.bind(m=PERIOD), group=TUNING),
        Plasticity(down.name, recirculation.bind(m=PERIOD), group=TUNING),
    )
    return parts + Parts(plasticity=tuning)


def _outer_rules(outer: Sequence[Projection], top: int) -> tuple[Plasticity, ...]:
    law = recirculation.bind(m=PERIOD)
    highest = Plasticity(f"A{top}", law, post="layer0", group=OUTER)
    return (*(Plasticity(q.name, law, group=OUTER) for q in outer[:-1]), highest)
