"""Tourbillon: a stack of circular autoencoders, a supervised top layer, and a channel that carries its error down.

Populations of the stack (`circuits/stack.py`), the output `layer{n}` with the neurons `labels` at its site, and
feedback neurons `error{h}` beside each layer that the channel reaches. Projections `E{b}`, `D{b}`; `W{n}`, from the
last hinge to the output; the channel `B{h}`, from layer h to h - 1: `B{n}` has its own synapses; below it the synapses
of the decoders pass the error on, hinge by hinge. Between two hinges it passes layers without weights backwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import size_of
from circuitsim.circuit.parts import Activates, Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuit.weights import Own, Tied, Transposed, Weights
from circuitsim.circuits.blocks import TOP, TOP_FEEDBACK, TUNING, Parts, recirculates
from circuitsim.circuits.choices import refuse_sizes, require_choice
from circuitsim.circuits.places import Layers, Place, as_layers
from circuitsim.circuits.pools import upsampling
from circuitsim.circuits.stack import Making, stack_parts
from circuitsim.errors import CircuitError
from circuitsim.rules import delta
from circuitsim.timetable.protocol import Protocol, Updates

CHANNELS = ("decoders", "winners", "bp", "random", "none")
TOP_WEIGHTS = ("own", "transposed")
LOSSES = ("error", "hinge")


def tourbillon(
    layers: Layers | Sequence[int],
    rule: str = "rec",
    *,
    channel: str = "decoders",
    top_weights: str = "own",
    loss: str = "error",
    hidden: Activates = "tanh",
    output: Activates = "logistic",
    images: str = "",
    unpool: str = "upsample",
    top: Activates = "softmax",
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
    layers : layers above an input (`parse_layers`), the top dense, or neurons of the input, of each block's hinge, and
        of the classes: at least one block below the top. Dropout is left out (`stacked_autoencoders`).
    rule : of the blocks: rec, rec-symmetric, bp, rbp.
    channel : carrier of the error: decoders, which pass it as they pass activity, pools undone by upsampling; winners
        (decoders too, but a pool passes it through the synapse that won); bp (transposed weights of W and E, for
        comparison); random (its own fixed synapses); or none.
    top_weights : of B{n}: own, or transposed (of W, for comparison; bp has these always).
    loss : error (T - O), or hinge, on the summed inputs of the output.
    hidden, output, top : activation functions of the hinges, of the lowest block's image, of the output layer.
    images : function of higher blocks' images; "": that of the hinge which they reconstruct.
    unpool : how a pool is undone within its block: upsample or winners.
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
    row = _checked(layers, channel, top_weights, loss)
    made = Making(rule, hidden, output, images, unpool, bias, delay, bounded)
    parts, _ = stack_parts(row, len(row.weighted) - 1, made)
    parts += _top(row, loss, top, bias, delay)
    if channel != "none":
        parts += _channel(row, channel, "transposed" if channel == "bp" else top_weights, delay)
    transports = "bp" in (rule, channel) or (channel != "none" and top_weights == "transposed")
    circuit = parts.circuit(
        f"tourbillon with channel {channel}",
        inputs="layer0",
        outputs=row.top.name,
        labels="labels",
        local=not transports and top != "softmax" and not row.shares,
    )
    return circuit, Protocol(
        cycles=int(recirculates(rule)), window=window, updates=updates, labelled=delay * (len(row.places) - 1)
    )


def growing(*blocks: int) -> tuple[str, ...]:
    """Return the groups of the rules of these blocks."""
    return tuple(group for b in blocks for group in (f"encoder {b}", f"decoder {b}"))


def _checked(layers: Layers | Sequence[int], channel: str, top_weights: str, loss: str) -> Layers:
    subject = "a tourbillon"
    if not isinstance(layers, Layers) and len(layers) < 3:
        remedy = "Give the size of the input and of each hinge, and the number of classes."
        refuse_sizes(subject, layers, "at least three layers", remedy)
    row = as_layers(layers)
    if row.top.kind != "dense" or len(row.weighted) < 2:
        raise CircuitError(
            "layers of a tourbillon",
            got=f"{len(row.weighted)} with weights, {row.top.kind} at the top",
            expected="at least two with weights, the top dense, one neuron for each class",
            remedy='End with "dense N" above a block.',
        )
    require_choice("channel", subject, channel, CHANNELS)
    require_choice("top_weights", subject, top_weights, TOP_WEIGHTS)
    require_choice("loss", subject, loss, LOSSES)
    return row


def _top(row: Layers, loss: str, activation: Activates, bias: bool, delay: int) -> Parts:
    n, top = max(row.weighted), row.top
    size = top.shape[0]
    compared = Carries.MARGIN if loss == "hinge" else Carries.ACTUAL
    return Parts(
        (
            Population(top.name, size, activation),
            Population("labels", size, site=top.name),
            Population(top.error, size, site=top.name, feedback=True),
        ),
        (Projection(f"W{n}", row.source(n).name, top.name, delay, bias),),
        (Exchange("labels", top.error, Carries.TARGET), Exchange(top.name, top.error, compared)),
        (Plasticity(f"W{n}", delta, post=top.error, group=TOP),),
    )


def _channel(row: Layers, channel: str, top_weights: str, delay: int) -> Parts:
    """Add feedback neurons beside each layer below the top, the synapses into them, and the rules that use errors."""
    n, below = max(row.weighted), [place for place in row.taught if place is not row.top]
    carriers = [q for place in below[1:] for q in _down(row, place, channel, delay)]
    top = Transposed(f"W{n}") if top_weights == "transposed" else Own()
    highest = Projection(f"B{n}", row.top.error, row.source(n).error, delay, weights=top)
    learning = (Plasticity(f"B{n}", delta, post=row.source(n).name, group=TOP_FEEDBACK),)
    return Parts(
        tuple(
            Population(place.error, size_of(place.shape), site=place.name, feedback=True, shape=place.shape)
            for place in below
        ),
        (*carriers, highest),
        tuple(Exchange(place.name, place.error, Carries.SLOPE) for place in below),
        tuple(Plasticity(f"E{p.h}", delta, post=p.error, group=TUNING) for p in below if p.h is not None)
        + (learning if top_weights == "own" else ()),
    )


def _down(row: Layers, place: Place, channel: str, delay: int) -> list[Projection]:
    """Return the projections by which the error beside a layer comes to those below."""
    if place.h is not None:
        q = Projection(f"B{place.h}", place.error, row.source(place.h).error, delay, weights=_weights(channel, place.h))
        return [replace(q, connectivity=place.connectivity.transposed())]
    found = row.downwards(place, delay)
    if channel != "decoders" or place.kind not in ("maxpool", "meanpool"):
        return found
    image = row.places[place.below[0]].shape
    made = upsampling(place.connectivity, place.shape, image)
    return [replace(q, connectivity=made, winners="") for q in found]


def _weights(channel: str, b: int) -> Weights:
    """Weights of the feedback synapses beside block b's encoder."""
    match channel:
        case "bp":
            return Transposed(f"E{b}")
        case "decoders" | "winners":
            return Tied(f"D{b}")
        case _:
            return Own()
