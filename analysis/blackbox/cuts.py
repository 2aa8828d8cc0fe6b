"""Experiments that cut wires: whatever still arrives has arrived by no declared wire.

With all synapses out of a site at zero, nothing that happens there can reach the rest of the circuit. With the synapses
out of some of its neurons at zero, these can be changed, and no other synapse may notice. No activity need be known.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from circuitsim.analysis.blackbox.bench import Bench, by_neuron, halves
from circuitsim.analysis.blackbox.program import State


def unwired(bench: Bench, state: State) -> Iterator[tuple[str, str, str]]:
    """Yield (weights, site, what was changed) where an update follows a change at a site without its synapses.

    The synapses into the site, or the examples' activity there, are changed, one array at a time.
    """
    for site in bench.wiring.sizes:
        base = bench.cut(state, site)
        for source, changed in _changes_at(bench, base, site):
            before, after = bench.run_both(base, changed, site)
            for wire in bench.wiring.wires:
                if not wire.ends_at(site) and bench.comparison.differing(wire.name, before, after).any():
                    yield wire.name, site, source


def labelled(bench: Bench, state: State) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield (weights, label, carriers) where a label reaches an update although every wire from its site is cut.

    `carriers` are the synapses *into* the site without which the label no longer arrives: they were used backwards.
    Without carriers the label came by no synapse at all.
    """
    for label, site in bench.wiring.labels.items():
        base = bench.cut(state, site)
        silent = base.with_weights(
            **{w.name: 0 * base.weights[w.name] for w in bench.wiring.into(site) if w.pre is not None}
        )
        other = bench.draws.entry(label)
        reached, remaining = (_reached(bench, one, label, other, site) for one in (base, silent))
        carriers = tuple(w.name for w in bench.wiring.into(site) if w.pre is not None)
        for name in reached:
            yield name, label, () if name in remaining else carriers


def lateral(bench: Bench, state: State) -> Iterator[tuple[str, str]]:
    """Yield (weights, site) where an update follows other neurons of a site that its synapses touch."""
    for site, size in bench.wiring.sizes.items():
        for neurons in halves(size):
            base = bench.cut(state, site, neurons)
            before, after = bench.run_both(base, _changed_neurons(bench, base, site, neurons), site, neurons)
            for wire in bench.wiring.wires:
                where = ~bench.touches(wire, site, neurons)
                compare = bench.comparison
                differing = compare.differing if wire.post == site else compare.differing_within_rows
                if wire.ends_at(site) and differing(wire.name, before, after, where).any():
                    yield wire.name, site


def _changes_at(bench: Bench, base: State, site: str) -> Iterator[tuple[str, State]]:
    for wire in bench.wiring.into(site):
        if wire.pre != site:
            yield wire.name, base.with_weights(**{wire.name: bench.draws.weight(wire.name)})
    for key, at in bench.wiring.inputs.items():
        if at == site:
            yield key, base.with_batch(**{key: bench.draws.entry(key)})


def _changed_neurons(bench: Bench, base: State, site: str, neurons: np.ndarray) -> State:
    """Return the state with the synapses into some neurons, and their part of the examples, drawn anew."""
    weights, batch = {}, {}
    for wire in bench.wiring.into(site):
        where = bench.touches(wire, site, neurons) if wire.pre != site else neurons[:, None] & ~neurons[None, :]
        weights[wire.name] = np.where(where, bench.draws.weight(wire.name), base.weights[wire.name])
    for key, at in bench.wiring.inputs.items():
        if at == site:
            other, old = (by_neuron(values, len(neurons)) for values in (bench.draws.entry(key), base.batch[key]))
            if other is not None and old is not None:
                batch[key] = np.where(neurons, other, old).reshape(base.batch[key].shape)
    return base.with_weights(**weights).with_batch(**batch)


def _reached(bench: Bench, base: State, label: str, other: np.ndarray, site: str) -> list[str]:
    before, after = bench.run_both(base, base.with_batch(**{label: other}), site)
    return [
        wire.name
        for wire in bench.wiring.wires
        if not wire.ends_at(site) and bench.comparison.differing(wire.name, before, after).any()
    ]
