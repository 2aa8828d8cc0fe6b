"""Launches: kernels bound to their operands, as steps.

A launch called by itself uploads its arrays and downloads its results, so audits can read and change arrays between
steps. In a program (`graphs.py`) results stay on the device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from circuitsim.kernels.gpu.device import SLOT, THREADS, DeviceBuffer, device, text
from circuitsim.kernels.steps import Step

Array = np.ndarray
FEW = 10  # operands of most kernels, at most
MOST_BLOCKS = 1024  # for each replica; larger arrays are processed in strides
SEVERAL = {"guard": 4, "apply": 9}
"""Kernels that serve several arrays in one launch, and the number of operands for each."""
LINKED = (
    "window_forward", "window_backward", "window_outer", "listed_deliver", "listed_outer", "largest", "winners",
    "signed_flat", "spread", "group_squares", "group_bound",
)  # fmt: skip
"""Kernels of `links.cu`, of synapses that are not dense."""
MOST = 8  # arrays of these in one launch: the table must stay below 4096 bytes


@dataclass(frozen=True)
class Bound:
    """A kernel with its table and its grid of blocks: within a replica, replicas, arrays."""

    kernel: Callable[..., None]
    name: tuple[str, str]  # and its floating-point type
    words: list[int]
    room: int
    grid: tuple[int, int, int]

    def issued(self) -> Callable[[], None]:
        """Return a function that launches the kernel."""
        table = np.zeros((), [("words", np.int64, (self.room,))])  # an argument that is passed by value
        table["words"][: len(self.words)] = self.words
        return lambda: self.kernel(self.grid, (THREADS,), (table,))


class Launch:
    """Work for the device, and the arrays that it uses.

    Parameters
    ----------
    issue : function that issues the work; it neither allocates nor waits.
    arrays : all arrays used. written : arrays changed. given : arrays that change by announcement alone: the data.
    keeps : True if it changes what outlives a presentation: guards are checked before.
    timed : True if the result depends on the number of the presentation.
    bound : the kernel, if the work is one.
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
        self.buffers, self.written = _buffers(arrays), _buffers(written)

    def __call__(self) -> None:
        with device().working():
            for buffer in self.buffers:
                buffer.to_host()
                buffer.host_newer = True  # Python code may have changed it
                buffer.to_device()
            self.issue()
            for buffer in self.written:
                buffer.device_newer = True
                buffer.to_host()
            self._done()
        for buffer in self.buffers:
            buffer.host_newer = True

    def _done(self) -> None:
        """Finish a launch that was called by itself."""


class GuardLaunch(Launch):
    """A launch that halts the device where increments may be too large, and the alarm to call then."""

    def __init__(self, found: Launch, alarm: Step) -> None:
        super().__init__(found.issue, found.arrays, [], bound=found.bound)
        self.alarm = alarm

    def _done(self) -> None:
        if device().stopped():
            self.alarm()


class OnHost:
    """A Python step between programs, and the arrays that it may read and change."""

    def __init__(self, step: Step, arrays: Iterable[Array]) -> None:
        self.step, self.arrays = step, list(arrays)

    def __call__(self) -> None:
        with device().lock:
            device().to_host(self.arrays, change=True)
            self.step()


