"""Ops and programs: a step that is a kernel's address with its operands, and many of them run without Python between.

An op is a step like any other: it can be called by itself. `fuse` puts ops that follow each other into one program,
which a crew of threads runs. Each thread has a share of the replicas, where there are enough; else of the examples, or
of the neurons, with the rows of the weight matrices into them. Steps that are Python stay steps, and part the programs.
How a product is shared out depends on its shape and the number of threads: one op by itself gives the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain, groupby
from typing import Any

import numpy as np

from circuitsim.kernels.cpu import blas
from circuitsim.kernels.cpu import threads as crew
from circuitsim.kernels.cpu.buffers import moved, needed, passing, root
from circuitsim.kernels.cpu.entry_points import address_of
from circuitsim.kernels.steps import Step, flattened, in_turn

Array = np.ndarray
WORTHWHILE = 400_000  # multiplications: with less to do threads would rather wait for each other than work
PASSES = 2.0  # weights that may pass from core to core for each activity that need not
GRAIN = 16  # neurons: shares of wide layers begin on a cache line
STRETCH = 0.02  # seconds that compiled code runs on by itself, about: a hand on Ctrl-C notices nothing of it


class By(Enum):
    """What threads share out among them."""

    NEURONS = "neurons"
    EXAMPLES = "examples"
    REPLICAS = "replicas"


@dataclass(frozen=True)
class Operand:
    """An array that a kernel works on, and how a thread uses it.

    Parameters
    ----------
    axis : along which its share of neurons lies; None: it needs all. examples : likewise of examples.
    written : whether it changes it.
    """

    array: Array
    axis: int | None
    examples: int | None = None
    written: bool = False

    def share(self, by: By) -> tuple[int, ...] | None:
        """What tells that two threads' shares are apart: where the array begins, and how its axis is laid out."""
        axis = {By.NEURONS: self.axis, By.EXAMPLES: self.examples, By.REPLICAS: 0}[by]
        if axis is None or (by is By.REPLICAS and self.axis is None and self.array.shape[0] == 1):
            return None
        return self.array.ctypes.data, self.array.shape[axis], self.array.strides[axis]

    def touches(self, other: Operand) -> bool:
        """Whether one writes what the other uses."""
        return (self.written or other.written) and np.may_share_memory(self.array, other.array)


def whole(array: Array) -> Operand:
    """An operand that every thread reads all of."""
    return Operand(array, None)


def seen(array: Array) -> Operand:
    """An activity of which a thread reads all neurons, but no more than its own examples."""
    return Operand(array, None, 1)


def own(array: Array, axis: int = 2, *, examples: int | None = 1) -> Operand:
    """An operand of which a thread reads its own share: of neurons, or of the rows of weights into them."""
    return Operand(array, axis, examples if axis == 2 else None)


def made(array: Array, axis: int = 2, *, examples: int | None = 1) -> Operand:
    """An operand of which a thread writes its own share."""
    return Operand(array, axis, examples if axis == 2 else None, written=True)


