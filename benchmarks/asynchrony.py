"""Cost of an event of a neuron that keeps its own time: here, in a SimPy process model and in Brian2.

Run: python benchmarks/asynchrony.py [--packages DIR] [--brian2 PYTHON]

SimPy is needed for its row alone (pip install --target DIR simpy), and so is a Python that has Brian2, whose versions
ask for older ones of NumPy (asynchrony_brian2.py). The circuit has sources that send the change of their activity along
784 synapses each, whenever they tick; every tick changes it. One event is a tick with all that it brings about: the
change is computed, sent, delivered, and added at all targets. Time is the process's own (one core); medians of all
stretches but the first quarter. What fills the queue is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from circuitsim.asynchrony import AsynchronousSimulator, Timing
from circuitsim.asynchrony.loop import RETURN, SHIFT, process_events, push_all
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Population, Projection
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.engine.simulator import Simulator
from circuitsim.timetable.protocol import Protocol

FAN_OUT, DELAY, SLOW = 784, 5, 1e-3
STRETCH = 20_000  # events between two readings of the clock, at most


def sources(count: int) -> AsynchronousSimulator:
    """`count` slow neurons that drift towards nought, a bit at each tick, and their targets."""
    circuit = Circuit(
        "sources and targets",
        (Population("sources", count, mixes=True), Population("targets", FAN_OUT, "tanh")),
        (Projection("A", "sources", "targets", DELAY),),
        inputs="sources",
        outputs="targets",
    )
    made = AsynchronousSimulator(circuit, Protocol(), Timing(membrane=SLOW))
    made.arrays.populations["slice"] = 1  # not clamped: they take over what nobody sends
    made.arrays.populations["returns"][0] = count
    return made


def stretches(count: int, pending: int) -> Iterator[tuple[float, int, int]]:
    """Seconds, ticks of neurons and synaptic operations of stretches with about that many events pending throughout."""
    made, rng = sources(count), np.random.default_rng(0)
    arrays, heap, size = tuple(made.arrays), np.empty((3, 2 * pending + 100_000), np.int64), 0
    step = min(STRETCH, pending // 5)

    def scheduled(begin: int, size: int, number: int) -> int:
        """One tick of some neuron for each tick of time, on average."""
        orders = (np.int64(RETURN) << SHIFT) | rng.integers(0, count, number)
        return int(push_all(heap, size, rng.integers(begin, begin + number, number), orders, np.arange(number)))

    size = scheduled(1, size, pending)
    for k in range(max(20, 100_000 // step)):
        made.arrays.counts[:] = 0
        made.arrays.neurons["emitted"] = rng.standard_normal(count + FAN_OUT)
        begin = time.process_time()
        size = process_events(heap, size, (k + 1) * step, 8, arrays)
        yield time.process_time() - begin, int(made.arrays.counts[0]), int(made.arrays.counts[2])
        size = scheduled(k * step + pending + 1, size, step)


def engine(count: int, pending: int) -> tuple[float, float]:
    """Events a second and synaptic operations a second."""
    found = [(events / seconds, operations / seconds) for seconds, events, operations in stretches(count, pending)]
    later = found[len(found) // 4 :]
    return statistics.median(one[0] for one in later), statistics.median(one[1] for one in later)


def presentations(sizes: list[int], timing: Timing, count: int = 300) -> tuple[float, float]:
    """Microseconds of a presentation of random examples with learning, and its ticks of neurons."""
    circuit, protocol = circular_autoencoder(sizes, delay=10)
    made = AsynchronousSimulator(circuit, protocol, timing)
    made.use(np.random.default_rng(0).random((count, sizes[0])))
    made.present(0)
    made.arrays.counts[:] = 0
    begin = time.process_time()
    for row in range(count):
        made.present(row)
    return (time.process_time() - begin) / count * 1e6, made.arrays.counts[0] / count


def synchronous(sizes: list[int], count: int = 300) -> float:
    """Microseconds of the same in a `Simulator`, batch 1."""
    made = Simulator(*circular_autoencoder(sizes, delay=10), batch=1)
    made.use(np.random.default_rng(0).random((count, sizes[0]), np.float32))
    made.present([0])
    begin = time.process_time()
    for row in range(count):
        made.present([row])
    return (time.process_time() - begin) / count * 1e6


def simpy_model(count: int, until: int = 3000) -> float:
    """Events a second of a process for each neuron, and one for each change that is under way; the sums by NumPy."""
    import simpy

    rng = np.random.default_rng(0)
    weight = rng.standard_normal((count, FAN_OUT)).astype(np.float32)
    summed, emitted = np.zeros(FAN_OUT, np.float32), rng.standard_normal(count)
    environment, events = simpy.Environment(), [0]

    def delivery(j: int, change: float) -> Iterator[object]:
        yield environment.timeout(DELAY)
        np.add(summed, weight[j] * np.float32(change), out=summed)

    def neuron(j: int, waits: np.ndarray) -> Iterator[object]:
        for wait in waits.tolist():
            yield environment.timeout(wait)
            change = -SLOW * emitted[j]
            emitted[j] += change
            events[0] += 1
            environment.process(delivery(j, float(change)))

    for j in range(count):
        environment.process(neuron(j, rng.integers(1, 2 * count, 2 * until // count)))
    begin = time.process_time()
    environment.run(until=until)
    return events[0] / (time.process_time() - begin)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", help="folder with SimPy")
    parser.add_argument("--brian2", help="a Python that has Brian2")
    given = parser.parse_args()
    if given.packages:
        sys.path.append(given.packages)
    print(f"| source neurons, {FAN_OUT} synapses each | pending | ns an event | events/s | synaptic operations/s |")
    print("|---|---|---|---|---|")
    rates = {}
    for count in (20, 128, 784):
        for pending in (10**3, 10**4, 10**5, 10**6):
            events, operations = rates[count, pending] = engine(count, pending)
            print(f"| {count} | {pending:,} | {1e9 / events:.0f} | {events / 1e6:.2f} M | {operations / 1e9:.2f} G |")
    print("\n| presentation with learning | µs | ticks of neurons | Simulator, batch 1, µs |\n|---|---|---|---|")
    for sizes in ([64, 16, 64], [784, 20, 784]):
        whole = synchronous(sizes)
        for name, timing in (("regular", Timing()), ("jitter, late updates", Timing(jitter=10, updates=30))):
            took, ticks = presentations(sizes, timing)
            print(f"| {'-'.join(map(str, sizes))}, {name} | {took:.0f} | {ticks:.0f} | {whole:.0f} |")
    print("\n| the same circuit, 784 sources | events/s | engine at 1,000 pending is faster by |\n|---|---|---|")
    fastest = rates[784, 1000][0]
    try:
        rate = simpy_model(784)
        print(f"| SimPy | {rate:,.0f} | {fastest / rate:.0f} |")
    except ImportError as error:
        print(f"| SimPy | not installed: {error} | |")
    if given.brian2:
        script = Path(__file__).with_name("asynchrony_brian2.py")
        told = subprocess.run([given.brian2, script, "784"], capture_output=True, text=True, check=True).stdout
        for what, rate in zip(("one event", "39 events"), map(float, told.split()), strict=True):
            print(f"| Brian2, {what} a time step | {rate:,.0f} | {fastest / rate:.0f} |")


if __name__ == "__main__":
    main()
