"""Programs on the device: launches that follow each other, captured as one CUDA graph, and courses of presentations.

Results stay on the device; what the host has changed is taken there first, and `home` brings back what it wants to see.
Guards halt what is kept: launches that would change it do nothing, and the host looks at the increments before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

import numpy as np

from circuitsim.kernels.cpu.program import STRETCH
from circuitsim.kernels.gpu.device import device, text
from circuitsim.kernels.gpu.launch import MOST, SEVERAL, Guard, Launch, OnHost, apart, launch, reads, together, writes
from circuitsim.kernels.steps import Step, flattened, in_turn

Array = np.ndarray


class Program:
    """Launches that follow each other, issued together as a graph.

    Before it is captured all are issued once by themselves, and what they wrote is put back: so the bits do not depend
    on whether it is the first presentation.
    """

    def __init__(self, launches: Sequence[Launch]) -> None:
        self.launches = list(launches)
        self._guards = [launch for launch in launches if isinstance(launch, Guard)]
        first = next((k for k, launch in enumerate(launches) if isinstance(launch, Guard)), len(launches))
        self._kept = [launch for launch in launches[first:] if launch.keeps]
        self._twins = list(dict.fromkeys(twin for launch in launches for twin in launch.twins))
        self._written = list(dict.fromkeys(twin for launch in launches for twin in launch.written))
        self._issued = _gathered(launches)
        self._graph: Callable[[], None] | None = None
        self._warm = False

    def __call__(self) -> None:
        with device().working():
            self.settle()
            if self._graph is None:
                self.warm()
                self._graph = device().capture(self.issue)
            self._graph()
            if self.stopped():
                self.look()

    def warm(self) -> None:
        """Issue all launches once, to no effect: the host holds what they write."""
        if self._warm:
            return
        for twin in self._written:
            twin.home()
        self.issue()
        device().stopped()
        for twin in self._written:
            twin.host_newer = True
            twin.settle()
        self._warm = True

    def settle(self) -> None:
        """Take to the device what is newer on the host."""
        for twin in self._twins:
            twin.settle()

    def issue(self) -> None:
        """Issue all launches."""
        for issue in self._issued:
            issue()

    def stopped(self) -> bool:
        """Whether a guard has halted what was issued. What is written is now newer on the device."""
        for twin in self._written:
            twin.device_newer = True
        return bool(self._guards) and device().stopped()

    def look(self) -> None:
        """Nothing is kept yet: let the host look at the increments, and keep what it does not object to."""
        for guard in self._guards:
            guard.alarm()
        self.settle()  # it may have dropped a replica
        for one in self._kept:
            one.issue()
        for twin in self._written:
            twin.device_newer = True


class Course(Program):
    """A program that is all of a presentation, so that one can follow the other with nothing from the host between."""

    def __init__(self, launches: Sequence[Launch]) -> None:
        super().__init__(launches)
        self._cursor = np.zeros(2, np.int64)  # where the course lies, and how many of its presentations were shown
        self._held = np.zeros(0, np.int64)
        self._advance: Launch | None = None
        self._repeated: Callable[[], None] | None = None

    def repeat(self, rows: Array, course: Array, reached: Callable[[int], None]) -> None:
        """Run once for each of a course of presentations.

        Parameters
        ----------
        rows : what the launches read of a presentation.
        course : its values, one after the other: (presentation, *rows.shape).
        reached : told how many presentations are done, now and then, and before alarms in the one that follows.
        """
        with device().working():
            advance = self._laid_out(rows, course)
            shown, together = 0, 1
            while shown < len(course):
                begin = time.perf_counter()
                try:
                    self._show(advance, min(together, len(course) - shown))
                finally:  # whatever breaks it off, what was shown is counted
                    halted = self.stopped()
                    device().home([self._cursor])
                    shown = int(self._cursor[1])
                    reached(shown - halted)
                if halted:
                    self.look()
                    reached(shown)
                    together = 1  # the next one may be halted too, and all that follow it would be for nothing
                elif time.perf_counter() - begin < STRETCH:
                    together *= 2

    def _laid_out(self, rows: Array, course: Array) -> Launch:
        """Take a course to the device, and bind what shows its next presentation."""
        if self._held.size < course.size:
            self._held = np.zeros(course.size, np.int64)
        device().home([self._held, self._cursor])
        self._held[: course.size] = course.ravel()
        device().twin(self._held).settle()
        self._cursor[:] = device().address(self._held), 0
        if self._advance is None:
            operands = writes(self._cursor), reads(device().halted), writes(rows)
            over, source = self._cursor[None, None], text("course.cu")
            self._advance = launch("advance", *operands, over=over, rows=True, source=source)
        return self._advance

    def _show(self, advance: Launch, count: int) -> None:
        """Issue that many presentations, one after the other."""
        self.settle()
        if self._repeated is None:
            self._repeated = self._captured(advance)
        for twin in advance.twins:
            twin.settle()
            twin.device_newer = twin in advance.written
        for _ in range(count):
            self._repeated()

    def _captured(self, advance: Launch) -> Callable[[], None]:
        """What issues a presentation of the course, as a graph."""

        def show() -> None:
            advance.issue()
            self.issue()

        for twin in advance.twins:
            twin.settle()
        self.warm()
        advance.issue()
        device().twin(self._cursor).host_newer = True  # the first is still to be shown
        return device().capture(show)


def _gathered(launches: Sequence[Launch]) -> list[Callable[[], None]]:
    """What issues launches, those that do the same with several arrays as one: guards after the last of them."""
    guards = [one for one in launches if isinstance(one, Guard)]
    after = max((k for k, one in enumerate(launches) if isinstance(one, Guard)), default=0)
    before, rest = ([x for x in part if x not in guards] for part in (launches[:after], launches[after:]))
    groups: list[list[Launch]] = []
    for one in (*before, *guards, *rest):
        if groups and _joins(one, groups[-1]):
            groups[-1].append(one)
        else:
            groups.append([one])
    return [together(group) if len(group) > 1 else group[0].issue for group in groups]


def _joins(one: Launch, group: Sequence[Launch]) -> bool:
    """Whether a launch can be one with others."""
    if one.bound is None or one.bound.name[0] not in SEVERAL or len(group) == MOST:
        return False
    return all(x.bound and x.bound.name == one.bound.name and apart(x, one) for x in group)


def fuse(steps: Sequence[Step], kept: Iterable[Array] | None = None) -> Step:
    """All steps of a presentation as one, with as many in one graph as follow each other; everything is kept."""
    flat = list(flattened(steps))
    launches = [step for step in flat if isinstance(step, Launch)]
    if len(launches) == len(flat) and len(parts := _parts(launches)) == 1 and not any(x.timed for x in launches):
        return Course(parts[0])
    given = {id(array) for launch in launches for array in launch.given}
    seen = {id(a): a for launch in launches for a in launch.arrays if id(a) not in given}
    found: list[Step] = []
    for _, group in groupby(flat, key=lambda step: isinstance(step, Launch)):
        members = list(group)
        found += [Program(part) for part in _parts([step for step in members if isinstance(step, Launch)]) if part]
        rest = [step for step in members if not isinstance(step, Launch)]
        found += [step if isinstance(step, OnHost) else OnHost(step, list(seen.values())) for step in rest]
    return in_turn(found)


def _parts(launches: Sequence[Launch]) -> list[list[Launch]]:
    """Launches up to where something needs what was kept after a guard: the host has to have looked before."""
    parts: list[list[Launch]] = [[]]
    guarded = kept = False
    for one in launches:
        if kept and not one.keeps:
            parts.append([])
            guarded = kept = False
        parts[-1].append(one)
        guarded |= isinstance(one, Guard)
        kept |= guarded and one.keeps
    return parts
