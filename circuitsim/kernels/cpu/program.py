"""Programs: ops that follow each other and run without Python between them.

`fuse` puts consecutive ops into one program, which a thread pool runs. Threads share the replicas where there are
enough; else the examples, or the neurons with the rows of the weights into them. Python steps stay steps between
programs. The split of a product depends on its shape and the number of threads alone, so an op by itself gives the same
bits as in a program.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from circuitsim.kernels.cpu import threads
from circuitsim.kernels.cpu.buffers import LINE_BYTES, bytes_needed, rebase_words, rounded, scratch_buffers
from circuitsim.kernels.cpu.one_thread import one_thread
from circuitsim.kernels.cpu.operands import Operand, SplitBy, root
from circuitsim.kernels.cpu.ops import GuardOp, Op, encoded
from circuitsim.kernels.steps import Step, flattened, in_turn

Array = np.ndarray
WORTHWHILE = 400_000  # multiplications: below this number, synchronisation costs more than it saves


class Program:
    """Ops that run one after the other; a step.

    Parameters
    ----------
    ops : the ops, divided among the same number of threads. kept : arrays that are read afterwards; None: all.
    """

    def __init__(self, ops: Sequence[Op], kept: Iterable[Array] | None = None) -> None:
        self.ops = list(ops)
        parts, barriers = self.ops[0].parts, find_barriers(self.ops)
        self._tables = [[op.table_of(part) for op in self.ops] for part in range(parts)]
        self.scratch: list[Array] = []
        self._workspaces = self._share_workspaces()
        reuses = kept is not None and any(op.by_replica for op in self.ops)
        self._rebased = self._reuse(barriers, {id(root(array)) for array in kept or ()}) if reuses else {}
        self.code = encoded(self.ops, self._tables, barriers, self._rebased)
        self._guards = [(k, op) for k, op in enumerate(self.ops) if isinstance(op, GuardOp)]
        self._pooled = parts > 1 and parts == threads.thread_count()

    def _share_workspaces(self) -> list[Array]:
        """Give the ops one workspace a thread, since a thread runs one op at a time."""
        size = max(sum(rounded(o.array[0].nbytes) for o in op.operands if o.private) for op in self.ops)
        found = [np.empty(size + LINE_BYTES, np.uint8) for _ in self._tables] if size else []
        for memory, tables in zip(found, self._tables, strict=False):
            for op, table in zip(self.ops, tables, strict=True):
                place, word = memory.ctypes.data + -memory.ctypes.data % LINE_BYTES, 0
                for operand in op.operands:
                    if operand.private:
                        table[word] = place
                        place += rounded(operand.array[0].nbytes)
                    word += 1 + 2 * operand.array.ndim
        return found

    def _reuse(self, barriers: Sequence[int], kept: Collection[int]) -> dict[tuple[int, int], Array]:
        """Allocate each thread's scratch memory; return the words that rebase it, by segment and part."""
        segments = list(zip(barriers, [*barriers[1:], len(self.ops)], strict=True))
        found = [(begin, end, scratch_buffers(self.ops, begin, end, kept)) for begin, end in segments]
        size = max(bytes_needed(buffers) for _, _, buffers in found)
        self.scratch = [np.empty(size + 64, np.uint8) for _ in self._tables]
        rebased = {}
        for begin, end, buffers in found:
            for part, (tables, memory) in enumerate(zip(self._tables, self.scratch, strict=True)):
                aligned = memory[-memory.ctypes.data % 64 :]
                words = [n for k in range(begin, end) for n in rebase_words(self.ops[k], tables[k], buffers, aligned)]
                if words:
                    rebased[begin, part] = np.array([len(words) // 3, *words], np.int64)
        return rebased

    def __call__(self) -> None:
        self._through(1)

    def repeat(self, rows: Array, batches: Array, reached: Callable[[int], None]) -> None:
        """Run once for each batch of a sequence, without Python between them.

        Parameters
        ----------
        rows : row numbers that the ops read.
        batches : values of `rows` in order, (presentation, *rows.shape).
        reached : called at the end, and before alarms, with the number of completed presentations.
        """
        assert batches.dtype == rows.dtype == np.int64 and batches.shape[1:] == rows.shape
        assert batches.flags.c_contiguous and rows.flags.c_contiguous
        self.code[threads.ROWS : threads.ROWS + 2] = rows.ctypes.data, rows.size
        self._through(len(batches), batches.ctypes.data, reached)

    def _through(self, times: int, source: int = 0, reached: Callable[[int], None] | None = None) -> None:
        count, stopped = len(self.ops), 0
        # the pool of now: a process that was forked after this program was made has none of the old threads
        execute = threads.thread_pool().execute if self._pooled else threads.run_all_parts
        while stopped < times * count:
            with one_thread:
                stopped = execute(self.code.ctypes.data, stopped, times, source)
            shown, k = divmod(stopped - 1, count)  # the last presentation and the last kernel that ran
            raised = [guard for index, guard in self._guards if index <= k and guard.take_flag()]
            if reached:
                reached(shown if raised else stopped // count)
            for guard in raised:
                guard.alarm()


def find_barriers(ops: Sequence[Op]) -> list[int]:
    """Return the ops before which all threads wait: one needs another's result, or guards must be checked."""
    barriers = [0]
    guarded = False
    for k, op in enumerate(ops):
        since = ops[barriers[-1] : k]
        if (op.keeps and guarded) or any(op.must_wait_for(other) for other in since):
            barriers.append(k)
            guarded = False
        guarded |= isinstance(op, GuardOp)
    return barriers


def _divide(ops: Sequence[Op], parts: int) -> None:
    """Divide replicas where there are enough; else each product as it prefers, and other ops as their operands."""
    replicas = max((op.replicas for op in ops), default=1)
    by_replica = replicas > 1 and (replicas % parts == 0 or replicas > 4 * parts)
    preferred = {op: SplitBy.REPLICAS if by_replica else op.preferred_split for op in ops}
    heaviest = max((op for op in ops if preferred[op]), key=lambda op: op.work, default=None)
    default = (preferred[heaviest] if heaviest else None) or SplitBy.NEURONS
    written: dict[int, SplitBy] = {}
    for op in ops:
        used = (id(root(array)) for array in op.arrays)
        op.split(parts, preferred[op] or next((written[key] for key in used if key in written), default))
        written |= dict.fromkeys(op.written, op.by)


def bind(kernel: Any, *operands: Operand, **more: Any) -> Step:
    """Return the op of a compiled kernel; for an uncompiled function, a step that calls it."""
    if hasattr(kernel, "py_func"):
        return Op(kernel, *operands, **more)
    last = next(o for o in reversed(operands) if o.written)
    batch = last.array.shape[last.examples] if last.examples else 1
    part = (0, last.array.shape[0], 0, last.array.shape[last.axis or 0], 0, batch)
    return lambda: kernel(*[o.array for o in operands], *part)


def fuse(steps: Sequence[Step], kept: Iterable[Array] | None = None) -> Step:
    """Return all steps of a presentation as one step, with consecutive ops in one program.

    Parameters
    ----------
    steps : steps in order. kept : arrays that are read afterwards, or by other steps; None: all.
    """
    flat = list(flattened(steps))
    ops = [step for step in flat if isinstance(step, Op)]
    _divide(ops, threads.thread_count() if sum(op.work for op in ops) >= WORTHWHILE else 1)
    if len(ops) == len(flat) > 0:
        return Program(ops, kept)
    found: list[Step] = []
    for _, group in groupby(flat, key=lambda step: isinstance(step, Op)):
        members = list(group)
        of_ops = [step for step in members if isinstance(step, Op)]
        found += [Program(of_ops)] if of_ops else members  # Python steps between programs may read any array
    return in_turn(found)