class Op:
    """A kernel bound to its operands: a step, and an entry of programs.

    Parameters
    ----------
    kernel : called with the arrays of the operands and a share: first and last replica, neuron and example.
    operands : the last that is written decides what is shared out, or the one that it is to be `like`.
    work : multiplications, by which it is decided whether threads are worth their while.
    apart : whether neurons can be computed apart from each other; False: one thread does it, for a replica.
    keeps : whether it writes what outlives a presentation, so that guards must have been asked before.
    """

    def __init__(
        self,
        kernel: Any,
        *operands: Operand,
        work: int = 0,
        apart: bool = True,
        keeps: bool = False,
        like: Operand | None = None,
    ) -> None:
        last = like or next(o for o in reversed(operands) if o.written)
        assert last.axis is not None
        assert all(o.array.flags.c_contiguous for o in operands if o.written), "what kernels write lies in one piece"
        self.kernel, self.operands, self.apart, self.keeps = kernel, operands, apart, keeps
        self.replicas, self.size = last.array.shape[0], last.array.shape[last.axis]
        self.work = work or last.array.size * 8
        self.arrays = [o.array for o in operands]
        self.roots = frozenset(id(root(array)) for array in self.arrays)
        self.written = frozenset(id(root(o.array)) for o in operands if o.written)
        self.address, self.table = address_of(kernel, self.arrays)
        self.examples = last.array.shape[last.examples] if last.examples else 1
        self.by, self.parts = By.NEURONS, 1
        self._program: Program | None = None

    def __call__(self) -> None:
        if self._program is None:
            self._program = Program([self])
        self._program.alone()

    @property
    def by_replica(self) -> bool:
        """Whether each thread has replicas of its own, one after the other."""
        return self.by is By.REPLICAS

    @property
    def turns(self) -> bool:
        """Whether examples can be computed apart from each other."""
        written = [o for o in self.operands if o.written]
        return bool(written) and all(o.examples is not None for o in written)

    @property
    def suits(self) -> By | None:
        """How a product is best shared out: by neurons a core needs all that is emitted, by examples all weights."""
        emitted = sum(o.array.size for o in self.operands if o.axis is None and o.examples is not None)
        weights = sum(o.array.size for o in self.operands if o.axis is not None and o.examples is None)
        made = sum(o.array.size for o in self.operands if o.written)
        if not (emitted and self.turns):
            return None
        return By.EXAMPLES if weights < PASSES * (emitted + made) else By.NEURONS

    def share_out(self, parts: int, by: By) -> None:
        """Decide who does what."""
        possible = {By.NEURONS: True, By.EXAMPLES: self.turns, By.REPLICAS: self.replicas > 1}[by]
        self.parts, self.by, self._program = parts, by if possible else By.NEURONS, None

    def share(self, part: int) -> tuple[int, ...]:
        """First and last replica, neuron and example of a part."""
        if self.by is By.REPLICAS:
            return *_portion(self.replicas, part, self.parts), 0, self.size, 0, self.examples
        if self.by is By.EXAMPLES:
            return 0, self.replicas, 0, self.size, *_portion(self.examples, part, self.parts)
        if not self.apart:
            return 0, self.replicas, 0, self.size if part == 0 else 0, 0, self.examples
        grain = GRAIN if self.size >= 2 * GRAIN * self.parts else 1
        low, high = (n * grain for n in _portion(self.size // grain, part, self.parts))
        return 0, self.replicas, low, self.size if part == self.parts - 1 else high, 0, self.examples

    def must_wait_for(self, other: Op) -> bool:
        """Whether any thread must have done with the other op before any begins this one."""
        if self.written.isdisjoint(other.roots) and other.written.isdisjoint(self.roots):
            return False
        parted = (self.by is By.REPLICAS) == (other.by is By.REPLICAS) and all(
            op.apart or op.by is not By.NEURONS for op in (self, other)
        )
        return any(
            a.touches(b) and not (parted and a.share(self.by) is not None and a.share(self.by) == b.share(other.by))
            for a in self.operands
            for b in other.operands
        )


def _portion(count: int, part: int, parts: int) -> tuple[int, int]:
    return count * part // parts, count * (part + 1) // parts


class Guard(Op):
    """An op that raises a flag, and what is to be done then, before anything is kept."""

    def __init__(self, kernel: Any, guarded: Operand, *operands: Operand, alarm: Step) -> None:
        self.flag, self.alarm = np.zeros((1, 1), np.int64), alarm
        super().__init__(kernel, guarded, *operands, Operand(self.flag, None), like=guarded)


class Program:
    """Ops that are run one after the other, as words that compiled code reads; a step.

    Parameters
    ----------
    ops : what is run. kept : arrays that are looked at afterwards; None: all.
    """

    def __init__(self, ops: Sequence[Op], kept: Iterable[Array] | None = None) -> None:
        self.ops = list(ops)
        parts = self.ops[0].parts
        meets = _meetings(self.ops)
        stretches = list(zip(meets, [*meets[1:], len(self.ops)], strict=True))
        self._tables = [[op.table.copy() if op.by_replica else op.table for op in self.ops] for _ in range(parts)]
        rows = [[op.address, 0, 0, int(op.by_replica)] for op in self.ops]
        own = [
            [[*op.share(part), self._tables[part][k].ctypes.data, 0] for part in range(parts)]
            for k, op in enumerate(self.ops)
        ]
        for begin, end in stretches:
            rows[begin][crew.MEETS], rows[begin][crew.END] = 1, end
        replicas = kept is not None and any(op.by_replica for op in self.ops)
        self._moves = self._moving(stretches, {id(root(array)) for array in kept or ()}) if replicas else []
        for begin, part, words in self._moves:
            own[begin][part][crew.MOVES] = words.ctypes.data
        self._guards = [(k, op) for k, op in enumerate(self.ops) if isinstance(op, Guard)]
        guards = [len(self._guards), *(n for k, op in self._guards for n in (k, op.flag.ctypes.data))]
        body = [n for row, each in zip(rows, own, strict=True) for n in (*row, *chain(*each))]
        head = [len(self.ops), parts, blas.setter(), crew.HEAD + len(body), 0, 0]
        self.code = np.array([*head, *body, *guards], np.int64)
        self._address = self.code.ctypes.data
        self._run = crew.crew().run if parts > 1 and parts == crew.threads() else crew.alone

    def _moving(self, stretches: Sequence[tuple[int, int]], kept: Collection[int]) -> list[tuple[int, int, Array]]:
        """What each part has to move from replica to replica: the stretch's first op, the part, the words for it."""
        found = [(begin, end, passing(self.ops, begin, end, kept)) for begin, end in stretches]
        size = max(needed(arrays) for _, _, arrays in found)
        self._memory = [np.empty(size + 64, np.uint8) for _ in self._tables]
        moves = []
        for begin, end, arrays in found:
            for part, (tables, memory) in enumerate(zip(self._tables, self._memory, strict=True)):
                aligned = memory[-memory.ctypes.data % 64 :]
                words = [n for k in range(begin, end) for n in moved(self.ops[k], tables[k], arrays, aligned)]
                if words:
                    moves.append((begin, part, np.array([len(words) // 3, *words], np.int64)))
        return moves

    def __call__(self) -> None:
        self._through(self._run, 1)

    def alone(self) -> None:
        """Run without help, to the same bits."""
        self._through(crew.alone, 1)

    def repeat(self, rows: Array, course: Array, reached: Callable[[int], None]) -> None:
        """Run once for each of a course of presentations, without Python between.

        Parameters
        ----------
        rows : what the ops read of a presentation.
        course : its values, one after the other: (presentation, *rows.shape).
        reached : told how many presentations are done, now and then, and before alarms in the one that follows.
        """
        assert course.dtype == rows.dtype == np.int64 and course.shape[1:] == rows.shape
        assert course.flags.c_contiguous and rows.flags.c_contiguous
        self.code[crew.ROWS : crew.ROWS + 2] = rows.ctypes.data, rows.size
        self._through(self._run, len(course), course.ctypes.data, reached)

    def _through(
        self, run: Callable[..., int], times: int, source: int = 0, reached: Callable[[int], None] | None = None
    ) -> None:
        count, stopped, together = len(self.ops), 0, 1
        while stopped < times * count:
            begin = time.perf_counter()
            stopped = run(self._address, stopped, min(times, stopped // count + together), source)
            together *= 2 if time.perf_counter() - begin < STRETCH else 1
            shown, k = divmod(stopped - 1, count)  # the last presentation, and the last of its kernels that was done
            raised = [guard for index, guard in self._guards if index <= k and guard.flag[0, 0]]
            for guard in raised:
                guard.flag[0, 0] = 0
            if reached:
                reached(shown if raised else stopped // count)
            for guard in raised:
                guard.alarm()


def _meetings(ops: Sequence[Op]) -> list[int]:
    """The ops before which all threads meet: where one needs what another made, and where guards must be asked."""
    meetings = [0]
    guarded = False
    for k, op in enumerate(ops):
        since = ops[meetings[-1] : k]
        if (op.keeps and guarded) or any(op.must_wait_for(other) for other in since):
            meetings.append(k)
            guarded = False
        guarded |= isinstance(op, Guard)
    return meetings


def _share_out(ops: Sequence[Op], parts: int) -> None:
    """Decide who does what: replicas where there are enough; else each product what suits it, the rest as what it uses.

    How a product is shared out, and so its bits, follows from its own shape and the number of threads.
    """
    replicas = max((op.replicas for op in ops), default=1)
    by_replica = replicas > 1 and (replicas % parts == 0 or replicas > 4 * parts)
    suits = {op: By.REPLICAS if by_replica else op.suits for op in ops}
    heaviest = max((op for op in ops if suits[op]), key=lambda op: op.work, default=None)
    rest = suits[heaviest] if heaviest else None
    made: dict[int, By] = {}
    for op in ops:
        used = (id(root(array)) for array in op.arrays)
        op.share_out(parts, suits[op] or next((made[key] for key in used if key in made), rest) or By.NEURONS)
        made |= dict.fromkeys(op.written, op.by)


def bind(kernel: Any, *operands: Operand, **more: Any) -> Step:
    """The op of a compiled kernel; of a function that is not, a step that calls it as it is."""
    if hasattr(kernel, "py_func"):
        return Op(kernel, *operands, **more)
    last = next(o for o in reversed(operands) if o.written)
    batch = last.array.shape[last.examples] if last.examples else 1
    share = (0, last.array.shape[0], 0, last.array.shape[last.axis or 0], 0, batch)
    return lambda: kernel(*[o.array for o in operands], *share)


def fuse(steps: Sequence[Step], kept: Iterable[Array] | None = None) -> Step:
    """All steps of a presentation as one, with as many of them in one program as follow each other.

    Parameters
    ----------
    steps : what is done. kept : arrays that are looked at afterwards, or by other steps; None: all.
    """
    flat = list(flattened(steps))
    ops = [step for step in flat if isinstance(step, Op)]
    parts = crew.threads() if sum(op.work for op in ops) >= WORTHWHILE else 1
    _share_out(ops, parts)
    if len(ops) == len(flat) > 0:
        return Program(ops, kept)
    found: list[Step] = []
    for _, group in groupby(flat, key=lambda step: isinstance(step, Op)):
        members = list(group)
        of_ops = [step for step in members if isinstance(step, Op)]
        found += [Program(of_ops)] if of_ops else members  # what lies between may look at anything
    return in_turn(found)
