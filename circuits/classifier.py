"""Layered classifiers with a feedback path: backpropagation and alternatives to its transposed weights.

Populations `layer0` ... `layer{L}`, `labels` beside the top, feedback neurons `error{h}` beside each layer that learns;
projections `W1` ... `W{L}` up and `B{h}` (from layer h to h - 1) or `D{h}` (from the output to h) for the errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import size_of
from circuitsim.circuit.parts import Activates, Carries, Exchange, Masks, Mirror, Plasticity, Population, Projection
from circuitsim.circuit.weights import Copied, Own, Signs, Tied, Transposed, Weights
from circuitsim.circuits.choices import refuse_sizes, require_choice
from circuitsim.circuits.places import Layers, Place, as_layers
from circuitsim.errors import CircuitError
from circuitsim.rules import amp, decay, delta, null, self_alignment, sparse
from circuitsim.timetable.protocol import Protocol, Updates

PRIMITIVES = {
    "ia": ("amp", "decay", "null"),
    "sa": ("self", "decay"),
    "aa": ("amp", "sparse"),
}
"""Information, symmetric and activation alignment as sums of primitives (Kunin et al. 2020)."""

FEEDBACK = ("bp", "fa", "dfa", "kp", "wm", "ss", "urfb", *PRIMITIVES)
LOSSES = ("error", "hinge")
KNOWN = ("decay", "amp", "null", "sparse", "self")
READS = ("input", "activity")
"""What amp, null and sparse take as the layer above: its input W x, as in their source, or its activity f(W x + b)."""


def layered_classifier(
    layers: Layers | Sequence[int],
    feedback: str = "bp",
    *,
    loss: str = "error",
    hidden: Activates = "tanh",
    output: Activates = "softmax",
    bias: bool = True,
    delay: int = 1,
    feedback_delay: int | None = None,
    primitives: Sequence[str] | None = None,
    reads: str = "input",
    mirror: Mirror | None = None,
    normalise: bool = False,
    passes: int = 1,
    bounded: bool = False,
    masked: bool = False,
    masks: Masks = Masks.SYNAPSE,
    copied: bool = False,
    redrawn: bool = False,
    deferred: bool = False,
    updates: Updates = Updates.LAST,
    window: int | None = None,
    real_targets: bool = False,
) -> tuple[Circuit, Protocol]:
    """Build a classifier of any depth whose errors come down a feedback path, and one presentation.

    Parameters
    ----------
    layers : layers above an input (`parse_layers`), or units in layers 0 ... L, all of them dense; the top has one unit
        for each class.
    feedback : bp (transposed weights), fa (fixed random), dfa (fixed random, directly from the output), kp and urfb
        (the forward increments, transposed), wm (weight mirror), ss (signs of the transposed weights), ia, sa, aa (sums
        of primitives).
    loss : error (target minus output) or hinge: summed inputs of output neurons are compared with a margin, 1 for the
        right class, the parameter `margin` of the top error neurons for the others (1, or 1/(C-1)).
    hidden, output : activation functions. bias : True gives neurons a bias. delay : of every projection, ticks.
    feedback_delay : of the feedback synapses; None: `delay`.
    primitives : for ia, sa and aa: terms of decay, amp, null, sparse and self that change the feedback synapses, in
        place of the sum that the name stands for.
    reads : x_{l+1} of amp, null and sparse: input (what the forward synapses bring to layer l+1, W x, without its bias)
        or activity (what that layer fires).
    mirror : for wm: the noise and the options of the answering neurons; its projection is filled in.
    normalise : for wm: True divides feedback weights by their norm after each update.
    passes : for wm: passes of mirror mode after a presentation.
    bounded : True bounds the norm of each neuron's incoming weights (parameter max_norm).
    masked : True keeps only a random part of the synapses, forward and feedback drawn separately (parameter density).
    masks : how these are drawn.
    copied : for bp: feedback weights are a copy, renewed in every k-th presentation (parameter `copy_interval` of B).
    redrawn : for ss: the magnitudes are drawn anew for every presentation.
    deferred : increments add up until a random presentation applies them (parameter `update_probability`).
    updates : when increments are applied: last, at once, or either at random.
    window : memory of neurons, ticks; None: as long as the rules need.
    real_targets : for regression: the targets are real numbers of the data, one for each unit of the top, in place of
        classes; `output` is then mostly identity.

    Source
    ------
    Akrout et al. 2019 (weight mirrors, Kolen-Pollack); Kunin et al. 2020 (primitives); Amit 2019 (urfb).
    """
    row, chosen = _checked(layers, feedback, primitives, loss, reads)
    back = delay if feedback_delay is None else feedback_delay
    down = _feedback(row, feedback, back, normalise=normalise, copied=copied, redrawn=redrawn)
    mirrors = tuple(replace(mirror or Mirror(""), projection=f"W{h}") for h in row.plain if h > 1 and feedback == "wm")
    extra, carriers = _echoes(row, chosen, delay, back, reads)
    ends = dict[str, Any](inputs=row.places[0].name, outputs=row.top.name, labels="labels", real_targets=real_targets)
    return Circuit(
        f"{'regression' if real_targets else 'classifier'} with {feedback}",
        (*_populations(row, feedback, hidden, output, bounded), *extra),
        (*(_with_options(q, masked, masks, deferred) for q in row.upwards("W", delay, bias) + down), *carriers),
        exchanges=_exchanges(row, feedback, loss),
        plasticity=_rules(row, feedback, chosen, reads),
        mirrors=mirrors,
        **ends,
    ), Protocol(window=window, passes=passes if mirrors else 0, updates=updates)


def _with_options(q: Projection, masked: bool, masks: Masks, deferred: bool) -> Projection:
    """Return a projection of which a random part is missing, and whose increments wait."""
    missing = masked and q.has_tensor and not q.constant
    return replace(q, masked=missing, masks=masks, deferred=deferred and q.name[0] == "W")


def _checked(
    layers: Layers | Sequence[int], feedback: str, primitives: Sequence[str] | None, loss: str, reads: str
) -> tuple[Layers, tuple[str, ...]]:
    """Return the layers and the primitives, once all arguments have been checked."""
    if not isinstance(layers, Layers) and len(layers) < 2:
        refuse_sizes("a classifier", layers, "at least two layers", "Add the classes.")
    row = as_layers(layers)
    if row.top.kind != "dense" or row.top.dropout:
        raise CircuitError(
            "layers of a classifier",
            got=f"{row.top.kind} at the top",
            expected="dense neurons, one for each class, none of them dropped out",
            remedy='End with "dense N".',
        )
    require_choice("feedback", "a classifier", feedback, FEEDBACK)
    for name in primitives or ():
        require_choice("primitives", "a classifier", name, KNOWN)
    require_choice("loss", "a classifier", loss, LOSSES)
    require_choice("reads", "a classifier", reads, READS)
    if primitives and feedback not in PRIMITIVES:
        raise CircuitError(
            "primitives of a classifier",
            got=f"{', '.join(primitives)} with feedback {feedback}",
            expected=f"feedback one of {', '.join(PRIMITIVES)}",
            remedy="Leave primitives out, or choose one of these.",
        )
    return row, tuple(primitives or PRIMITIVES.get(feedback, ()))


def _taught(row: Layers, feedback: str) -> list[Place]:
    """Return the layers beside which errors arrive: all that learn, and those through which errors pass."""
    return [place for place in row.taught if place.h is not None or feedback != "dfa"]


def _populations(row: Layers, feedback: str, hidden: Activates, output: Activates, bounded: bool) -> list[Population]:
    learning = {place.name for place in row.plain.values()}
    layers = [replace(p, bounded=bounded and p.name in learning) for p in row.populations(hidden, output)]
    errors = [
        Population(place.error, size_of(place.shape), site=place.site, feedback=True, shape=place.shape)
        for place in _taught(row, feedback)
    ]
    return [*layers, Population("labels", size_of(row.top.shape), site=row.top.name), *errors]


def _exchanges(row: Layers, feedback: str, loss: str) -> tuple[Exchange, ...]:
    compared = Carries.MARGIN if loss == "hinge" else Carries.ACTUAL
    below = [place for place in _taught(row, feedback) if place is not row.top]
    return (
        Exchange("labels", row.top.error, Carries.TARGET),
        Exchange(row.top.name, row.top.error, compared),
        *(Exchange(place.name, place.error, Carries.SLOPE) for place in below),
    )


def _feedback(
    row: Layers, feedback: str, delay: int, *, normalise: bool, copied: bool, redrawn: bool
) -> list[Projection]:
    """Projections that carry errors down; those of one kind of feedback differ in their weights alone."""
    if feedback == "dfa":
        below = [place for place in row.weighted.values() if place is not row.top]
        return [Projection(f"D{place.h}", row.top.error, place.error, delay) for place in below]

    def weights(h: int) -> Weights:
        match feedback:
            case "bp":
                return Copied(f"W{h}") if copied else Transposed(f"W{h}")
            case "ss":
                return Signs(f"W{h}", redrawn)
            case _:
                return Own(normalised=normalise and feedback == "wm")

    found = []
    for place in row.taught[1:]:
        if place.h is None:
            found += row.downwards(place, delay)
        else:
            found.append(row.backwards(place, weights(place.h), delay))
    return found


def _above(h: int, reads: str) -> str:
    """Return the neurons that hold x_{l+1} of the primitives beside layer h."""
    return f"input{h}" if reads == "input" else f"layer{h}"


def _echoes(
    row: Layers, chosen: Sequence[str], up: int, delay: int, reads: str
) -> tuple[list[Population], list[Projection]]:
    """Add the neurons that primitives read: a layer's input, and activity sent through the feedback synapses."""
    neurons, carriers = [], []
    for h in (h for h in row.plain if h > 1):
        here, below = row.weighted[h], row.source(h)
        above = _above(h, reads)
        if reads == "input" and {"amp", "null"} & {*chosen}:
            neurons.append(Population(above, size_of(here.shape), site=here.site, shape=here.shape))
            q = Projection(f"X{h}", below.name, above, up, weights=Tied(f"W{h}"))
            carriers.append(replace(q, connectivity=here.connectivity))
        if "null" in chosen:
            name, q = f"null{h - 1}", Projection(f"N{h}", above, f"null{h - 1}", delay, weights=Tied(f"B{h}"))
            neurons.append(Population(name, size_of(below.shape), site=below.site, shape=below.shape))
            carriers.append(replace(q, connectivity=here.connectivity.transposed()))
        if "sparse" in chosen:
            name, q = f"sparse{h}", Projection(f"S{h}", below.name, f"sparse{h}", delay, weights=Transposed(f"B{h}"))
            neurons.append(Population(name, size_of(here.shape), site=here.site, shape=here.shape))
            carriers.append(replace(q, connectivity=here.connectivity))
    return neurons, carriers


