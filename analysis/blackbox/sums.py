"""Experiments on examples: is the update of a batch a sum over its examples?

Two groups of examples are exchanged, each alone and both together. Contributions that add up leave no mixed
difference. Where they do not add up, the four updates tell why: a nonlinear function of each synapse's own sum (Adam),
a bound on a neuron's own synapses, one factor for a layer or for all layers (a clipped norm), or statistics over the
batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np

from circuitsim.analysis.blackbox.bench import Bench, halves
from circuitsim.analysis.blackbox.compare import relaxed
from circuitsim.analysis.blackbox.program import Arrays, State

FACTOR = 5  # columns that four updates and the weights must have at least, so that a common factor is no accident


@dataclass
class SumReport:
    """Weights whose updates are no sum over examples, by reason."""

    all_layers: set[str] = field(default_factory=set)
    layer: set[str] = field(default_factory=set)
    batch: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)  # the synapse's or the neuron's own affair


def mixed_examples(bench: Bench, state: State) -> SumReport:
    """Return the updates that are no sum over the examples of the batch, and why."""
    report = SumReport()
    size = len(next(iter(state.batch.values())))
    other = bench.draws.examples()
    for group in halves(size) if size > 1 else ():
        if not group[0]:  # a group and its complement give the same four batches
            _judge(bench, state, _four(bench, state, other, group), report)
    return report


def origin_of_statistics(bench: Bench, state: State) -> tuple[str, set[str]]:
    """Return the site nearest to the inputs that mixes examples, and the updates there; ("", empty) if none is found.

    Inputs are exchanged, labels are not, and no signal leaves the site: what mixes them lies there or before it.
    """
    size = len(next(iter(state.batch.values())))
    for site in bench.wiring.order:
        base, found = bench.cut(state, site), SumReport()
        other = {**base.batch, **{key: bench.draws.entry(key) for key in bench.wiring.inputs}}
        for group in halves(size):
            if not group[0]:
                _judge(bench, base, _four(bench, base, other, group), found)
        touched = {wire.name for wire in bench.wiring.wires if wire.ends_at(site)} & found.batch
        if touched:
            return site, {w.name for w in bench.wiring.into(site)} & touched or touched
    return "", set()


def _four(bench: Bench, state: State, other: Arrays, group: np.ndarray) -> list[Arrays]:
    """Return the updates of the batch with neither, the one, the other and both groups of examples exchanged."""
    found = []
    for first, second in product((False, True), repeat=2):
        chosen = np.where(group, first, second)
        batch = {
            key: np.where(chosen.reshape([-1] + [1] * (values.ndim - 1)), other[key], values)
            for key, values in state.batch.items()
        }
        found.append(bench.program.run(State(state.weights, batch)).calls[0])
    return found


def _judge(bench: Bench, state: State, four: list[Arrays], report: SumReport) -> None:
    strange = [
        name for name in state.weights if _mixed(bench, state, name, four) and not _monotone(bench, state, name, four)
    ]
    report.own |= {name for name in state.weights if _mixed(bench, state, name, four)} - set(strange)
    tables = {name: _table(state.weights[name], [one[name] for one in four]) for name in strange}
    tolerance = 100 * relaxed(max(bench.program.eps.values()))
    if len(strange) > 1 and _one_factor(np.concatenate(list(tables.values()), axis=1), tolerance):
        report.all_layers |= set(strange)
        return
    for name in strange:
        rows = [_table(w, [one[name][k] for one in four]) for k, w in enumerate(state.weights[name])]
        if state.weights[name].ndim > 1 and all(_one_factor(row, tolerance) for row in rows):
            same = _one_factor(tables[name], tolerance)
            (report.layer if same else report.own).add(name)
        elif _one_factor(tables[name], tolerance):
            report.layer.add(name)
        else:
            report.batch.add(name)


def _mixed(bench: Bench, state: State, name: str, four: list[Arrays]) -> bool:
    none, one, other, both = (update[name] for update in four)
    scale = max(float(np.abs(update[name]).max(initial=0)) for update in four)
    return bool((np.abs(none - one - other + both) > 4 * bench.comparison.limit(name, state, scale, True)).any())


def _monotone(bench: Bench, state: State, name: str, four: list[Arrays]) -> bool:
    """Return whether each update could be a rising function of its own sum: exchanges have the same sign everywhere."""
    none, one, other, both = (update[name] for update in four)
    scale = max(float(np.abs(update[name]).max(initial=0)) for update in four)
    small = 4 * bench.comparison.limit(name, state, scale, True)
    return all(
        not ((np.abs(first) > small) & (np.abs(second) > small) & (first * second < 0)).any()
        for first, second in ((one - none, both - other), (other - none, both - one))
    )


def _table(weight: np.ndarray, four: list[np.ndarray]) -> np.ndarray:
    """Return the four updates as rows, each without its part along the weights (decay), at a common scale."""
    rows = np.stack([update.reshape(-1) for update in four])
    own = weight.reshape(-1).astype(np.float64)
    rows = rows - np.outer(rows @ own, own) / max(float(own @ own), 1e-300)
    found: np.ndarray = rows / max(float(np.abs(rows).max(initial=0.0)), 1e-300)
    return found


def _one_factor(table: np.ndarray, tolerance: float) -> bool:
    """Return whether four sums that should add up do so once each has a factor of its own: exactly one relation."""
    if table.shape[1] < FACTOR:
        return False
    left, size, _ = np.linalg.svd(table, full_matrices=False)
    relation = np.abs(left[:, -1])
    return bool(size[3] < tolerance * size[0] and size[2] > 10 * tolerance * size[0] and relation.min() > 0.01)
