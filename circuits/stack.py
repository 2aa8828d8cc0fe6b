"""A stack of circular autoencoders in one circuit: each block's hinge is the input of the next.

Populations `layer0` ... `layer{n}`, block b between layers b-1 and b. The output of block b, `image{b-1}`, and from the
second block on its input, `inner{b-1}`, are compartments of the neurons of layer b-1. Projections `E{b}` (encoder, up)
and `D{b}` (decoder, down); for blocks that learn from errors `R{b}` (from the image's error to the hinge's).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Population, Projection
from circuitsim.circuits.blocks import Block, Parts, block_parts, join_parts, recirculates
from circuitsim.circuits.choices import refuse_sizes
from circuitsim.timetable.protocol import Protocol


def stacked_autoencoders(
    sizes: Sequence[int],
    rule: str = "rec",
    *,
    hidden: str = "tanh",
    output: str = "logistic",
    bias: bool = True,
    delay: int = 1,
    bounded: bool = False,
    window: int | None = None,
) -> tuple[Circuit, Protocol]:
    """Build circular autoencoders on top of each other; each learns as soon as input arrives from below.

    Parameters
    ----------
    sizes : neurons of the input and of each block's hinge, at least two.
    rule : rec, rec-symmetric; bp and rbp for comparison, which carry errors within each block.
    hidden : activation function of the hinges. output : that of the lowest block's output; higher blocks reconstruct a
        hinge and have its function. bias : True gives neurons a bias. delay : of every projection, ticks.
    bounded : True bounds the norm of the incoming weights of hinges (parameter max_norm).
    window : memory of neurons, ticks; None: as long as the rules need.

    Returns
    -------
    The circuit and one presentation. Groups of rules: "encoder {b}", "decoder {b}".

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, sections 3 and 5.
    """
    if len(sizes) < 2:
        remedy = "Give the size of the input and of each hinge."
        refuse_sizes("a stack of autoencoders", sizes, "at least two layers", remedy)
    layers = stack_layers(sizes, hidden, rule, bounded)
    blocks = stack_blocks(layers, rule, output, bias, delay)
    parts = Parts(layers) + join_parts(block_parts(block, rule, delay) for block in blocks)
    circuit = parts.circuit("stack of circular autoencoders", inputs="layer0", outputs="image0", local=rule != "bp")
    return circuit, Protocol(cycles=int(recirculates(rule)), window=window)


def stack_layers(sizes: Sequence[int], hidden: str, rule: str, bounded: bool) -> tuple[Population, ...]:
    """Return the input and the hinges."""
    mixes = recirculates(rule)
    hinges = (Population(f"layer{b}", n, hidden, mixes=mixes, bounded=bounded) for b, n in enumerate(sizes) if b)
    return Population("layer0", sizes[0], mixes=mixes), *hinges


def stack_blocks(layers: Sequence[Population], rule: str, output: str, bias: bool, delay: int) -> list[Block]:
    """Return the blocks between layers; a recirculating block above the first has its own input population."""
    found = []
    for b, (source, hinge) in enumerate(pairwise(layers), 1):
        inner = f"inner{b - 1}" if b > 1 and recirculates(rule) else source.name
        image = Population(f"image{b - 1}", source.size, output if b == 1 else source.activation, site=source.name)
        up = Projection(f"E{b}", inner, hinge.name, delay, bias)
        down = Projection(f"D{b}", hinge.name, image.name, delay, bias)
        found.append(Block(str(b), source, hinge, up, down, image, inner))
    return found
