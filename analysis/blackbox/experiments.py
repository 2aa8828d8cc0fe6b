"""The order of the experiments on one step, and what they found together."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from circuitsim.analysis.blackbox.bench import Bench
from circuitsim.analysis.blackbox.cuts import labelled, lateral, unwired
from circuitsim.analysis.blackbox.fresh import same_random_numbers
from circuitsim.analysis.blackbox.held import Reading, read_while_held
from circuitsim.analysis.blackbox.program import Arrays, Run, State
from circuitsim.analysis.blackbox.sums import SumReport, mixed_examples, origin_of_statistics
from circuitsim.analysis.blackbox.twins import Transport, read_weights
from circuitsim.errors import StepError

PROBED = 1000  # calls from one state, to see whether the step remembers earlier ones
LONGEST = 24  # calls compared at most where weights are not read directly
PATIENCE = 1.0  # seconds that these calls may take


@dataclass
class Evidence:
    """All dependences that the experiments found, without judgement."""

    transports: dict[tuple[str, str], Transport] = field(default_factory=dict)
    unwired: dict[tuple[str, str], set[str]] = field(default_factory=dict)  # (update, site): arrays that were changed
    labelled: dict[tuple[str, str], set[str]] = field(default_factory=dict)  # (update, label): synapses used backwards
    lateral: dict[str, set[str]] = field(default_factory=dict)  # site: updates
    rows: set[tuple[str, str]] = field(default_factory=set)  # (update, weights of the layer's other neurons)
    sums: SumReport = field(default_factory=SumReport)
    statistics: dict[str, set[str]] = field(default_factory=dict)  # site: updates that mix examples
    depends: set[tuple[str, str]] = field(default_factory=set)  # (update, array), by whatever way
    silent: set[str] = field(default_factory=set)  # weights that never changed
    held: dict[tuple[str, str], Reading] = field(default_factory=dict)  # (update or activity, array read)
    uncovered: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    ages: dict[str, int] = field(default_factory=dict)  # calls for which an update remembers examples
    remembers: int = 0  # the first call whose update differs from the one before it; 0: none
    probed: int = 0
    calls: int = 1
    states: int = 0


def gather(bench: Bench, runs: int, calls: int) -> Evidence:
    """Carry out all experiments from the given state and from random states."""
    found = Evidence(silent=set(bench.program.given.weights))
    drawn = list(bench.draws.states(runs))
    _repeat(bench, bench.program.given)
    _uses_weights(bench, bench.program.given)
    _probe(bench, drawn[0][2], calls, found)
    found.calls = max(calls, found.remembers + 1) if found.remembers else 1
    learning = [any(map(np.any, call.values())) for call in bench.program.run(bench.program.given, found.calls).calls]
    bench.first = learning.index(True) if any(learning) else 0
    states = [(1.0, 1.0, bench.program.given), *drawn]
    sound = [state for entry in states for state in _sound(bench, entry, found)]
    if found.silent == set(bench.program.given.weights):
        raise StepError(
            "step",
            got=f"no change of any weight in {len(sound)} states",
            expected="a step that learns",
            remedy="Return new weights or updates by name; raise a learning rate that is lost in rounding.",
        )
    if found.remembers:
        _ages(bench, drawn[0][2], found)
    for state in sound:  # first, because one common factor explains differences in all later experiments
        _examples(bench, state, found)
    found.sums.batch |= found.sums.unclear - found.sums.all_layers - found.sums.layer - found.sums.own
    for name in found.sums.batch if not found.statistics else ():
        found.statistics.setdefault("", set()).add(name)
    bench.comparison.common_factor, bench.comparison.own = bool(found.sums.all_layers), found.sums.own
    for number, state in enumerate(sound):
        bench.calls = found.calls if number == 1 else min(found.calls, bench.first + 2)
        _experiments(bench, state, found)
    found.states = len(sound)
    return found


def _repeat(bench: Bench, state: State) -> None:
    """Refuse a step that gives two results for the same arguments and memory."""
    first, second = bench.program.run(state, 2), bench.program.run(state, 2)
    for name in state.weights:
        if bench.comparison.differing(name, first, second).any():
            raise StepError(
                "step",
                got=f"two results for {name!r} from the same arguments",
                expected="a step that repeats to the rounding when its memory is as before",
                remedy="Draw random numbers from a seeded generator that the step holds; the audit copies it.",
            )


def _uses_weights(bench: Bench, state: State) -> None:
    """Refuse a step that computes its results from weights of its own."""
    names = [name for name, change in bench.program.run(state).calls[0].items() if change.any()]
    other = State({name: bench.draws.weight(name) for name in state.weights}, state.batch)
    first, second = (
        {name: change + one.weights[name] for name, change in bench.program.run(one).calls[0].items()}
        for one in (state, other)
    )
    if bench.program.rounding and names and all(np.allclose(first[name], second[name]) for name in names):
        raise StepError(
            "step",
            got="the same results for other weights",
            expected="new weights computed from the weights that are given",
            remedy="Load them into the model first, for example with model.load_state_dict(weights).",
        )


def _probe(bench: Bench, state: State, calls: int, found: Evidence) -> None:
    """Find out whether the step remembers: call one often in one state, another with other examples before."""
    until = time.monotonic() + PATIENCE
    session = bench.program.session()
    with same_random_numbers():
        before = session(state)
        while found.probed < calls or (found.probed < PROBED and time.monotonic() < until):
            after = session(state)
            found.probed += 1
            if any(not np.array_equal(after[name], before[name]) for name in after):
                found.remembers = found.probed + 1
                return
    usual, changed = _after_others(bench, state, calls)
    different = [call for call in range(1, calls) if any((usual[call][n] != changed[call][n]).any() for n in before)]
    found.remembers = different[0] + 1 if different else 0


def _after_others(bench: Bench, state: State, calls: int) -> list[list[Arrays]]:
    """Return the updates of calls in a row with the same examples, and with others in the first call."""
    found, other = [], State(state.weights, bench.draws.examples())
    for first in (state, other):
        with same_random_numbers():
            session = bench.program.session()
            found.append([session(state if call else first) for call in range(calls)])
    return found


def _ages(bench: Bench, state: State, found: Evidence) -> None:
    """Measure for how many calls each update remembers an example that was shown once."""
    usual, changed = _after_others(bench, state, found.calls)
    for age in range(1, found.calls):
        before, after = (Run(state, (calls[age],), {}) for calls in (usual, changed))
        found.ages.update(
            {name: age for name in state.weights if bench.comparison.differing(name, before, after).any()}
        )


def _sound(bench: Bench, entry: tuple[float, float, State], found: Evidence) -> Iterator[State]:
    """Yield the state if the step can be run from it; one with enlarged values may be changed or left out."""
    scale, data, state = entry
    tried = [state] if scale == data == 1 else [state, bench.draws.with_usual_labels(state)]
    for number, one in enumerate(tried, start=1):
        try:
            run = bench.program.run(one, min(found.calls, bench.first + 2))
        except StepError:
            if scale == data == 1:
                raise
            if number == len(tried):
                found.skipped.append(f"weights x {scale:g} with data x {data:g}, for which the step fails")
            continue
        found.silent -= {name for call in run.calls for name, change in call.items() if change.any()}
        yield one
        return


def _examples(bench: Bench, state: State, found: Evidence) -> None:
    sums = mixed_examples(bench, state)
    for name in ("all_layers", "layer", "batch", "unclear", "own"):
        getattr(found.sums, name).update(getattr(sums, name))
    if sums.batch:
        site, updates = origin_of_statistics(bench, state)
        if site:
            found.statistics.setdefault(site, set()).update(updates)


def _experiments(bench: Bench, state: State, found: Evidence) -> None:
    _plain(bench, state, found)
    twins = read_weights(bench, state)
    bench.calls = min(bench.calls, LONGEST)
    for name, site, source in unwired(bench, state):
        found.unwired.setdefault((name, site), set()).add(source)
    for name, label, carriers in labelled(bench, state):
        found.labelled.setdefault((name, label), set()).update(carriers)
    for name, site in lateral(bench, state):
        found.lateral.setdefault(site, set()).add(name)
    for transport in twins.transports:
        known = found.transports.get((transport.target, transport.source))
        if known is None or (known.signs_only and not transport.signs_only):
            found.transports[transport.target, transport.source] = transport
    for reading in read_while_held(bench, state) if bench.program.activities else ():
        found.held.setdefault((reading.reader, reading.source), reading)
    found.rows.update(twins.lateral)
    found.uncovered.update(twins.uncovered)


def _plain(bench: Bench, state: State, found: Evidence) -> None:
    """Change one array at a time and note which updates follow, by whatever way."""
    before = bench.run(state)
    changed = {name: state.with_weights(**{name: bench.draws.weight(name)}) for name in state.weights}
    changed |= {key: state.with_batch(**{key: bench.draws.entry(key)}) for key in state.batch}
    for source, other in changed.items():
        after = bench.run(other)
        for name in state.weights:
            if bench.comparison.differing(name, before, after).any():
                found.depends.add((name, source))
