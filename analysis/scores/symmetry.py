"""The angle that a circuit requires between its feedback and its forward weights, measured over redrawn weights.

One-hot errors are sent through the real delivery steps, so what is compared is what feedback does, whatever its
weights are made of. An angle that is there for one set of weights may have been learned; one that is there for all is
required: 0 for backpropagation, about 41 degrees for uniform magnitudes with the forward signs, and for random
feedback nothing that independent matrices do not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np

from circuitsim import phases
from circuitsim.analysis.scores.trials import Trial
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import RECIRCULATES, Carries
from circuitsim.locality import Mode
from circuitsim.randomness import generator

LARGE = 64  # neurons
DISTINCT = 4.0  # standard errors at which a mean angle is told from that of independent matrices


@dataclass(frozen=True)
class Channel:
    """A way of errors, and the forward way beside it in the opposite direction, as entries of the schedule."""

    name: str
    back: tuple[int, ...]
    beside: tuple[int, ...]


def symmetry(trial: Trial, *, redraws: int | None = None) -> dict[str, Any]:
    """The angle in degrees between each way of errors and the transposed forward way between the same sites.

    Parameters
    ----------
    redraws : how often all weights are drawn anew, replicas counted; None: 16, or 4 where the layers are large, since
        angles between independent matrices then scatter little.

    Returns
    -------
    `required`: the smallest angle that any channel requires; None where none requires one. `channels`: for each its
    `feedback` and `forward` projections; the `angle` of the weights as they are; `mean` and `largest` angle over
    redrawn weights; what `independent` matrices of the same kind have (mean, standard deviation of one); `required`.

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, section 1, problem 3; sections 3 and 5.
    """
    if redraws is None:
        redraws = 4 if min(p.size for p in trial.circuit.populations) >= LARGE else 16
    rows = [_row(trial, channel, redraws) for channel in channels(trial) if channel.beside]
    required = [row["required"] for row in rows if row["required"] is not None]
    return {"required": min(required, default=None), "channels": rows}


def channels(trial: Trial) -> list[Channel]:
    """Every projection into feedback neurons, and where activity recirculates the way from there to each layer."""
    circuit, forward = trial.circuit, _ways(trial, 0)
    found = []
    for index, q in _deliveries(trial, 0):
        if circuit.population(q.target).feedback:
            beside = _between(forward, _forward_of(circuit, q.target), _forward_of(circuit, q.source))
            found.append(Channel(q.name, (index,), beside))
    for index, q in _deliveries(trial, 1):
        if q.feedback:  # into neurons whose activity the signal replaces
            found.append(Channel(q.name, (index,), _between(forward, [q.target], [q.source])))
    again = _ways(trial, 1)
    for x in circuit.exchanges:
        if x.carries in RECIRCULATES:
            for p in circuit.populations:
                back, beside = _between(again, [x.target], [p.name]), _between(forward, [p.name], [x.source])
                if back and beside:
                    found.append(Channel(f"recirculation to {p.name}", back, beside))
    return found


def effective(trial: Trial, index: int) -> np.ndarray:
    """What a delivery makes of one-hot emissions: its matrix (replica, target, source), through the real step."""
    part = trial.presentation
    entry, step = part.entries[index], part.steps[index]
    emitted = next(part.arrays[a.key] for a in entry.accesses if a.mode is Mode.READ and a.cycle is not None)
    arriving = next(part.arrays[a.key] for a in entry.accesses if a.mode is Mode.ADD and a.cycle is not None)
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
    """The angle in degrees between two matrices taken as vectors, exact also where it is small, to nine decimals."""
    a, b = (m.reshape(-1) / (np.linalg.norm(m) or 1.0) for m in (first, second))
    return round(float(np.degrees(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b)))), 9)


def _row(trial: Trial, channel: Channel, redraws: int) -> dict[str, Any]:
    trial.restore()
    now = _pairs(trial, channel)
    drawn: list[tuple[np.ndarray, np.ndarray]] = []
    for draw in range(max(2, -(-redraws // len(now)))):  # every replica is a redraw of its own
        _redraw(trial, draw)
        drawn += _pairs(trial, channel)
    trial.restore()
    angles, independent = [angle(*pair) for pair in drawn], _crossed(drawn)
    mean, other, spread = float(np.mean(angles)), float(np.mean(independent)), float(np.std(independent))
    tells = abs(mean - other) > DISTINCT * spread / np.sqrt(len(angles))
    return {
        "channel": channel.name,
        "feedback": _names(trial, channel.back),
        "forward": _names(trial, channel.beside),
        "angle": float(np.mean([angle(*pair) for pair in now])),
        "mean": mean,
        "largest": max(angles),
        "independent": {"mean": other, "deviation": spread},
        "required": mean if tells else None,
    }


def _pairs(trial: Trial, channel: Channel) -> list[tuple[np.ndarray, np.ndarray]]:
    """Feedback and transposed forward matrix of each replica; along several deliveries their product."""
    back, beside = (_product([effective(trial, index) for index in way]) for way in (channel.back, channel.beside))
    return list(zip(back, beside.transpose(0, 2, 1), strict=True))


def _crossed(drawn: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The angles in degrees between feedback and forward matrices of different redraws, which are independent."""
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


