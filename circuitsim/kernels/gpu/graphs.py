"""Programs on the device: consecutive launches as one CUDA graph, also for whole sequences of batches.

Results stay on the device. Changes of the host are uploaded first; `to_host` downloads what the host reads. After a
guard halts, launches that would change kept arrays do nothing until the host has checked the increments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

import numpy as np

from circuitsim.kernels.gpu.device import device, text
from circuitsim.kernels.gpu.launch import (
    MOST,
    SEVERAL,
    GuardLaunch,
    Launch,
    OnHost,
    independent,
    joined,
    launch,
    reads,
    writes,
)
from circuitsim.kernels.steps import Step, flattened, in_turn

Array = np.ndarray


class GraphProgram:
    """Consecutive launches, issued as one graph.

    Before capture all are issued once and their results are undone, so the first presentation has the same bits.
    """

    def __init__(self, launches: Sequence[Launch]) -> None:
        self.launches = list(launches)
        self._guards = [launch for launch in launches if isinstance(launch, GuardLaunch)]
        first = next((k for k, launch in enumerate(launches) if isinstance(launch, GuardLaunch)), len(launches))
        self._kept = [launch for launch in launches[first:] if launch.keeps]
        self._buffers = list(dict.fromkeys(buffer for launch in launches for buffer in launch.buffers))
        self._written = list(dict.fromkeys(buffer for launch in launches for buffer in launch.written))
        self.issued = _issuers(launches)
        self.graph: Callable[[], None] | None = None
        self._warm = False

    def __call__(self) -> None:
        with device().working():
            self.to_device()
            if self.graph is None:
                self.warm()
                self.graph = device().capture(self.issue)
            self.graph()
            if self.stopped():
                self.look()

    def warm(self) -> None:
        """Issue all launches once and undo their results from the host's copies."""
        if self._warm:
            return
        for buffer in self._written:
            buffer.to_host()
        self.issue()
        device().stopped()
        for buffer in self._written:
            buffer.host_newer = True
            buffer.to_device()
        self._warm = True

    def to_device(self) -> None:
        """Upload what is newer on the host."""
        for buffer in self._buffers:
            buffer.to_device()

    def issue(self) -> None:
        """Issue all launches."""
        for issue in self.issued:
            issue()

    def stopped(self) -> bool:
        """Mark results as newer on the device; return True if a guard has halted the work."""
        for buffer in self._written:
            buffer.device_newer = True
        return bool(self._guards) and device().stopped()

    def look(self) -> None:
        """Call the alarms before anything is kept; then issue the updates."""
        for guard in self._guards:
            guard.alarm()
        self.to_device()  # an alarm may have dropped a replica
        for one in self._kept:
            one.issue()
        for buffer in self._written:
            buffer.device_newer = True


