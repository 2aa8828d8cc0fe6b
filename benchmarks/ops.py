"""Bounds of a presentation: each op by itself with operands in the cache, and all ops in their place.

Run: NUMBA_NUM_THREADS=1 python benchmarks/ops.py [--sizes 784 20 784] [--batch 100] [--rule rec] [--replicas 1]

An op by itself is a program of it many times over, so that no Python is measured. On several cores it is shared out as
in its place. Products have their rate beside them. What the whole takes beyond the sum is what passes between the
cores' caches and memory, and waiting. Of each op the fastest repetition is quoted, of the whole the median as well.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from circuitsim import Simulator, data
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.kernels.cpu.ops import Op
from circuitsim.kernels.cpu.program import Program

OVER = 40  # times that an op is done in its program


def times(what: Callable[[], object], count: int, repetitions: int) -> list[float]:
    """Microseconds of one of `count` that a call does, for each repetition."""
    found = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        what()
        found.append((time.perf_counter() - begin) / count * 1e6)
    return found


def described(op: Op) -> str:
    """The kernel, and the shapes of what it works on."""
    shapes = [o.array.shape for o in op.operands if o.array.ndim > 1 and o.array.size > 1]
    return f"{op.kernel.__name__.strip('_')} " + " ".join("×".join(map(str, shape)) for shape in shapes)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[784, 20, 784])
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--rule", default="rec")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=9)
    given = parser.parse_args()
    circuit, protocol = circular_autoencoder(given.sizes, given.rule)
    parameters = {"lr": 0.01, "emits": 0.5, "remembers": 0.5} if given.rule == "rec" else {"lr": 0.01}
    made = Simulator(circuit, protocol, batch=given.batch, seeds=range(given.replicas), parameters=parameters)
    x = data.load("mnist", "float32", 20_000, 1).train
    made.use(x)
    course = np.random.default_rng(1).integers(0, len(x), (40, given.batch))
    made.present_each(course[:2])
    program = made.plans[0].bound(given.batch).run
    assert isinstance(program, Program)
    print(f"| op, {program.ops[0].parts} threads | µs by itself | GFLOP/s |\n|---|---|---|")
    whole = products = 0.0
    for op in program.ops:
        own = min(times(Program([op] * OVER), OVER, given.repetitions))
        whole += own
        rate = 2e-3 * op.work / own if op.kernel.__name__ in ("_deliver", "_outer") else 0.0
        products += own if rate else 0.0
        print(f"| {described(op)} | {own:.1f} | {f'{rate:.0f}' if rate else ''} |")
    found = times(lambda: made.present_each(course), len(course), given.repetitions)
    print(f"\nops by themselves: {whole:.0f} µs, {products:.0f} of them products")
    print(f"a presentation in a course: {statistics.median(found):.0f} µs, at best {min(found):.0f}")


if __name__ == "__main__":
    main()
