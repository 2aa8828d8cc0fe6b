"""Programs: what threads share out, where they wait, what guards stop; vector functions; products in pieces; memory."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from running import nightly

from circuitsim import Simulator, rules
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.engine.hooks import Hook
from circuitsim.engine.interrupts import Pace
from circuitsim.errors import CircuitError, Diverged
from circuitsim.kernels.cpu import backend as cpu
from circuitsim.kernels.cpu import blas, buffers, expansions, one_thread, ops, program, threads
from circuitsim.kernels.cpu.operands import SplitBy, read_all, read_part, write_part
from circuitsim.kernels.cpu.ops import GuardOp, Op
from circuitsim.kernels.cpu.program import Program, bind
from circuitsim.lowering.compiler import lower
from circuitsim.lowering.mapped import RuleInputs
from circuitsim.rules import local_rule


@pytest.fixture(autouse=True)
def _courses_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show a sequence of batches in one piece, however slow the first presentation is."""
    monkeypatch.setattr(Pace, "count", 100)


@pytest.fixture
def three_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[threads.ThreadPool]:
    """Three threads that work together, however many cores there are and however little there is to do."""
    team = threads.ThreadPool(3)
    monkeypatch.setattr(threads, "thread_count", lambda: 3)
    monkeypatch.setattr(threads, "thread_pool", lambda: team)
    monkeypatch.setattr(program, "WORTHWHILE", 0)
    yield team


LARGE = [(100, 20, 784), (64, 130, 784), (90, 300, 100), (300, 20, 300)]


def trained(
    rule: str, replicas: int = 1, backend: str = "numba", dtype: str = "float64", batches: int = 4, **more: object
) -> Simulator:
    """A circuit after some presentations of batches of several sizes."""
    sizes = [70, 33, 11, 33, 70]
    if rule == "fa":
        circuit, protocol = layered_classifier([70, 33, 11, 10], "fa", hidden="tanh")
    else:
        circuit, protocol = circular_autoencoder(sizes, rule, bounded=True)
    parameters = {"lr": 0.3, "momentum": 0.5, "weight_decay": 0.01, "max_norm": 1.5} if rule != "fa" else {"lr": 0.3}
    parameters |= {"emits": 0.3, "remembers": 0.6} if rule == "rec" else {}
    seeds = list(range(replicas))
    made = Simulator(
        circuit, protocol, batch=9, seeds=seeds, dtype=dtype, backend=backend, parameters=parameters, **more
    )  # type: ignore[arg-type]
    random = np.random.default_rng(0)
    made.use(random.random((40, 70)), random.integers(0, 10, 40) if rule == "fa" else None)
    for size in (9, 9, 4, 9)[:batches]:
        made.present(random.integers(0, 40, size))
    return made


def apart(one: Simulator, other: Simulator) -> float:
    """The largest difference of any weight."""
    return max(float(np.abs(one.tensors()[n] - w).max()) for n, w in other.tensors().items())


def same(one: Simulator, other: Simulator) -> bool:
    return all(np.array_equal(one.tensors()[name], w) for name, w in other.tensors().items())


# ------------------------------------------------------------------------------------------------------ several threads


@pytest.mark.parametrize("passes", [0.0, 1.5, np.inf])
@pytest.mark.parametrize("replicas", [1, 2, 3, 14])
@pytest.mark.parametrize("rule", ["rec", "bp", "fa"])
def test_threads_make_of_it_what_the_reference_does(
    three_threads: threads.ThreadPool, monkeypatch: pytest.MonkeyPatch, rule: str, replicas: int, passes: float
) -> None:
    """Shares of neurons, of examples, of both, and of replicas: even shares of three threads, or many replicas."""
    monkeypatch.setattr(ops, "TRAFFIC_RATIO", passes)
    made = trained(rule, replicas)
    assert apart(made, trained(rule, replicas, "numpy")) < 1e-12
    products = {op.by for op in made.plans[0].bound(9).run.ops if op.preferred_split}  # type: ignore[attr-defined]
    if replicas in (1, 2):
        assert (
            products
            == {0.0: {SplitBy.NEURONS}, 1.5: {SplitBy.NEURONS, SplitBy.EXAMPLES}, np.inf: {SplitBy.EXAMPLES}}[passes]
        )
    else:
        assert products == {SplitBy.REPLICAS}


