"""Stands in for CuPy where there is no device: the part of it that the engine uses, on the processor.

Kernels are compiled with g++ and run by `standin.cpp`; every index is checked. What is issued is only carried out when
somebody waits for it; memory of the device is not a number until it is written; what a real device would refuse while
a graph is captured is refused. It is for tests of what is computed: it says nothing of speed.
"""

from __future__ import annotations

import bisect
import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from circuitsim.errors import ConfigError
from circuitsim.kernels.gpu import device

HEADER, RUNNER = (Path(__file__).parent / f"standin.{kind}" for kind in ("h", "cpp"))
COMPILER = shutil.which("g++")
OPTIONS = ("-std=c++17", "-O1", "-shared", "-fPIC", "-w", "-U_FORTIFY_SOURCE", "-x", "c++")
real = device.driver
backwards = False  # whether blocks and threads run in the other order, which must make no difference


@cache
def missing() -> str | None:
    """Why neither a device nor its stand-in can be had; None where one can, which is then in use."""
    try:
        device.driver()
    except ConfigError:
        if COMPILER is None:
            return "neither a GPU with CuPy, nor g++ to stand in for it"
        try:
            library(RUNNER.read_text(), ())
        except (subprocess.CalledProcessError, OSError) as error:
            return f"no GPU with CuPy, and g++ cannot build what stands in for it: {error}"
        device.driver = driver
        device.device.cache_clear()
    return None


def stands_in() -> bool:
    """Whether kernels run on the processor."""
    return missing() is None and device.driver is driver


def each(*names: str, of: Sequence[Any] | None = None) -> list[Any]:
    """Backends as parameters of tests, or pairs of a setting and a backend.

    That of a device is marked `gpu`, and skipped, with the reason, where there is neither a device nor a stand-in.
    """
    on_device = [pytest.mark.gpu, pytest.mark.skipif(missing() is not None, reason=missing() or "")]
    marks = {name: on_device if name == "cupy" else [] for name in names}
    if of is None:
        return [pytest.param(name, marks=marks[name]) for name in names]
    return [pytest.param(s, name, id=f"{s.label}-{name}", marks=marks[name]) for name in names for s in of]


class DeviceMemory:
    """Allocations: blocks of the processor's memory that begin as what is not a number."""

    def __init__(self) -> None:
        self.blocks: dict[int, np.ndarray] = {}
        self.begins: list[int] = []  # their addresses, in order

    def malloc(self, size: int) -> int:
        stream.refuse_capture("an allocation")
        block = np.full(size, 0xFF, np.uint8)
        self.blocks[block.ctypes.data] = block
        bisect.insort(self.begins, block.ctypes.data)
        return block.ctypes.data

    def free(self, address: int) -> None:
        stream.refuse_capture("freeing memory")
        stream.synchronize()
        del self.blocks[address]
        self.begins.remove(address)

    def held(self, address: int, size: int) -> None:
        """Refuse what is not within one allocation."""
        place = bisect.bisect(self.begins, address)
        begin = self.begins[place - 1] if place else 0
        if not place or address + size > begin + self.blocks[begin].size:
            raise RuntimeError(f"{size} bytes at {address} are in no allocation")


class Stream:
    """Work in its order, carried out when somebody waits for it; or captured as a graph."""

    ptr = 1

    def __init__(self) -> None:
        self.queue: list[Callable[[], None]] = []
        self.captured: list[Callable[[], None]] | None = None
        self.replays = 0

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def issue(self, work: Callable[[], None]) -> None:
        (self.queue if self.captured is None else self.captured).append(work)

    def synchronize(self) -> None:
        self.refuse_capture("waiting")
        work, self.queue = self.queue, []
        for one in work:
            one()

    def begin_capture(self) -> None:
        self.refuse_capture("a capture")
        self.captured = []

    def end_capture(self) -> Any:
        work, self.captured = self.captured, None
        assert work is not None

        def launch(on: Stream) -> None:
            on.replays += 1
            for one in work:
                on.issue(one)

        return SimpleNamespace(launch=launch)

    def refuse_capture(self, what: str) -> None:
        if self.captured is not None:
            raise RuntimeError(f"{what} while a graph is captured")


memory, stream = DeviceMemory(), Stream()
TO_DEVICE, TO_HOST = 1, 2


def copy(target: int, source: int, size: int, kind: int, on: int) -> None:
    """The host's memory is read at once and written when all is done, as with memory that is not pinned."""
    assert on == stream.ptr
    stream.refuse_capture("a copy")
    if kind == TO_HOST:
        memory.held(source, size)
        stream.synchronize()
        ctypes.memmove(target, source, size)
    else:
        memory.held(target, size)
        taken = ctypes.string_at(source, size)
        stream.issue(lambda: ctypes.memmove(target, taken, size))


