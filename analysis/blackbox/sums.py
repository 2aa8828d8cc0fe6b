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
from circuitsim.analysis.blackbox.program import Arrays, State

FACTOR = 5  # columns that four updates and the weights must have at least, so that a common factor is no accident


@dataclass
class SumReport:
    """Weights whose updates are no sum over examples, by reason."""

    all_layers: set[str] = field(default_factory=set)
    layer: set[str] = field(default_factory=set)
    batch: set[str] = field(default_factory=set)
    unclear: set[str] = field(default_factory=set)
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
        touched = {wire.name for wire in bench.wiring.wires if wire.ends_at(site)} & (found.batch | found.unclear)
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
        found.append(bench.program.run(State(state.weights, batch), bench.first + 1).calls[-1])
    return found


def _judge(bench: Bench, state: State, four: list[Arrays], report: SumReport) -> None:
    mixed = [name for name in state.weights if _mixed(bench, state, name, four)]
    strange = [name for name in mixed if not _monotone(bench, state, name, four)]
    report.own |= set(mixed) - set(strange)
    tables = {name: _table(bench, state, name, four) for name in strange}
    joint = _one_factor(list(tables.values())) if len(strange) > 1 else False
    if joint is not False:
        (report.unclear if joint is None else report.all_layers).update(strange)
        return
    for name in strange:
        whole = _one_factor([tables[name]])
        rows = state.weights[name].ndim > 1 and all(
            _one_factor([_table(bench, state, name, four, row)]) is not False for row in range(len(state.weights[name]))
        )
        reason = report.layer if whole else report.own if rows else report.batch if whole is False else report.unclear
        reason.add(name)


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


def _table(
    bench: Bench, state: State, name: str, four: list[Arrays], row: int | None = None
) -> tuple[np.ndarray, float]:
    """Return the four updates as rows, at a common scale and without their part along the weights (decay), and the
    norm of their rounding errors.
    """
    chosen = slice(None) if row is None else row
    rows = np.stack([update[name][chosen].reshape(-1) for update in four])
    own = state.weights[name][chosen].reshape(-1).astype(np.float64)
    rows = rows - np.outer(rows @ own, own) / max(float(own @ own), 1e-300)
    scale = max(float(np.abs(rows).max(initial=0.0)), 1e-300)
    rounding = bench.comparison.rounding(name, state, four) / scale
    return rows / scale, rounding * float(np.sqrt(rows.shape[1]))


def _one_factor(tables: list[tuple[np.ndarray, float]]) -> bool | None:
    """Return whether four sums that should add up do so once each has a factor of its own: exactly one relation.

    None stands for four updates that are too few numbers, or too much alike, to tell.
    """
    table = np.concatenate([rows for rows, _ in tables], axis=1)
    noise = 3 * float(np.linalg.norm([rounding for _, rounding in tables])) + 1e-12
    if table.shape[1] < FACTOR:
        return None
    left, size, _ = np.linalg.svd(table, full_matrices=False)
    if size[2] < 10 * noise:
        return None
    return bool(size[3] < noise and np.abs(left[:, -1]).min() > 0.01)
