"""A declared third factor: does the rest of the circuit reach an update as one number?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from circuitsim.analysis.blackbox.bench import Bench
from circuitsim.analysis.blackbox.compare import fitted
from circuitsim.analysis.blackbox.program import State


def is_broadcast(bench: Bench, name: str) -> bool:
    """Return whether all that happens away from the synapses scales their update of one example by one number."""
    wire = bench.wiring.wire(name)
    given = bench.program.given
    state = State({w: bench.draws.weight(w) for w in given.weights}, bench.draws.examples())
    for site in set(bench.wiring.sizes) - {wire.pre}:
        state = bench.cut(state, site)
    state = State(state.weights, {key: values[:1] for key, values in state.batch.items()})
    before = bench.program.run(state).calls[0][name]
    for other in _elsewhere(bench, state, name):
        after = bench.program.run(other).calls[0][name]
        rest = after - fitted(after.ravel(), before.ravel(), state.weights[name].ravel()).reshape(after.shape)
        if (np.abs(rest) > bench.comparison.limit(name, state, float(np.abs(after).max(initial=0)), True)).any():
            return False
    return True


def _elsewhere(bench: Bench, state: State, name: str) -> Iterator[State]:
    """Yield the state with one array changed that has no end at the synapses' own neurons."""
    own = {bench.wiring.wire(name).pre, bench.wiring.wire(name).post}
    for wire in bench.wiring.wires:
        if not {wire.pre, wire.post} & own and wire.pre is None:
            yield state.with_weights(**{wire.name: bench.draws.weight(wire.name)})
    for label, site in bench.wiring.labels.items():
        if site not in own:
            yield state.with_batch(**{label: bench.draws.entry(label)[:1]})
