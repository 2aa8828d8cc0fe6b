"""Which line of Python code changes an array: code is followed line by line, and the array looked at after each."""

from __future__ import annotations

import linecache
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import circuitsim
from circuitsim.locality import Key

# a line in one of these says nothing of the user's code
_LIBRARIES = (
    *(sysconfig.get_paths()[key] for key in ("stdlib", "purelib", "platlib")),
    str(Path(circuitsim.__file__).parent),
)

_OWN = (__file__, str(Path(__file__).with_name("hooks.py")))


class Watch:
    """Follows Python code line by line and notes which line changed which array."""

    def __init__(self, arrays: Mapping[Key, np.ndarray]) -> None:
        self._arrays, self.lines = arrays, dict[Key, str]()
        self._last = {key: array.copy() for key, array in arrays.items()}
        self._at = ""

    def trace(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        """What `sys.settrace` calls."""
        name = frame.f_code.co_filename
        if name.startswith(_LIBRARIES) or name in _OWN:
            return None
        self.look()
        line = frame.f_lineno
        source = linecache.getline(name, line).strip()
        self._at = f"line {line}" + (f": {source}" if source else "")
        return self.trace

    def look(self) -> None:
        """Charge what has changed since the last look to the line that was running."""
        for key, array in self._arrays.items():
            if not np.array_equal(array, self._last[key]):
                self.lines[key] = self._at
                self._last[key] = array.copy()
