"""Filters, recurrent kernels and gates of recurrent classifiers, as figures with their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from circuitsim.analysis.filters import norms_by_offset
from circuitsim.analysis.recurrence import BINS, GateActivity, gates_over_steps
from circuitsim.analysis.reports.mosaics import Strip, draw_strips, filter_images
from circuitsim.analysis.reports.offsets import OffsetMaps, draw_offsets
from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.runs.study import Study
from circuitsim.scenarios.figures import exhibit

Tensors = Mapping[str, np.ndarray]
"""Weights and biases by name, (replica, ...)."""
Gates = Mapping[str, Mapping[str, GateActivity]]
"""Activity of gates by network and by population."""
FIRST = "W1.weight"
FILTERS = 8  # of the first layer that are drawn
EXAMPLES = 100  # test images of which the activity of gates is measured
EDGES = np.linspace(0, 1, BINS + 1)
SHUT, OPEN = 0.1, 0.9  # below and above these a gate counts as shut and as open
BLANK = np.ones((1, 1))  # between the images of before and after


@dataclass(frozen=True)
class Network:
    """Replicas of a network that differ in their seeds alone: their tensors before and after training."""

    label: str
    before: Tensors
    after: Tensors


def networks(labels: Sequence[str], before: Tensors, after: Tensors) -> list[Network]:
    """Return the networks of a run.

    Parameters
    ----------
    labels : of each replica. before, after : tensors of all replicas, NaN where a replica lacks the tensor.
    """
    found = []
    for label in dict.fromkeys(labels):
        rows = [index for index, one in enumerate(labels) if one == label]
        first, last = ({k: t[rows] for k, t in ts.items() if not np.isnan(t[rows]).all()} for ts in (before, after))
        found.append(Network(label, first, last))
    return found


def gates_by_network(study: Study, labels: Sequence[str]) -> dict[str, dict[str, GateActivity]]:
    """Return the activity of the gates of a study's networks, shown test images; none for networks without gates."""
    found: dict[str, dict[str, GateActivity]] = {}
    for group in study.groups:
        measured = gates_over_steps(group.simulator, study.data.test[:EXAMPLES])
        own = [labels[replica] for replica in group.members]
        for label in dict.fromkeys(own):
            rows = [index for index, one in enumerate(own) if one == label]
            part = {name: GateActivity(one.means[:, rows], one.counted[rows]) for name, one in measured.items()}
            if part:
                found.setdefault(label, part)
    return found


def filters(shown: Sequence[Network]) -> list[Exhibit]:
    """Draw filters of the first layer before and after training, side by side."""
    strips, rows = list[Strip](), list[tuple[object, ...]]()
    for one in shown:
        before, after = (ts[FIRST][0, :FILTERS].astype(np.float64) for ts in (one.before, one.after))
        images = filter_images(np.concatenate([before, after], axis=2))  # one scale for both
        first, last = (list(half) for half in np.split(images, 2, axis=1))
        strips.append(Strip(f"{one.label}: before training, then after", [*first, BLANK, *last]))
        rows += [(one.label, *place, *pair) for place, pair in _weights(before, after)]
    caption = (
        f"The convolution W1 from the image to drive1, the first {FILTERS} filters at most, first seed. Grey is zero, "
        "white positive, black negative; a filter has one scale before and after."
    )
    columns = ["network", "filter", "channel", "row", "column", "before", "after"]
    title = "Filters of the first layer, before and after training"
    return [exhibit("filters", title, caption, columns, rows, draw_strips(strips, title))] if strips else []


def _weights(before: np.ndarray, after: np.ndarray) -> list[tuple[tuple[int, ...], tuple[float, float]]]:
    return [(place, (float(before[place]), float(after[place]))) for place in np.ndindex(before.shape)]


