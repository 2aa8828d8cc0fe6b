"""Rules that read `at(-1)`, the last activity of the presentation before, against loops by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import standin
from sample_rules import differential, inseparable, sequence

from circuitsim.asynchrony import AsynchronousSimulator
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import DENSE, Connectivity, Convolution, LocallyConnected, OneToOne, Table
from circuitsim.circuit.parts import Mirror, Plasticity, Population, Projection
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError, Diverged, ScheduleError
from circuitsim.kernels.cpu import program, threads
from circuitsim.locality import BEFORE
from circuitsim.rules import Rule
from circuitsim.timetable.protocol import Clock, Protocol, Updates
from circuitsim.timetable.schedule import make_schedule

SHAPE, RATE = (2, 4, 4), 0.2
RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(40, 32))
BATCHES = [[0, 1, 2, 3, 4], [7, 6, 5, 9, 8], [10, 11, 12], [13], [20, 21, 22, 23, 24], [30, 31]]
"""Full batches, and short ones that leave places out."""


RULES = [sequence, differential, inseparable]
KINDS: dict[str, tuple[Connectivity, tuple[int, ...], bool]] = {
    "dense": (DENSE, (6,), False),
    "masked": (DENSE, (6,), True),
    "convolution": (Convolution((3, 3)), (3, 4, 4), False),
    "untied": (LocallyConnected((3, 3), stride=(2, 2)), (2, 2, 2), False),
    "one to one": (OneToOne(), (2, 4, 4), False),
    "table": (Table((0, 1, 1, 2, 2, 0), (5, 0, 31, 7, 8, 9), (0, 1, 2, 1, 0, 2)), (3,), False),
}
each_kind = pytest.mark.parametrize("kind", KINDS)
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)


def sized(name: str, shape: tuple[int, ...], **more: Any) -> Population:
    return Population(name, int(np.prod(shape)), shape=shape, **more)


def network(rule: Rule, kind: str = "dense", *, bias: bool = True, **more: Any) -> Circuit:
    """Inputs, one layer of tanh neurons, and one of linear neurons above it; both projections learn."""
    connectivity, shape, masked = KINDS[kind]
    populations = (sized("x", SHAPE), sized("hidden", shape, activation="tanh"), Population("y", 3))
    projections = (
        Projection("W1", "x", "hidden", bias=bias, connectivity=connectivity, masked=masked),
        Projection("W2", "hidden", "y"),
    )
    plasticity = (Plasticity("W1", rule), Plasticity("W2", rule))
    return Circuit("sequences", populations, projections, "x", "y", plasticity=plasticity, **more)


def simulated(circuit: Circuit, protocol: Protocol | None = None, **options: Any) -> Simulator:
    parameters = {"lr": RATE} | {(q.name, "density"): 0.5 for q in circuit.projections if q.masked}
    given = {"batch": 5, "dtype": "float64", "seeds": [1, 2, 3], "parameters": parameters, **options}
    made = Simulator(circuit, protocol or Protocol(), **given)
    made.use(X)
    return made


def shown(made: Simulator, batches: Sequence[Sequence[int]] = BATCHES) -> Simulator:
    for rows in batches:
        made.present(rows)
    return made


def by_hand(made: Simulator, batches: Sequence[Sequence[int]] = BATCHES) -> list[dict[str, np.ndarray]]:
    """The weights of each replica after these batches, synapse by synapse."""
    return [_one_by_hand(made, r, batches) for r in range(made.state.replicas)]


def _one_by_hand(made: Simulator, r: int, batches: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    circuit = made.circuit
    w = {name: tensor[r].copy() for name, tensor in made.tensors().items()}
    kept = {name: tensor != 0 for name, tensor in w.items()}  # no weight that exists is zero by chance
    before = {p.name: np.zeros((made.batch, p.size)) for p in circuit.populations}
    for rows in batches:
        now = {"x": X[rows]}
        for name, source, target, function in (("W1", "x", "hidden", np.tanh), ("W2", "hidden", "y", np.asarray)):
            post, pre, slot = circuit.synapses(name)
            s = np.zeros((len(rows), circuit.population(target).size))
            for k in range(len(post)):
                s[:, post[k]] += w[f"{name}.weight"].reshape(-1)[slot[k]] * now[source][:, pre[k]]
            if f"{name}.bias" in w:
                s += spread(w[f"{name}.bias"], s.shape[1])
            now[target] = function(s)
        steps = {name: np.zeros(tensor.size) for name, tensor in w.items()}
        for learning in circuit.plasticity:
            q = circuit.projection(learning.projection)
            post, pre, slot = circuit.synapses(q.name)
            for b in range(len(rows)):
                posts, pres = ({0: now[p][b], BEFORE: before[p][b]} for p in (q.target, q.source))
                for i, j, k in zip(post, pre, slot, strict=True):
                    weight = w[f"{q.name}.weight"].reshape(-1)[k]
                    steps[f"{q.name}.weight"][k] += increment(learning.rule, posts, pres, i, j, weight)
                owner = spread(np.arange(w[f"{q.name}.bias"].size), posts[0].size) if q.bias else []
                for i, k in enumerate(owner):  # the presynaptic unit of a bias is always 1
                    weight = w[f"{q.name}.bias"].reshape(-1)[k]
                    steps[f"{q.name}.bias"][k] += increment(
                        learning.rule, posts, {0: [1.0], BEFORE: [1.0]}, i, 0, weight
                    )
        for name, step in steps.items():
            w[name] = w[name] + RATE * (step.reshape(w[name].shape) / len(rows)) * (kept[name] | ("bias" in name))
        for name, fired in now.items():
            before[name][: len(rows)] = fired
    return w


def increment(rule: Any, posts: Any, pres: Any, i: int, j: int, weight: float) -> float:
    """What the rule gives for the synapse from neuron j to neuron i; memories by cycle."""
    return float(rule(lambda k: pres[k][j], lambda k: posts[k][i], weight))


def spread(bias: np.ndarray, size: int) -> np.ndarray:
    """Biases, one for each neuron or each channel, as one for each neuron."""
    return np.repeat(bias.reshape(-1), size // bias.size)


def close(made: Simulator, expected: Sequence[dict[str, np.ndarray]], tolerance: float = 1e-12) -> None:
    for r, tensors in enumerate(expected):
        for name, tensor in tensors.items():
            np.testing.assert_allclose(made.tensors()[name][r], tensor, rtol=tolerance, atol=tolerance, err_msg=name)


# ------------------------------------------------------------------------------------------------- numbers by hand


@cache
def cached_pool(parts: int) -> threads.ThreadPool:
    return threads.ThreadPool(parts)


@each_kind
@each_rule
@pytest.mark.parametrize("backend", standin.each("numba", "numpy", "cupy"))
def test_every_kind_of_synapse_learns_what_the_loop_does(kind: str, rule: Rule, backend: str) -> None:
    made = simulated(network(rule, kind), backend=backend)
    expected = by_hand(made)
    start = {name: tensor.copy() for name, tensor in made.tensors().items()}
    close(shown(made), expected)
    assert all((made.tensors()[name] != tensor).any() for name, tensor in start.items() if name.endswith("weight"))


@pytest.mark.parametrize("parts", [1, 2])
@each_rule
def test_threads_and_sequences_of_batches_change_no_bit(
    rule: Rule, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = cached_pool(parts)
    monkeypatch.setattr(threads, "thread_count", lambda: parts)
    monkeypatch.setattr(threads, "thread_pool", lambda: team)
    monkeypatch.setattr(program, "WORTHWHILE", 0)
    batches = np.arange(40).reshape(8, 5)
    for kind, seeds in (("dense", [1]), ("convolution", [1, 2, 3, 4, 5, 6])):
        made = simulated(network(rule, kind), seeds=seeds)
        expected = by_hand(made, batches.tolist())
        made.present_each(batches)
        close(made, expected)
        assert bits(shown(simulated(network(rule, kind), seeds=seeds), batches.tolist())) == bits(made)
        short = simulated(network(rule, kind), seeds=seeds)
        expected = by_hand(short)
        close(shown(short), expected)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("cycles", [1, 2])
def test_neurons_that_recirculate_retain_their_last_cycle(cycles: int, backend: str) -> None:
    circuit, protocol = circular_autoencoder([6, 4, 3, 6], differential, cycles=cycles, bias=False)
    fired = [f"layer{h}" for h in range(4)]
    last = {p: max(c for c in range(cycles + 1) if fires(circuit, protocol, p, c)) for p in fired}
    assert set(last.values()) == {cycles}
    given: dict[str, Any] = {"seeds": [3], "dtype": "float64", "parameters": {"lr": RATE}, "backend": backend}
    keys = [(p, "O", cycle) for p in fired for cycle in (0, cycles)]
    made = Simulator(circuit, protocol, batch=5, probes=keys, **given)
    made.use(X[:, :6])
    before = {p: np.zeros((5, circuit.population(p).size)) for p in fired}
    for rows in BATCHES:
        weights = {name: tensor.copy() for name, tensor in made.tensors().items()}
        made.present(rows)
        now, ends = ({p: made.probe(p, "O", cycle)[0] for p in fired} for cycle in (0, cycles))
        for learning in (p for p in circuit.plasticity if p.rule.name == "differential"):  # the top has its own
            q, w = circuit.projection(learning.projection), weights[f"{learning.projection}.weight"][0]
            post, pre = learning.post or q.target, learning.pre or q.source
            changes = [now[p] - before[p][: len(rows)] for p in (post, pre)]
            dw = np.einsum("bi,bj->ij", *changes) - len(rows) * 0.3 * w
            np.testing.assert_allclose(made.tensors()[f"{q.name}.weight"][0], w + RATE * dw / len(rows), rtol=1e-12)
        for p, values in ends.items():
            before[p][: len(rows)] = values


def fires(circuit: Circuit, protocol: Protocol, population: str, cycle: int) -> bool:
    """Whether a probe finds the population's activity of a cycle."""
    try:
        make_schedule(circuit, replace(protocol, readouts=((population, "O", cycle),)))
    except ScheduleError:
        return False
    return True