def _redraw(trial: Trial, draw: int) -> None:
    """Draw every weight that there is, uniform about nought (an angle has no scale), and let copies be taken."""
    part = trial.presentation
    for (owner, quantity, _), array in part.arrays.items():
        if quantity == "weight":
            array[...] = generator(draw, f"{owner} redrawn for symmetry").uniform(-1, 1, array.shape)
    part.arrays["circuit", "presentation", None][...] = 0  # of every number a multiple
    for entry, step in zip(part.entries, part.steps, strict=True):
        if entry.event.phase == phases.REFRESH:
            step()


def _deliveries(trial: Trial, cycle: int) -> list[tuple[int, Any]]:
    """The deliveries of a cycle, as pairs of an entry's number and the projection."""
    return [
        (index, trial.circuit.projections[entry.event.which])
        for index, entry in enumerate(trial.presentation.entries)
        if entry.event.phase == phases.DELIVERY and entry.event.detail == cycle
    ]


def _ways(trial: Trial, cycle: int) -> nx.DiGraph:
    """Who reaches whom in a cycle, feedback neurons aside; an edge knows its delivery, None within the tick."""
    circuit, graph = trial.circuit, nx.DiGraph()
    graph.add_nodes_from(p.name for p in circuit.populations)
    for x in circuit.exchanges:
        if x.carries is Carries.INPUT and cycle == 0:
            graph.add_edge(x.source, x.target, index=None)
    for index, q in _deliveries(trial, cycle):
        if not (q.feedback or circuit.population(q.target).feedback) and not graph.has_edge(q.source, q.target):
            graph.add_edge(q.source, q.target, index=index)
    return graph


def _between(graph: nx.DiGraph, starts: list[str], ends: list[str]) -> tuple[int, ...]:
    """The deliveries along the shortest way from any start to any end; none where there is no way."""
    ways = [nx.shortest_path(graph, a, b) for a in starts for b in ends if a != b and nx.has_path(graph, a, b)]
    if not ways:
        return ()
    indices = (graph.edges[edge]["index"] for edge in nx.utils.pairwise(min(ways, key=len)))
    return tuple(index for index in indices if index is not None)


def _forward_of(circuit: Circuit, errors: str) -> list[str]:
    """The colocated neurons whose errors feedback neurons carry: those compared, or those whose slope gates them."""
    return [x.source for x in circuit.exchanged(errors, Carries.ACTUAL, Carries.SLOPE)]


def _names(trial: Trial, way: tuple[int, ...]) -> list[str]:
    return [phases.subject(trial.circuit, trial.presentation.entries[index].event) for index in way]
