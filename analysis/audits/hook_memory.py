"""All memory that a hook can change or depend on: the simulator's, and what the hook keeps of examples and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import numpy as np

from circuitsim.analysis.audits.forked import forked
from circuitsim.analysis.audits.memory import Array, Draw, MemoryBlocks
from circuitsim.analysis.audits.scene import Scene, parameter_keys
from circuitsim.analysis.tracing.dataflow import address_text
from circuitsim.engine.hooks import Hook, Tensors
from circuitsim.engine.reach import Reach, Slot, reach_of
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import Key

IMAGES = (None, Draw.ORDINARY, Draw.ROUGH, Draw.LARGE, Draw.SMALL, Draw.ROUGH, Draw.ORDINARY, Draw.LARGE)
OTHERS = (Draw.ORDINARY, Draw.LARGE, Draw.ORDINARY, Draw.ROUGH, Draw.LARGE, Draw.ORDINARY, Draw.ROUGH, Draw.SMALL)
LISTED, NUMBERS = ("hook", "labels in a list", None), ("hook", "numbers", None)
HUGE = 2_000_000  # elements of an array of which there are two states only
MANY = 200_000  # numbers in memory above which a state lasts for several calls
PROBES = 100  # calls in which a hook shows which numbers it changes itself


def name_of(key: Key) -> str:
    """Return the name of an array, for messages."""
    if key == NUMBERS:
        return "a number that other code gave to the hook"
    if key[0] == "hook":
        return f"{key[1].partition(' ')[0]} of the hook's own"
    data: dict[Key, str] = {("data", "x", None): "the data", ("data", "y", None): "the labels"}
    return data.get(key) or address_text(key)


class HookMemory:
    """The memory of a simulator and of one hook, restored at the end of the context.

    Attributes
    ----------
    blocks : the memory. scene : the simulator's arrays, without row numbers and what is the hook's own.
    images, others : values of all blocks, to hold and to put in the place of forbidden memory, image by image.
    given : places of numbers that the hook keeps of labels, or that other code gives it, by block.
    """

    def __init__(self, simulator: Simulator, hook: Hook, random: np.random.Generator) -> None:
        bound = simulator.bound_plan(simulator.batch)
        known = dict(bound.arrays)
        reach = reach_of(hook.function)
        slots = {LISTED: _listed(known, reach), NUMBERS: _given(hook, simulator, reach)}
        arrays = {**known, ("data", "rows", None): bound.rows, **_copies(known, reach)}
        arrays |= {key: np.array([slot.get() for slot in found]) for key, found in slots.items() if found}
        self._frozen = _thawed(arrays.values())
        self.blocks = MemoryBlocks(arrays, _below(simulator, arrays), random, _one_hot(simulator))
        self.given = {self.blocks.of[key]: found for key, found in slots.items() if found}
        activity = {key: 0 for key in known if key[2] is not None}
        self.scene = Scene(simulator.circuit, known, activity, parameter_keys(known))
        self._before = self.blocks.copy()
        self._large = {b for b, block in enumerate(self.blocks.blocks) if block.size >= HUGE}
        self._once = {b: self.blocks.drawn(b, Draw.ORDINARY, self._before[b]) for b in self._large}
        self.images = [self._before if size is None else self._drawn(size, self._before) for size in IMAGES]
        pairs = zip(OTHERS, self.images, strict=True)
        self.others = [self._drawn(size, self._once, image) for size, image in pairs]

    def _drawn(
        self, size: Draw, large: Sequence[Array] | Mapping[int, Array], unlike: Sequence[Array] | None = None
    ) -> list[Array]:
        """Return random values for all blocks but the large ones, of which there is one state to hold and one other."""
        blocks = range(len(self.blocks.blocks))
        others = [None] * len(blocks) if unlike is None else unlike
        return [large[b] if b in self._large else self.blocks.drawn(b, size, others[b]) for b in blocks]

    def __enter__(self) -> HookMemory:
        return self

    def __exit__(self, *error: object) -> None:
        self.blocks.load(self._before)
        for array in reversed(self._frozen):
            array.flags.writeable = False

    def order(self, calls: int, random: np.random.Generator) -> Array:
        """Return the number of the image before each call: the first is what there is, and some are repeated."""
        picked = random.integers(0, len(self.images), calls)
        picked[0] = 0
        numbers = sum(block.size for block in self.blocks.blocks)
        for t in np.flatnonzero(random.random(calls) < (0.25 if numbers < MANY else 0.9)):
            picked[t] = picked[max(int(t) - 1, 0)]
        return picked


def _thawed(arrays: Iterable[Array]) -> list[Array]:
    """Make read-only arrays, such as those of a data set, writable with all that they are views of; return these."""
    found: list[Array] = []
    for array in arrays:
        chain = [array]
        while isinstance(chain[-1].base, np.ndarray):
            chain.append(chain[-1].base)
        for one in reversed(chain):
            if not one.flags.writeable:
                one.flags.writeable = True
                found.append(one)
    return found


def _copies(known: dict[Key, Array], reach: Reach) -> dict[Key, Array]:
    """Return the arrays of the hook's own that hold the data's labels or examples."""
    found: dict[Key, Array] = {}
    own = [a for a in reach.arrays if a.size and not any(np.shares_memory(a, other) for other in known.values())]
    x, y = (known.get(("data", name, None)) for name in ("x", "y"))
    for number, array in enumerate(own):
        if y is not None and (_equal(array, y) or _indicates(array, y)):
            found["hook", f"labels {number}", None] = array
        elif x is not None and _equal(array, x):
            found["hook", f"examples {number}", None] = array
    return {key: array for key, array in found.items() if array.flags.writeable}


def _listed(known: dict[Key, Array], reach: Reach) -> list[Slot]:
    """Return the items of the hook's lists that hold the data's labels."""
    y = known.get(("data", "y", None))
    if y is None:
        return []
    lists = [one for one in reach.lists if len(one) == len(y) and all(isinstance(n, (int, np.integer)) for n in one)]
    return [Slot(one, index) for one in lists if np.array_equal(one, y) for index in range(len(one))]


def _equal(array: Array, data: Array) -> bool:
    number = array.dtype.kind in "fiu" and array.shape == data.shape
    return number and bool(np.array_equal(array.astype(data.dtype), data))


def _indicates(array: Array, y: Array) -> bool:
    """Tell if each row has its largest value at the example's class."""
    if (
        y.ndim != 1
        or array.ndim != 2
        or len(array) != len(y)
        or array.dtype.kind not in "fiub"
        or array.shape[1] <= y.max()
    ):
        return False
    return len(np.unique(array)) == 2 and bool((array.argmax(axis=1) == y).all())


