"""Tourbillon: a stack of circular autoencoders, a supervised top layer, and a channel that carries its error down.

Populations of the stack (`circuits/stack.py`), the output `layer{n}` with the neurons `labels` at its site, and
feedback neurons `error{h}` beside each layer that the channel reaches. Projections `E{b}`, `D{b}`; `W{n}`, from the
last hinge to the output; the channel `B{h}`, from layer h to h - 1: `B{n}` has its own synapses; below it the synapses
of the decoders pass the error on, hinge by hinge.
"""

from __future__ import annotations

from collections.abc import Sequence

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuit.weights import Own, Tied, Transposed, Weights
from circuitsim.circuits.blocks import TOP, TOP_FEEDBACK, TUNING, Parts, block_parts, join_parts, recirculates
from circuitsim.circuits.choices import refuse_sizes, require_choice
from circuitsim.circuits.stack import stack_blocks, stack_layers
from circuitsim.rules import delta
from circuitsim.timetable.protocol import Protocol, Updates

CHANNELS = ("decoders", "bp", "random", "none")
LOSSES = ("error", "hinge")


def tourbillon(
    sizes: Sequence[int],
    rule: str = "rec",
    *,
    channel: str = "decoders",
    loss: str = "error",
    hidden: str = "tanh",
    output: str = "logistic",
    top: str = "softmax",
    bias: bool = True,
    delay: int = 1,
    bounded: bool = False,
    updates: Updates = Updates.LAST,
    window: int | None = None,
) -> tuple[Circuit, Protocol]:
    """Build a stack of circular autoencoders with a supervised top layer and a channel for fine-tuning.

    delta_n = T - O; delta_{n-1} = f'(S) B_n delta_n; delta_{b-1} = f'(S) D_b delta_b; dE_b = delta_b O_{b-1}^T, in
    addition to the rules of the blocks. Protocols choose by group which of these learn (`growing`).

    Parameters
    ----------
    sizes : neurons of the input, of each block's hinge, and of the classes: at least three.
    rule : of the blocks: rec, rec-symmetric, bp, rbp.
    channel : carrier of the error: decoders; bp (transposed weights of W and E, for comparison); random
        (its own fixed synapses); or none.
    loss : error (T - O), or hinge, on the summed inputs of the output.
    hidden, output, top : activation functions of the hinges, of the lowest block's image, of the output layer.
    bias : True gives neurons a bias. delay : of every projection, ticks.
    bounded : True bounds the norm of the incoming weights of hinges (parameter max_norm).
    updates : when increments are applied. window : memory of neurons, ticks; None: as long as the rules need.

    Returns
    -------
    The circuit, and a presentation in which everything learns at once; labels come when the output fires. Groups of
    rules: "encoder {b}", "decoder {b}", "top", "tuning", and "top feedback" (B{n}, which learns the transposed
    increments of W{n}).

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, sections 5 and 5.1. The paper leaves open how the error gets from the output
    to the last hinge, which has no decoder: here through B{n}, initially random.
    """
    _check(sizes, channel, loss)
    layers = stack_layers(sizes[:-1], hidden, rule, bounded)
    blocks = stack_blocks(layers, rule, output, bias, delay)
    parts = (
        Parts(layers)
        + join_parts(block_parts(block, rule, delay) for block in blocks)
        + _top(sizes, loss, top, bias, delay)
        + (_channel(sizes, channel, delay) if channel != "none" else Parts())
    )
    circuit = parts.circuit(
        f"tourbillon with channel {channel}",
        inputs="layer0",
        outputs=f"layer{len(sizes) - 1}",
        labels="labels",
        local="bp" not in (rule, channel) and top != "softmax",
    )
    return circuit, Protocol(
        cycles=int(recirculates(rule)), window=window, updates=updates, labelled=delay * (len(sizes) - 1)
    )


def growing(*blocks: int) -> tuple[str, ...]:
    """Return the groups of the rules of these blocks."""
    return tuple(group for b in blocks for group in (f"encoder {b}", f"decoder {b}"))


def _check(sizes: Sequence[int], channel: str, loss: str) -> None:
    if len(sizes) < 3:
        remedy = "Give the size of the input and of each hinge, and the number of classes."
        refuse_sizes("a tourbillon", sizes, "at least three layers", remedy)
    require_choice("channel", "a tourbillon", channel, CHANNELS)
    require_choice("loss", "a tourbillon", loss, LOSSES)


def _top(sizes: Sequence[int], loss: str, activation: str, bias: bool, delay: int) -> Parts:
    n = len(sizes) - 1
    compared = Carries.MARGIN if loss == "hinge" else Carries.ACTUAL
    return Parts(
        (
            Population(f"layer{n}", sizes[n], activation),
            Population("labels", sizes[n], site=f"layer{n}"),
            Population(f"error{n}", sizes[n], site=f"layer{n}", feedback=True),
        ),
        (Projection(f"W{n}", f"layer{n - 1}", f"layer{n}", delay, bias),),
        (Exchange("labels", f"error{n}", Carries.TARGET), Exchange(f"layer{n}", f"error{n}", compared)),
        (Plasticity(f"W{n}", delta, post=f"error{n}", group=TOP),),
    )


def _channel(sizes: Sequence[int], channel: str, delay: int) -> Parts:
    """Add feedback neurons beside each hinge, the synapses into them, and the rules that use their errors."""
    n = len(sizes) - 1
    top = Transposed(f"W{n}") if channel == "bp" else Own()
    highest = Projection(f"B{n}", f"error{n}", f"error{n - 1}", delay, weights=top)
    below = (
        Projection(f"B{b}", f"error{b}", f"error{b - 1}", delay, weights=_weights(channel, b)) for b in range(2, n)
    )
    learning = (Plasticity(f"B{n}", delta, post=f"layer{n - 1}", group=TOP_FEEDBACK),)
    return Parts(
        tuple(Population(f"error{b}", sizes[b], site=f"layer{b}", feedback=True) for b in range(1, n)),
        (*below, highest),
        tuple(Exchange(f"layer{b}", f"error{b}", Carries.SLOPE) for b in range(1, n)),
        tuple(Plasticity(f"E{b}", delta, post=f"error{b}", group=TUNING) for b in range(1, n))
        + (learning if channel != "bp" else ()),
    )


def _weights(channel: str, b: int) -> Weights:
    """Weights of the feedback synapses beside block b's encoder."""
    match channel:
        case "bp":
            return Transposed(f"E{b}")
        case "decoders":
            return Tied(f"D{b}")
        case _:
            return Own()
