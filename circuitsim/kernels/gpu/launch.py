"""Launches: kernels bound to their operands, as steps.

A launch can be called like any other step. It then takes the host's arrays to the device and brings home what it wrote,
so that whoever looks at arrays between steps, audits above all, sees what he expects and may change it. In a program
(`graphs.py`) results stay on the device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from circuitsim.kernels.gpu.device import SLOT, THREADS, Twin, device, text
from circuitsim.kernels.steps import Step

Array = np.ndarray
FEW = 10  # operands of most kernels, at most
MOST_BLOCKS = 1024  # for each replica: what is larger is gone through in strides
SEVERAL = {"guard": 4, "apply": 9}
"""Kernels that do the same with several arrays in one launch, and their operands for each."""
MOST = 8  # arrays of these in one launch: their table has to be less than 4096 bytes


@dataclass(frozen=True)
class Bound:
    """A kernel with its table and the blocks that share out its work: along a replica, replicas, arrays."""

    kernel: Callable[..., None]
    name: tuple[str, str]  # and its floating-point type
    words: list[int]
    room: int
    grid: tuple[int, int, int]

    def issued(self) -> Callable[[], None]:
        """What issues it."""
        table = np.zeros((), [("words", np.int64, (self.room,))])  # an argument that is passed by value
        table["words"][: len(self.words)] = self.words
        return lambda: self.kernel(self.grid, (THREADS,), (table,))


class Launch:
    """What issues work to the device, and the arrays that it uses.

    Parameters
    ----------
    issue : issues it, allocating and waiting for nothing.
    arrays : all that it uses, kept alive. written : those that it changes.
    keeps : whether it changes what outlives a presentation, or prepares that, so that guards must have been asked.
    given : those that nobody changes but who announces it: the data.
    timed : whether what it does depends on which presentation it is. bound : the kernel, if it is one.
    """

    def __init__(
        self,
        issue: Callable[[], None],
        arrays: Sequence[Array],
        written: Sequence[Array],
        *,
        keeps: bool = False,
        given: Sequence[Array] = (),
        timed: bool = False,
        bound: Bound | None = None,
    ) -> None:
        self.issue, self.keeps, self.timed, self.bound = issue, keeps, timed, bound
        self.arrays, self.changed, self.given = list(arrays), list(written), list(given)
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

    def __init__(self, found: Launch, alarm: Step) -> None:
        super().__init__(found.issue, found.arrays, [], bound=found.bound)
        self.alarm = alarm

    def _done(self) -> None:
        if device().stopped():
            self.alarm()


class OnHost:
    """A step of the host's, between programs; the arrays that it may look at and change."""

    def __init__(self, step: Step, arrays: Iterable[Array]) -> None:
        self.step, self.arrays = step, list(arrays)

    def __call__(self) -> None:
        with device().lock:
            device().home(self.arrays, change=True)
            self.step()


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
    rows: bool = False,
    source: str | None = None,
    keeps: bool = False,
    timed: bool = False,
) -> Launch:
    """Bind a kernel.

    Parameters
    ----------
    name : the kernel's. operands : in its order; those that keep are told first whether a guard has halted them.
    over : whose elements, or `rows`, are shared out; None: those of the last operand.
    source : None: the engine's own kernels. keeps, timed : see `Launch`.
    """
    last = operands[-1].value if over is None else over
    assert isinstance(last, np.ndarray)
    arrays = [o.value for o in operands if isinstance(o.value, np.ndarray)]
    words = [word for operand in operands for word in operand.words()]
    if name in SEVERAL:
        source, room = text("several.cu"), SLOT * MOST * max(SEVERAL.values())
    else:
        room = SLOT * (len(operands) if source else FEW)
    kind = last.dtype.name if last.dtype.kind == "f" else "float32"
    kernel = device().kernel(name, kind, source or text("device.cu"), room)
    bound = Bound(kernel, (name, kind), words, room, _grid(last, rows))
    return Launch(
        bound.issued(),
        arrays,
        [o.value for o in operands if o.written and isinstance(o.value, np.ndarray)],
        keeps=keeps,
        timed=timed,
        given=[o.value for o in operands if o.given and isinstance(o.value, np.ndarray)],
        bound=bound,
    )


def together(launches: Sequence[Launch]) -> Callable[[], None]:
    """What issues launches of one kernel that does the same with several arrays, as one."""
    each = [launch.bound for launch in launches if launch.bound]
    grids = [bound.grid for bound in each]
    grid = max(g[0] for g in grids), max(g[1] for g in grids), len(each)
    return replace(each[0], words=[w for bound in each for w in bound.words], grid=grid).issued()


def apart(one: Launch, other: Launch) -> bool:
    """Whether neither changes what the other uses."""
    pairs = [(a, b) for x, y in ((one, other), (other, one)) for a in x.changed for b in y.arrays]
    return not any(np.may_share_memory(a, b) for a, b in pairs)


def generated(source: str, arrays: Sequence[Array], out: Array) -> Launch:
    """Bind a kernel `rule` of a source, whose table holds arrays in order, and what it makes."""
    return launch("rule", *(reads(array) for array in arrays), writes(out), source=source)


def _grid(array: Array, rows: bool) -> tuple[int, int, int]:
    """How many blocks share out what a replica has, replicas, and arrays, of which there is one."""
    replicas, height, width = (*array.shape, 1)[:3]
    if height * width >= 2**31:
        raise ValueError(f"an array of {height} by {width} is too large for the device's kernels")
    blocks = height if rows else -(-height * width // THREADS)
    return max(1, min(blocks, MOST_BLOCKS)), max(1, min(replicas, 65535)), 1


def _twins(arrays: Sequence[Array]) -> list[Twin]:
    return list(dict.fromkeys(device().twin(array) for array in arrays))
