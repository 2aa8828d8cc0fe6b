"""Memory of convolutional circuits: buffers are allocated once, and stay within twice the activity and the weights."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.engine.simulator import Simulator
from circuitsim.timetable.protocol import Protocol

IMAGE, BATCH = (3, 16, 16), 100
SIMPNET = parse_layers(["conv 16 5", "maxpool 3/2 same", "conv 16 3", "dense 10"], IMAGE)
UNTIED = parse_layers(["local 8 5", "maxpool 3/2 same", "local 8 3", "sum", "meanpool 2", "dense 10"], IMAGE)
CIRCLE = parse_layers(["conv 16 5", "maxpool 2", "conv 16 3", "upsample 2", "conv 3 3"], IMAGE)
SHOWN: dict[str, Callable[[], tuple[Circuit, Protocol]]] = {
    "bp": partial(layered_classifier, SIMPNET, "bp"),
    "kp": partial(layered_classifier, SIMPNET, "kp"),
    "untied": partial(layered_classifier, UNTIED, "fa"),
    "bounded": partial(layered_classifier, SIMPNET, "fa", bounded=True),
    "rec": partial(circular_autoencoder, CIRCLE, "rec", cycles=2),
    "srbp": partial(circular_autoencoder, CIRCLE, "srbp"),
}
each = pytest.mark.parametrize("label", SHOWN)


def made(label: str) -> Simulator:
    circuit, protocol = SHOWN[label]()
    simulator = Simulator(circuit, protocol, batch=BATCH, parameters={"lr": 0.01, "momentum": 0.5})
    random = np.random.default_rng(0)
    x = random.random((2 * BATCH, 768), np.float32)
    simulator.use(x, random.integers(0, 10, 2 * BATCH) if circuit.labels else None)
    return simulator


@each
def test_nothing_is_allocated_for_a_presentation(label: str) -> None:
    """Python's own objects aside, which are freed again: an unfolded image alone would be 76 kB, its activity 10 MB."""
    simulator = made(label)
    rows = [np.arange(k, k + BATCH) for k in range(6)]
    for one in rows[:2]:
        simulator.present(one)
    tracemalloc.start()
    try:
        simulator.present(rows[2])
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for one in rows[3:]:
            simulator.present(one)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 20_000
    assert after - before < 5_000


@each
def test_memory_stays_within_twice_the_activity_and_the_weights(label: str) -> None:
    made(label).present(np.arange(4))  # kernels are compiled, and imported, once
    tracemalloc.start()
    try:
        begin = tracemalloc.get_traced_memory()[0]
        simulator = made(label)
        simulator.present(np.arange(BATCH))
        tracemalloc.reset_peak()
        simulator.present(np.arange(BATCH))
        peak = tracemalloc.get_traced_memory()[1] - begin
    finally:
        tracemalloc.stop()
    activity = simulator.plans[0].activity
    fired = sum(activity.array(key, BATCH).nbytes for key in activity.shapes if key[1] in "OE")
    weights = sum(tensor.nbytes for tensor in simulator.tensors().values())
    data = 2 * BATCH * 768 * 4
    print(f"{label}: {(peak - data) / (fired + weights):.2f} times {(fired + weights) / 1e6:.1f} MB")
    assert peak - data <= 2 * (fired + weights)