class RawModule:
    """Kernels compiled for the processor."""

    def __init__(self, code: str, options: tuple[str, ...]) -> None:
        self.runner, self.launched = library(RUNNER.read_text(), ()), set[str]()
        called = 'extern "C" void call(void (*kernel)(Table), const Table *t) { kernel(*t); }'
        defines = tuple(option for option in options if option.startswith("-D"))
        self.library = library(f'#include "standin.h"\n{code}\n{called}\n', defines)

    def get_function(self, name: str) -> Callable[..., None]:
        how, function = (ctypes.cast(getattr(self.library, n), ctypes.c_void_p) for n in ("call", name))

        def call(grid: tuple[int, int, int], block: tuple[int], args: tuple[np.ndarray]) -> None:
            if name not in self.launched:
                stream.refuse_capture(f"the first launch of {name}")
                self.launched.add(name)
            (table,) = (a.copy() for a in args)  # arguments are taken when the launch is issued
            shape = np.array([*grid, *block], np.uint32)

            def work() -> None:
                places = (ctypes.c_void_p(a.ctypes.data) for a in (shape, table))
                failed = self.runner.launch(how, function, *places, int(backwards))
                if failed:
                    raise RuntimeError(f"kernel {name}: {('', 'an index beyond its array', 'threads apart')[failed]}")

            stream.issue(work)

        return call


@cache
def library(source: str, defines: tuple[str, ...]) -> ctypes.CDLL:
    """What a source compiles to, kept among temporary files under a name that changes with it."""
    known = repr((source, HEADER.read_text(), OPTIONS, defines))
    folder = Path(tempfile.gettempdir()) / f"circuitsim-standin-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    path = folder / hashlib.sha256(known.encode()).hexdigest()[:24]
    if not path.exists():
        made = folder / f"{path.name}.{os.getpid()}"
        command = [str(COMPILER), *OPTIONS, f"-I{HEADER.parent}", *defines, "-o", made, "-"]
        subprocess.run(command, input=source.encode(), check=True)
        made.replace(path)  # whole or not at all: another process may be loading it
    return ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL if RUNNER.read_text() == source else ctypes.DEFAULT_MODE)


def gemm(kind: Any) -> Callable[..., None]:
    """BLAS's product of matrices that lie by columns, many at once; every one must lie within an allocation."""
    width = np.dtype(kind).itemsize

    def matrix(address: int, rows: int, columns: int, leading: int) -> np.ndarray:
        assert leading >= max(1, rows), "the leading dimension is less than a column"
        size = (columns - 1) * leading + rows
        memory.held(address, size * width)
        numbers = np.ctypeslib.as_array((np.ctypeslib.as_ctypes_type(kind) * size).from_address(address))
        return np.lib.stride_tricks.as_strided(numbers, (rows, columns), (width, leading * width))

    def product(handle: int, turn_a: int, turn_b: int, m: int, n: int, k: int, alpha: int, a: int, lda: int,
                step_a: int, b: int, ldb: int, step_b: int, beta: int, c: int, ldc: int, step_c: int,
                count: int) -> None:  # fmt: skip
        scales = [float(np.ctypeslib.as_array((np.ctypeslib.as_ctypes_type(kind) * 1).from_address(s))[0])
                  for s in (alpha, beta)]  # fmt: skip

        def work() -> None:
            for r in range(count):
                left = matrix(a + r * step_a * width, *((k, m) if turn_a else (m, k)), lda)
                right = matrix(b + r * step_b * width, *((n, k) if turn_b else (k, n)), ldb)
                into = matrix(c + r * step_c * width, m, n, ldc)
                made = scales[0] * ((left.T if turn_a else left) @ (right.T if turn_b else right))
                into[...] = made + scales[1] * into if scales[1] else made

        stream.issue(work)

    return product


def driver() -> Any:
    """What the engine uses of CuPy."""
    runtime = SimpleNamespace(
        malloc=memory.malloc,
        free=memory.free,
        memcpyAsync=copy,
        memcpyHostToDevice=TO_DEVICE,
        memcpyDeviceToHost=TO_HOST,
    )
    cublas = SimpleNamespace(
        create=lambda: 7, sgemmStridedBatched=gemm(np.float32), dgemmStridedBatched=gemm(np.float64)
    )
    cuda = SimpleNamespace(runtime=runtime, cublas=cublas, Stream=lambda non_blocking: stream)
    return SimpleNamespace(cuda=cuda, RawModule=RawModule)
