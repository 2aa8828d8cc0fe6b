"""Threads that run programs: each has a part of every kernel, and all wait at barriers.

A program is words in memory (`ops.encoded`). The caller is one thread; helpers wait in compiled code without Python's
lock. A barrier is a counter for each part. A waiting thread yields after a while: fewer cores than threads do no harm.
"""
# Idle helpers sleep to free their cores, not for speed: helpers that only yield take 0.18 to 0.20 CPU seconds a second
# each on a busy machine (2 cores of an AMD EPYC, load 14). Presentations showed no difference beyond the noise there.

from __future__ import annotations

import os
import threading
from functools import cache

import numpy as np
from numba import config

from circuitsim.compilation import compiled
from circuitsim.kernels.cpu.native import call_kernel, give_way, load_word, store_word

# mypy: disable-error-code="no-untyped-def"

LINE = 8  # words of a cache line: each thread writes to lines of its own
COUNT, PARTS, GUARDS, ROWS, WORDS, HEAD = range(6)  # words of a program's head
FUNCTION, BARRIER, END, BY_REPLICA, FIXED = range(5)  # words of each kernel, then those of each part
FIRST, LAST, LOW, HIGH, FROM, TO, TABLE, REBASED, EACH = range(9)
"""Replicas, neurons and examples of a part; its operands' table, and the words that rebase them by replica."""
JOB, CODE, START, TIMES, BATCHES = range(5)
"""Words of the control block's first line; a line for each part follows: barriers reached, awake."""
PATIENCE, YIELDS = 4000, 400  # looks before the first yield, and yields before sleep
HALF = np.uint64(2**63)
MOST_THREADS = 8  # with more, parts of a layer get too small


@compiled(nogil=True)
def _await(address, value):
    """Wait until a word has reached a value; both wrap around after 2^64 steps, so their difference decides."""
    looked = 0
    while np.uint64(load_word(address)) - np.uint64(value) >= HALF:  # unsigned, since compilers let nothing else wrap
        looked += 1
        if looked > PATIENCE:
            give_way()


@compiled(nogil=True)
def _barrier(control, part, parts, turn):
    """Wait until all parts have reached this barrier."""
    store_word(control + 8 * LINE * (1 + part), turn)
    for other in range(parts):
        if other != part:
            _await(control + 8 * LINE * (1 + other), turn)


@compiled(nogil=True)
def _guard_raised(code, before):
    """Return True if a guard among the kernels before one has set its flag."""
    guards = code + 8 * load_word(code + 8 * GUARDS)
    for g in range(load_word(guards)):
        index, flag = load_word(guards + 8 * (1 + 2 * g)), load_word(guards + 8 * (2 + 2 * g))
        if index < before and load_word(flag) != 0:
            return True
    return False


@compiled(nogil=True)
def _run_part_of_kernel(row, replica, own):
    """Run a part of one kernel: all replicas, or one where a thread runs them one by one."""
    first, last = load_word(own + 8 * FIRST), load_word(own + 8 * LAST)
    low, high, table = load_word(own + 8 * LOW), load_word(own + 8 * HIGH), load_word(own + 8 * TABLE)
    begin, end = load_word(own + 8 * FROM), load_word(own + 8 * TO)
    if low < high and begin < end:
        if load_word(row + 8 * BY_REPLICA) == 0:
            if replica == 0:
                call_kernel(load_word(row), table, first, last, low, high, begin, end)
        elif first + replica < last:
            here = first + replica
            call_kernel(load_word(row), table, here, here + 1, low, high, begin, end)


@compiled(nogil=True)
def _rebase(moves, replica):
    """Rebase scratch operands to a replica."""
    for m in range(load_word(moves)):
        move = moves + 8 * (1 + 3 * m)
        store_word(load_word(move), load_word(move + 8) - replica * load_word(move + 16))


@compiled(nogil=True)
def _run_segment(code, part, begin, end):
    """Run a part of the kernels between two barriers."""
    width = 8 * (FIXED + EACH * load_word(code + 8 * PARTS))
    passes, first = 1, 0
    for k in range(begin, end):
        row = code + 8 * HEAD + width * k
        if load_word(row + 8 * BY_REPLICA) != 0:
            own = row + 8 * (FIXED + EACH * part)
            first = load_word(own + 8 * FIRST)
            passes = max(passes, load_word(own + 8 * LAST) - first)
    moves = load_word(code + 8 * HEAD + width * begin + 8 * (FIXED + EACH * part + REBASED))
    for replica in range(passes):
        if moves != 0:
            _rebase(moves, first + replica)
        for k in range(begin, end):
            row = code + 8 * HEAD + width * k
            _run_part_of_kernel(row, replica, row + 8 * (FIXED + EACH * part))


@compiled(nogil=True)
def _set_rows(code, source, time):
    """Copy a presentation's rows from the sequence of batches at an address; 0: leave them."""
    rows, words = load_word(code + 8 * ROWS), load_word(code + 8 * WORDS)
    if source != 0:
        for word in range(words):
            store_word(rows + 8 * word, load_word(source + 8 * (time * words + word)))


@compiled(nogil=True)
def _run_presentations(control, code, part, start, times, source):
    """Run a part of presentations from a kernel on; return the kernel where all parts stopped."""
    count, parts = load_word(code), load_word(code + 8 * PARTS)
    width = 8 * (FIXED + EACH * parts)
    turn = np.int64(np.uint64(load_word(control + 8 * JOB)) << np.uint64(32))
    time, first = start // count, start % count
    while True:
        k = first
        while k < count:
            row = code + 8 * HEAD + width * k
            if k > first and load_word(row + 8 * BARRIER) != 0:
                turn += 1
                _barrier(control, part, parts, turn)
                if _guard_raised(code, k):
                    break
            _run_segment(code, part, k, load_word(row + 8 * END))
            k = load_word(row + 8 * END)
        turn += 1
        _barrier(control, part, parts, turn)
        if time + 1 == times:
            return time * count + k
        over = k < count or _guard_raised(code, count)
        if part == 0 and not over:
            _set_rows(code, source, time + 1)
        turn += 1
        _barrier(control, part, parts, turn)  # no thread reads flags or rows while another changes them
        if over:
            return time * count + k
        time, first = time + 1, 0