def bits(made: Simulator) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in made.snapshot().items()}


# ------------------------------------------------------------------------------------------------- what it belongs to


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_snapshot_continues_to_the_same_bits(backend: str) -> None:
    whole = shown(simulated(network(differential), backend=backend))
    halved, other = (simulated(network(differential), backend=backend) for _ in range(2))
    other.restore(shown(halved, BATCHES[:3]).snapshot())
    assert bits(shown(other, BATCHES[3:])) == bits(whole)
    kept = halved.snapshot()["state/x.O"]
    assert kept.shape == (3, 5, 32) and (kept[:, :3] == X[10:13]).all() and (kept[:, 3:] == X[[9, 8]]).all()
    message = "snapshot for circuit sequences: got state/x.O as float64 of shape (3, 5, 32); expected state/x.O as "
    with pytest.raises(CircuitError, match=re.escape(f"{message}float64 of shape (3, 6, 32).")):
        simulated(network(differential), batch=6, backend=backend).restore(halved.snapshot())


def test_what_does_not_teach_changes_nothing() -> None:
    made = shown(simulated(network(sequence)), BATCHES[:2])
    before = bits(made)
    list(made.outputs(X))
    list(made.observe([("hidden", "O", 0)], X[:3]))
    assert bits(made) == before
    probed = shown(simulated(network(sequence), probes=[("hidden", "O", 0)]))
    recorded = simulated(network(sequence))
    recorded.record("hidden")
    shown(recorded)
    plain = shown(simulated(network(sequence)))
    for name, tensor in plain.tensors().items():
        assert np.array_equal(probed.tensors()[name], tensor) and np.array_equal(recorded.tensors()[name], tensor)


