"""The angle that a circuit requires between its feedback and its forward weights, measured over redrawn weights.

One-hot errors pass through the simulator's delivery steps, so the measurement is of the effect of feedback, however its
weights are defined. The angle of one set of weights may be learned; an angle of all random weights is required: 0 for
backpropagation, about 41 degrees for uniform magnitudes with the forward signs. Random feedback requires none: its
angles are those of independent matrices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np

from circuitsim import phases
from circuitsim.analysis.scores.experiment import RepeatedPresentation
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import RECIRCULATES, Carries, Population
from circuitsim.locality import Mode
from circuitsim.randomness import generator

LARGE = 64  # neurons of the smallest layer
MOST_NUMBERS = 2**22  # of one explicit matrix; larger ones are measured between some neurons alone
SAMPLE = 256  # neurons at each end of these
MOST_KEPT = 2**24  # numbers of matrices that are kept together
DISTINCT = 4.0  # standard errors between a required mean angle and that of independent matrices

Pair = tuple[np.ndarray, np.ndarray]  # a feedback and a transposed forward matrix


@dataclass(frozen=True)
class Channel:
    """A path of errors and the forward path between the same sites, as numbers of schedule entries."""

    name: str
    back: tuple[int, ...]
    forward_path: tuple[int, ...]


def symmetry(experiment: RepeatedPresentation, *, redraws: int | None = None) -> dict[str, Any]:
    """Measure the angle in degrees between each path of errors and the transposed forward path.

    Parameters
    ----------
    redraws : random draws of all weights, each replica counted; None: 16, or 4 for large layers, where angles between
        independent matrices vary little.

    Returns
    -------
    `required`: the smallest angle that a channel requires; None where none requires one. `channels`: for each its
    `feedback` and `forward` projections; the `angle` of the present weights; `mean` and `largest` angle over redrawn
    weights; mean and standard deviation of `independent` matrices of the same kind; `required`.

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, section 1, problem 3; sections 3 and 5.
    """
    if redraws is None:
        redraws = 4 if min(p.size for p in experiment.circuit.populations) >= LARGE else 16
    measured = [channel for channel in channels(experiment) if channel.forward_path]
    rows = [row for some in _together(experiment, measured, redraws) for row in _rows(experiment, some, redraws)]
    required = [row["required"] for row in rows if row["required"] is not None]
    return {"required": min(required, default=None), "channels": rows}


def channels(experiment: RepeatedPresentation) -> list[Channel]:
    """Return each projection with weights into feedback neurons, and each path of recirculated activity to a layer."""
    circuit, forward = experiment.circuit, _forward_graph(experiment, 0)
    found = []
    for index, q in _deliveries(experiment, 0):
        if circuit.population(q.target).feedback and not q.constant:
            forward_path = _between(forward, _forward_of(circuit, q.target), _forward_of(circuit, q.source))
            found.append(Channel(q.name, (index,), forward_path))
    for index, q in _deliveries(experiment, 1):
        if q.feedback:  # into neurons whose activity the signal replaces
            found.append(Channel(q.name, (index,), _between(forward, [q.target], [q.source])))
    recirculated = _forward_graph(experiment, 1)
    for x in circuit.exchanges:
        if x.carries in RECIRCULATES:
            for p in circuit.populations:
                back, forward_path = (
                    _between(recirculated, [x.target], [p.name]),
                    _between(forward, [p.name], [x.source]),
                )
                if back and forward_path:
                    found.append(Channel(f"recirculation to {p.name}", back, forward_path))
    return found


def effective(experiment: RepeatedPresentation, index: int) -> np.ndarray:
    """Measure the matrix (replica, target, source) of a delivery by one-hot emissions through its step."""
    step = experiment.presentation.steps[index]
    emitted, arriving = _ends(experiment, index)
    neurons, batch = emitted.shape[-1], emitted.shape[1]
    columns = []
    for first in range(0, neurons, batch):
        shown = np.arange(min(batch, neurons - first))
        emitted[...], arriving[...] = 0, 0
        emitted[:, shown, first + shown] = 1
        step()
        columns.append(arriving[:, shown].astype(np.float64))
    return np.concatenate(columns, axis=1).transpose(0, 2, 1)


def angle(first: np.ndarray, second: np.ndarray) -> float:
    """Return the angle in degrees between two matrices as vectors, accurate at small angles, to nine decimals."""
    a, b = (m.reshape(-1) / (np.linalg.norm(m) or 1.0) for m in (first, second))
    return round(float(np.degrees(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b)))), 9)


def _together(experiment: RepeatedPresentation, found: list[Channel], redraws: int) -> Iterator[list[Channel]]:
    """Part channels into lists whose matrices fit into memory; a list needs each draw of weights once."""
    some, numbers = list[Channel](), 0
    for channel in found:
        first, last = (_population(experiment, channel.back[at], end) for at, end in ((0, "source"), (-1, "target")))
        own = 2 * redraws * (SAMPLE**2 if _large(experiment, channel) else first.size * last.size)
        if some and numbers + own > MOST_KEPT:
            yield some
            some, numbers = [], 0
        some, numbers = [*some, channel], numbers + own
    if some:
        yield some


def _rows(experiment: RepeatedPresentation, some: list[Channel], redraws: int) -> list[dict[str, Any]]:
    """Measure channels with the present weights and with redrawn ones."""
    experiment.restore()
    now = _pairs_of(experiment, some)
    drawn: list[list[Pair]] = [[] for _ in some]
    for draw in range(max(2, -(-redraws // len(now[0])))):  # every replica is another draw
        _redraw(experiment, draw)
        for kept, pairs in zip(drawn, _pairs_of(experiment, some), strict=True):
            kept += pairs
    experiment.restore()
    return [_row(experiment, *each) for each in zip(some, now, drawn, strict=True)]


def _row(experiment: RepeatedPresentation, channel: Channel, now: list[Pair], drawn: list[Pair]) -> dict[str, Any]:
    angles, independent = [angle(*pair) for pair in drawn], _crossed(drawn)
    mean, other, spread = float(np.mean(angles)), float(np.mean(independent)), float(np.std(independent, ddof=1))
    tells = abs(mean - other) > DISTINCT * spread / np.sqrt(len(angles))
    return {
        "channel": channel.name,
        "feedback": _names(experiment, channel.back),
        "forward": _names(experiment, channel.forward_path),
        "angle": float(np.mean([angle(*pair) for pair in now])),
        "mean": mean,
        "largest": max(angles),
        "independent": {"mean": other, "deviation": spread},
        "required": mean if tells else None,
    }


def _pairs_of(experiment: RepeatedPresentation, some: list[Channel]) -> list[list[Pair]]:
    """Return the feedback and transposed forward matrix of each replica, for each channel; of a path the product."""
    matrices: dict[int, np.ndarray] = {}  # of deliveries: several channels have them in common
    return [_pairs(experiment, channel, matrices) for channel in some]


def _pairs(experiment: RepeatedPresentation, channel: Channel, matrices: dict[int, np.ndarray]) -> list[Pair]:
    if _large(experiment, channel):
        return _sampled_pairs(experiment, channel)
    for index in {*channel.back, *channel.forward_path} - matrices.keys():
        matrices[index] = effective(experiment, index)
    back, forward_path = (_product([matrices[k] for k in path]) for path in (channel.back, channel.forward_path))
    return list(zip(back, forward_path.transpose(0, 2, 1), strict=True))


def _large(experiment: RepeatedPresentation, channel: Channel) -> bool:
    """Tell if a matrix on the way is too large to be measured whole."""
    return max(_numbers(experiment, index) for index in (*channel.back, *channel.forward_path)) > MOST_NUMBERS


def _numbers(experiment: RepeatedPresentation, index: int) -> int:
    """Return the size of the matrix of a delivery."""
    return _population(experiment, index, "source").size * _population(experiment, index, "target").size


def _population(experiment: RepeatedPresentation, index: int, end: str) -> Population:
    """Return the population at an end (source, target) of a delivery."""
    q = experiment.circuit.projections[experiment.presentation.entries[index].event.which]
    return experiment.circuit.population(getattr(q, end))


def _sampled_pairs(experiment: RepeatedPresentation, channel: Channel) -> list[Pair]:
    """Return both matrices between some neurons of either end, the same ones in every draw."""
    above, below = (_sample(experiment, channel, end) for end in ("source", "target"))
    back = _between_neurons(experiment, channel.back, above, below)
    forward_path = _between_neurons(experiment, channel.forward_path, below, above)
    return list(zip(back, forward_path.transpose(0, 2, 1), strict=True))


def _sample(experiment: RepeatedPresentation, channel: Channel, end: str) -> np.ndarray:
    """Return numbers of neurons at the end of a channel where errors leave or arrive, ascending."""
    size = _population(experiment, channel.back[0 if end == "source" else -1], end).size
    drawn = generator(0, f"{end} of {channel.name}").permutation(size)[:SAMPLE]
    return np.sort(drawn)


def _between_neurons(
    experiment: RepeatedPresentation, path: tuple[int, ...], sources: np.ndarray, targets: np.ndarray
) -> np.ndarray:
    """Measure part of a path's matrix (replica, target, source) by one-hot emissions that pass all of its steps."""
    ends = [_ends(experiment, index) for index in path]
    batch, columns = ends[0][0].shape[1], []
    for first in range(0, len(sources), batch):
        shown = sources[first : first + batch]
        ends[0][0][...] = 0
        ends[0][0][:, np.arange(len(shown)), shown] = 1
        for k, index in enumerate(path):
            emitted, arriving = ends[k]
            if k:
                emitted[...] = ends[k - 1][1]
            arriving[...] = 0
            experiment.presentation.steps[index]()
        columns.append(ends[-1][1][:, : len(shown), targets].astype(np.float64))
    return np.concatenate(columns, axis=1).transpose(0, 2, 1)