@compiled(nogil=True)
def run_all_parts(code, start, times, source):
    """Run all parts of presentations in this thread, from a kernel on; return the kernel where it stopped."""
    count, parts = load_word(code), load_word(code + 8 * PARTS)
    width = 8 * (FIXED + EACH * parts)
    time, first = start // count, start % count
    if first == 0:
        _set_rows(code, source, time)
    while True:
        k = first
        while k < count:
            row = code + 8 * HEAD + width * k
            if k > first and load_word(row + 8 * BARRIER) != 0 and _guard_raised(code, k):
                break
            for part in range(parts):
                _run_segment(code, part, k, load_word(row + 8 * END))
            k = load_word(row + 8 * END)
        if time + 1 == times or k < count or _guard_raised(code, count):
            break
        time, first = time + 1, 0
        _set_rows(code, source, time)
    return time * count + k


@compiled(nogil=True)
def _sleepers(control, parts):
    """Return the number of helpers that sleep."""
    count = 0
    for part in range(1, parts):
        count += load_word(control + 8 * (LINE * (1 + part) + 1)) == 0
    return count


@compiled(nogil=True)
def _post(control, code, start, times, source):
    """Post a job for the helpers; return True if one of them sleeps."""
    if start % load_word(code) == 0:
        _set_rows(code, source, start // load_word(code))
    store_word(control + 8 * CODE, code)
    store_word(control + 8 * START, start)
    store_word(control + 8 * TIMES, times)
    store_word(control + 8 * BATCHES, source)
    store_word(control + 8 * JOB, load_word(control + 8 * JOB) + 1)
    return _sleepers(control, load_word(code + 8 * PARTS)) > 0


@compiled(nogil=True)
def _run_caller(control, code, start, times, source, posted):
    """Run the caller's part of presentations; return -1 if helpers must be woken first."""
    if not posted and _post(control, code, start, times, source):
        return -1
    caller = np.int64(0)  # as a literal it would be compiled for by itself
    return _run_presentations(control, code, caller, start, times, source)


@compiled(nogil=True)
def _run_helper(control, part, done):
    """Run posted jobs until none has come for a while; return the last job done."""
    awake = control + 8 * (LINE * (1 + part) + 1)
    store_word(awake, 1)
    looked = 0
    while True:
        job = load_word(control + 8 * JOB)
        if job != done:
            code, start = load_word(control + 8 * CODE), load_word(control + 8 * START)
            _run_presentations(
                control, code, part, start, load_word(control + 8 * TIMES), load_word(control + 8 * BATCHES)
            )
            done, looked = job, 0
            store_word(awake, 1)
            continue
        looked += 1
        if looked > PATIENCE:
            give_way()
        if looked > PATIENCE + YIELDS:
            store_word(awake, 0)
            if load_word(control + 8 * JOB) == done:  # a job posted meanwhile would wake nobody
                return done


class ThreadPool:
    """A caller and its helpers, a thread for each part, run one program at a time; tests set the first job's number."""

    def __init__(self, parts: int, first: int = 0) -> None:
        self.parts, self.busy = parts, threading.Lock()
        self._memory = np.zeros(LINE * (2 + parts), np.int64)
        control = self._memory[-self._memory.ctypes.data % (8 * LINE) // 8 :]
        self._control = control.ctypes.data
        control[JOB] = self._first = first
        control[LINE : LINE * (1 + parts) : LINE] = np.left_shift(np.int64(first), 32)  # the barriers of that job
        self._wake = [threading.Event() for _ in range(1, parts)]
        for part, event in enumerate(self._wake, 1):
            threading.Thread(target=self._help, args=(part, event), daemon=True, name=f"circuitsim-{part}").start()

    def execute(self, code: int, start: int, times: int, source: int) -> int:
        """Run a program for successive presentations; return the kernel where it stopped.

        A second caller at the same time runs all parts itself.

        Parameters
        ----------
        code : address of the program.
        start : first kernel, counted through all presentations.
        times : number of presentations at which to stop.
        source : address of the presentations' rows; 0: the rows stay as they are.
        """
        if not self.busy.acquire(blocking=False):
            return int(run_all_parts(code, start, times, source))
        try:
            stopped = _run_caller(self._control, code, start, times, source, False)
            if stopped < 0:
                for event in self._wake:
                    event.set()
                stopped = _run_caller(self._control, code, start, times, source, True)
            return int(stopped)
        finally:
            self.busy.release()

    def asleep(self) -> bool:
        """Return True if all helpers sleep."""
        return bool(_sleepers(self._control, self.parts) == self.parts - 1)

    def _help(self, part: int, wake: threading.Event) -> None:
        done = self._first
        while True:
            done = _run_helper(self._control, part, done)
            wake.wait()
            wake.clear()


@cache
def thread_pool() -> ThreadPool:
    """Return the thread pool of this process, started when first needed; it does not survive a fork."""
    return ThreadPool(thread_count())


@cache
def thread_count() -> int:
    """Return the number of threads: NUMBA_NUM_THREADS, by default the cores this process may use; at most 8."""
    return min(int(vars(config)["NUMBA_NUM_THREADS"]), MOST_THREADS)


os.register_at_fork(after_in_child=thread_pool.cache_clear)
