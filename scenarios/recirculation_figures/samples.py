"""Figure 7 of `recirculation-figures`: reconstructions of test examples by linear circuits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from circuitsim.analysis.reports.images import reconstruction_figure
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.runs.config import replicas
from circuitsim.scenarios.autoencoder import AutoencoderSettings, design
from circuitsim.scenarios.figures import Measured, exhibit
from circuitsim.scenarios.recirculation_figures.curves import by_rule

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator

EXAMPLES = 10


def figure_7(measured: Sequence[Measured]) -> list[Exhibit]:
    """Draw original images, then those of BP, SRBP and REC."""
    (one,) = measured
    loaded = one.data()
    originals = loaded.test[:EXAMPLES]
    outputs = reconstructions(one, originals)
    image = reconstruction_figure(originals, outputs, loaded.image_shape)
    rows = [
        (label, k, float(np.mean((o - x) ** 2)))
        for label, out in outputs.items()
        for k, (o, x) in enumerate(zip(out.astype(np.float64), originals, strict=True))
    ]
    caption = (
        "The first test examples through three linear hidden layers. Output biases start where the output is the "
        "training mean (data), as in the paper, or at zero."
    )
    columns = ["circuit", "example", "mse"]
    return [exhibit("figure-7", "Figure 7: reconstructions", caption, columns, rows, image)]


def reconstructions(one: Measured, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return the outputs of each replica with the weights at the end of training."""
    tensors = one.tensors()
    each = replicas(AutoencoderSettings, one.values, one.run.member.vary)
    found = {}
    for index, (settings, replica) in enumerate(zip(each, one.replicas, strict=True)):
        simulator = _trained(settings, {name: values[index] for name, values in tensors.items()})
        label = f"{by_rule(replica)}, output bias {replica['output_bias']}"
        found[label] = np.concatenate([out[0].copy() for _, out, _ in simulator.outputs(x)])
    return found


def _trained(settings: AutoencoderSettings, tensors: Mapping[str, np.ndarray]) -> Simulator:
    from circuitsim.engine.simulator import Simulator

    made = design(settings)
    simulator = Simulator(
        made.circuit, made.protocol, batch=1, dtype=settings.dtype, backend="numpy", parameters=made.parameters
    )
    for name in simulator.tensors():
        simulator.load(name, tensors[name])
    return simulator
