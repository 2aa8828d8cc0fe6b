"""A stack of circular autoencoders in one circuit: each block's hinge is the input of the next.

Populations `layer0` ... `layer{n}`, block b between layers b-1 and b. The output of block b, `image{b-1}`, and from the
second block on its input, `inner{b-1}`, are compartments of the neurons of layer b-1. Projections `E{b}` (encoder, up)
and `D{b}` (decoder, down); for blocks that learn from errors `R{b}` (from the image's error to the hinge's). Where
layers without weights lie between two blocks, the upper block's source is the last of them: `image{b-1}` and
`inner{b-1}` are then compartments of its neurons. Pools directly above a hinge are passed and undone within the block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Activates, Population, Projection
from circuitsim.circuits.blocks import Block, Parts, block_parts, join_parts, recirculates
from circuitsim.circuits.choices import refuse_sizes
from circuitsim.circuits.places import Layers, Place, as_layers
from circuitsim.circuits.pools import undo_pools
from circuitsim.timetable.protocol import Protocol


def stacked_autoencoders(
    layers: Layers | Sequence[int],
    rule: str = "rec",
    *,
    hidden: Activates = "tanh",
    output: Activates = "logistic",
    images: str = "",
    unpool: str = "upsample",
    bias: bool = True,
    delay: int = 1,
    bounded: bool = False,
    window: int | None = None,
) -> tuple[Circuit, Protocol]:
    """Build circular autoencoders on top of each other; each learns as soon as input arrives from below.

    Parameters
    ----------
    layers : layers above an input (`parse_layers`), each with weights a block, or neurons of the input and of each
        block's hinge; at least one block. A decoder has the encoder's synapses read backwards. Dropout is left out: a
        hinge compares two of its own activities.
    rule : rec, rec-symmetric; bp and rbp for comparison, which carry errors within each block.
    hidden : activation function of the hinges. output : that of the lowest block's output.
    images : that of higher blocks' outputs; "": that of the hinge which they reconstruct.
    unpool : how a pool is undone within its block: upsample, or winners (only the synapse that won passes activity).
    bias : True gives neurons a bias. delay : of every projection, ticks.
    bounded : True bounds the norm of the incoming weights of hinges (parameter max_norm).
    window : memory of neurons, ticks; None: as long as the rules need.

    Returns
    -------
    The circuit and one presentation. Groups of rules: "encoder {b}", "decoder {b}".

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, sections 3, 5 and 6.3.
    """
    if not isinstance(layers, Layers) and len(layers) < 2:
        remedy = "Give the size of the input and of each hinge."
        refuse_sizes("a stack of autoencoders", layers, "at least two layers", remedy)
    row, made = as_layers(layers), Making(rule, hidden, output, images, unpool, bias, delay, bounded)
    parts, (lowest, *_) = stack_parts(row, len(row.weighted), made)
    options = {"inputs": "layer0", "outputs": lowest.image.name, "local": rule != "bp" and not row.shares}
    circuit = parts.circuit("stack of circular autoencoders", **options)
    return circuit, Protocol(cycles=int(recirculates(rule)), window=window)


@dataclass(frozen=True)
class Making:
    """Options of the blocks of a stack: the arguments of `stacked_autoencoders`."""

    rule: str
    hidden: Activates
    output: Activates
    images: str
    unpool: str
    bias: bool
    delay: int
    bounded: bool


def stack_parts(row: Layers, count: int, made: Making) -> tuple[Parts, tuple[Block, ...]]:
    """Return the parts of a stack, and its lowest `count` blocks; layers above the last block's pools are left out."""
    layers = row.places if count == len(row.weighted) else row.places[:-1]
    populations = row.populations(made.hidden, made.hidden)[: len(layers)]
    named = {p.name: _layer(row, place, p, made) for place, p in zip(layers, populations, strict=True)}
    fixed = [q for q in row.upwards("E", made.delay, made.bias) if q.constant and q.target in named]
    blocks = tuple(_block(row, h, named, fixed, made) for h in range(1, count + 1))
    parts = Parts(tuple(named.values()), tuple(fixed))
    return parts + join_parts(block_parts(block, made.rule, made.delay) for block in blocks), blocks


def _layer(row: Layers, place: Place, p: Population, made: Making) -> Population:
    """Return a layer as a hinge, or as the input, which mixes if it drives the lowest block itself."""
    mixes = recirculates(made.rule) and (place.h is not None or place is row.source(1) is row.places[0])
    return replace(p, mixes=mixes, bounded=made.bounded and place.h is not None, dropout=0.0)


def _block(row: Layers, h: int, named: Mapping[str, Population], fixed: Sequence[Projection], made: Making) -> Block:
    """Return the block of layer h; a recirculating one above another layer has its own input population."""
    place, below = row.weighted[h], row.source(h)
    source, hinge = named[below.name], named[place.name]
    fires = row.activation(below, made.hidden) if h > 1 else ""
    own = recirculates(made.rule) and below.kind != "input"
    inner = f"inner{h - 1}" if own else source.name
    image = Population(
        f"image{h - 1}",
        source.size,
        made.output if h == 1 else made.images or fires,
        site=source.name,
        shape=source.shape,
    )
    pools = [(named[pool.name], next(q for q in fixed if q.target == pool.name)) for pool in row.pools(h)]
    undone = undo_pools(hinge, pools, made.unpool)
    up = Projection(f"E{h}", inner, hinge.name, made.delay, made.bias, connectivity=place.connectivity)
    starts = undone[0].undone.name if undone else hinge.name
    back = place.connectivity.transposed()
    down = Projection(f"D{h}", starts, image.name, made.delay, made.bias, connectivity=back)
    return Block(str(h), source, hinge, up, down, image, inner, pools=undone, fires=fires)
