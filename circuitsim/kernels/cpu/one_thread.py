"""One thread a product of OpenBLAS while programs run: their number decides the last bits of a product."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from functools import cache

from circuitsim.kernels.cpu.providers import openblas_library


@cache
def setter() -> Callable[[int], int]:
    """Return the function that sets how many threads OpenBLAS uses and returns how many there were.

    Where there is none it does nothing: then the library decides by itself.
    """
    library = openblas_library()
    plain = "openblas_set_num_threads_local"
    for name in (f"scipy_{plain}", plain, f"scipy_{plain}64_", f"{plain}64_"):
        function = getattr(ctypes.CDLL(library.filepath), name, None) if library else None
        if function is not None:
            found: Callable[[int], int] = function
            return found
    return lambda count: count


class OneThread:
    """Hold OpenBLAS to one thread a product for as long as any program runs.

    The number of threads decides the last bits of a product. It is set before the first part of a program may begin,
    and given back after the last part of the last program has ended.
    """

    def __init__(self) -> None:
        self._lock, self._running, self._before = threading.Lock(), 0, 1

    def __enter__(self) -> None:
        with self._lock:
            if not self._running:
                self._before = setter()(1)
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running -= 1
            if not self._running:
                setter()(self._before)

    def forget(self) -> None:
        """Begin anew in a forked process, which has none of the programs that ran."""
        self._lock, self._running = threading.Lock(), 0


one_thread = OneThread()
os.register_at_fork(after_in_child=one_thread.forget)