class LaunchOperand:
    """Argument of a kernel: an array (up to three axes, the first is replicas), a number, or None."""

    def __init__(self, value: Array | float | None, *, written: bool = False, given: bool = False) -> None:
        self.value, self.written, self.given = value, written, given

    def words(self) -> list[int]:
        """Return its slot in the kernel's table."""
        if self.value is None:
            return [0] * SLOT
        if not isinstance(self.value, np.ndarray):
            return [int(np.array(self.value, np.float64).view(np.int64)), *[0] * (SLOT - 1)]
        shape, strides = self.value.shape, tuple(s // self.value.itemsize for s in self.value.strides)
        rest = 3 - len(shape)
        first = 0 if shape[0] == 1 else strides[0]
        return [device().address(self.value), *shape, *[1] * rest, first, *strides[1:], *[0] * rest]


def reads(array: Array | None) -> LaunchOperand:
    """Operand that is read, or absent."""
    return LaunchOperand(array)


def writes(array: Array | None) -> LaunchOperand:
    """Operand that is changed, or absent."""
    return LaunchOperand(array, written=True)


def given(array: Array) -> LaunchOperand:
    """Operand that is part of the data."""
    return LaunchOperand(array, given=True)


def launch(
    name: str,
    *operands: LaunchOperand,
    over: Array | None = None,
    rows: bool = False,
    source: str | None = None,
    kind: Array | None = None,
    keeps: bool = False,
    timed: bool = False,
) -> Launch:
    """Bind a kernel.

    Parameters
    ----------
    name : kernel. operands : in the kernel's order; kernels that keep have the halt flag first.
    over : array whose elements, or rows with `rows`, the blocks share; None: the last operand.
    source : source of the kernel; None: the engine's. kind : array of the kernel's type; None: that of `over`.
    keeps, timed : see `Launch`.
    """
    last = operands[-1].value if over is None else over
    assert isinstance(last, np.ndarray)
    arrays = [o.value for o in operands if isinstance(o.value, np.ndarray)]
    words = [word for operand in operands for word in operand.words()]
    if name in SEVERAL:
        source, room = text("several.cu"), SLOT * MOST * max(SEVERAL.values())
    else:
        room = SLOT * (len(operands) if source else FEW)
    real = (last if kind is None else kind).dtype
    number = real.name if real.kind == "f" else "float32"
    source = source or text("links.cu" if name in LINKED else "device.cu")
    kernel = device().kernel(name, number, source, room)
    bound = Bound(kernel, (name, number), words, room, _grid(last, rows))
    return Launch(
        bound.issued(),
        arrays,
        [o.value for o in operands if o.written and isinstance(o.value, np.ndarray)],
        keeps=keeps,
        timed=timed,
        given=[o.value for o in operands if o.given and isinstance(o.value, np.ndarray)],
        bound=bound,
    )


def joined(launches: Sequence[Launch]) -> Callable[[], None]:
    """Return a function that issues launches of one kernel as a single launch."""
    each = [launch.bound for launch in launches if launch.bound]
    grids = [bound.grid for bound in each]
    grid = max(g[0] for g in grids), max(g[1] for g in grids), len(each)
    return replace(each[0], words=[w for bound in each for w in bound.words], grid=grid).issued()


def independent(one: Launch, other: Launch) -> bool:
    """Return True if neither launch changes what the other uses."""
    pairs = [(a, b) for x, y in ((one, other), (other, one)) for a in x.changed for b in y.arrays]
    return not any(np.may_share_memory(a, b) for a, b in pairs)


def generated(source: str, arrays: Sequence[Array], out: Array) -> Launch:
    """Bind a kernel `rule` of a source, whose table holds the arrays in order, then the result."""
    return launch("rule", *(reads(array) for array in arrays), writes(out), source=source)


def _grid(array: Array, rows: bool) -> tuple[int, int, int]:
    """Return the number of blocks within a replica, of replicas, and of arrays (one)."""
    replicas, height, width = (*array.shape, 1)[:3]
    if height * width >= 2**31:
        raise ValueError(f"an array of {height} by {width} is too large for the device's kernels")
    blocks = height if rows else -(-height * width // THREADS)
    return max(1, min(blocks, MOST_BLOCKS)), max(1, min(replicas, 65535)), 1


def _buffers(arrays: Sequence[Array]) -> list[DeviceBuffer]:
    return list(dict.fromkeys(device().buffer(array) for array in arrays))


def product(a: Array, b: Array, c: Array, *, accumulate: bool) -> Launch:
    """Bind a product of matrices, c (+)= a b."""
    return Launch(device().multiply(a, b, c, accumulate=accumulate), [a, b, c], [c])


def outer(post: Array, pre: Array, target: Array) -> Step:
    """target[r, i, j] = sum_b post[r, b, i] pre[r, b, j]."""
    if target.shape[2] == 1:
        return launch("sums", reads(post), reads(pre), writes(target))
    return product(post.transpose(0, 2, 1), pre, target, accumulate=False)
