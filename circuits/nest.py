"""A Tourbillon of Tourbillons: a circular autoencoder whose hidden layers are circular autoencoders.

The outer loop leads from `layer0` through the hidden layers back to `layer{L}`, which is layer 0. Each hidden layer h
is itself a loop: its neurons `layer{h}` project to a smaller `core{h}` and from there back to their own site, where the
reconstruction arrives as `image{h}`, which the hidden layer passes on. While the outer loop turns once, inner loops
turn twice: in cycle 0 activity passes through them, in cycle 1 the image has gone around once more, and in cycle 2 the
outer loop has come around. Projections `A{h}` of the outer loop, `P{h}` (to the core), `Q{h}` (back).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import Connectivity, size_of
from circuitsim.circuit.parts import Activates, Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuits.blocks import TUNING, Block, Parts, block_parts, join_parts
from circuitsim.circuits.choices import refuse_sizes
from circuitsim.circuits.layers import parse_layers
from circuitsim.circuits.places import Layers, Place, as_layers
from circuitsim.errors import CircuitError
from circuitsim.rules import recirculation
from circuitsim.timetable.protocol import Protocol

PERIOD = 2  # cycles of the inner loops in one turn of the outer one
OUTER = "outer"


def nested_autoencoder(
    layers: Layers | Sequence[int],
    cores: Sequence[int | str],
    *,
    hidden: Activates = "tanh",
    output: Activates = "logistic",
    bias: bool = True,
    delay: int = 1,
    outer_delay: int = 3,
    bounded: bool = False,
    window: int | None = None,
) -> tuple[Circuit, Protocol]:
    """Build a circular autoencoder with circular autoencoders as hidden layers, and one presentation.

    Inner loops: dw_ij = (O_i(0) - O_i(1)) O_j(0); the outer loop: dw_ij = (O_i(0) - O_i(2)) O_j(0), for A{h}
    and, in the group "tuning", for P{h} and Q{h} too, which then learn from both loops.

    Parameters
    ----------
    layers : layers of the outer loop above an input (`parse_layers`), all with weights, or units in layers 0 ... L; at
        least three, the last with the shape of the first.
    cores : units of the core of each hidden layer, or a text that names it as a layer, such as "conv 3 5".
    hidden, output : activation functions; images have that of hidden layers. bias : True gives neurons a bias.
    delay : of the projections of inner loops, ticks. outer_delay : of the outer loop, which turns more slowly.
    bounded : True bounds the norm of the incoming weights of cores (parameter max_norm).
    window : memory of neurons, ticks; None: as long as the rules need.

    Returns
    -------
    The circuit and the protocol. Groups of rules: "encoder {h}" and "decoder {h}" of inner loops, "outer", "tuning".

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, sections 5.2 and 7, which leave the training open; the training is ours. An
    image that has gone around twice would also reach the next layer, which ignores it: only signals of the outer
    loop's cycle are read.
    """
    row, inner = _checked(layers, cores)
    top = len(row.places) - 1
    populations = [replace(p, dropout=0.0, mixes=k < top) for k, p in enumerate(row.populations(hidden, output))]
    sources, last = tuple(populations[:-1]), replace(populations[-1], site="layer0")
    middle = tuple(
        Population(f"core{h}", size_of(place.shape), hidden, mixes=True, bounded=bounded, shape=place.shape)
        for h, place in enumerate(inner, 1)
    )
    loops = [_loop(h, sources[h], middle[h - 1], inner[h - 1].connectivity, bias, delay) for h in range(1, top)]
    outer = [
        replace(q, source=f"image{h - 1}" if h > 1 else "layer0")
        for h, q in enumerate(row.upwards("A", outer_delay, bias), 1)
    ]
    parts = (
        Parts((*sources, *middle), tuple(outer))
        + join_parts(loops)
        + Parts((last,), exchanges=(Exchange(last.name, "layer0", Carries.OUTPUT, period=PERIOD),))
        + Parts(plasticity=_outer_rules(outer, top))
    )
    shares = row.shares or any(place.kind == "conv" for place in inner)
    circuit = parts.circuit("tourbillon of tourbillons", inputs="layer0", outputs=last.name, local=not shares)
    return circuit, Protocol(cycles=PERIOD, window=window)


def _checked(layers: Layers | Sequence[int], cores: Sequence[int | str]) -> tuple[Layers, list[Place]]:
    """Return the layers of the outer loop and the core of each hidden one."""
    subject = "a nested autoencoder"
    if not isinstance(layers, Layers) and (len(layers) < 3 or layers[0] != layers[-1]):
        expected = "at least three layers, the last as large as the first"
        refuse_sizes(subject, layers, expected, "Layer L is layer 0: repeat the first size at the end.")
    row = as_layers(layers)
    plain = len(row.weighted) == len(row.places) - 1
    if not plain or len(row.places) < 3 or size_of(row.top.shape) != size_of(row.places[0].shape):
        raise CircuitError(
            f"layers of {subject}",
            got=", ".join(f"{place.kind} {place.shape}" for place in row.places),
            expected="at least two above the input, all with weights, the last of the input's shape",
            remedy="Leave out pools, sums and upsampling; list the decoder too.",
        )
    if len(cores) != len(row.places) - 2:
        raise CircuitError(
            f"cores of {subject}",
            got=str(list(cores)),
            expected=f"{len(row.places) - 2}, one for each hidden layer",
            remedy="Give as many cores as there are hidden layers.",
        )
    texts = [core if isinstance(core, str) else f"dense {core}" for core in cores]
    return row, [parse_layers([text], p.shape).places[-1] for text, p in zip(texts, row.places[1:-1], strict=True)]


def _loop(h: int, layer: Population, core: Population, connectivity: Connectivity, bias: bool, delay: int) -> Parts:
    """Build the circular autoencoder of a hidden layer; its input is renewed each time the outer loop has turned."""
    image = Population(f"image{h}", layer.size, layer.activation, site=layer.name, shape=layer.shape)
    up = Projection(f"P{h}", f"inner{h}", core.name, delay, bias, connectivity=connectivity)
    down = Projection(f"Q{h}", core.name, image.name, delay, bias, connectivity=connectivity.transposed())
    parts = block_parts(Block(str(h), layer, core, up, down, image, f"inner{h}", period=PERIOD))
    tuning = (
        Plasticity(up.name, recirculation.bind(m=PERIOD), group=TUNING),
        Plasticity(down.name, recirculation.bind(m=PERIOD), group=TUNING),
    )
    return parts + Parts(plasticity=tuning)


def _outer_rules(outer: Sequence[Projection], top: int) -> tuple[Plasticity, ...]:
    rule = recirculation.bind(m=PERIOD)
    highest = Plasticity(f"A{top}", rule, post="layer0", group=OUTER)
    return (*(Plasticity(q.name, rule, group=OUTER) for q in outer[:-1]), highest)