@pytest.mark.parametrize("passes", [0.0, 1.5, np.inf])
@pytest.mark.parametrize("replicas", [1, 3])
def test_step_by_step_probed_hooked_and_again_the_bits_are_the_same(
    three_threads: threads.ThreadPool, monkeypatch: pytest.MonkeyPatch, replicas: int, passes: float
) -> None:
    monkeypatch.setattr(ops, "TRAFFIC_RATIO", passes)
    expected = trained("rec", replicas, dtype="float32")
    assert same(trained("rec", replicas, dtype="float32"), expected)
    assert same(trained("rec", replicas, dtype="float32", order=lambda events: events[::-1]), expected)
    assert same(trained("rec", replicas, dtype="float32", probes=[("layer4", "O", 0)]), expected)
    assert same(trained("rec", replicas, dtype="float32", evidence=True), expected)
    assert same(trained("rec", replicas, dtype="float32", hooks=[Hook(lambda tensors: None, "delivery")]), expected)


def test_a_second_caller_runs_all_parts_itself(three_threads: threads.ThreadPool) -> None:
    expected = trained("rec")
    with three_threads.busy:
        assert same(trained("rec"), expected)


def test_simulators_in_many_threads_of_the_user_do_not_disturb_each_other(three_threads: threads.ThreadPool) -> None:
    expected, found = trained("rec", dtype="float32"), []
    users = [threading.Thread(target=lambda: found.append(trained("rec", dtype="float32"))) for _ in range(4)]
    for user in users:
        user.start()
    for user in users:
        user.join(60)
    assert len(found) == 4 and all(same(one, expected) for one in found)


def test_sleeping_helpers_are_woken(three_threads: threads.ThreadPool) -> None:
    simulator = trained("rec")
    deadline = time.monotonic() + 20
    while not three_threads.asleep() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert three_threads.asleep()
    before = simulator.tensors()["A1.weight"].copy()
    simulator.present([1, 2, 3])
    assert not np.array_equal(simulator.tensors()["A1.weight"], before)


def _in_child(queue: object) -> None:
    queue.put(trained("rec").tensors()["A1.weight"])  # type: ignore[attr-defined]


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="processes cannot be forked here")
def test_a_forked_process_has_its_own_thread_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "WORTHWHILE", 0)
    expected = trained("rec")
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    found = queue.get(timeout=60)
    child.join(10)
    assert np.array_equal(found, expected.tensors()["A1.weight"])


def _continued(made: Simulator, queue: object) -> None:
    made.present(np.arange(9))
    queue.put(made.tensors()["A1.weight"])  # type: ignore[attr-defined]


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="processes cannot be forked here")
@pytest.mark.parametrize("parts", [1, 2])
def test_a_simulator_that_was_made_before_a_fork_goes_on_in_the_child(
    parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: parts)
    monkeypatch.setattr(program, "WORTHWHILE", 0)
    threads.thread_pool.cache_clear()
    made = trained("rec")
    context = multiprocessing.get_context("fork")
    queues = [context.Queue() for _ in range(2)]
    children = [context.Process(target=_continued, args=(made, queue), daemon=True) for queue in queues]
    for child in children:
        child.start()
    found = [queue.get(timeout=60) for queue in queues]
    for child in children:
        child.join(10)
    made.present(np.arange(9))  # and in the parent
    assert all(np.array_equal(one, made.tensors()["A1.weight"]) for one in found)
    threads.thread_pool.cache_clear()


@pytest.mark.parametrize("first", [0, 2**31 - 2, 2**32 - 2, 2**33 - 2])
def test_threads_still_wait_for_each_other_after_billions_of_jobs(
    first: int, monkeypatch: pytest.MonkeyPatch, three_threads: threads.ThreadPool
) -> None:
    """The barrier's word is the job's number shifted by 32 bits. Sleeping helpers come late: who waits is right."""
    team = threads.ThreadPool(3, first)
    monkeypatch.setattr(threads, "thread_pool", lambda: team)
    made, alone = (trained("rec", batches=0) for _ in range(2))
    rows = np.random.default_rng(8).integers(0, 39, (4, 9))
    for k in range(4):
        deadline = time.monotonic() + 30
        while not team.asleep() and time.monotonic() < deadline:
            time.sleep(0.001)
        assert team.asleep()
        made.present(rows[k])
    with team.busy:  # then the caller runs all parts itself
        for k in range(4):
            alone.present(rows[k])
    assert apart(made, alone) == 0


