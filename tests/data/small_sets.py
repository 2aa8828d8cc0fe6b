"""Made-up files in the published formats, and their pinned checksums."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import numpy as np

from circuitsim.data.registry import PinnedFile


def idx_bytes(array: np.ndarray[Any, Any]) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def md5(data: bytes) -> str:
    return "md5:" + hashlib.md5(data).hexdigest()


def pinned(name: str, data: bytes, packed: bytes | None = None) -> PinnedFile:
    return PinnedFile(name, md5(data), len(data), None if packed is None else md5(packed))
