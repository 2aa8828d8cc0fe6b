"""Classifiers in which the feedback signal replaces the forward activity of the same neurons, layer by layer.

Populations `layer0` ... `layer{L}` and `labels` beside the top; projections `W1` ... `W{L}` up and `B{h}` (from layer h
to h - 1) down, between the same neurons. The order of the layers follows from the delays.
"""

from __future__ import annotations

from collections.abc import Sequence

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Activates, Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuit.weights import OWN, Signs, Transposed, Weights
from circuitsim.errors import CircuitError
from circuitsim.rules import replacement, replacement_feedback
from circuitsim.timetable.protocol import Protocol

FEEDBACK = ("bp", "fa", "ss", "urfb")


def replacement_classifier(
    sizes: Sequence[int],
    feedback: str = "urfb",
    *,
    hidden: Activates = "saturated",
    output: Activates = "softmax",
    bias: bool = True,
    delay: int = 1,
    masked: bool = False,
    window: int | None = None,
) -> tuple[Circuit, Protocol]:
    """Build a classifier whose neurons carry activity up and then, in its place, the feedback signal down.

    Parameters
    ----------
    sizes : units in layers 0 ... L; the top has one for each class.
    feedback : urfb (the forward increments, transposed), fa (fixed random), bp (transposed weights), ss (their signs).
    hidden, output : activation functions. bias : True gives neurons a bias. delay : of every projection, ticks.
    masked : True keeps only a random part of the synapses, forward and feedback drawn separately (parameter density).
    window : memory of neurons, ticks; None: as long as the rules need.

    Returns
    -------
    The circuit and one presentation. It learns the same weights as `layered_classifier` with feedback neurons.

    Source
    ------
    Amit 2019, section 2 and Remark 1: the signal replaces the activity of a layer before the synapses
    into it are updated, with the forward activity of the layer below.
    """
    if feedback not in FEEDBACK or len(sizes) < 2:
        raise CircuitError(
            "a classifier with feedback replacement",
            got=f"feedback {feedback!r}, sizes {list(sizes)}",
            expected=f"feedback one of {', '.join(FEEDBACK)}, at least two layers",
            remedy="Choose one of these, or a layered_classifier.",
        )
    top = len(sizes) - 1
    layers = [
        Population(f"layer{h}", n, "identity" if h == 0 else output if h == top else hidden, replaced=h > 0)
        for h, n in enumerate(sizes)
    ]
    forward = [Projection(f"W{h}", f"layer{h - 1}", f"layer{h}", delay, bias, masked=masked) for h in range(1, top + 1)]
    down = [_down(h, feedback, delay, masked) for h in range(2, top + 1)]
    rules = [Plasticity(q.name, replacement) for q in forward]
    rules += [Plasticity(q.name, replacement_feedback) for q in down if feedback == "urfb"]
    circuit = Circuit(
        f"classifier with feedback replacement, {feedback}",
        (*layers, Population("labels", sizes[top], site=f"layer{top}")),
        (*forward, *down),
        inputs="layer0",
        outputs=f"layer{top}",
        exchanges=(Exchange("labels", f"layer{top}", Carries.TARGET),),
        plasticity=tuple(rules),
        labels="labels",
    )
    return circuit, Protocol(window=window)


def _down(h: int, feedback: str, delay: int, masked: bool) -> Projection:
    weights: dict[str, Weights] = {"bp": Transposed(f"W{h}"), "ss": Signs(f"W{h}")}
    return Projection(
        f"B{h}",
        f"layer{h}",
        f"layer{h - 1}",
        delay,
        weights=weights.get(feedback, OWN),
        feedback=True,
        masked=masked and feedback != "bp",
    )
