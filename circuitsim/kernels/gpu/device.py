"""The device: one stream, allocations, compiled kernels, matrix products and captured graphs.

All uses of CuPy are here. Arrays stay on the host. The memory block of an array that kernels use has a `DeviceBuffer`,
which all views of the block share.
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
from circuitsim.kernels.cpu.operands import root

Array = np.ndarray
THREADS = 128  # of a block; reductions need a power of two
SLOT = 7  # words of an operand in a kernel's table: address, shape, strides
REALS = {"float32": "float", "float64": "double"}


def driver() -> Any:
    """Return CuPy, a module with `cuda` and `RawModule`; ConfigError if it or a device is missing."""
    try:
        import cupy

        devices = cupy.cuda.runtime.getDeviceCount()
    except ImportError as error:
        raise _refused(f"no CuPy ({error})", "CuPy for this machine's CUDA", _INSTALL) from None
    except Exception as error:  # CuPy's errors have no common base to name without CuPy
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
    """Return the device, opened at the first call; ConfigError if it cannot be opened."""
    found = driver()
    try:
        return Device(found)
    except Exception as error:  # a library that CuPy loads late, or a driver that does not fit it
        raise _refused(f"a device that cannot be used ({error})", "CUDA's libraries and driver", _INSTALL) from None


class DeviceBuffer:
    """A block of host memory and its copy on the device. `host_newer` and `device_newer` are never both set."""

    def __init__(self, owner: Device, block: Array) -> None:
        self._owner = owner
        self.low, high = np.lib.array_utils.byte_bounds(block)
        self.size = high - self.low
        self.address = owner.allocate(max(self.size, 1))
        self.host_newer, self.device_newer = True, False

    def to_device(self) -> None:
        """Copy to the device if the host is newer."""
        if self.host_newer:
            self._owner.upload(self.address, self.low, self.size)
            self.host_newer = False

    def to_host(self) -> None:
        """Copy to the host if the device is newer."""
        if self.device_newer:
            self._owner.download(self.low, self.address, self.size)
            self.device_newer = False


class Device:
    """One device and its buffers; `driver` is CuPy or its stand-in."""

    def __init__(self, driver: Any) -> None:
        self._driver, self._runtime, self._cublas = driver, driver.cuda.runtime, driver.cuda.cublas
        self.stream = driver.cuda.Stream(non_blocking=True)
        self.lock = threading.RLock()  # one stream for all of the user's threads
        self._handle = self._cublas.create()
        self._modules: dict[tuple[str, str, int], Any] = {}
        self._buffers: dict[int, DeviceBuffer] = {}
        self._unused: list[int] = []  # allocations to free
        self._ones = {name: np.array([1], name) for name in REALS}
        self._zeros = {name: np.array([0], name) for name in REALS}
        self.halted = np.zeros(1, np.int64)  # set on the device by a guard
        self._halt = self.buffer(self.halted)
        self._halt.to_device()

    # ------------------------------------------------------------------------------------------------------ memory

    def allocate(self, size: int) -> int:
        """Allocate bytes and return their address."""
        while self._unused:  # freeing is not allowed while a graph is captured
            self._runtime.free(self._unused.pop())
        return int(self._runtime.malloc(size))

    def upload(self, address: int, source: int, size: int) -> None:
        """Copy bytes from the host, in the stream's order."""
        self._runtime.memcpyAsync(address, source, size, self._runtime.memcpyHostToDevice, self.stream.ptr)

    def download(self, target: int, address: int, size: int) -> None:
        """Copy bytes to the host once all issued work is done."""
        self._runtime.memcpyAsync(target, address, size, self._runtime.memcpyDeviceToHost, self.stream.ptr)
        self.stream.synchronize()

    def buffer(self, array: Array) -> DeviceBuffer:
        """Return the buffer of an array's block, made at the first call and freed with the block."""
        block = root(array)
        with self.lock:  # no allocation while another thread captures
            if id(block) not in self._buffers:
                self._buffers[id(block)] = DeviceBuffer(self, block)
                weakref.finalize(block, self._forget, id(block))
            return self._buffers[id(block)]

    def _forget(self, key: int) -> None:
        self._unused.append(self._buffers.pop(key).address)

    def address(self, array: Array) -> int:
        """Return the address of an array on the device."""
        buffer = self.buffer(array)
        return int(buffer.address + array.ctypes.data - buffer.low)

    def to_host(self, arrays: Iterable[Array], *, change: bool = False) -> None:
        """Copy arrays to the host; writeable ones, or all with `change`, count as newer there."""
        for array in arrays:
            buffer = self._buffers.get(id(root(array)))
            if buffer is not None:
                buffer.to_host()
                buffer.host_newer |= change or array.flags.writeable

    def stopped(self) -> bool:
        """Return True if a guard has halted the issued work, and clear the halt."""
        self._halt.host_newer, self._halt.device_newer = False, True
        self._halt.to_host()
        halted = bool(self.halted[0])
        self.halted[0] = 0
        self._halt.host_newer = halted
        self._halt.to_device()
        return halted

    # ----------------------------------------------------------------------------------------------------- kernels

    def kernel(self, name: str, dtype: str, source: str, words: int) -> Callable[..., None]:
        """Return a kernel of a source, for a floating-point type and a table size in words."""
        key = (source, dtype, words)
        if key not in self._modules:
            options = (f"-DREAL={REALS[dtype]}", f"-DTHREADS={THREADS}", f"-DWORDS={words}")
            self._modules[key] = self._driver.RawModule(code=text("device.cuh") + source, options=options)
        return self._modules[key].get_function(name)  # type: ignore[no-any-return]

    def multiply(self, a: Array, b: Array, c: Array, *, accumulate: bool) -> Callable[[], None]:
        """Return a function that issues c = a b, or c += a b: (replica or 1, m, k), (…, k, n), (replica, m, n).

        The rows of c are contiguous. BLAS is column-major: it computes the transposes, c' = b' a'."""
        dtype = c.dtype.name
        function = getattr(self._cublas, {"float32": "sgemm", "float64": "dgemm"}[dtype] + "StridedBatched")
        (replicas, m, n), k = c.shape, a.shape[2]
        one, kept = self._ones[dtype], self._ones[dtype] if accumulate else self._zeros[dtype]
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
        """Hold the lock and issue to the device's stream."""
        with self.lock, self.stream:
            yield

    def capture(self, issue: Callable[[], None]) -> Callable[[], None]:
        """Capture what `issue` issues and return a function that launches the graph.

        It must have been issued once before, so that kernels are compiled and libraries have their memory."""
        self.stream.begin_capture()
        try:
            issue()
        finally:
            graph = self.stream.end_capture()
        return lambda: graph.launch(self.stream)


def _layout(x: Array) -> tuple[int, int, int]:
    """Return BLAS's view of matrices (replica or 1, p, q): transposed, leading dimension, stride."""
    step, row, column = (s // x.itemsize for s in x.strides)
    _, p, q = x.shape
    turned = q > 1 and column != 1
    if turned and p > 1 and row != 1:
        raise ValueError("a matrix must have its rows or its columns in one piece")
    return int(turned), max(column, p) if turned else max(row, q), 0 if x.shape[0] == 1 else step


@cache
def text(name: str) -> str:
    """Return the text of a source file of this folder."""
    return (Path(__file__).parent / name).read_text()