def _ends(experiment: RepeatedPresentation, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what a delivery emits and what it adds to."""
    part, q = (
        experiment.presentation,
        experiment.circuit.projections[experiment.presentation.entries[index].event.which],
    )
    signals = [a for a in part.entries[index].accesses if a.cycle is not None]
    emitted = next(part.arrays[a.key] for a in signals if a.mode is Mode.READ and a.owner == q.source)
    return emitted, next(part.arrays[a.key] for a in signals if a.mode is Mode.ADD)


def _crossed(drawn: list[Pair]) -> np.ndarray:
    """Return the angles in degrees between feedback and forward matrices of different draws, which are independent."""
    backs, besides = (
        np.stack([m.reshape(-1) / (np.linalg.norm(m) or 1.0) for m in side]) for side in zip(*drawn, strict=True)
    )
    cosines = (backs @ besides.T)[~np.eye(len(drawn), dtype=bool)]
    degrees: np.ndarray = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    return degrees


def _product(matrices: list[np.ndarray]) -> np.ndarray:
    product = matrices[0]
    for matrix in matrices[1:]:
        product = matrix @ product
    return product


def _redraw(experiment: RepeatedPresentation, draw: int) -> None:
    """Draw every weight that is not fixed uniformly about zero, then refresh copied weights."""
    part, fixed = experiment.presentation, {q.name for q in experiment.circuit.projections if q.constant}
    for (owner, quantity, _), array in part.arrays.items():
        if quantity == "weight" and owner not in fixed:
            array[...] = generator(draw, f"{owner} redrawn for symmetry").uniform(-1, 1, array.shape)
    part.arrays["circuit", "presentation", None][...] = 0  # a multiple of every copy interval
    for entry, step in zip(part.entries, part.steps, strict=True):
        if entry.event.phase == phases.REFRESH:
            step()


def _deliveries(experiment: RepeatedPresentation, cycle: int) -> list[tuple[int, Any]]:
    """Return the deliveries of a cycle, as pairs of an entry's number and the projection."""
    return [
        (index, experiment.circuit.projections[entry.event.which])
        for index, entry in enumerate(experiment.presentation.entries)
        if entry.event.phase == phases.DELIVERY and entry.event.detail == cycle
    ]


def _forward_graph(experiment: RepeatedPresentation, cycle: int) -> nx.DiGraph:
    """Make the graph of signals in a cycle, without feedback neurons; an edge has its delivery's number, or None."""
    circuit, graph = experiment.circuit, nx.DiGraph()
    graph.add_nodes_from(p.name for p in circuit.populations)
    for x in circuit.exchanges:
        if x.carries is Carries.INPUT and cycle == 0:
            graph.add_edge(x.source, x.target, index=None)
    for index, q in _deliveries(experiment, cycle):
        if not (q.feedback or circuit.population(q.target).feedback) and not graph.has_edge(q.source, q.target):
            graph.add_edge(q.source, q.target, index=index)
    return graph


def _between(graph: nx.DiGraph, starts: list[str], ends: list[str]) -> tuple[int, ...]:
    """Return the deliveries along the shortest path from any start to any end; none where there is no path."""
    paths = [nx.shortest_path(graph, a, b) for a in starts for b in ends if a != b and nx.has_path(graph, a, b)]
    if not paths:
        return ()
    indices = (graph.edges[edge]["index"] for edge in nx.utils.pairwise(min(paths, key=len)))
    return tuple(index for index in indices if index is not None)


def _forward_of(circuit: Circuit, errors: str) -> list[str]:
    """Return the neurons whose errors feedback neurons carry: those compared, or those whose slope gates them."""
    return [x.source for x in circuit.exchanged(errors, Carries.ACTUAL, Carries.SLOPE)]


def _names(experiment: RepeatedPresentation, path: tuple[int, ...]) -> list[str]:
    return [phases.subject(experiment.circuit, experiment.presentation.entries[index].event) for index in path]