def _rules(row: Layers, feedback: str, chosen: Sequence[str], reads: str) -> tuple[Plasticity, ...]:
    """Return the rules of the forward synapses, then those of the feedback synapses."""
    rules = [Plasticity(f"W{h}", delta, post=place.error) for h, place in row.weighted.items()]
    return (*rules, *(rule for h in row.plain if h > 1 for rule in _learning(row, feedback, chosen, reads, h)))


def _learning(row: Layers, feedback: str, chosen: Sequence[str], reads: str, h: int) -> list[Plasticity]:
    """Return the rules of the feedback synapses from layer h to the layer below."""
    name, above, below = f"B{h}", f"layer{h}", row.source(h).name
    if feedback in ("kp", "urfb"):
        return [Plasticity(name, delta, post=below)]
    if feedback == "wm":
        return [Plasticity(name, amp, pre=above, post=below, momentum=False, mirror=f"W{h}")]
    above = _above(h, reads)
    made = {
        "decay": Plasticity(name, decay, momentum=False),
        "amp": Plasticity(name, amp, pre=above, post=below, momentum=False),
        "null": Plasticity(name, null, pre=above, post=f"null{h - 1}", momentum=False),
        "sparse": Plasticity(name, sparse, pre=f"sparse{h}", post=below, momentum=False),
        "self": Plasticity(name, self_alignment, momentum=False, transposed_from=f"W{h}"),
    }
    return [made[primitive] for primitive in chosen]
