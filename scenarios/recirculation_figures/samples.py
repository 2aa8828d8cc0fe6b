"""Figure 7 of `recirculation-figures`: test examples as trained linear circuits give them back."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim import data
from circuitsim.analysis.reports.images import reconstruction_figure
from circuitsim.analysis.reports.page import Image
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.runs.config import replicas
from circuitsim.runs.runfolder import FINAL, read_tensors
from circuitsim.scenarios.autoencoder import AutoencoderSettings, design
from circuitsim.scenarios.recirculation_figures.curves import by_rule
from circuitsim.scenarios.recirculation_figures.series import Measured

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator

EXAMPLES = 10


def figure_7(measured: Sequence[Measured]) -> list[Exhibit]:
    """Originals, then BP, SRBP and REC."""
    import pandas as pd

    (one,) = measured
    own = one.run.member.values
    loaded = data.load(own["dataset"], "float32", own["train_limit"], own["test_limit"])
    originals = loaded.test[:EXAMPLES]
    outputs = reconstructions(one, originals)
    shown = reconstruction_figure(originals, outputs, loaded.image_shape)
    image = shown if shown.uri.startswith("data:image/svg") else as_svg(shown)
    rows = [
        (label, k, float(np.mean((o - x) ** 2)))
        for label, out in outputs.items()
        for k, (o, x) in _pairs(out, originals)
    ]
    caption = (
        "The first test examples through three linear hidden layers. The output's biases start where the output is the "
        "training mean (data), as the paper has them, or at zero."
    )
    table = pd.DataFrame(rows, columns=["circuit", "example", "mse"])
    return [Exhibit("figure-7", "Figure 7: reconstructions", caption, table, image)]


def _pairs(outputs: np.ndarray, originals: np.ndarray) -> Any:
    return enumerate(zip(outputs.astype(np.float64), originals, strict=True))


def reconstructions(one: Measured, x: np.ndarray) -> dict[str, np.ndarray]:
    """What each replica makes of examples, with the weights that it ended with."""
    member, tensors = one.run.member, read_tensors(one.run.folder / FINAL)
    each = replicas(AutoencoderSettings, member.values, member.vary)
    found = {}
    for index, (settings, replica) in enumerate(zip(each, one.replicas, strict=True)):
        simulator = _trained(settings, {name: values[index] for name, values in tensors.items()})
        made = np.concatenate([out[0].copy() for _, out, _ in simulator.outputs(x)])
        found[_label(replica)] = made
    return found


def _label(replica: Mapping[str, Any]) -> str:
    return f"{by_rule(replica)}, output bias {replica['output_bias']}"


def _trained(settings: AutoencoderSettings, tensors: Mapping[str, np.ndarray]) -> Simulator:
    from circuitsim.engine.simulator import Simulator

    made = design(settings)
    simulator = Simulator(
        made.circuit, made.protocol, batch=1, dtype=settings.dtype, backend="numpy", parameters=made.parameters
    )
    for name in simulator.tensors():
        simulator.load(name, tensors[name])
    return simulator


def as_svg(image: Image) -> Image:
    """A figure of pixels within one of vectors: the files of figures are SVG."""
    content = base64.b64decode(image.uri.partition(",")[2])
    width, height = struct.unpack(">II", content[16:24])  # of a PNG's first chunk
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{image.width}" '
        f'height="{image.width * height / width:.0f}">'
        f'<image width="{width}" height="{height}" href="{image.uri}"/></svg>'
    )
    return Image(f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}", image.width, image.alt)
