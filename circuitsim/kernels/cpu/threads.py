"""The threads that run programs: each has a part of every kernel, and they meet where one needs what another made.

A program is words in memory (`program.py` writes it). One thread is the caller; the others wait in compiled code, where
they hold no lock of Python's, and go to sleep when there has been nothing to do for a while. A barrier is a counter for
each part; who waits gives way after some turns, so that nothing stalls where there are fewer cores than threads.
"""

from __future__ import annotations

import os
import threading
from functools import cache

import numpy as np
from numba import config, njit

from circuitsim.kernels.cpu.native import call_kernel, call_setter, give_way, load_word, store_word

# mypy: disable-error-code="no-untyped-def"

LINE = 8  # words of a cache line: what different threads write lies apart
COUNT, PARTS, SETTER, GUARDS, ROWS, WORDS, HEAD = range(7)  # words of a program's head
FUNCTION, MEETS, END, BY_REPLICA, FIXED = range(5)  # words of each kernel, then those of each part
FIRST, LAST, LOW, HIGH, FROM, TO, TABLE, MOVES, EACH = range(9)
"""Replicas, neurons and examples of a share; its operands, and what of them moves with the replica."""
JOB, CODE, START, TIMES, SOURCE = range(5)
"""Words of the control block's first line; then a line for each part: arrived, awake."""
PATIENCE, TURNS = 4000, 400  # how often to look before giving way, and how often to give way before going to sleep
MOST = 8  # threads at most: the shares of a layer get too small


@njit(nogil=True, cache=True)
def _await(address, value):
    """Wait until a word is as large as a value."""
    looked = 0
    while load_word(address) < value:
        looked += 1
        if looked > PATIENCE:
            give_way()


@njit(nogil=True, cache=True)
def _meet(control, part, parts, turn):
    """Wait until all parts have come as far as this one."""
    store_word(control + 8 * LINE * (1 + part), turn)
    for other in range(parts):
        if other != part:
            _await(control + 8 * LINE * (1 + other), turn)


@njit(nogil=True, cache=True)
def _raised(code, before):
    """Whether a guard among the kernels before one has found what it looks for."""
    guards = code + 8 * load_word(code + 8 * GUARDS)
    for g in range(load_word(guards)):
        index, flag = load_word(guards + 8 * (1 + 2 * g)), load_word(guards + 8 * (2 + 2 * g))
        if index < before and load_word(flag) != 0:
            return True
    return False


@njit(nogil=True, cache=True)
def _share(row, replica, own):
    """Do a part's share of one kernel: all its replicas, or one of them where they come one after the other."""
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


@njit(nogil=True, cache=True)
def _move(moves, replica):
    """Let operands of which there is one replica's part alone lie where this replica is looked for."""
    for m in range(load_word(moves)):
        move = moves + 8 * (1 + 3 * m)
        store_word(load_word(move), load_word(move + 8) - replica * load_word(move + 16))


@njit(nogil=True, cache=True)
def _stretch(code, part, begin, end):
    """Do a part's share of kernels between which nobody has to wait."""
    width = 8 * (FIXED + EACH * load_word(code + 8 * PARTS))
    passes, first = 1, 0
    for k in range(begin, end):
        row = code + 8 * HEAD + width * k
        if load_word(row + 8 * BY_REPLICA) != 0:
            own = row + 8 * (FIXED + EACH * part)
            first = load_word(own + 8 * FIRST)
            passes = max(passes, load_word(own + 8 * LAST) - first)
    moves = load_word(code + 8 * HEAD + width * begin + 8 * (FIXED + EACH * part + MOVES))
    for replica in range(passes):
        if moves != 0:
            _move(moves, first + replica)
        for k in range(begin, end):
            row = code + 8 * HEAD + width * k
            _share(row, replica, row + 8 * (FIXED + EACH * part))


@njit(nogil=True, cache=True)
def _show(code, source, time):
    """Let the rows be those of a presentation of the course that lies at an address; of none, as they are."""
    rows, words = load_word(code + 8 * ROWS), load_word(code + 8 * WORDS)
    if source != 0:
        for word in range(words):
            store_word(rows + 8 * word, load_word(source + 8 * (time * words + word)))


@njit(nogil=True, cache=True)
def _perform(control, code, part, start, times, source):
    """Do a part's share of presentations, from a kernel of one of them on; return where all parts stopped."""
    count, parts = load_word(code), load_word(code + 8 * PARTS)
    width = 8 * (FIXED + EACH * parts)
    turn = load_word(control + 8 * JOB) << 32
    time, first = start // count, start % count
    while True:
        k = first
        while k < count:
            row = code + 8 * HEAD + width * k
            if k > first and load_word(row + 8 * MEETS) != 0:
                turn += 1
                _meet(control, part, parts, turn)
                if _raised(code, k):
                    break
            _stretch(code, part, k, load_word(row + 8 * END))
            k = load_word(row + 8 * END)
        turn += 1
        _meet(control, part, parts, turn)
        if time + 1 == times:
            return time * count + k
        over = k < count or _raised(code, count)
        if part == 0 and not over:
            _show(code, source, time + 1)
        turn += 1
        _meet(control, part, parts, turn)  # none reads a flag or the rows any more that another changes
        if over:
            return time * count + k
        time, first = time + 1, 0


