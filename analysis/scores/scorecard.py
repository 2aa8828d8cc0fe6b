"""The scorecard: the five problems of learning in a physical circuit, and its costs, measured on a simulator."""

from __future__ import annotations

from collections import Counter
from typing import Any

from circuitsim.analysis.scores.costs import costs
from circuitsim.analysis.scores.dependencies import label_use, modularity, target_use
from circuitsim.analysis.scores.experiment import experiment
from circuitsim.analysis.scores.paths import Positions, distances
from circuitsim.analysis.scores.symmetry import symmetry
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import is_local


def scorecard(simulator: Simulator, rows: Any, *, positions: Positions | None = None) -> dict[str, Any]:
    """Measure a circuit's use of labels, locality, symmetry, error distances, modularity and costs.

    Labels, weights and targets are changed in the running circuit, on its backend, and the increments of its synapses
    are compared. The simulator is restored to the bit.

    Parameters
    ----------
    simulator : with its examples in use, trained or not.
    rows : numbers of the examples to show, (batch,) or (replica, batch), at most the simulator's batch.
    positions : coordinates of every site; they give distances a length.

    Returns
    -------
    A plain mapping with the keys circuit, labels, targets, locality, symmetry, distances, modularity, costs; the
    function that measures each describes its entries.

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, section 1.
    """
    findings = list(dict.fromkeys(f for schedule in simulator.schedules for f in schedule.findings))
    with experiment(simulator, rows) as measured:
        return {
            "circuit": simulator.circuit.name,
            "labels": label_use(measured),
            "targets": target_use(measured),
            "locality": {"local": is_local(findings), "findings": dict(Counter(f.kind for f in findings))},
            "symmetry": symmetry(measured),
            "distances": distances(simulator.schedules, positions),
            "modularity": modularity(measured),
            "costs": costs(simulator),
        }