def test_products_have_one_thread_before_any_part_of_a_program_begins(
    monkeypatch: pytest.MonkeyPatch, three_threads: threads.ThreadPool
) -> None:
    """A helper that begins before the caller has said so would multiply with several threads, to other bits."""
    happened: list[object] = []

    def set_threads(count: int) -> int:
        happened.append(count)
        return 5

    execute, run_all_parts = three_threads.execute, threads.run_all_parts
    monkeypatch.setattr(one_thread, "setter", lambda: set_threads)
    monkeypatch.setattr(three_threads, "execute", lambda *words: (happened.append("run"), execute(*words))[1])
    monkeypatch.setattr(threads, "run_all_parts", lambda *words: (happened.append("run"), run_all_parts(*words))[1])
    trained("rec", batches=1)
    assert happened and happened == [1, "run", 5] * (len(happened) // 3)


def test_the_last_program_that_ends_gives_threads_back(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    monkeypatch.setattr(one_thread, "setter", lambda: lambda count: (counts.append(count), 4)[1])
    one = one_thread.OneThread()
    with one:
        with one:
            assert counts == [1]
        assert counts == [1]
    assert counts == [1, 4]
    one.__enter__()
    one.forget()  # as in a forked process
    with one:
        assert counts == [1, 4, 1, 1]


_METRICS = """
import threading
import numpy as np
from circuitsim.runs.config import replicas
from circuitsim.runs.lookup import load_scenario
from circuitsim.runs.training import make_study

def busy():
    while True:
        sum(range(1000))

threading.Thread(target=busy, daemon=True).start()
np.savez("x.npz", x=np.random.default_rng(0).random((4000, 784), np.float32))
scenario = load_scenario("autoencoder")
keys = {"dataset": "x.npz", "sizes": [784, 64, 784], "epochs": 1}
for _ in range(6):
    study = make_study(scenario, replicas(scenario.settings, keys, {}), "numba")
    study.begin()
    list(study.train_epoch())
    study.end_epoch()
    print([row.value.hex() for row in study.metrics if row.metric != "seconds"])
"""


@pytest.mark.nightly
@pytest.mark.parametrize("count", [1, 2, 3])
def test_metrics_of_equal_runs_are_equal_on_a_busy_machine(count: int, tmp_path: Path) -> None:
    several = os.environ | dict.fromkeys(("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(count))
    done = subprocess.run([sys.executable, "-c", _METRICS], cwd=tmp_path, env=several, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 6 and len(set(done.stdout.splitlines())) == 1


def test_little_work_is_left_to_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 2)
    steps = [cpu.subtract(*(np.zeros((1, 2, 3)) for _ in range(3)))]
    program.fuse(steps)
    assert isinstance(steps[0], Op) and steps[0].parts == 1
    monkeypatch.setattr(program, "WORTHWHILE", 0)
    program.fuse(steps)
    assert steps[0].parts == 2


# ----------------------------------------------------------------------------------------------------- shares, barriers


def _copy(source: np.ndarray, out: np.ndarray) -> Op:
    return Op(cpu.copy_kernel, read_part(source), write_part(out))


def shares(
    size: int, parts: int, replicas: int = 1, by: SplitBy = SplitBy.NEURONS, examples: int = 2
) -> list[tuple[int, ...]]:
    op = _copy(np.zeros((replicas, examples, size)), np.zeros((replicas, examples, size)))
    assert isinstance(op, Op)
    op.split(parts, by)
    return [op.part(part) for part in range(parts)]


def test_shares_cover_everything_once() -> None:
    for size in (1, 2, 5, 64, 100, 784):
        for parts in (1, 2, 3, 8):
            neurons = [i for *_, low, high, _, _ in shares(size, parts) for i in range(low, high)]
            assert neurons == list(range(size))
            each = shares(5, parts, by=SplitBy.EXAMPLES, examples=size)
            assert [b for *_, begin, end in each for b in range(begin, end)] == list(range(size))
            assert {share[:4] for share in each} == {(0, 1, 0, 5)}
    assert [low % 16 for _, _, low, *_ in shares(784, 3)] == [0, 0, 0]
    assert {share[4:] for share in shares(784, 3)} == {(0, 2)}
    replicas = [r for first, last, *_ in shares(5, 3, 7, by=SplitBy.REPLICAS) for r in range(first, last)]
    assert replicas == list(range(7))


def barriers(*steps: object, by: SplitBy = SplitBy.NEURONS) -> list[int]:
    for step in steps:
        step.split(2, by)  # type: ignore[attr-defined]
    return program.find_barriers(steps)  # type: ignore[arg-type]


def test_threads_meet_where_one_needs_what_another_makes_and_nowhere_else() -> None:
    a, b, c, d = (np.zeros((1, 4, 32)) for _ in range(4))
    across, learned = np.zeros((1, 32, 32)), np.zeros((1, 32, 32))
    send = cpu.deliver(b, across, c, accumulate=False)
    assert barriers(_copy(a, b), cpu.multiply(b, a, d)) == [0]  # each thread its own neurons
    assert barriers(_copy(a, b), send) == [0, 1]  # all of what was made is sent
    assert barriers(send, _copy(a, b)) == [0, 1]  # and must not change before it is
    assert barriers(_copy(a, b), _copy(a, d), send, cpu.subtract(a, c, d)) == [0, 2]
    softmax = cpu.activate("softmax", c, [], c, None)
    learn = cpu.outer(b, d, learned)
    assert barriers(send, softmax, cpu.subtract(a, c, d)) == [0, 1, 2]  # one thread needs all neurons
    assert barriers(_copy(a, b), send, softmax, cpu.subtract(a, c, d), by=SplitBy.EXAMPLES) == [
        0
    ]  # of its own examples
    assert barriers(_copy(a, b), learn, by=SplitBy.EXAMPLES) == [0, 1]  # a synapse needs all examples
    assert barriers(send, cpu.centre(c), by=SplitBy.EXAMPLES) == [0, 1]  # and so does a mean over them


def test_a_product_is_shared_out_by_what_is_less_to_pass_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "thread_count", lambda: 2)

    def by(batch: int, pre: int, post: int, replicas: int = 1) -> tuple[SplitBy, SplitBy]:
        emitted, arriving = (np.zeros((replicas, batch, size)) for size in (pre, post))
        send = cpu.deliver(emitted, np.zeros((replicas, pre, post)), arriving, accumulate=False)
        fire = cpu.subtract(arriving, arriving, np.zeros_like(arriving))
        program.fuse([send, fire])
        return send.by, fire.by  # type: ignore[attr-defined]

    assert by(100, 784, 20) == (SplitBy.EXAMPLES, SplitBy.EXAMPLES)
    assert by(64, 784, 256) == (SplitBy.NEURONS, SplitBy.NEURONS)
    assert by(64, 784, 256, replicas=2) == (SplitBy.REPLICAS, SplitBy.REPLICAS)


def test_increments_are_guarded_before_any_weight_changes() -> None:
    weight, increment, one = np.zeros((1, 4, 3)), np.ones((1, 4, 3)), np.ones(1)
    alive = np.ones(1, bool)
    seen: list[np.ndarray] = []

    def update(w: np.ndarray, dw: np.ndarray) -> Op:
        return cpu.apply(w, dw, None, one, None, 0 * one, 1.0, alive)  # type: ignore[return-value]

    def report(found: np.ndarray) -> None:
        seen.append(weight.copy())
        alive[0] = False

    steps = [cpu.guard(increment, np.array([10.0]), alive, report), update(weight, increment)]
    both = program.fuse(steps)
    assert isinstance(both, Program) and isinstance(steps[0], GuardOp)
    assert barriers(*steps) == [0, 1]
    both()
    assert not seen and weight.all()
    increment[0, 2, 1], before = np.nan, weight.copy()
    both()
    assert np.array_equal(weight, before) and np.array_equal(seen[0], before)
    alive[0] = True
    steps[0]()  # by itself too, and the flag is down again each time
    assert len(seen) == 2 and not steps[0].flag.any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e308])
def test_the_weights_kept_are_the_last_finite_ones(three_threads: threads.ThreadPool, bad: float) -> None:
    simulator = trained("rec")
    before = {name: w.copy() for name, w in simulator.tensors().items()}
    simulator.plans[0].x[:] = bad  # type: ignore[index]
    with pytest.raises(Diverged, match=r"projection A\d, replica 0: plasticity at tick \d+ of presentation 4 gave"):
        simulator.present([0, 1])
    assert all(np.array_equal(w, before[name]) for name, w in simulator.tensors().items())


# ----------------------------------------------------------------------------------------------------- what only passes


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize(("rule", "replicas"), [("rec", 2), ("rec", 6), ("rbp", 14), ("bp", 3), ("fa", 4)])
def test_one_memory_for_what_replicas_leave_to_nobody(
    rule: str, replicas: int, parts: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if parts == 3:
        request.getfixturevalue("three_threads")
    else:
        monkeypatch.setattr(threads, "thread_count", lambda: 1)
    one, other = (trained(rule, replicas, batches=0, probes=probes) for probes in ((), [("layer1", "O", 0)]))
    rows = np.random.default_rng(1).integers(0, 40, (3, 9))
    bound = other.plans[0].bound(9)
    for batch in rows:
        one.present(batch)
        bound.rows[...] = batch
        for step in bound.steps:  # each by itself, on arrays that hold all replicas
            step()
    assert apart(one, other) == 0
    held = {name for name, array in one.plans[0].activity.memory().items() if array.any()}
    assert ("layer1.O.0" in held) == (parts == 3 and replicas in (2, 4))  # there threads share the neurons
    one.present(rows[0])
    other.present(rows[0])
    assert apart(one, other) == 0
    fired = other.probe("layer1")  # what is probed is kept for each
    assert all(fired[r].any() and not np.array_equal(fired[r], fired[0]) for r in range(1, replicas))


def test_what_passes_and_what_does_not() -> None:
    a, b, c, d = (np.zeros((4, 3, 8)) for _ in range(4))
    shared, half, fewer = np.zeros((1, 3, 8)), np.zeros((4, 3, 4)), np.zeros((2, 6, 8))

    names = {id(array): name for name, array in zip("abcd", (a, b, c, d), strict=True)} | {id(half): "half"}

    def passed(*steps: Op, kept: tuple[np.ndarray, ...] = (), end: int | None = None) -> list[str]:
        program.fuse(steps)
        found = buffers.scratch_buffers(steps, 0, end or len(steps), {id(array) for array in kept})
        return sorted(names[id(p.root)] for p in found)

    chain = _copy(a, b), _copy(b, c), _copy(c, d)
    assert passed(*chain) == ["b", "c", "d"]  # a is read before it is made
    assert passed(*chain, kept=(c, d)) == ["b"]
    assert passed(*chain, end=2) == ["b"]  # c is read in another stretch, and d belongs to it
    assert passed(_copy(shared, b)) == ["b"] and passed(_copy(b, shared)) == []
    assert passed(cpu.subtract(a, b, b)) == []  # what is changed was there before
    assert passed(_copy(a, b), _copy(b[:, :, 4:], half)) == ["b", "half"]  # some of a replica's own
    assert passed(_copy(a, b), _copy(b.reshape(2, 6, 8), fewer)) == []  # what belongs to several


def test_what_is_no_longer_used_makes_room() -> None:
    a, b, c, d, e = (np.zeros((4, 3, 8)) for _ in range(5))
    steps = _copy(a, b), _copy(b, c), _copy(c, d), _copy(d, e)
    program.fuse(steps)
    places = {id(p.root): p.offset for p in buffers.scratch_buffers(steps, 0, 4, set())}
    assert [places[id(array)] for array in (b, c, d, e)] == [0, 192, 0, 192]
    found = buffers.scratch_buffers(steps, 0, 4, set())
    assert buffers.bytes_needed(found) == 384 and buffers.bytes_needed([]) == 0


# ----------------------------------------------------------------------------------------------------------- courses

CONTENDERS = [("rec", 1), ("rec", 3), ("bp", 1), ("rbp", 2), ("fa", 1)]


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize(("rule", "replicas"), CONTENDERS)
def test_a_course_of_presentations_is_one_after_the_other(
    rule: str, replicas: int, parts: int, request: pytest.FixtureRequest
) -> None:
    if parts == 3:
        request.getfixturevalue("three_threads")
    one, other = (trained(rule, replicas, batches=1) for _ in range(2))
    course = np.random.default_rng(3).integers(0, 40, (6, 9))
    assert other.plans[0].repeats(9)
    for rows in course:
        one.present(rows)
    other.present_each(course[:1])
    other.present_each(course[1:])
    assert apart(one, other) == 0
    assert (other.tick, other.presentations) == (one.tick, one.presentations)


def test_a_course_with_data_of_each_replica() -> None:
    one, other = (trained("rec", 2, batches=0, shared=False) for _ in range(2))
    course = np.random.default_rng(3).integers(0, 40, (4, 2, 9))
    for rows in course:
        one.present(rows)
    other.present_each(course)
    assert apart(one, other) == 0
    one.present(course[0, 1])  # the same examples for all
    other.present_each(course[:1, 1])
    assert apart(one, other) == 0


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_course_with_code_between_is_one_after_the_other(backend: str) -> None:
    seen: list[int] = []
    more = {"hooks": [Hook(lambda tensors: seen.append(1))]} if backend == "numba" else {}
    one, other = (trained("rec", backend=backend, batches=0, **more) for _ in range(2))
    course = np.random.default_rng(3).integers(0, 40, (3, 9))
    assert not other.plans[0].repeats(9)
    for rows in course:
        one.present(rows)
    other.present_each(course)
    assert apart(one, other) == 0 and len(seen) in (0, 6)


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_course_ends_where_a_value_is_not_finite(at: int, parts: int, request: pytest.FixtureRequest) -> None:
    if parts == 3:
        request.getfixturevalue("three_threads")
    one, other = (trained("rec", batches=0) for _ in range(2))
    course = np.random.default_rng(3).integers(0, 39, (5, 9))
    course[at, 4] = 39
    for simulator in (one, other):
        simulator.plans[0].x[39] = np.nan  # type: ignore[index]
    for rows in course[:at]:
        one.present(rows)
    message = rf"projection A\d, replica 0: plasticity at tick \d+ of presentation {at} gave"
    for simulator, shown in ((one, lambda: one.present(course[at])), (other, lambda: other.present_each(course))):
        with pytest.raises(Diverged, match=message):
            shown()
        assert simulator.presentations == at
    assert apart(one, other) == 0 and one.tick == other.tick
    other.present_each(course[:at] if at else course[1:])  # and it can go on


@pytest.mark.parametrize("parts", [1, 3])
def test_replicas_that_diverge_in_a_course_are_dropped_where_they_do(
    parts: int, request: pytest.FixtureRequest
) -> None:
    if parts == 3:
        request.getfixturevalue("three_threads")
    made = [trained("rec", 4, batches=0, shared=False, on_divergence="drop") for _ in range(2)]
    course = np.random.default_rng(3).integers(0, 39, (12, 4, 9))
    course[3, 1, 0] = course[7, 3, 5] = 39
    for simulator in made:
        simulator.plans[0].x[39] = np.nan  # type: ignore[index]
    one, other = made
    for rows in course:
        one.present(rows)
    other.present_each(course)
    assert apart(one, other) == 0
    assert one.state.alive.tolist() == other.state.alive.tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("batches", "got"),
    [
        (np.zeros((2, 3, 9), int), r"an array of int64 of shape \(2, 3, 9\)"),
        (np.zeros(9, int), r"an array of int64 of shape \(9,\)"),
        (np.zeros((0, 9), int), "9 rows, of 40 examples in use"),
        (np.zeros((2, 10), int), "10 rows, of 40 examples in use"),
        (np.full((2, 9), 40), "9 rows, of 40 examples in use"),
        ([], r"an array of float64 of shape \(0,\)"),
    ],
)
def test_what_is_no_course_is_refused(batches: np.ndarray, got: str) -> None:
    simulator = trained("rec", batches=0)
    message = rf"rows shown to .*: got {got}; expected 1 to 9 indices of existing examples, for each presentation"
    with pytest.raises(CircuitError, match=message):
        simulator.present_each(batches)


# ------------------------------------------------------------------------------------------------------- the kernels


@pytest.mark.parametrize(("dtype", "error"), [("float32", 2e-7), ("float64", 4e-16)])
def test_vector_functions_are_as_exact_as_they_say(dtype: str, error: float) -> None:
    x = np.concatenate([np.linspace(-30, 30, 200_001), np.geomspace(1e-20, 1, 1001), [0.0]]).astype(dtype)
    exact = x.astype(np.longdouble)
    for function, expected in (
        (expansions.tanh_of, np.tanh(exact)),
        (expansions.logistic_of, 1 / (1 + np.exp(-exact))),
    ):
        found = x.copy()
        function(found)
        assert np.abs(found - expected).max() <= error
        scale = np.where(expected == 0, 1, np.abs(expected))
        assert (np.abs(found - expected) / scale).max() <= error
        assert np.abs(found).max() <= 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_vector_functions_have_limits_and_keep_what_is_not_a_number(dtype: str) -> None:
    x = np.array([np.inf, -np.inf, 1e4, -1e4, np.nan], dtype)
    bent, between = x.copy(), x.copy()
    expansions.tanh_of(bent)
    expansions.logistic_of(between)
    assert bent[:4].tolist() == [1, -1, 1, -1] and between[[0, 2]].tolist() == [1, 1]
    assert (between[[1, 3]] >= 0).all() and (between[[1, 3]] < 1e-37).all()
    assert np.isnan(bent[4]) and np.isnan(between[4])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 4, 3), (4, 1, 3), (4, 3, 1), LARGE[0], *map(nightly, LARGE[1:])])