class RepeatedGraph(GraphProgram):
    """A program of a whole presentation, repeated without the host between batches."""

    def __init__(self, launches: Sequence[Launch]) -> None:
        super().__init__(launches)
        self._cursor = np.zeros(2, np.int64)  # address of the batches, and number of presentations shown
        self._uploaded_rows = np.zeros(0, np.int64)
        self._advance: Launch | None = None
        self.repeated: Callable[[], None] | None = None

    def repeat(self, rows: Array, batches: Array, reached: Callable[[int], None]) -> None:
        """Run once for each batch of a sequence.

        Parameters
        ----------
        rows : row numbers that the launches read.
        batches : values of `rows` in order, (presentation, *rows.shape).
        reached : called at the end, and before alarms, with the number of completed presentations.
        """
        with device().working():
            advance = self._uploaded(rows, batches)
            shown, chunk = 0, len(batches)
            while shown < len(batches):
                try:
                    self._show(advance, min(chunk, len(batches) - shown))
                finally:  # presentations shown count even after an exception
                    halted = self.stopped()
                    device().to_host([self._cursor])
                    shown = int(self._cursor[1])
                    reached(shown - halted)
                if halted:
                    self.look()
                    reached(shown)
                chunk = 1 if halted else 2 * chunk  # the next one may halt too, and later ones would be wasted

    def _uploaded(self, rows: Array, batches: Array) -> Launch:
        """Upload the batches, and bind the launch that shows the next one."""
        if self._uploaded_rows.size < batches.size:
            self._uploaded_rows = np.zeros(batches.size, np.int64)
        device().to_host([self._uploaded_rows, self._cursor])
        self._uploaded_rows[: batches.size] = batches.ravel()
        device().buffer(self._uploaded_rows).to_device()
        self._cursor[:] = device().address(self._uploaded_rows), 0
        if self._advance is None:
            operands = writes(self._cursor), reads(device().halted), writes(rows)
            over, source = self._cursor[None, None], text("batches.cu")
            self._advance = launch("advance", *operands, over=over, rows=True, source=source)
        return self._advance

    def _show(self, advance: Launch, count: int) -> None:
        """Issue presentations in order."""
        self.to_device()
        if self.repeated is None:
            self.repeated = self._captured(advance)
        for buffer in advance.buffers:
            buffer.to_device()
            buffer.device_newer = buffer in advance.written
        for _ in range(count):
            self.repeated()

    def _captured(self, advance: Launch) -> Callable[[], None]:
        """Return a function that launches the next batch's presentation as a graph."""

        def show() -> None:
            advance.issue()
            self.issue()

        for buffer in advance.buffers:
            buffer.to_device()
        self.warm()
        advance.issue()
        device().buffer(self._cursor).host_newer = True  # the first batch is still to be shown
        return device().capture(show)


def _issuers(launches: Sequence[Launch]) -> list[Callable[[], None]]:
    """Return functions that issue launches, joined where one kernel serves several arrays; guards run last."""
    guards = [one for one in launches if isinstance(one, GuardLaunch)]
    after = max((k for k, one in enumerate(launches) if isinstance(one, GuardLaunch)), default=0)
    before, rest = ([x for x in part if x not in guards] for part in (launches[:after], launches[after:]))
    groups: list[list[Launch]] = []
    for one in (*before, *guards, *rest):
        if groups and _can_join(one, groups[-1]):
            groups[-1].append(one)
        else:
            groups.append([one])
    return [joined(group) if len(group) > 1 else group[0].issue for group in groups]


def _can_join(one: Launch, group: Sequence[Launch]) -> bool:
    """Return True if a launch can join a group."""
    if one.bound is None or one.bound.name[0] not in SEVERAL or len(group) == MOST:
        return False
    return all(x.bound and x.bound.name == one.bound.name and independent(x, one) for x in group)


def fuse(steps: Sequence[Step], kept: Iterable[Array] | None = None) -> Step:
    """Return all steps of a presentation as one, with consecutive launches in one graph; all arrays are kept."""
    flat = list(flattened(steps))
    launches = [step for step in flat if isinstance(step, Launch)]
    if (
        len(launches) == len(flat)
        and len(parts := _between_checks(launches)) == 1
        and not any(x.timed for x in launches)
    ):
        return RepeatedGraph(parts[0])
    given = {id(array) for launch in launches for array in launch.given}
    seen = {id(a): a for launch in launches for a in launch.arrays if id(a) not in given}
    found: list[Step] = []
    for _, group in groupby(flat, key=lambda step: isinstance(step, Launch)):
        members = list(group)
        found += [
            GraphProgram(part)
            for part in _between_checks([step for step in members if isinstance(step, Launch)])
            if part
        ]
        rest = [step for step in members if not isinstance(step, Launch)]
        found += [step if isinstance(step, OnHost) else OnHost(step, list(seen.values())) for step in rest]
    return in_turn(found)


def _between_checks(launches: Sequence[Launch]) -> list[list[Launch]]:
    """Divide launches where one reads what an update after a guard changed: the host checks guards before it."""
    parts: list[list[Launch]] = [[]]
    guarded = kept = False
    for one in launches:
        if kept and not one.keeps:
            parts.append([])
            guarded = kept = False
        parts[-1].append(one)
        guarded |= isinstance(one, GuardLaunch)
        kept |= guarded and one.keeps
    return parts
