"""Pictures of `random-feedback-networks`: filters of a location beside each other, and feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from circuitsim.analysis.filters import RADII, mean_distance, similarity
from circuitsim.analysis.reports.mosaics import Strip, draw_strips, filter_images, map_images
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.runs.config import build
from circuitsim.runs.lookup import load_scenario
from circuitsim.runs.scenario import expect_circuits
from circuitsim.runs.training import make_study
from circuitsim.scenarios.figures import Measured, exhibit, mean

SHOWN, PLACES, IMAGES, MAPS = 5, 4, 2, 9  # filters; locations of each; test images; maps of each
FIRST = "W1.weight"


def untied_first(one: Measured) -> bool:
    """Return whether a member's first layer is untied."""
    return str(one.values["layers"][0]).startswith("local")


def filters(ran: Sequence[Any]) -> list[Exhibit]:
    """Draw filters of untied first layers at locations along the diagonal, at the end and as they have changed."""
    found = []
    for one in filter(untied_first, ran):
        end, start = (one.tensors(initial=initial)[FIRST][0] for initial in (False, True))
        places = _diagonal(end.shape[:2])
        strips = [
            Strip(
                f"filter {o}: {len(places)} locations as learned, then their change",
                [
                    image
                    for w in (end, end - start)
                    for image in filter_images(np.stack([w[y, x, o] for y, x in places]))
                ],
            )
            for o in range(min(SHOWN, end.shape[2]))
        ]
        at = "; ".join(f"({y}, {x})" for y, x in places)
        caption = (
            f"First seed, locations (row, column) {at}. Grey is zero, each filter on its own scale. Where learning "
            "makes filters alike over locations, the changes in a row resemble each other."
        )
        rows = [(o, y, x, float(np.linalg.norm(end[y, x, o]))) for o in range(len(strips)) for y, x in places]
        title = f"Filters of {one.network}, untied, {one.rule}"
        image = draw_strips(strips, title)
        found.append(exhibit(f"filters-{one.name}", title, caption, ["filter", "row", "column", "norm"], rows, image))
    return found


def _diagonal(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return locations along the diagonal, away from the edges."""
    steps = [(k + 1) / (PLACES + 1) for k in range(PLACES)]
    return sorted({(round(s * (shape[0] - 1)), round(s * (shape[1] - 1))) for s in steps})


def likeness(ran: Sequence[Any]) -> list[Exhibit]:
    """Return how alike the filters of untied first layers are over locations, before and after training."""
    rows = []
    for one in filter(untied_first, ran):
        end, start = (one.tensors(initial=initial)[FIRST] for initial in (False, True))
        cosines = [mean(similarity(w)) for w in (start, end, end - start)]
        apart = [
            mean(mean_distance(w, radius)) if max(w.shape[1:3]) > radius else np.nan
            for radius in RADII
            for w in (start, end)
        ]
        rows.append((one.network, one.rule, *cosines, *apart))
    if not rows:
        return []
    columns = ["network", "rule", "cosine at start", "cosine at end", "cosine of the change"]
    columns += [f"distance {radius} apart, {when}" for radius in RADII for when in ("start", "end")]
    caption = (
        "Cosine: mean, over locations inside the image and seeds, of a filter with the mean filter of its map. "
        "Distance: mean between filters of a map so many locations apart, over the root mean square norm: 0 for equal "
        "filters, about 1.41 for independent ones. The change is the end minus the start."
    )
    return [exhibit("likeness", "How alike untied filters become", caption, columns, rows)]


def feature_maps(plain: Sequence[Any]) -> list[Exhibit]:
    """Draw the first layer's activity for some test images, by the first network's rules."""
    chosen = [one for one in plain if one.network == plain[0].network]
    shown = [(one.rule, k, *pair) for one in chosen for k, pair in enumerate(zip(*_activity(one), strict=True))]
    shown.sort(key=lambda row: row[1])
    strips = [
        Strip(f"test image {k}, {rule}", [_drawable(image), *map_images(maps[:MAPS], -1, 1)])
        for rule, k, image, maps in shown
    ]
    rows = [(rule, k, float(maps.mean()), float((np.abs(maps) >= 1).mean())) for rule, k, _, maps in shown]
    caption = f"The image, then {MAPS} maps of the first layer after training, first seed: black is −1, white is 1."
    columns = ["rule", "test image", "mean activity", "fraction at −1 or 1"]
    title = f"Feature maps of {plain[0].network}"
    return [exhibit("feature-maps", title, caption, columns, rows, draw_strips(strips, title))]


def _drawable(image: np.ndarray) -> np.ndarray:
    """Return an image (channel, row, column) in colour or grey."""
    return np.moveaxis(image, 0, -1) if len(image) == 3 else image[0]


def _activity(one: Measured) -> tuple[np.ndarray, np.ndarray]:
    """Return test images, and the activity of the first layer, both (image, channel, row, column)."""
    scenario = expect_circuits(load_scenario(one.run.member.scenario), "member")
    first = {key: values[0] for key, values in one.run.member.vary.items()}
    study = make_study(scenario, [build(scenario.settings, {**one.values, **first})], "numba")
    for name, values in one.tensors().items():
        study.load(name, values[0])
    simulator, data = study.groups[0].simulator, study.data
    x = data.test[:IMAGES]
    ((_, (fired,)),) = simulator.observe([("layer1", "O", 0)], x)
    assert data.image_shape is not None
    return x.reshape(-1, *data.image_shape), fired[0].reshape(-1, *simulator.circuit.population("layer1").shape).copy()
