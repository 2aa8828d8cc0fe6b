"""Cost of the engine beside its kernels, and of an event of the queue.

Run: python benchmarks/engine_overhead.py

The kernels of a presentation are one program; what is left is the engine's: the queue, the checking of the rows, the
call. Presentations one by one, as one course, and programs alone alternate in one process; medians are quoted.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from numba import njit

from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.engine.simulator import Simulator
from circuitsim.events import Event, EventQueue, heap_pop, heap_push

SIZES, BATCH = [784, 20, 784], 100


def overhead(rule: str, repetitions: int, batches: int = 50) -> dict[str, float]:
    """Microseconds of a presentation by itself, in a course of them, and of its program called from Python."""
    circuit, protocol = circular_autoencoder(SIZES, rule)
    made = Simulator(circuit, protocol, batch=BATCH, parameters={"lr": 0.01})
    made.use(np.random.default_rng(0).random((6000, SIZES[0]), np.float32))
    rows = np.random.default_rng(1).integers(0, 6000, (batches, BATCH))
    made.present(rows[0])
    program = made.plans[0].bound(BATCH).run
    ways: dict[str, Callable[[], object]] = {
        "single": lambda: [made.present(batch) for batch in rows],
        "course": lambda: made.present_each(rows),
        "kernels": lambda: [program() for _ in rows],
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repetitions + 1):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            times[name].append((time.perf_counter() - begin) / batches * 1e6)
    return {name: statistics.median(found[1:]) for name, found in times.items()}


@njit(cache=True)
def _hold(heap, size, ticks, count):  # type: ignore[no-untyped-def]
    """The hold model: take the first event, put it back later; the number pending stays the same."""
    for k in range(count):
        size = heap_pop(heap, size)
        tick, order = heap[0, size], heap[1, size]
        size = heap_push(heap, size, tick + ticks[k % ticks.size], order, 0)
    return size


def queue_cost(pending: int, repetitions: int, count: int = 200_000) -> tuple[float, float]:
    """Microseconds of one event (a pop and a push) inside compiled code, and through the Python interface."""
    rng = np.random.default_rng(0)
    heap = np.zeros((3, pending + 1), np.int64)
    for size in range(pending):
        heap_push(heap, size, int(rng.integers(0, 1000)), size, 0)
    ticks = rng.integers(1, 1000, 1024)
    _hold(heap, pending, ticks, 10)
    compiled = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        _hold(heap, pending, ticks, count)
        compiled.append((time.perf_counter() - begin) / count)
    queue = EventQueue(pending + 1)
    for index in range(pending):
        queue.push(Event(int(rng.integers(0, 1000)), 0, index))
    python = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        for k in range(2000):
            event = queue.pop()
            queue.push(event._replace(tick=event.tick + int(ticks[k % 1024])))
        python.append((time.perf_counter() - begin) / 2000)
    return statistics.median(compiled) * 1e6, statistics.median(python) * 1e6


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=9)
    repetitions = parser.parse_args().repetitions
    print(f"| rule, {'-'.join(map(str, SIZES))}, batch {BATCH} | by itself, µs | in a course, µs | its program, µs |")
    print("|---|---|---|---|")
    for rule in ("rec", "bp", "rbp", "top"):
        row = overhead(rule, repetitions)
        print(f"| {rule} | {row['single']:.0f} | {row['course']:.0f} | {row['kernels']:.0f} |")
    print("\n| pending events | compiled, µs an event | from Python, µs an event |\n|---|---|---|")
    for pending in (10, 1000, 100_000):
        compiled, python = queue_cost(pending, repetitions)
        print(f"| {pending:,} | {compiled:.3f} | {python:.2f} |")


if __name__ == "__main__":
    main()
