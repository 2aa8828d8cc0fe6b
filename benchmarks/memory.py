"""Memory of a simulator beside what it cannot do without: weights and biases, the data, one batch's activity.

The first table shows dense circuits on MNIST, the second 3x32x32 images through convolutions, pools and untied layers.

Run: python benchmarks/memory.py

Counted are all arrays that the program of a presentation works on, each once: weights, increments, parameters,
activities, what kernels keep for themselves. One batch's activity is what each neuron fires in each cycle. Arrays that
no replica touches, because they have one memory for all, are counted too, though the system gives them none.
"""

from __future__ import annotations

import numpy as np
from cases import CASES, STUDY, BenchmarkCase

from circuitsim import Simulator, data
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.kernels.cpu.operands import root
from circuitsim.kernels.cpu.program import Program

HEADER = "| case | all, MB | data | weights | activity | all ÷ these three | without the data |\n" + "|---" * 7 + "|"
IMAGE, BATCH = (3, 32, 32), 100
SIMPNET = ["conv 32 5", "maxpool 3/2 same", "conv 32 3", "dense 10"]
UNTIED = ["local 8 5", "maxpool 3/2 same", "local 8 3", "dense 10"]
CIRCLE = ["conv 32 5", "maxpool 2", "conv 32 3", "upsample 2", "conv 3 5"]


def bytes_of(made: Simulator, batch: int) -> tuple[int, int, int]:
    """Return the bytes of all arrays, of weights and biases, and of activity."""
    program = made.plans[0].bound(batch).run
    assert isinstance(program, Program)
    own = {id(root(a)): root(a) for op in program.ops for a in op.arrays}
    of_rest = sum(memory.nbytes for memory in program.scratch)
    fired = {key: made.plans[0].activity.array(key, batch) for key in made.plans[0].activity._shapes if key[1] in "OE"}
    weights = sum(w.nbytes for w in made.tensors().values())
    return sum(a.nbytes for a in own.values()) + of_rest, weights, sum(a.nbytes for a in fired.values())


def row(case: BenchmarkCase, x: np.ndarray) -> str:
    """A line of the table, in MB."""
    replicas = f"{case.replicas} replicas, " if case.replicas > 1 else ""
    return measured(f"{replicas}{case.label}", case.engine(x), x, case.batch)


def measured(label: str, made: Simulator, x: np.ndarray, batch: int) -> str:
    """A line of the table after two presentations of a simulator, in MB."""
    made.present_each(np.arange(2 * batch).reshape(2, -1))
    total, weights, fired = bytes_of(made, batch)
    needed = weights + fired + x.nbytes
    beside = (total - x.nbytes) / (weights + fired)
    cells = (f"{n / 1e6:.1f}" for n in (total, x.nbytes, weights, fired))
    return f"| {label} | {' | '.join(cells)} | **{total / needed:.2f}** | {beside:.2f} |"


def of_images() -> list[tuple[str, Simulator]]:
    """Circuits that read images, by label."""
    circuits = [
        (f"{', '.join(SIMPNET)}: {f}", layered_classifier(parse_layers(SIMPNET, IMAGE), f)) for f in ("bp", "kp")
    ]
    circuits.append((f"{', '.join(UNTIED)}: fa", layered_classifier(parse_layers(UNTIED, IMAGE), "fa")))
    circuits += [
        (f"{', '.join(CIRCLE)}: {rule}", circular_autoencoder(parse_layers(CIRCLE, IMAGE), rule))
        for rule in ("rec", "bp")
    ]
    return [(label, Simulator(*described, batch=BATCH)) for label, described in circuits]


def main() -> None:
    """Measure and print the table."""
    x = data.load("mnist", "float32", None, 1).train
    print(HEADER)
    for case in (*CASES, STUDY):
        if case.rule in ("rec-rwcc", "own"):
            print(row(case, x), flush=True)
    print("\n" + HEADER)
    images = np.random.default_rng(0).random((2 * BATCH, int(np.prod(IMAGE))), np.float32)
    for label, made in of_images():
        made.use(images, np.arange(2 * BATCH) % 10 if made.circuit.labels else None)
        print(measured(label, made, images, BATCH), flush=True)


if __name__ == "__main__":
    main()
