"""Layered classifiers with a feedback path: backpropagation and alternatives to its transposed weights.

Populations `layer0` ... `layer{L}`, `labels` beside the top, feedback neurons `error{h}` beside each layer that learns;
projections `W1` ... `W{L}` up and `B{h}` (from layer h to h - 1) or `D{h}` (from the output to h) for the errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Exchange, Mirror, Plasticity, Population, Projection
from circuitsim.circuit.weights import Copied, Own, Signs, Tied, Transposed, Weights
from circuitsim.circuits.choices import refuse_sizes, require_choice
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


def layered_classifier(
    sizes: Sequence[int],
    feedback: str = "bp",
    *,
    loss: str = "error",
    hidden: str = "tanh",
    output: str = "softmax",
    bias: bool = True,
    delay: int = 1,
    feedback_delay: int | None = None,
    primitives: Sequence[str] | None = None,
    mirror: Mirror | None = None,
    normalise: bool = False,
    passes: int = 1,
    bounded: bool = False,
    masked: bool = False,
    copied: bool = False,
    redrawn: bool = False,
    deferred: bool = False,
    updates: Updates = Updates.LAST,
    window: int | None = None,
) -> tuple[Circuit, Protocol]:
    """Build a classifier of any depth whose errors come down a feedback path, and one presentation.

    Parameters
    ----------
    sizes : units in layers 0 ... L; the top has one for each class.
    feedback : bp (transposed weights), fa (fixed random), dfa (fixed random, directly from the output), kp and urfb
        (the forward increments, transposed), wm (weight mirror), ss (signs of the transposed weights), ia, sa, aa (sums
        of primitives).
    loss : error (target minus output) or hinge: summed inputs of output neurons are compared with a margin, 1 for the
        right class, the parameter `margin` of the top error neurons for the others (1, or 1/(C-1)).
    hidden, output : activation functions. bias : True gives neurons a bias. delay : of every projection, ticks.
    feedback_delay : of the feedback synapses; None: `delay`.
    primitives : for ia, sa and aa: terms of decay, amp, null, sparse and self that change the feedback synapses, in
        place of the sum that the name stands for.
    mirror : for wm: the noise and the options of the answering neurons; its projection is filled in.
    normalise : for wm: True divides feedback weights by their norm after each update.
    passes : for wm: passes of mirror mode after a presentation.
    bounded : True bounds the norm of each neuron's incoming weights (parameter max_norm).
    masked : True keeps only a random part of the synapses, forward and feedback drawn separately (parameter density).
    copied : for bp: feedback weights are a copy, renewed in every k-th presentation (parameter `copy_interval` of B).
    redrawn : for ss: the magnitudes are drawn anew for every presentation.
    deferred : increments add up until a random presentation applies them (parameter `update_probability`).
    updates : when increments are applied: last, at once, or either at random.
    window : memory of neurons, ticks; None: as long as the rules need.

    Source
    ------
    Akrout et al. 2019 (weight mirrors, Kolen-Pollack); Kunin et al. 2020 (primitives); Amit 2019 (urfb).
    """
    top, chosen = _checked(sizes, feedback, primitives, loss)
    back = delay if feedback_delay is None else feedback_delay
    forward = [Projection(f"W{h}", f"layer{h - 1}", f"layer{h}", delay, bias) for h in range(1, top + 1)]
    down = _feedback(feedback, top, back, normalise=normalise, copied=copied, redrawn=redrawn)
    synapses = [replace(q, masked=masked and q.has_tensor, deferred=deferred and q in forward) for q in forward + down]
    mirrored = range(2, top + 1) if feedback == "wm" else ()
    extra, carriers = _echoes(chosen, sizes, back)
    return Circuit(
        f"classifier with {feedback}",
        (*_populations(sizes, hidden, output, bounded), *extra),
        (*synapses, *carriers),
        inputs="layer0",
        outputs=f"layer{top}",
        exchanges=_exchanges(top, Carries.MARGIN if loss == "hinge" else Carries.ACTUAL),
        plasticity=_rules(feedback, chosen, top),
        mirrors=tuple(replace(mirror or Mirror(""), projection=f"W{h}") for h in mirrored),
        labels="labels",
    ), Protocol(window=window, passes=passes if mirrored else 0, updates=updates)


def _checked(
    sizes: Sequence[int], feedback: str, primitives: Sequence[str] | None, loss: str
) -> tuple[int, tuple[str, ...]]:
    """Return the number of the top layer and the primitives, once all arguments have been checked."""
    if len(sizes) < 2:
        refuse_sizes("a classifier", sizes, "at least two layers", "Add the classes.")
    require_choice("feedback", "a classifier", feedback, FEEDBACK)
    for name in primitives or ():
        require_choice("primitives", "a classifier", name, KNOWN)
    require_choice("loss", "a classifier", loss, LOSSES)
    if primitives and feedback not in PRIMITIVES:
        raise CircuitError(
            "primitives of a classifier",
            got=f"{', '.join(primitives)} with feedback {feedback}",
            expected=f"feedback one of {', '.join(PRIMITIVES)}",
            remedy="Leave primitives out, or choose one of these.",
        )
    return len(sizes) - 1, tuple(primitives or PRIMITIVES.get(feedback, ()))


def _populations(sizes: Sequence[int], hidden: str, output: str, bounded: bool) -> list[Population]:
    top = len(sizes) - 1
    layers = [
        Population(f"layer{h}", n, "identity" if h == 0 else output if h == top else hidden, bounded=bounded and h > 0)
        for h, n in enumerate(sizes)
    ]
    errors = [Population(f"error{h}", sizes[h], site=f"layer{h}", feedback=True) for h in range(1, top + 1)]
    return [*layers, Population("labels", sizes[top], site=f"layer{top}"), *errors]


def _exchanges(top: int, compared: Carries) -> tuple[Exchange, ...]:
    return (
        Exchange("labels", f"error{top}", Carries.TARGET),
        Exchange(f"layer{top}", f"error{top}", compared),
        *(Exchange(f"layer{h}", f"error{h}", Carries.SLOPE) for h in range(1, top)),
    )


def _feedback(feedback: str, top: int, delay: int, *, normalise: bool, copied: bool, redrawn: bool) -> list[Projection]:
    """Projections that carry errors down; those of one kind of feedback differ in their weights alone."""
    if feedback == "dfa":
        return [Projection(f"D{h}", f"error{top}", f"error{h}", delay) for h in range(1, top)]

    def weights(h: int) -> Weights:
        match feedback:
            case "bp":
                return Copied(f"W{h}") if copied else Transposed(f"W{h}")
            case "ss":
                return Signs(f"W{h}", redrawn)
            case _:
                return Own(normalised=normalise and feedback == "wm")

    between = range(2, top + 1)
    return [Projection(f"B{h}", f"error{h}", f"error{h - 1}", delay, weights=weights(h)) for h in between]


def _echoes(chosen: Sequence[str], sizes: Sequence[int], delay: int) -> tuple[list[Population], list[Projection]]:
    """Add the neurons that null and sparse read: activity sent through the feedback synapses, down or in reverse."""
    neurons, carriers = [], []
    for h in range(2, len(sizes)):
        if "null" in chosen:
            neurons.append(Population(f"null{h - 1}", sizes[h - 1], site=f"layer{h - 1}"))
            carriers.append(Projection(f"N{h}", f"layer{h}", f"null{h - 1}", delay, weights=Tied(f"B{h}")))
        if "sparse" in chosen:
            neurons.append(Population(f"sparse{h}", sizes[h], site=f"layer{h}"))
            carriers.append(Projection(f"S{h}", f"layer{h - 1}", f"sparse{h}", delay, weights=Transposed(f"B{h}")))
    return neurons, carriers


def _rules(feedback: str, chosen: Sequence[str], top: int) -> tuple[Plasticity, ...]:
    """Return the rules of the forward synapses, then those of the feedback synapses."""
    rules = [Plasticity(f"W{h}", delta, post=f"error{h}") for h in range(1, top + 1)]
    return (*rules, *(rule for h in range(2, top + 1) for rule in _learning(feedback, chosen, h)))


def _learning(feedback: str, chosen: Sequence[str], h: int) -> list[Plasticity]:
    """Return the rules of the feedback synapses from layer h to layer h - 1."""
    name, above, below = f"B{h}", f"layer{h}", f"layer{h - 1}"
    if feedback in ("kp", "urfb"):
        return [Plasticity(name, delta, post=below)]
    if feedback == "wm":
        return [Plasticity(name, amp, pre=above, post=below, momentum=False, mirror=f"W{h}")]
    made = {
        "decay": Plasticity(name, decay, momentum=False),
        "amp": Plasticity(name, amp, pre=above, post=below, momentum=False),
        "null": Plasticity(name, null, pre=above, post=f"null{h - 1}", momentum=False),
        "sparse": Plasticity(name, sparse, pre=f"sparse{h}", post=below, momentum=False),
        "self": Plasticity(name, self_alignment, momentum=False, transposed_from=f"W{h}"),
    }
    return [made[primitive] for primitive in chosen]
