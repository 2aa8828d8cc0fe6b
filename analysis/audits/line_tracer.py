"""Find the line of Python code that changes an array by comparing the array after every line."""

from __future__ import annotations

import linecache
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from circuitsim import errors
from circuitsim.locality import Key

_LIBRARIES = (  # lines in these files are not the user's code
    "<frozen ",  # the standard library's modules that Python has inside it
    *(sysconfig.get_paths()[key] for key in ("stdlib", "purelib", "platlib")),
    *(str(Path(str(package.__file__)).parent) for package in (errors, np)),
)

_OWN = str(Path(__file__).parents[1])  # this package's audits


class LineTracer:
    """Record the last line of Python code that changed each array."""

    def __init__(self, arrays: Mapping[Key, np.ndarray]) -> None:
        self._arrays, self.lines = arrays, dict[Key, str]()
        self._last = {key: array.copy() for key, array in arrays.items()}
        self._at = ""

    def trace(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        """Compare the arrays before each line; the function for `sys.settrace`."""
        name = frame.f_code.co_filename
        if name.startswith((*_LIBRARIES, _OWN)):
            return None
        self.compare()
        line = frame.f_lineno
        source = linecache.getline(name, line).strip()
        self._at = f"line {line}" + (f": {source}" if source else "")
        return self.trace

    def compare(self) -> None:
        """Attribute every change since the last comparison to the line that ran."""
        for key, array in self._arrays.items():
            if not np.array_equal(array, self._last[key]):
                self.lines[key] = self._at
                self._last[key] = array.copy()
