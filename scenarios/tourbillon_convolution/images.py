"""Images of `tourbillon-convolution` from the weights at the end of runs: figure 9, and untied filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.analysis.reports.images import reconstruction_figure
from circuitsim.analysis.reports.mosaics import Strip, draw_strips, filter_images
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Population, Projection
from circuitsim.engine.simulator import Simulator
from circuitsim.runs.config import build
from circuitsim.scenarios.figures import exhibit, mean_and_sd
from circuitsim.scenarios.tourbillon import TourbillonSettings, described
from circuitsim.scenarios.tourbillon_figures.series import Developed
from circuitsim.timetable.protocol import Protocol

EXAMPLES = 10
SHOWN = 16  # locations whose filters are drawn


def rebuilt(one: Developed, batch: int) -> Simulator:
    """Return a Tourbillon with the weights at the end of a run's first replica."""
    vary = {key: values[0] for key, values in one.run.member.vary.items()}
    circuit, protocol = described(build(TourbillonSettings, {**one.values, **vary}))
    made = Simulator(circuit, protocol, batch=batch, seeds=[0])
    known = made.tensors()
    for name, values in one.tensors().items():
        if name in known:  # the run's other replicas have further projections
            made.load(name, values[:1])
    return made


def down(made: Simulator, name: str, x: np.ndarray) -> np.ndarray:
    """Return the image that a decoder, without pools, makes of activities of its hinge."""
    q = made.circuit.projection(name)
    source, image = made.circuit.population(q.source), made.circuit.population(q.target)
    parts = (
        Population("hinge", source.size, shape=source.shape),
        Population("image", image.size, image.activation, shape=image.shape),
    )
    way = Projection(name, "hinge", "image", bias=q.bias, connectivity=q.connectivity)
    circuit = Circuit("decoder", parts, (way,), inputs="hinge", outputs="image")
    alone = Simulator(circuit, Protocol(readouts=(("image", "O", 0),)), batch=len(x), seeds=[0])
    for kind in ("weight", "bias")[: 1 + q.bias]:
        alone.load(f"{name}.{kind}", made.tensors()[f"{name}.{kind}"])
    return np.concatenate([out[0].copy() for _, out, _ in alone.outputs(x)])


def figure_9(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Draw test images passed up one block and down, and up two blocks and down."""
    found = []
    for one in runs:
        data = one.data()
        x = data.test[:500]
        made = rebuilt(one, len(x))
        ((_, images),) = list(made.observe([("image0", "O", 0), ("image1", "O", 0), ("layer1", "O", 0)], x))
        first, second, hinge = (values[0].copy() for values in images)
        outputs = {"up to hinge 1 and down": first, "up to hinge 2 and down": down(made, "D1", second)}
        errors = [(label, float(np.square(out - x).mean())) for label, out in outputs.items()]
        errors.append(("hinge 1, as block 2 reconstructs it", float(np.square(second - hinge).mean())))
        drawn = reconstruction_figure(x[:EXAMPLES], {k: v[:EXAMPLES] for k, v in outputs.items()}, data.image_shape)
        title = f"Figure 9: through the stack, {one.dataset}"
        caption = f"Test images through both blocks, grown by recirculation; the numbers are of {len(x)} images."
        found.append(exhibit(f"figure-9-{one.dataset}", title, caption, ["path", "mse"], errors, drawn))
    return found


def similarity(filters: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Return the mean cosine of each location's filter with the mean filter of its map, (replica,).

    Parameters
    ----------
    filters : (replica, row, column, out, in, kernel row, kernel column). used : (row, column): whole filters.
    """
    kept = filters[:, used].astype(np.float64)
    flat = kept.reshape(*kept.shape[:3], -1)
    average = flat.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(flat, axis=-1) * np.linalg.norm(average, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines = (flat * average).sum(axis=-1) / norms
    return np.asarray(np.nanmean(cosines, axis=(1, 2)))


def interior(shape: tuple[int, ...], kernel: int) -> np.ndarray:
    """Return which locations have windows that lie whole in the image, bool (row, column)."""
    found = np.zeros(shape, np.bool_)
    edge = kernel // 2
    found[edge : shape[0] - edge or None, edge : shape[1] - edge or None] = True
    return found if found.any() else ~found


def untied(runs: Sequence[Developed], config: Mapping[str, Any]) -> list[Exhibit]:
    """Compare untied blocks whose locations begin alike or not, with translated images or not."""
    rows, drawn = [], []
    for one in runs:
        start, moved = one.name.split("-")[1:]
        begin, end = (one.tensors(initial=initial)["E1.weight"] for initial in (True, False))
        used = interior(end.shape[1:3], config["kernel"])
        alike = [similarity(values, used) for values in (begin, end, end - begin)]
        label = f"{start}, {'translated' if moved == 'moved' else 'as they are'}"
        rows.append((label, mean_and_sd(one.curve("mse/1")[-1]), *map(mean_and_sd, alike)))
        drawn.append(Strip(label, list(filter_images(_some(end[0, :, :, 0][used])))))
    columns = ["locations begin, images", "test error (mse)", "similarity at the start", "at the end", "of the change"]
    caption = (
        "Similarity is the mean cosine between a location's filter and the mean filter of its map, over windows that "
        f"lie whole in the image. Translations are of up to {config['shift']:g} of the side. The figure shows filters "
        "of the first map after training, first seed, at locations from the top of the image to the bottom. Grey is "
        "zero, each filter on its own scale."
    )
    title = "Untied blocks: do neurons that see the same images become alike?"
    return [exhibit("untied", title, caption, columns, rows, draw_strips(drawn, title))]


def _some(filters: np.ndarray) -> np.ndarray:
    """Return some of the filters (location, in, row, column), evenly spaced."""
    found: np.ndarray = filters[np.linspace(0, len(filters) - 1, SHOWN).astype(int)]
    return found