def test_products_in_pieces_whatever_way_the_operands_lie(dtype: str, shape: tuple[int, int, int]) -> None:
    (m, n, k), random = shape, np.random.default_rng(0)
    how = blas.gemm(dtype).copy()
    for how[1] in (0, blas.SMALL):
        for a in (random.random((m, k)), random.random((k, m)).T, random.random((m, k + 3))[:, 2 : 2 + k]):
            for b in (random.random((k, n)), random.random((n, k)).T, random.random((n + 2, k))[1 : 1 + n].T):
                left, right = (x.astype(dtype, order="K") for x in (a, b))
                wide = np.ones((m, n + 4), dtype)
                for kept in (0, 1):
                    blas.product(how, left, right, wide[:, 1 : 1 + n], kept)
                expected = 2 * (left.astype(np.float64) @ right)
                np.testing.assert_allclose(wide[:, 1 : 1 + n], expected, rtol=1e-4 if dtype == "float32" else 1e-12)
                assert (wide[:, 0] == 1).all() and (wide[:, 1 + n :] == 1).all()


def test_a_function_that_is_not_compiled_is_a_step_like_any_other() -> None:
    given, out = np.ones((2, 3, 4)), np.zeros((2, 3, 4))

    def doubled(x: np.ndarray, y: np.ndarray, *share: int) -> None:
        assert share == (0, 2, 0, 4, 0, 3)
        y[...] = 2 * x

    step = bind(doubled, read_part(given), write_part(out))
    program.fuse([step])()
    assert not isinstance(step, Op) and (out == 2).all()


