"""Launches and programs on the device: kernels bound to operands, and many of them captured as one graph.

A launch is a step like any other. By itself it takes the host's arrays to the device and brings home what it wrote, so
that whoever looks at arrays between steps, audits above all, sees what he expects and may change it. In a program
results stay on the device; what the host has changed is taken there first, and `home` brings back what it wants to see.

Guards halt what is kept: launches that would change it do nothing, and the host looks at the increments before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

import numpy as np

from circuitsim.kernels.device import SLOT, THREADS, Twin, device
from circuitsim.kernels.steps import Step, flattened, in_turn

Array = np.ndarray
MOST_BLOCKS = 1024  # for each replica: what is larger is gone through in strides


class Launch:
    """What issues work to the device, and the arrays that it uses.

    Parameters
    ----------
    issue : issues it, allocating and waiting for nothing.
    arrays : all that it uses, kept alive. written : those that it changes.
    keeps : whether it changes what outlives a presentation, or prepares that, so that guards must have been asked.
    given : those that nobody changes but who announces it: the data.
    """

    def __init__(
        self,
        issue: Callable[[], None],
        arrays: Sequence[Array],
        written: Sequence[Array],
        *,
        keeps: bool = False,
        given: Sequence[Array] = (),
    ) -> None:
        self.issue, self.keeps, self.arrays, self.given = issue, keeps, list(arrays), list(given)
        self.twins, self.written = _twins(arrays), _twins(written)

    def __call__(self) -> None:
        with device().working():
            for twin in self.twins:
                twin.home()
                twin.host_newer = True  # nobody said so, but anybody may have changed it
                twin.settle()
            self.issue()
            for twin in self.written:
                twin.device_newer = True
                twin.home()
            self._done()
        for twin in self.twins:
            twin.host_newer = True

    def _done(self) -> None:
        """What is to be done when it has run by itself."""


class Guard(Launch):
    """A launch that halts the device where increments may be too large, and what is to be done then."""

    def __init__(self, issue: Callable[[], None], arrays: Sequence[Array], alarm: Step) -> None:
        super().__init__(issue, arrays, [])
        self.increments, self.alarm = arrays[0], alarm

    def _done(self) -> None:
        if device().stopped():
            self.alarm()


class OnHost:
    """A step of the host's, between programs; the arrays that it may look at and change."""

    def __init__(self, step: Step, arrays: Sequence[Array]) -> None:
        self.step, self.arrays = step, list(arrays)

    def __call__(self) -> None:
        with device().lock:
            device().home(self.arrays, change=True)
            self.step()


class Program:
    """Launches that follow each other, issued together: the first time one by one, then as a graph."""

    def __init__(self, launches: Sequence[Launch]) -> None:
        self.launches = list(launches)
        self._guards = [launch for launch in launches if isinstance(launch, Guard)]
        first = next((k for k, launch in enumerate(launches) if isinstance(launch, Guard)), len(launches))
        self._kept = [launch for launch in launches[first:] if launch.keeps]
        self._twins = list(dict.fromkeys(twin for launch in launches for twin in launch.twins))
        self._written = list(dict.fromkeys(twin for launch in launches for twin in launch.written))
        self._run: Callable[[], None] | None = None
        self._warm = False

    def __call__(self) -> None:
        with device().working():
            self.run()

    def run(self) -> None:
        """Take to the device what is newer on the host, run, and see to it where a guard has halted it."""
        for twin in self._twins:
            twin.settle()
        if self._run is None and self._warm:  # kernels are compiled, and libraries have the memory that they want
            self._run = device().capture(self._issue)
        (self._run or self._issue)()
        self._warm = True
        for twin in self._written:
            twin.device_newer = True
        if self._guards and device().stopped():
            self._look()

    def _issue(self) -> None:
        for launch in self.launches:
            launch.issue()

    def _look(self) -> None:
        """Nothing is kept yet: let the host look at the increments, and keep what it does not object to."""
        for guard in self._guards:
            guard.alarm()
        for twin in self._twins:
            twin.settle()  # it may have dropped a replica
        for launch in self._kept:
            launch.issue()
        for twin in self._written:
            twin.device_newer = True


