"""The device: one stream of work, plain allocations, compiled kernels, products, and graphs of what was captured.

All that the engine asks of CuPy is here. Arrays stay on the host; those that kernels work on have a `Twin` on the
device, of the memory block that a view belongs to, so that views of one block share one twin.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from circuitsim.errors import ConfigError
from circuitsim.kernels.cpu.buffers import root

Array = np.ndarray
THREADS = 128  # of a block; the kernels' reductions need a power of two
SLOT = 7  # words of an operand in a kernel's table: where it begins, its shape, its strides
REALS = {"float32": "float", "float64": "double"}


def driver() -> Any:
    """CuPy, as a module with `cuda` and `RawModule`; ConfigError where it or a device is missing."""
    try:
        import cupy

        devices = cupy.cuda.runtime.getDeviceCount()
    except ImportError as error:
        raise _refused(f"no CuPy ({error})", "CuPy for this machine's CUDA", _INSTALL) from None
    except Exception as error:  # CuPy's own errors have no base that could be named without it
        raise _refused(f"no device ({error})", "an NVIDIA GPU and its driver", _ELSEWHERE) from None
    if not devices:
        raise _refused("no device", "an NVIDIA GPU and its driver", _ELSEWHERE)
    return cupy


_INSTALL = "Install it (pip install 'circuitsim[gpu]' for CUDA 13), or choose numba."
_ELSEWHERE = "Run where there is one, or choose numba."


def _refused(got: str, expected: str, remedy: str) -> ConfigError:
    return ConfigError("backend 'cupy'", got=got, expected=expected, remedy=remedy)


@cache
def device() -> Device:
    """The device, opened when first asked for; ConfigError where it cannot be."""
    found = driver()
    try:
        return Device(found)
    except Exception as error:  # a library that CuPy loads only now, or a driver that does not fit it
        raise _refused(f"a device that cannot be used ({error})", "CUDA's libraries and driver", _INSTALL) from None


class Twin:
    """A block of host memory and its like on the device; which of the two is newer.

    `host_newer` and `device_newer` are never both set.
    """

    def __init__(self, owner: Device, block: Array) -> None:
        self._owner = owner
        self.low, high = np.lib.array_utils.byte_bounds(block)
        self.size = high - self.low
        self.address = owner.allocate(max(self.size, 1))
        self.host_newer, self.device_newer = True, False

    def settle(self) -> None:
        """Bring the device up to date."""
        if self.host_newer:
            self._owner.upload(self.address, self.low, self.size)
            self.host_newer = False

    def home(self) -> None:
        """Bring the host up to date."""
        if self.device_newer:
            self._owner.download(self.low, self.address, self.size)
            self.device_newer = False


class Device:
    """One device and all that is on it.

    Parameters
    ----------
    driver : CuPy, or what stands in for it.
    """

    def __init__(self, driver: Any) -> None:
        self._driver, self._runtime, self._cublas = driver, driver.cuda.runtime, driver.cuda.cublas
        self.stream = driver.cuda.Stream(non_blocking=True)
        self.lock = threading.RLock()  # one stream, whichever thread of the user's asks
        self._handle = self._cublas.create()
        self._modules: dict[tuple[str, str, int], Any] = {}
        self._twins: dict[int, Twin] = {}
        self._left: list[int] = []  # allocations that nobody uses any more
        self._ones = {name: np.array([1], name) for name in REALS}
        self._noughts = {name: np.array([0], name) for name in REALS}
        self.halted = np.zeros(1, np.int64)  # set on the device by a guard
        self._halt = self.twin(self.halted)
        self._halt.settle()

    # ------------------------------------------------------------------------------------------------------ memory

    def allocate(self, size: int) -> int:
        """The address of a new block of so many bytes."""
        while self._left:  # not where they were let go: that may be while a graph is captured
            self._runtime.free(self._left.pop())
        return int(self._runtime.malloc(size))

    def upload(self, address: int, source: int, size: int) -> None:
        """Copy bytes from the host, in the stream's order."""
        self._runtime.memcpyAsync(address, source, size, self._runtime.memcpyHostToDevice, self.stream.ptr)

    def download(self, target: int, address: int, size: int) -> None:
        """Copy bytes to the host when all that was issued is done."""
        self._runtime.memcpyAsync(target, address, size, self._runtime.memcpyDeviceToHost, self.stream.ptr)
        self.stream.synchronize()

    def twin(self, array: Array) -> Twin:
        """The twin of the block that an array is in, made when first asked for; it goes when the block goes."""
        block = root(array)
        with self.lock:  # no allocation while another thread captures
            if id(block) not in self._twins:
                self._twins[id(block)] = Twin(self, block)
                weakref.finalize(block, self._forget, id(block))
            return self._twins[id(block)]

    def _forget(self, key: int) -> None:
        self._left.append(self._twins.pop(key).address)

    def address(self, array: Array) -> int:
        """Where an array begins on the device."""
        twin = self.twin(array)
        return int(twin.address + array.ctypes.data - twin.low)

    def home(self, arrays: Iterable[Array], *, change: bool = False) -> None:
        """Bring arrays up to date on the host; those writeable, or all where they `change`, may differ then."""
        for array in arrays:
            twin = self._twins.get(id(root(array)))
            if twin is not None:
                twin.home()
                twin.host_newer |= change or array.flags.writeable

    def stopped(self) -> bool:
        """Whether a guard has halted what was issued; lets it go on."""
        self._halt.host_newer, self._halt.device_newer = False, True
        self._halt.home()
        halted = bool(self.halted[0])
        self.halted[0] = 0
        self._halt.host_newer = halted
        self._halt.settle()
        return halted

    # ----------------------------------------------------------------------------------------------------- kernels

    def kernel(self, name: str, dtype: str, source: str, words: int) -> Callable[..., None]:
        """A kernel of a source, for a floating-point type and tables of so many words."""
        key = (source, dtype, words)
        if key not in self._modules:
            options = (f"-DREAL={REALS[dtype]}", f"-DTHREADS={THREADS}", f"-DWORDS={words}")
            self._modules[key] = self._driver.RawModule(code=text("device.cuh") + source, options=options)
        return self._modules[key].get_function(name)  # type: ignore[no-any-return]

    def multiply(self, a: Array, b: Array, c: Array, *, accumulate: bool) -> Callable[[], None]:
        """What issues c = a b, or c += a b: (replica or 1, m, k), (…, k, n), (replica, m, n), c with its rows in one
        piece. BLAS counts by columns: it is told the transposes, c' = b' a'."""
        dtype = c.dtype.name
        function = getattr(self._cublas, {"float32": "sgemm", "float64": "dgemm"}[dtype] + "StridedBatched")
        (replicas, m, n), k = c.shape, a.shape[2]
        one, kept = self._ones[dtype], self._ones[dtype] if accumulate else self._noughts[dtype]
        turn_a, lda, step_a = _layout(a)
        turn_b, ldb, step_b = _layout(b)
        turn_c, ldc, step_c = _layout(c)
        if turn_c:
            raise ValueError("a product goes into rows that lie in one piece")
        places = [self.address(x) for x in (b, a, c)]
        sizes = self._handle, turn_b, turn_a, n, m, k
        left = one.ctypes.data, places[0], ldb, step_b, places[1], lda, step_a
        right = kept.ctypes.data, places[2], ldc, step_c, replicas
        return lambda: function(*sizes, *left, *right)

    # ------------------------------------------------------------------------------------------------------ graphs

    @contextmanager
    def working(self) -> Iterator[None]:
        """Issue to the device's own stream."""
        with self.lock, self.stream:
            yield

    def capture(self, issue: Callable[[], None]) -> Callable[[], None]:
        """What issues, as one graph, all that a function issues, which must have been issued before: kernels are
        compiled then, and libraries have the memory that they want."""
        self.stream.begin_capture()
        try:
            issue()
        finally:
            graph = self.stream.end_capture()
        return lambda: graph.launch(self.stream)


def _layout(x: Array) -> tuple[int, int, int]:
    """How BLAS is told of matrices (replica or 1, p, q): whether they lie by columns, leading dimension, stride."""
    step, row, column = (s // x.itemsize for s in x.strides)
    _, p, q = x.shape
    turned = q > 1 and column != 1
    if turned and p > 1 and row != 1:
        raise ValueError("a matrix must have its rows or its columns in one piece")
    return int(turned), max(column, p) if turned else max(row, q), 0 if x.shape[0] == 1 else step


@cache
def text(name: str) -> str:
    """A source that lies beside this one."""
    return (Path(__file__).parent / name).read_text()