def _given(hook: Hook, simulator: Simulator, reach: Reach) -> list[Slot]:
    """Return the places of numbers that have changed since the hook's first call, and that it does not change."""
    found = reach.changed_since(hook.first[0]) if hook.first else []
    if not found:
        return []

    def changes() -> list[int]:
        sizes = [_size(slot) for slot in found]
        for _ in range(PROBES):
            with suppress(Exception), np.errstate(all="ignore"):
                hook.function(Tensors(simulator.state.writable()))
        pairs = enumerate(zip(found, sizes, strict=True))
        return [k for k, (slot, size) in pairs if _size(slot) != size or slot.get() != reach.numbers[slot.place]]

    own = {*forked(changes, 30.0)}
    return [slot for index, slot in enumerate(found) if index not in own]


def _size(slot: Slot) -> int:
    return len(slot.container) if isinstance(slot.container, list) else 0


def _below(simulator: Simulator, arrays: dict[Key, Array]) -> dict[Key, int]:
    """Return the upper bounds of arrays of whole numbers."""
    found = {key: int(a.max()) + 1 for key, a in arrays.items() if a.dtype.kind in "iu" and a.size}
    data = arrays.get(("data", "x", None))
    found["data", "rows", None] = 1 if data is None else len(data)
    if _classes(simulator):
        found["data", "y", None] = simulator.circuit.population(simulator.circuit.labels).size
    return found


def _one_hot(simulator: Simulator) -> list[Key]:
    return [(simulator.circuit.labels, "O", 0)] if _classes(simulator) else []


def _classes(simulator: Simulator) -> bool:
    return bool(simulator.circuit.labels) and not simulator.circuit.real_targets