def fuse(steps: Sequence[Step], kept: Iterable[Array] | None = None) -> Step:
    """All steps of a presentation as one, with as many in one graph as follow each other; everything is kept."""
    flat = list(flattened(steps))
    launches = [step for step in flat if isinstance(step, Launch)]
    given = {id(array) for launch in launches for array in launch.given}
    seen = {id(a): a for launch in launches for a in launch.arrays if id(a) not in given}
    found: list[Step] = []
    for is_launch, group in groupby(flat, key=lambda step: isinstance(step, Launch)):
        members = list(group)
        if is_launch:
            found += [Program(part) for part in _parts(members)]  # type: ignore[arg-type]
        else:
            found += [s if isinstance(s, OnHost) else OnHost(s, list(seen.values())) for s in members]
    return in_turn(found)


def _parts(launches: Sequence[Launch]) -> list[list[Launch]]:
    """Launches up to where something needs what was kept after a guard: the host has to have looked before."""
    parts: list[list[Launch]] = [[]]
    guarded = kept = False
    for launch in launches:
        if kept and not launch.keeps:
            parts.append([])
            guarded = kept = False
        parts[-1].append(launch)
        guarded |= isinstance(launch, Guard)
        kept |= guarded and launch.keeps
    return parts


# -------------------------------------------------------------------------------------------------- binding to operands


class Operand:
    """What a kernel is given: an array (up to three axes; the leading one is replicas), or a number."""

    def __init__(self, value: Array | float | None, *, written: bool = False, given: bool = False) -> None:
        self.value, self.written, self.given = value, written, given

    def words(self) -> list[int]:
        """Its slot in the kernel's table."""
        if self.value is None:
            return [0] * SLOT
        if not isinstance(self.value, np.ndarray):
            return [int(np.array(self.value, np.float64).view(np.int64)), *[0] * (SLOT - 1)]
        shape, strides = self.value.shape, tuple(s // self.value.itemsize for s in self.value.strides)
        rest = 3 - len(shape)
        first = 0 if shape[0] == 1 else strides[0]
        return [device().address(self.value), *shape, *[1] * rest, first, *strides[1:], *[0] * rest]


def reads(array: Array | None) -> Operand:
    """An operand that is only read, or absent."""
    return Operand(array)


def writes(array: Array | None) -> Operand:
    """An operand that is changed, or absent."""
    return Operand(array, written=True)


def given(array: Array) -> Operand:
    """An operand that is part of the data."""
    return Operand(array, given=True)


def launch(
    name: str,
    *operands: Operand,
    over: Array | None = None,
    dtype: str | None = None,
    rows: bool = False,
    source: str | None = None,
    keeps: bool = False,
) -> Launch:
    """Bind a kernel.

    Parameters
    ----------
    name : the kernel's. operands : in its order; those that keep are told first whether a guard has halted them.
    over : whose elements, or `rows`, are shared out; None: those of the last operand. dtype : None: that one's too.
    source : None: the engine's own kernels. keeps : see `Launch`.
    """
    last = operands[-1].value if over is None else over
    assert isinstance(last, np.ndarray)
    arrays = [o.value for o in operands if isinstance(o.value, np.ndarray)]
    words = [word for operand in operands for word in operand.words()]
    room = SLOT * len(operands) if source else SLOT * 12
    table = np.zeros((), [("words", np.int64, (room,))])
    table["words"][: len(words)] = words
    kernel = device().kernel(name, dtype or last.dtype.name, source, room // SLOT)
    grid = _grid(last, rows)
    return Launch(
        lambda: kernel(grid, (THREADS,), (table,)),
        arrays,
        [o.value for o in operands if o.written and isinstance(o.value, np.ndarray)],
        keeps=keeps,
        given=[o.value for o in operands if o.given and isinstance(o.value, np.ndarray)],
    )


def generated(source: str, arrays: Sequence[Array], out: Array) -> Launch:
    """Bind a kernel `rule` of a source, whose table holds arrays in order, and what it makes."""
    return launch("rule", *(reads(array) for array in arrays), writes(out), source=source)


def _grid(array: Array, rows: bool) -> tuple[int, int]:
    """How many blocks share out what a replica has, and replicas."""
    replicas, height, width = (*array.shape, 1)[:3]
    if height * width >= 2**31:
        raise ValueError(f"an array of {height} by {width} is too large for the device's kernels")
    blocks = height if rows else -(-height * width // THREADS)
    return max(1, min(blocks, MOST_BLOCKS)), max(1, min(replicas, 65535))


def _twins(arrays: Sequence[Array]) -> list[Twin]:
    return list(dict.fromkeys(device().twin(array) for array in arrays))
