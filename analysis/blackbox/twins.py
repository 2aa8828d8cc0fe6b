"""Experiments with twins: change weights without changing any signal, and see whose update reads them.

Two neurons with equal incoming synapses have equal activities. What one synapse out of the first gains and the synapse
beside it, out of the second, loses changes no sum: the signal that arrives is the same, the weights are not. An update
that differs has read the weights themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from circuitsim.analysis.blackbox.bench import Bench, by_neuron, halves
from circuitsim.analysis.blackbox.program import Run, State
from circuitsim.analysis.blackbox.wiring import Wire


@dataclass(frozen=True)
class Transport:
    """An update of `target` that reads the weights of `source`, one entry of which was named."""

    target: str
    source: str
    signs_only: bool
    shared: bool  # each synapse follows the synapse of its own index
    row: int
    columns: tuple[int, int]
    reached: tuple[int, ...]


@dataclass
class TwinReport:
    """Results of the experiments from one state."""

    transports: list[Transport]
    lateral: list[tuple[str, str]]  # (weights, weights of the same layer's other neurons)
    uncovered: dict[str, str]  # weights that could not be changed so, and the reason


def read_weights(bench: Bench, state: State) -> TwinReport:
    """Test for each projection whether any update reads its weights beyond the signals that they pass on."""
    report = TwinReport([], [], {})
    for source in bench.wiring.wires:
        if source.pre is None:
            continue
        made = list(_twins(bench, state, source.pre))
        if not made:
            report.uncovered[source.name] = f"no two neurons of {source.pre} can be made alike"
        for twins in made:
            _Experiment(bench, source, *twins).report(report)
    return report


class _Experiment:
    """Changes of one projection's weights between twins."""

    def __init__(self, bench: Bench, source: Wire, base: State, pairs: np.ndarray) -> None:
        self._bench, self._source, self._base, self._pairs = bench, source, base, pairs
        self._before = bench.run(base)
        self._everything = np.ones((bench.wiring.sizes[source.post], len(pairs)), bool)

    def report(self, report: TwinReport) -> None:
        name = self._source.name
        flipped, kept = (self._after(self._everything, keep) for keep in (False, True))
        others = [wire for wire in self._bench.wiring.wires if wire.name != name]
        found = [wire for wire in others if self._differing(wire, flipped).any()]
        if found and self._signal_changed(flipped, others):
            report.uncovered[name] = (
                "changes that should cancel did not: its neurons differ, or it does not weight a sum"
            )
            found = []
        for wire in found:
            if wire.post == self._source.post and not self._between_neurons(wire):
                continue  # a neuron reads its own incoming synapses
            if wire.post == self._source.post != self._source.pre:
                report.lateral.append((wire.name, name))
            else:
                report.transports.append(self._located(wire, not self._differing(wire, kept).any()))
        if self._between_neurons(self._source) and self._source.pre == self._source.post:
            report.transports.append(self._located(self._source, False))  # recurrent synapses, used backwards
        elif self._between_neurons(self._source):
            report.lateral.append((name, name))

    def _after(self, chosen: np.ndarray, keep_signs: bool = False) -> Run:
        """Run with the chosen (post neuron, pair) entries changed."""
        weight = self._base.weights[self._source.name]
        first, second = weight[:, self._pairs[:, 0]], weight[:, self._pairs[:, 1]]
        if keep_signs:
            change = 0.45 * np.minimum(np.abs(first), np.abs(second))
        else:  # the larger of the two changes its sign
            larger = np.where(np.abs(first) >= np.abs(second), first, -second)
            change = -larger * self._bench.random.uniform(1.5, 2.5, larger.shape)
        change = np.where(chosen, change, 0).astype(weight.dtype)
        other = weight.copy()
        other[:, self._pairs[:, 0]] += change
        other[:, self._pairs[:, 1]] -= change
        return self._bench.run(self._base.with_weights(**{self._source.name: other}))

    def _differing(self, wire: Wire, after: Run, where: np.ndarray | None = None) -> np.ndarray:
        return self._bench.comparison.differing(wire.name, self._before, after, where, loose=True)

    def _signal_changed(self, after: Run, others: list[Wire]) -> bool:
        """Return whether the postsynaptic neurons noticed a change that should cancel.

        A projection that learns shows it at its own synapses that were not changed; for one that does not learn, every
        other projection into these neurons that learns shows it.
        """
        own = self._source.name
        if any(call[own].any() for call in self._before.calls):
            half = self._everything & (np.arange(len(self._pairs)) % 2 == 0)
            untouched = np.ones_like(self._base.weights[own], bool)
            untouched[:, self._pairs[::2].reshape(-1)] = False
            compare = self._bench.comparison.differing_within_rows
            return bool(compare(own, self._before, self._after(half), untouched, loose=True).any())
        into = [w for w in others if w.post == self._source.post and any(c[w.name].any() for c in self._before.calls)]
        return bool(into) and all(self._differing(wire, after).any() for wire in into)

    def _between_neurons(self, wire: Wire) -> bool:
        """Return whether synapses into a neuron follow changes of synapses into other neurons."""
        for neurons in halves(len(self._everything)):
            rows = ~neurons if wire.pre is None else np.repeat(~neurons[:, None], self._size(wire.pre), axis=1)
            if self._differing(wire, self._after(self._everything & neurons[:, None]), rows).any():
                return True
        return False

    def _size(self, site: str) -> int:
        return self._bench.wiring.sizes[site]

    def _located(self, wire: Wire, signs_only: bool) -> Transport:
        """Name one changed entry that the update of a wire reads, and the synapse that shows it, by bisection."""
        entries = self._bench.random.permutation(np.argwhere(self._everything))
        while len(entries) > 1:
            half = entries[: len(entries) // 2]
            entries = half if self._differing(wire, self._after(self._mask(half))).any() else entries[len(half) :]
        reached = np.argwhere(self._differing(wire, self._after(self._mask(entries))))
        row, pair = entries[0].tolist()
        first, second = self._pairs[pair].tolist()
        where = tuple(reached[0].tolist()) if len(reached) else ()
        return Transport(wire.name, self._source.name, signs_only, self._shared(wire), row, (first, second), where)

    def _shared(self, wire: Wire) -> bool:
        """Return whether rows of a wire of the same shape follow the rows of their own number and no others."""
        if wire.pre is None or (self._size(wire.post), self._size(wire.pre)) != (
            self._size(self._source.post),
            self._size(self._source.pre or ""),
        ):
            return False
        return not self._between_neurons(wire)

    def _mask(self, entries: np.ndarray) -> np.ndarray:
        chosen = np.zeros_like(self._everything)
        chosen[tuple(entries.T)] = True
        return chosen


def _twins(bench: Bench, state: State, site: str) -> Iterator[tuple[State, np.ndarray]]:
    """Yield states in which neurons of a site are equal two by two, and the pairs; together they cover all neurons.

    Of an odd number the last three are equal. Where labels are numbers of classes, neurons of classes that are shown
    have no twin: these are the last ones first, then the first ones.
    """
    size = bench.wiring.sizes[site]
    classes = [key for key, at in bench.wiring.labels.items() if at == site and _numbers(state.batch[key])]
    spare = (2 if size > 3 else 1) if classes else 0
    for low in (0, spare) if spare else (0,):
        alike, neurons = np.arange(size), np.arange(low, low + size - spare)
        if len(neurons) < 2:
            return
        pairs = np.stack([neurons[:-1], neurons[1:]], axis=1)
        pairs = np.concatenate([pairs[::2], pairs[-1:]]) if len(neurons) % 2 else pairs[::2]
        for first, second in pairs:
            alike[second] = alike[first]
        shown = np.setdiff1d(np.arange(size), neurons)
        batch = {key: shown[state.batch[key] % spare].astype(state.batch[key].dtype) for key in classes}
        for key, values in _examples_at(bench, state, site):
            batch[key] = values[..., alike].reshape(state.batch[key].shape)
        weights = {wire.name: state.weights[wire.name][alike] for wire in bench.wiring.into(site)}
        yield state.with_weights(**weights).with_batch(**batch), pairs


def _numbers(label: np.ndarray) -> bool:
    return label.ndim == 1 and label.dtype.kind in "iu"


def _examples_at(bench: Bench, state: State, site: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the batch entries that have a value for each neuron of a site, neurons last."""
    for key, at in (*bench.wiring.inputs.items(), *bench.wiring.labels.items()):
        values = by_neuron(state.batch[key], bench.wiring.sizes[site])
        if at == site and values is not None:
            yield key, values
