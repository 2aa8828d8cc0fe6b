"""Memory of a simulator beside what it cannot do without: weights and biases, the data, one batch's activity.

Run: python benchmarks/memory.py

Counted are all arrays that the program of a presentation works on, each once: weights, increments, parameters,
activities, what kernels keep for themselves. One batch's activity is what each neuron fires in each cycle. Arrays that
no replica touches, because they have one memory for all, are counted too, though the system gives them none.
"""

from __future__ import annotations

import numpy as np
from cases import CASES, STUDY, BenchmarkCase

from circuitsim import Simulator, data
from circuitsim.kernels.cpu.operands import root
from circuitsim.kernels.cpu.program import Program


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
    made = case.engine(x)
    rows = np.arange(2 * case.batch).reshape(2, -1)
    made.present_each(rows)
    total, weights, fired = bytes_of(made, case.batch)
    needed = weights + fired + x.nbytes
    beside = (total - x.nbytes) / (weights + fired)
    replicas = f"{case.replicas} replicas, " if case.replicas > 1 else ""
    cells = (f"{n / 1e6:.1f}" for n in (total, x.nbytes, weights, fired))
    return f"| {replicas}{case.label} | {' | '.join(cells)} | **{total / needed:.2f}** | {beside:.2f} |"


def main() -> None:
    """Measure and print the table."""
    x = data.load("mnist", "float32", None, 1).train
    print("| case | all, MB | data | weights | activity | all ÷ these three | without the data |\n" + "|---" * 7 + "|")
    for case in (*CASES, STUDY):
        if case.rule in ("rec-rwcc", "own"):
            print(row(case, x), flush=True)


if __name__ == "__main__":
    main()
