"""Ops: compiled kernels bound to their operands, and the words by which compiled code runs them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from circuitsim.kernels.cpu import threads
from circuitsim.kernels.cpu.entry_points import address_of
from circuitsim.kernels.cpu.one_thread import one_thread
from circuitsim.kernels.cpu.operands import Operand, SplitBy, root
from circuitsim.kernels.steps import Step

Array = np.ndarray
# Ratio of weight to activity traffic above which a product is split by neuron. Times of a presentation (AMD EPYC, two
# threads, benchmarks/ablations.py): by neurons alone up to 1.11 (784-20-784), by examples alone up to 1.46 (batch 1).
TRAFFIC_RATIO = 2.0
GRAIN = 16  # neurons: parts of wide layers begin on a cache line


class Op:
    """A kernel bound to its operands: a step, and an entry of a program.

    Parameters
    ----------
    kernel : function of the operands' arrays and a part: first and last replica, neuron and example.
    operands : the last one written decides the sizes of the parts, unless `like` is given.
    work : multiplications; threads are used if there are enough of them.
    separable : True if each neuron can be computed by itself; False: one thread computes all neurons of a replica.
    keeps : True if the kernel writes what outlives a presentation: guards are checked before.
    """

    def __init__(
        self,
        kernel: Any,
        *operands: Operand,
        work: int = 0,
        separable: bool = True,
        keeps: bool = False,
        like: Operand | None = None,
    ) -> None:
        last = like or next(o for o in reversed(operands) if o.written and not o.private)
        assert last.axis is not None
        assert all(o.array.flags.c_contiguous for o in operands if o.written), "kernels write contiguous arrays"
        self.kernel, self.operands, self.separable, self.keeps = kernel, operands, separable, keeps
        self.replicas, self.size = last.array.shape[0], last.array.shape[last.axis]
        self.work = work or last.array.size * 8
        self.arrays = [o.array for o in operands]
        self.roots = frozenset(id(root(array)) for array in self.arrays)
        self.written = frozenset(id(root(o.array)) for o in operands if o.written)
        self.address, self.table = address_of(kernel, self.arrays)
        self.examples = last.array.shape[last.examples] if last.examples else 1
        self.by, self.parts = SplitBy.NEURONS, 1
        self._code: Array | None = None

    def __call__(self) -> None:
        if self._code is None:
            self._tables = [[self.table_of(part)] for part in range(self.parts)]
            self._code = encoded([self], self._tables, [0], {})
        with one_thread:
            threads.run_all_parts(self._code.ctypes.data, 0, 1, 0)

    def table_of(self, part: int) -> Array:
        """Return the operands' table for a thread: a copy where it has replicas or a workspace of its own."""
        if not (self.by_replica or any(o.private for o in self.operands)):
            return self.table
        found, word = self.table.copy(), 0
        for operand in self.operands:
            if operand.private:
                found[word] += part * operand.array.strides[0]
            word += 1 + 2 * operand.array.ndim
        return found

    @property
    def by_replica(self) -> bool:
        """True if each thread has replicas of its own."""
        return self.by is SplitBy.REPLICAS

    @property
    def separates_examples(self) -> bool:
        """True if each example can be computed by itself."""
        written = [o for o in self.operands if o.written and not o.private]
        return bool(written) and all(o.examples is not None for o in written)

    @property
    def preferred_split(self) -> SplitBy | None:
        """Split of a product with the least traffic between cores; None for other kernels.

        Split by neuron, a core reads all emitted activity; split by example, it reads all weights.
        """
        emitted = sum(o.array.size for o in self.operands if o.axis is None and o.examples is not None)
        weights = sum(o.array.size for o in self.operands if o.axis is not None and o.examples is None)
        arriving = sum(o.array.size for o in self.operands if o.written and not o.private)
        if not (emitted and self.separates_examples):
            return None
        return SplitBy.EXAMPLES if weights < TRAFFIC_RATIO * (emitted + arriving) else SplitBy.NEURONS

    def split(self, parts: int, by: SplitBy) -> None:
        """Divide the op among threads, by neuron where the op cannot be divided as asked."""
        possible = {
            SplitBy.NEURONS: True,
            SplitBy.EXAMPLES: self.separates_examples,
            SplitBy.REPLICAS: self.replicas > 1,
        }
        self.parts, self.by, self._code = parts, by if possible[by] else SplitBy.NEURONS, None

    def part(self, index: int) -> tuple[int, ...]:
        """Return first and last replica, neuron and example of a thread's part."""
        if self.by is SplitBy.REPLICAS:
            return *_portion(self.replicas, index, self.parts), 0, self.size, 0, self.examples
        if self.by is SplitBy.EXAMPLES:
            return 0, self.replicas, 0, self.size, *_portion(self.examples, index, self.parts)
        if not self.separable:
            return 0, self.replicas, 0, self.size if index == 0 else 0, 0, self.examples
        grain = GRAIN if self.size >= 2 * GRAIN * self.parts else 1
        low, high = (n * grain for n in _portion(self.size // grain, index, self.parts))
        return 0, self.replicas, low, self.size if index == self.parts - 1 else high, 0, self.examples

    def must_wait_for(self, other: Op) -> bool:
        """Return True if no thread may begin this op before all threads have finished the other."""
        if self.written.isdisjoint(other.roots) and other.written.isdisjoint(self.roots):
            return False
        divided = (self.by is SplitBy.REPLICAS) == (other.by is SplitBy.REPLICAS) and all(
            op.separable or op.by is not SplitBy.NEURONS for op in (self, other)
        )

        def own(a: Operand, b: Operand) -> bool:  # each thread uses the same part of both
            return divided and a.layout(self.by) is not None and a.layout(self.by) == b.layout(other.by)

        return any(a.conflicts(b) and not own(a, b) for a in self.operands for b in other.operands)


def _portion(count: int, index: int, parts: int) -> tuple[int, int]:
    return count * index // parts, count * (index + 1) // parts


class GuardOp(Op):
    """An op that sets a flag where values are too large; the alarm is called before anything is kept."""

    def __init__(self, kernel: Any, guarded: Operand, *operands: Operand, alarm: Step) -> None:
        self.flag, self.alarm = np.zeros((1, 1), np.int64), alarm
        super().__init__(kernel, guarded, *operands, Operand(self.flag, None), like=guarded)

    def __call__(self) -> None:
        super().__call__()
        if self.take_flag():
            self.alarm()

    def take_flag(self) -> bool:
        """Return True if the flag is set, and clear it."""
        found = bool(self.flag[0, 0])
        self.flag[0, 0] = 0
        return found


def encoded(
    ops: Sequence[Op], tables: Sequence[Sequence[Array]], barriers: Sequence[int], rebased: dict[tuple[int, int], Array]
) -> Array:
    """Return the words that `threads` runs: a head, a row for each op, and the flags of the guards.

    Parameters
    ----------
    tables : operands' tables by part and op. barriers : ops before which all threads wait.
    rebased : by (op, part), the words that move scratch buffers from replica to replica.
    """
    parts, ends = ops[0].parts, dict(zip(barriers, [*barriers[1:], len(ops)], strict=True))
    body: list[int] = []
    for k, op in enumerate(ops):
        body += [op.address, int(k in ends), ends.get(k, 0), int(op.by_replica)]
        for index in range(parts):
            words = rebased.get((k, index))
            body += [*op.part(index), tables[index][k].ctypes.data, 0 if words is None else words.ctypes.data]
    guards = [(k, op.flag.ctypes.data) for k, op in enumerate(ops) if isinstance(op, GuardOp)]
    head = [len(ops), parts, threads.HEAD + len(body), 0, 0]
    return np.array([*head, *body, len(guards), *chain(*guards)], np.int64)