def recurrent_kernels(shown: Sequence[Network]) -> list[Exhibit]:
    """Draw the norm of the weights within cells by offset; nothing if no cell's synapses reach a neighbour."""
    pairs, rows = list[OffsetMaps](), list[tuple[object, ...]]()
    for one in shown:
        for name in sorted(name for name, tensor in one.after.items() if _reaches(name, tensor)):
            before, after = (norms_by_offset(ts[name]).mean(axis=0) for ts in (one.before, one.after))
            projection = name.removesuffix(".weight")
            pairs.append(OffsetMaps((one.label, projection), before, after))
            middle = [side // 2 for side in before.shape]
            rows += [
                (one.label, projection, row - middle[0], column - middle[1], *pair)
                for (row, column), pair in _weights(before, after)
            ]
    caption = (
        "Norm of a cell's recurrent weights (U) over all pairs of maps, by the offset of the presynaptic neuron in "
        "rows (down) and columns; mean over seeds. At 0 a neuron's own place, elsewhere lateral connections."
    )
    columns = ["network", "projection", "row offset", "column offset", "before", "after"]
    title = "Reach of the recurrent kernels, before and after training"
    return [exhibit("recurrent-kernels", title, caption, columns, rows, draw_offsets(pairs, "norm"))] if pairs else []


def _reaches(name: str, tensor: np.ndarray) -> bool:
    """Return whether a tensor has the recurrent kernels of a cell, with more than one offset."""
    return name.startswith("U_") and name.endswith(".weight") and tensor.ndim == 5 and max(tensor.shape[3:]) > 1


def gates(measured: Gates) -> list[Exhibit]:
    """Draw the activity of gates over steps and its distribution at the last step; nothing if there are no gates."""
    return [_over_steps(measured), _values(measured), _open(measured)] if measured else []


def _over_steps(measured: Gates) -> Exhibit:
    """Return the mean activity of each population of gates at each step, with a band over examples."""
    panels, rows = _panels(measured), list[tuple[object, ...]]()
    drawn = []
    for title, found in panels.items():
        curves = {gate: one.means.reshape(len(one.means), -1) for gate, one in found.items()}
        x = np.arange(1, len(next(iter(curves.values()))) + 1)
        drawn.append(Panel(title, "step", "activity of gates", x, curves, limits=(0, 1), whole="x"))
        rows += [
            (title, gate, step + 1, *(float(f(known)) for f in (np.mean, np.std, np.min, np.max)), len(known))
            for gate, values in curves.items()
            for step, known in enumerate(one[np.isfinite(one)] for one in values)
            if len(known)
        ]
    caption = (
        f"Mean over a population's gates, of the first {EXAMPLES} test images at most, after the last epoch. Lines are "
        f"means over images and seeds; bands reach from the least to the greatest image. {_MEANING}"
    )
    columns = ["cell", "gate", "step", "mean", "SD", "least", "greatest", "images and seeds"]
    title = "Gates over steps"
    image = draw_panels(drawn, _gates(panels), what=title)
    return exhibit("gates", title, caption, columns, rows, image)


def _values(measured: Gates) -> Exhibit:
    """Return the histogram of the activity of gates at the last step."""
    panels, rows = _panels(measured), list[tuple[object, ...]]()
    drawn, middles = [], (EDGES[:-1] + EDGES[1:]) / 2
    for title, found in panels.items():
        curves = {gate: one.counted.T for gate, one in found.items()}
        drawn.append(Panel(title, "activity at the last step", "fraction of gates", middles, curves, stairs=True))
        rows += [
            (title, gate, float(EDGES[k]), float(EDGES[k + 1]), *(float(f(one)) for f in (np.mean, np.min, np.max)))
            for gate, values in curves.items()
            for k, one in enumerate(values)
        ]
    caption = (
        f"Fractions of gates and of the same test images in {BINS} intervals of activity; lines are means over seeds, "
        "bands reach from the least to the greatest seed."
    )
    columns = ["cell", "gate", "from", "to", "mean", "least", "greatest"]
    title = "Activity of gates at the last step"
    return exhibit("gate-values", title, caption, columns, rows, draw_panels(drawn, _gates(panels), what=title))


def _open(measured: Gates) -> Exhibit:
    """Return the fractions of gates that are shut, open and in between at the last step."""
    shut, opened = EDGES[1:] <= SHUT + 1e-9, EDGES[:-1] >= OPEN - 1e-9
    rows = []
    for title, found in _panels(measured).items():
        for gate, one in found.items():
            mean = one.counted.mean(axis=0)
            parts = (shut, ~(shut | opened), opened)
            rows.append((title, gate, *(float(mean[part].sum()) for part in parts)))
    columns = ["cell", "gate", f"below {SHUT:g}", f"{SHUT:g} to {OPEN:g}", f"above {OPEN:g}"]
    caption = (
        "Fractions of gates and of the same test images at the last step, means over seeds: near 1 open, near 0 shut; "
        "of the reciprocal cell the other way round."
    )
    return exhibit("gates-open", "Gates open, shut or in between", caption, columns, rows)


def _panels(measured: Gates) -> dict[str, dict[str, GateActivity]]:
    """Return gates by cell and by their name within the cell."""
    found: dict[str, dict[str, GateActivity]] = {}
    for label, own in measured.items():
        for name, one in own.items():
            cell, _, gate = name.partition("_")
            found.setdefault(f"{label}: {cell}", {})[gate] = one
    return found


def _gates(panels: Mapping[str, Mapping[str, GateActivity]]) -> list[str]:
    return list(dict.fromkeys(gate for found in panels.values() for gate in found))


_MEANING = (
    "A gate at 1 is open and passes all, at 0 it is shut. Where a gate mixes, 1 passes the first alone: of update and "
    "hold gates the state before, of bypass gates the input. Gates of the reciprocal cell are subtracted: there 0 is "
    "open, and 1 is shut."
)
