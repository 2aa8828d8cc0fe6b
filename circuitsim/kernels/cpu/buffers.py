"""What only passes: one memory on a core for what its replicas make one after the other and leave to nobody.

Where replicas go through a stretch of a program one by one, activities that are made and used in that stretch alone
need no memory for each replica. A core has one, which stays in its cache; within it, what is no longer used makes room.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from circuitsim.kernels.cpu.program import Op

Array = np.ndarray
GRAIN = 64  # bytes: what is used together lies on cache lines of its own


@dataclass(frozen=True)
class Passing:
    """An array of which one replica's part is enough: bytes of a replica, and where in the memory they begin."""

    root: Array
    size: int
    place: int


def root(array: Array) -> Array:
    """The array that owns the memory of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def passing(ops: Sequence[Op], begin: int, end: int, kept: Collection[int]) -> list[Passing]:
    """The arrays that only pass through the ops from `begin` to before `end`; `kept` are the ids of others' roots."""
    uses: dict[int, list[int]] = {}
    roots: dict[int, Array] = {}
    for k, op in enumerate(ops):
        for operand in op.operands:
            owner = root(operand.array)
            roots[id(owner)] = owner
            uses.setdefault(id(owner), []).append(k)
    replicas = max(op.replicas for op in ops)
    found: list[tuple[Array, int, int, int]] = []
    for key, where in uses.items():
        if key not in kept and begin <= where[0] and where[-1] < end:
            size = _of_a_replica(roots[key], [ops[k] for k in where], replicas)
            if size and _made_first(roots[key], ops[where[0]]):
                found.append((roots[key], size, where[0], where[-1]))
    return _laid_out(found)


def _of_a_replica(owner: Array, ops: Sequence[Op], replicas: int) -> int:
    """Bytes from one replica's part to the next, in which all that ops use of a replica lies; 0 where it is not so."""
    sizes = set()
    for op in ops:
        for array in (o.array for o in op.operands if root(o.array) is owner):
            begins = array.ctypes.data - owner.ctypes.data
            each = zip(array.shape[1:], array.strides[1:], strict=True)
            reaches = begins + array.itemsize + sum((length - 1) * stride for length, stride in each)
            apart = op.by_replica and op.replicas == array.shape[0] == replicas > 1
            fits = min(array.strides) >= 0 and reaches <= array.strides[0]
            sizes.add(array.strides[0] if apart and fits else 0)
    return sizes.pop() if len(sizes) == 1 else 0


def _made_first(owner: Array, op: Op) -> bool:
    return all(o.written for o in op.operands if root(o.array) is owner)


def _laid_out(found: Sequence[tuple[Array, int, int, int]]) -> list[Passing]:
    """Each at the first place that is free from its first use to its last."""
    laid: list[tuple[int, int, int, int]] = []  # where it begins and ends, first and last use
    placed = []
    for owner, size, first, last in sorted(found, key=lambda row: row[2:]):
        room, place = -(-size // GRAIN) * GRAIN, 0
        for begins, ends, used, unused in sorted(laid):
            if used <= last and first <= unused and begins < place + room and place < ends:
                place = ends
        laid.append((place, place + room, first, last))
        placed.append(Passing(owner, size, place))
    return placed


def needed(arrays: Sequence[Passing]) -> int:
    """Bytes of memory that hold all of them."""
    return max((p.place + -(-p.size // GRAIN) * GRAIN for p in arrays), default=0)


def moved(op: Op, table: Array, arrays: Sequence[Passing], memory: Array) -> list[int]:
    """For each of an op's operands that only passes: the table's word for it, where replica 0 lies, bytes of each."""
    words, offset = [], 0
    at = {id(p.root): p for p in arrays}
    for operand in op.operands:
        one = at.get(id(root(operand.array)))
        if one:
            begins = operand.array.ctypes.data - one.root.ctypes.data
            words += [table.ctypes.data + 8 * offset, memory.ctypes.data + one.place + begins, one.size]
        offset += 1 + 2 * operand.array.ndim
    return words