@pytest.mark.parametrize("quantity", ["weight", "bias"])
def test_increments_may_lie_any_way(quantity: str) -> None:
    random = np.random.default_rng(0)
    post, pre = (random.random((1, 5, n)) for n in (3, 4))
    across = np.zeros((1, 4, 3)).transpose(0, 2, 1) if quantity == "weight" else np.zeros((1, 6))[:, ::2]
    straight = np.zeros(across.shape)
    for out in (across, straight):
        given = RuleInputs({0: pre}, {0: post}, None, {}, 5)
        lower(rules.delta, quantity, given, out, cpu)()
    assert straight.all() and np.array_equal(across, straight)
    seen: list[int] = []
    across[0, 1] = np.nan
    cpu.guard(across, np.ones(1), np.ones(1, bool), lambda found: seen.append(1))()
    assert seen


# ------------------------------------------------------------------------------------------------------------- memory


@local_rule
def shrinking(pre, post, w, *, c=0.1):  # type: ignore[no-untyped-def]
    """A rule with a term of the weight, and one that does not separate."""
    return (post.at(0) - post.at(1)) * pre.at(0) - c * w * post.at(0) ** 2


@pytest.mark.parametrize("rule", ["rec", "bp", shrinking], ids=["rec", "bp", "own"])
def test_a_presentation_allocates_nothing(rule: object) -> None:
    circuit, protocol = circular_autoencoder([300, 40, 300], rule)  # type: ignore[arg-type]
    simulator = Simulator(circuit, protocol, batch=50, parameters={"lr": 0.1})
    simulator.use(np.random.default_rng(0).random((100, 300)))
    rows = np.arange(50)
    tracemalloc.start()
    try:
        for _ in range(30):  # Python keeps some small objects for later use
            simulator.present(rows)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(20):
            simulator.present(rows)
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert now - before < 2000 and peak - before < 8000  # Python's own small objects; one batch here is 60,000 bytes


def test_operands_are_kept_alive_by_their_op() -> None:
    out = np.zeros((1, 2, 3))
    step = _copy(np.ones((1, 2, 3)), out)  # nobody else holds what is copied
    step()
    assert (out == 1).all() and isinstance(read_all(out).array, np.ndarray)
