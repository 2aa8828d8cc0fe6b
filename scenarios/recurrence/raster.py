"""Activity over the steps of a presentation: a map of populations and steps for each network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuitsim.analysis.reports.maps import Map, draw_maps
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.scenarios.figures import Measured, exhibit, mean

METRIC = "activity/"


def raster(ran: Sequence[Measured]) -> Exhibit:
    """Return the mean activity of each network's populations at each step, at the end of training."""
    maps, rows = list[Map](), list[tuple[str, str, int, float]]()
    for one in ran:
        found = [name for name in one.metrics["metric"].unique() if str(name).startswith(METRIC)]
        populations = list(dict.fromkeys(str(name).split("/")[1] for name in found))
        steps = range(1, len(found) // len(populations) + 1)
        values = np.array([[_end(one, f"{METRIC}{name}/{step}") for step in steps] for name in populations])
        maps.append(Map(one.name, "step", "population", populations, [str(step) for step in steps], values))
        rows += [
            (one.name, name, step, float(values[k, step - 1])) for k, name in enumerate(populations) for step in steps
        ]
    caption = (
        "Mean absolute activity of a population's neurons at each step, after the last epoch, over examples and "
        "replicas. Below is the layer next to the image."
    )
    return exhibit("activity", "Activity over steps", caption, ["network", "population", "step", "mean"], rows,
                   draw_maps(maps, "mean activity"))  # fmt: skip


def _end(one: Measured, metric: str) -> float:
    (values,) = one.curves(metric, lambda _: "", "train").values()
    return mean(values[-1])
