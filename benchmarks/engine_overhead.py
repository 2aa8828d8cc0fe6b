"""What the engine costs beside its kernels, and what an event of the queue costs.

Run: python benchmarks/engine_overhead.py

Every kernel's time is taken by wrapping the steps that the backend hands out; what is left of a presentation is the
engine's: the queue, the replay of the plan, the bookkeeping. The cost of taking the time itself is measured and taken
off both. Plain and wrapped presentations alternate in one process; medians are quoted.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba import njit

from circuits.autoencoder import circular_autoencoder
from circuitsim import simulator as simulator_module
from circuitsim.events import Event, EventQueue, heap_pop, heap_push
from circuitsim.kernels import cpu
from circuitsim.rules import compiler
from circuitsim.simulator import Simulator

SIZES, BATCH = [784, 20, 784], 100
KERNELS = ("gather", "deliver", "activate", "mix", "mix_error", "subtract", "multiply", "apply", "bound")


class Clock:
    """Adds up the time spent in wrapped steps."""

    def __init__(self) -> None:
        self.seconds, self.calls = 0.0, 0

    def wrap(self, step: Callable[[], None]) -> Callable[[], None]:
        """The step, timed."""

        def timed() -> None:
            begin = time.perf_counter()
            step()
            self.seconds += time.perf_counter() - begin
            self.calls += 1

        return timed


def timed_backend(clock: Clock) -> Any:
    """The cpu kernels with every step that they hand out timed."""

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: clock.wrap(function(*args, **kwargs))

    return SimpleNamespace(
        NAME=cpu.NAME, COMPILED=cpu.COMPILED, **{name: timed(getattr(cpu, name)) for name in KERNELS}
    )


def make(rule: str, clock: Clock | None) -> Simulator:
    """A simulator of the case, its kernels timed where there is a clock."""
    backend, lower = simulator_module.backend_module, compiler.lower
    if clock is not None:
        kernels = timed_backend(clock)
        simulator_module.backend_module = lambda name: kernels  # type: ignore[assignment]
    try:
        circuit, protocol = circular_autoencoder(SIZES, rule)
        made = Simulator(circuit, protocol, batch=BATCH, parameters={"lr": 0.01})
        made.use(np.random.default_rng(0).random((6000, SIZES[0]), dtype=np.float32))
        if clock is not None:
            from circuitsim.phases import plasticity

            plasticity.lower = lambda *a: clock.wrap(lower(*a))
            made.present(np.arange(BATCH))  # binds
            plasticity.lower = lower
        return made
    finally:
        simulator_module.backend_module = backend


def overhead(rule: str, repetitions: int, batches: int = 300) -> dict[str, float]:
    """Microseconds of a presentation, and of it outside kernels."""
    clock = Clock()
    plain, wrapped = make(rule, None), make(rule, clock)
    rows = np.random.default_rng(1).integers(0, 6000, (batches, BATCH))
    whole, outside = [], []
    for _ in range(repetitions + 1):
        begin = time.perf_counter()
        for batch in rows:
            plain.present(batch)
        whole.append((time.perf_counter() - begin) / batches)
        clock.seconds, clock.calls = 0.0, 0
        begin = time.perf_counter()
        for batch in rows:
            wrapped.present(batch)
        total = time.perf_counter() - begin
        outside.append((total - clock.seconds - clock.calls * cost_of_timing()) / batches)
    presentation, engine = statistics.median(whole[1:]), statistics.median(outside[1:])
    return {"presentation": presentation * 1e6, "outside": engine * 1e6, "share": engine / presentation}


def cost_of_timing(calls: int = 2000) -> float:
    """Seconds that wrapping adds to a call and does not count as the kernel's."""
    clock = Clock()
    step = clock.wrap(lambda: None)
    begin = time.perf_counter()
    for _ in range(calls):
        step()
    return (time.perf_counter() - begin - clock.seconds) / calls


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
    print(f"| rule, {'-'.join(map(str, SIZES))}, batch {BATCH} | presentation, µs | outside kernels, µs | share |")
    print("|---|---|---|---|")
    for rule in ("rec", "bp", "rbp", "top"):
        row = overhead(rule, repetitions)
        print(f"| {rule} | {row['presentation']:.0f} | {row['outside']:.1f} | {row['share']:.1%} |")
    print("\n| pending events | compiled, µs an event | from Python, µs an event |\n|---|---|---|")
    for pending in (10, 1000, 100_000):
        compiled, python = queue_cost(pending, repetitions)
        print(f"| {pending:,} | {compiled:.3f} | {python:.2f} |")


if __name__ == "__main__":
    main()