@njit(nogil=True, cache=True)
def alone(code, start, times, source):
    """All parts of presentations, one after the other, from a kernel of one of them on; return where it stopped."""
    count, parts = load_word(code), load_word(code + 8 * PARTS)
    width = 8 * (FIXED + EACH * parts)
    setter = load_word(code + 8 * SETTER)
    before = call_setter(setter, 1) if setter != 0 else 0
    time, first = start // count, start % count
    if first == 0:
        _show(code, source, time)
    while True:
        k = first
        while k < count:
            row = code + 8 * HEAD + width * k
            if k > first and load_word(row + 8 * MEETS) != 0 and _raised(code, k):
                break
            for part in range(parts):
                _stretch(code, part, k, load_word(row + 8 * END))
            k = load_word(row + 8 * END)
        if time + 1 == times or k < count or _raised(code, count):
            break
        time, first = time + 1, 0
        _show(code, source, time)
    if setter != 0:
        call_setter(setter, before)
    return time * count + k


@njit(nogil=True, cache=True)
def _post(control, code, start, times, source):
    """Tell the others what there is to do; return whether any of them is asleep."""
    if start % load_word(code) == 0:
        _show(code, source, start // load_word(code))
    store_word(control + 8 * CODE, code)
    store_word(control + 8 * START, start)
    store_word(control + 8 * TIMES, times)
    store_word(control + 8 * SOURCE, source)
    store_word(control + 8 * JOB, load_word(control + 8 * JOB) + 1)
    asleep = 0
    for part in range(1, load_word(code + 8 * PARTS)):
        asleep += load_word(control + 8 * (LINE * (1 + part) + 1)) == 0
    return asleep > 0


@njit(nogil=True, cache=True)
def _lead(control, code, start, times, source, posted):
    """The caller's part of presentations; -1 where others must be woken first."""
    if not posted and _post(control, code, start, times, source):
        return -1
    setter = load_word(code + 8 * SETTER)
    before = call_setter(setter, 1) if setter != 0 else 0
    stopped = _perform(control, code, 0, start, times, source)
    if setter != 0:
        call_setter(setter, before)
    return stopped


@njit(nogil=True, cache=True)
def _serve(control, part, done):
    """Do what is posted until there has been nothing for a while; return the last job done."""
    awake = control + 8 * (LINE * (1 + part) + 1)
    store_word(awake, 1)
    looked = 0
    while True:
        job = load_word(control + 8 * JOB)
        if job != done:
            code, start = load_word(control + 8 * CODE), load_word(control + 8 * START)
            _perform(control, code, part, start, load_word(control + 8 * TIMES), load_word(control + 8 * SOURCE))
            done, looked = job, 0
            store_word(awake, 1)
            continue
        looked += 1
        if looked > PATIENCE:
            give_way()
        if looked > PATIENCE + TURNS:
            store_word(awake, 0)
            if load_word(control + 8 * JOB) == done:  # posted meanwhile, and nobody would be woken?
                return done


class Crew:
    """A caller and its helpers, as many as there are parts; one program at a time."""

    def __init__(self, parts: int) -> None:
        self.parts, self._busy = parts, threading.Lock()
        self._memory = np.zeros(LINE * (2 + parts), np.int64)
        self._control = self._memory.ctypes.data + -self._memory.ctypes.data % (8 * LINE)
        self._wake = [threading.Event() for _ in range(1, parts)]
        for part, event in enumerate(self._wake, 1):
            threading.Thread(target=self._help, args=(part, event), daemon=True, name=f"circuitsim-{part}").start()

    def run(self, code: int, start: int, times: int, source: int) -> int:
        """Run a program, for presentations one after the other; return where it stopped.

        Parameters
        ----------
        code : the program's address. start : where to begin, and `times` that count to end: kernels of all
        presentations are counted through. source : where the rows of the presentations lie; 0: rows are what they are.

        A second caller at a time does all parts itself.
        """
        if not self._busy.acquire(blocking=False):
            return int(alone(code, start, times, source))
        try:
            stopped = _lead(self._control, code, start, times, source, False)
            if stopped < 0:
                for event in self._wake:
                    event.set()
                stopped = _lead(self._control, code, start, times, source, True)
            return int(stopped)
        finally:
            self._busy.release()

    def _help(self, part: int, wake: threading.Event) -> None:
        done = 0
        while True:
            done = _serve(self._control, part, done)
            wake.wait()
            wake.clear()


@cache
def crew() -> Crew:
    """The crew of this process, started when first needed."""
    return Crew(threads())


@cache
def threads() -> int:
    """How many threads work together: NUMBA_NUM_THREADS, by default the cores that this process may use, 8 at most."""
    return min(int(vars(config)["NUMBA_NUM_THREADS"]), MOST)


def _forked() -> None:
    crew.cache_clear()  # threads do not survive a fork; what they had in hand was the parent's


os.register_at_fork(after_in_child=_forked)