def test_the_queue_gives_the_same_bits() -> None:
    queued = shown(simulated(network(differential), order=lambda events: events[::-1]))
    assert bits(queued) == bits(shown(simulated(network(differential))))


def test_replicas_that_see_rows_of_their_own_retain_their_own() -> None:
    made = simulated(network(sequence), shared=False)
    apart = [simulated(network(sequence), seeds=[seed]) for seed in (1, 2, 3)]
    for rows in BATCHES:
        each = np.array([rows, rows[::-1], [(row + 3) % 40 for row in rows]])
        made.present(each)
        for one, own in zip(apart, each, strict=True):
            one.present(own)
    for r, one in enumerate(apart):
        for name, tensor in one.tensors().items():
            np.testing.assert_allclose(made.tensors()[name][r], tensor[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_replica_that_diverges_leaves_the_others_as_they_are(backend: str) -> None:
    rates = {"parameters": {"lr": [RATE, 1e306, RATE]}, "backend": backend}
    made = shown(simulated(network(sequence), on_divergence="drop", **rates))
    assert made.state.alive.tolist() == [True, False, True]
    alone = shown(simulated(network(sequence), seeds=[1, 3], backend=backend))
    for name, array in alone.state.persistent().items():
        if name != "circuit.alive":
            np.testing.assert_allclose(made.state.persistent()[name][[0, 2]], array, rtol=1e-12, atol=1e-12)
    stopped = simulated(network(sequence), **rates)
    with pytest.raises(Diverged, match="projection W2, replica 1"):
        shown(stopped)
    assert all(np.isfinite(array).all() for array in stopped.state.persistent().values())


def test_updates_that_come_at_once_are_the_same_here() -> None:
    early = shown(simulated(network(sequence), Protocol(updates=Updates.AT_ONCE)))
    close(early, [{n: t[r] for n, t in shown(simulated(network(sequence))).tensors().items()} for r in range(3)])


# ------------------------------------------------------------------------------------------------- ages and refusals


def test_the_age_is_that_of_presentations_without_a_gap() -> None:
    schedule = make_schedule(network(sequence), Protocol())
    # x fires at tick 0, hidden at 1, y at 2: three ticks a presentation
    assert (schedule.length, schedule.window) == (3, 4)
    assert {(r.projection, r.reading.place.value, r.reading.cycle): (r.age, r.used) for r in schedule.rows} == {
        ("W1", "pre", -1): (4, 1), ("W1", "post", 0): (0, 1), ("W2", "pre", -1): (4, 2), ("W2", "post", 0): (0, 2),
    }  # fmt: skip
    assert schedule.retained == {("x", "O", -1): -3, ("hidden", "O", -1): -2}
    apart = make_schedule(network(sequence), Protocol(interval=5))
    assert apart.windows == {"W1": 6, "W2": 6}
    assert [row[:3] for row in apart.table()[-2:]] == [("2", "retention", "x"), ("2", "retention", "hidden")]


CLOCKED = (
    "rule sequence of projection W1: got pre.at(-1), the presentation before, and a clock; expected at(k) of a step, "
    "k >= 0. Read an earlier step, or let the rule read cycles >= 0."
)
MIRRORED = (
    "rule sequence of projection W1: got pre.at(-1), the presentation before, and mirror mode of projection W2; "
    "expected neurons that are silent between presentations. Remove the mirror mode, whose noise such neurons fire "
    "last, or let the rule read cycles >= 0."
)
YOUNG = (
    "rule sequence of projection W1: got pre.at(-1), 4 ticks old when it is read; expected nothing older than the "
    "window of 3 ticks of circuit sequences. Set the window to 4 or more, or shorten the delays."
)
OVERLAP = (
    "presentation interval of 2 ticks: got a rule that reads x at cycle -1, the presentation before, which has not "
    "ended; expected at least 3 ticks, a presentation. Present every 3 ticks."
)


@pytest.mark.parametrize(
    ("protocol", "mirrors", "message"),
    [
        (Protocol(clock=Clock(3)), (), CLOCKED),
        (Protocol(), (Mirror("W2"),), MIRRORED),
        (Protocol(window=3), (), YOUNG),
        (Protocol(interval=2), (), OVERLAP),
    ],
    ids=["clock", "mirror", "window", "interval"],
)
def test_what_is_refused(protocol: Protocol, mirrors: tuple[Mirror, ...], message: str) -> None:
    with pytest.raises(ScheduleError, match=f"^{re.escape(message)}$"):
        make_schedule(network(sequence, mirrors=mirrors), protocol)


def test_the_shortest_interval_lets_presentations_end() -> None:
    assert make_schedule(network(sequence), Protocol()).shortest_interval() == 3


def test_neurons_with_their_own_time_retain_nothing() -> None:
    message = (
        "population layer0: got a rule that reads it at cycle -1, the presentation before; expected memories of the "
        "present example, where neurons keep their own time. Run it on a Simulator."
    )
    with pytest.raises(CircuitError, match=f"^{re.escape(message)}$"):
        AsynchronousSimulator(*circular_autoencoder([6, 4, 6], sequence))


# ------------------------------------------------------------------------------------------------- other protocols


def developing(**more: Any) -> tuple[Simulator, Protocol, Protocol]:
    """A circuit whose first projection learns in one part of its development, and both in the other."""
    circuit = network(sequence)
    groups = tuple(replace(p, group=g) for p, g in zip(circuit.plasticity, ("low", "high"), strict=True))
    low, both = Protocol(groups=("low",), **more), Protocol(groups=("low", "high"))
    return simulated(replace(circuit, plasticity=groups), low), low, both


def test_what_is_retained_goes_on_under_another_protocol() -> None:
    made, _, both = developing()
    start = {name: tensor.copy() for name, tensor in made.tensors().items()}
    shown(made, BATCHES[:3])
    assert np.array_equal(made.tensors()["W2.weight"], start["W2.weight"])
    fired = np.tanh(X[10:13] @ made.tensors()["W1.weight"][0].T)
    assert (made.state.arrays()["hidden", "O", -1][0, :3] != 0).all() and fired.shape == (3, 6)
    made.change_protocol(both)  # what hidden retained under a protocol in which nothing reads it
    kept = made.state.arrays()["hidden", "O", -1].copy()
    made.present([30, 31])
    w1 = made.tensors()["W1.weight"]
    assert w1.shape == (3, 6, 32)
    y = np.einsum("rbi,rji->rbj", made.state.arrays()["hidden", "O", -1][:, :2], start["W2.weight"])
    step = np.einsum("rbi,rbj->rij", y, kept[:, :2]) / 2
    np.testing.assert_allclose(made.tensors()["W2.weight"], start["W2.weight"] + RATE * step, rtol=1e-12, atol=1e-12)


def test_a_protocol_under_which_it_would_be_too_old_is_refused() -> None:
    made, _, both = developing(interval=9)
    made.change_protocol(both)  # nothing has been shown: there is nothing to retain
    made.change_protocol(replace(both, interval=9))
    shown(made, BATCHES[:1])
    before = bits(made)
    message = (
        "rule sequence of projection W1: got pre.at(-1), 10 ticks old when it is read; expected nothing older than"
    )
    with pytest.raises(ScheduleError, match=f"^{re.escape(message)} the window of 4 ticks .* Set the window to 10"):
        made.change_protocol(both)
    assert bits(made) == before
    made.change_protocol(replace(both, window=10))
    silent, _, both = developing(learn=False)
    message = "rule sequence of projection W1: got pre.at(-1) after a presentation that does not teach; expected"
    with pytest.raises(ScheduleError, match=f"^{re.escape(message)} presentations that teach, .* by `observe`, which"):
        shown(silent, BATCHES[:1]).change_protocol(both)
