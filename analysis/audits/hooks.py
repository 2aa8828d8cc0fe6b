"""What a user's hook carries from one synapse to another, found by experiment, with the line that does it.

A hook is code that no certificate covers. It is run on the simulator's own memory, from a random state, once as it is
and once with one array changed at a time: what then comes out differently depends on that array, however the hook got
at it (an argument, a closure, a global, an attribute). The memory is afterwards as it was.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from circuitsim.analysis.audits.watch import Watch
from circuitsim.engine.hooks import Hook, Tensors
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import REMEDIES, Finding, Key
from circuitsim.randomness import generator

Arrays = dict[Key, np.ndarray]
CONSTANT = ("alive", "seeds", "tick", "rows")
SYNAPTIC = ("weight", "bias")
ELEMENTS = 4  # elements looked for in each pair of arrays, to see what goes where


def _along(shape: tuple[int, ...], axis: int, chosen: np.ndarray) -> np.ndarray:
    """A mask of that shape that depends on one axis."""
    turned = chosen.reshape([-1 if k == axis else 1 for k in range(len(shape))])
    return np.broadcast_to(turned, shape).copy()


def audit_hooks(simulator: Simulator, *, seed: int = 0) -> tuple[Finding, ...]:
    """Find what the simulator's hooks bring to synapses from anywhere but their own neurons.

    Parameters
    ----------
    simulator : its hooks are run on its own memory, which is put back to the bit.
    seed : of the random states and changes.

    Returns
    -------
    A finding for each pair of a synaptic array that a hook changes and one that the change depends on from elsewhere;
    `rule` is the hook and the line, `read` what it reads. A hook that changes nothing, or that lets a synapse depend on
    itself and its neuron's other incoming synapses alone, gives none.
    """
    found: list[Finding] = []
    for hook in simulator.hooks:
        with _kept(simulator) as memory:
            found += _Experiment(simulator, hook, memory, generator(seed, f"audit of hook {hook.name}")).findings()
    return tuple(dict.fromkeys(found))


@contextmanager
def _kept(simulator: Simulator) -> Iterator[Arrays]:
    """All memory of the simulator that can be changed, each array once; put back at the end."""
    memory: Arrays = {}
    for key, array in simulator.bound_plan(simulator.batch).arrays.items():
        parameter = array.ndim < 2 and key[1] not in SYNAPTIC and key[0] != "data"
        if not parameter and key[1] not in CONSTANT and not any(np.shares_memory(array, a) for a in memory.values()):
            memory[key] = array
    before = {key: array.copy() for key, array in memory.items()}
    try:
        yield memory
    finally:
        for key, array in memory.items():
            array[...] = before[key]


class _Experiment:
    """One hook, run again and again from one random state with something changed."""

    def __init__(self, simulator: Simulator, hook: Hook, memory: Arrays, random: np.random.Generator) -> None:
        self._simulator, self._hook, self._memory, self._random = simulator, hook, memory, random
        self._tensors = Tensors(simulator.tensors())
        self._targets = {key: array for key, array in memory.items() if key[1] in SYNAPTIC}
        self._start = {key: self._drawn(array) for key, array in memory.items()}

    def findings(self) -> Iterator[Finding]:
        """One for each array that a synaptic array comes to depend on and must not."""
        first = self._outcome()
        lines = self._changing_lines()
        expected = self._outcome()
        kept = [target for target in self._targets if not np.array_equal(first[target], expected[target])]
        for target in kept:
            yield self._finding("time-window", target, "something kept from an earlier call, or drawn", lines)
        for source in self._memory if not kept else ():  # what cannot be repeated cannot be compared
            for target in self._dependent(source, expected):
                kind = self._kind(source, target, expected[target])
                if kind:
                    yield self._finding(kind, target, _spelled(source), lines)

    def _dependent(self, source: Key, expected: Arrays) -> list[Key]:
        """The synaptic arrays that come out differently when the whole of an array is changed; itself if it is one."""
        outcome = self._outcome({source: self._drawn(self._memory[source])})
        found = [key for key in self._targets if key != source and not np.array_equal(outcome[key], expected[key])]
        touched = source in self._targets and not np.array_equal(expected[source], self._start[source])
        return [*found, source] if touched else found

    def _kind(self, source: Key, target: Key, expected: np.ndarray) -> str:
        """What it is that a synaptic array reads of another one; "" where locality permits it."""
        for among, watched in self._partitions(source, target):
            found = [self._located(source, target, among, watched, expected) for _ in range(ELEMENTS)]
            kinds = [self._relation(source, where, target, reached) for where, reached in filter(None, found)]
            strays = [kind for kind in kinds if kind]
            if strays:
                return max(strays, key=strays.count)
        return ""

    def _partitions(self, source: Key, target: Key) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Parts of an array to change and parts of a target to watch that no permitted reading joins.

        Where a neuron may read what is its own, the neurons whose number has a bit set are changed and those without
        it watched, for every bit and both ways round: any two neurons differ in one of them.
        """
        shape, reached = self._memory[source].shape, self._targets[target].shape
        axes = self._shared_axes(source, target)
        if not axes:
            yield np.ones(shape, bool), np.ones(reached, bool)
            return
        own = axes[0][0]
        for bit in range(max(1, (shape[own] - 1).bit_length())):
            for value in (0, 1):
                among = _along(shape, own, (np.arange(shape[own]) >> bit) & 1 == value)
                watched = np.ones(reached, bool)
                for _, axis in axes:
                    watched &= _along(reached, axis, (np.arange(reached[axis]) >> bit) & 1 != value)
                yield among, watched

    def _shared_axes(self, source: Key, target: Key) -> list[tuple[int, int]]:
        """The axes of an array and of a target along which equal places belong to one neuron."""
        circuit = self._simulator.circuit
        projections = {q.name: q for q in circuit.projections}
        into = projections[target[0]]
        if source[0] in projections:
            return [(1, 1)] if projections[source[0]].target == into.target else []
        if source[0] == "data":
            return []
        site = circuit.population(source[0]).site
        post, pre = circuit.population(into.target).site == site, circuit.population(into.source).site == site
        return [(2, 1)] * post + [(2, 2)] * (pre and target[1] == "weight")

    def _located(
        self, source: Key, target: Key, among: np.ndarray, watched: np.ndarray, expected: np.ndarray
    ) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """One element of an array whose change reaches the target, and where; found by halving what is changed."""
        chosen = self._random.permutation(np.flatnonzero(among))
        other = self._drawn(self._memory[source]).reshape(-1)

        def reached(part: np.ndarray) -> np.ndarray:
            changed = self._start[source].copy()
            changed.reshape(-1)[part] = other[part]
            outcome = self._outcome({source: changed})[target]
            return np.argwhere((outcome != expected) & watched)

        where = reached(chosen)
        while where.size and chosen.size > 1:
            half = chosen[: chosen.size // 2]
            where = reached(half)
            chosen = half if where.size else chosen[chosen.size // 2 :]
            where = where if where.size else reached(chosen)
        if not where.size:
            return None
        place = np.unravel_index(int(chosen[0]), self._memory[source].shape)
        own = [index for index in where.tolist() if source != target or tuple(index) != tuple(place)]
        return (tuple(int(k) for k in place), tuple(own[0])) if own else None

    def _relation(self, source: Key, where: tuple[int, ...], target: Key, reached: tuple[int, ...]) -> str:
        """The kind of finding when one element of an array changes a synapse; "" where it may."""
        circuit = self._simulator.circuit
        projections = {q.name: q for q in circuit.projections}
        if source[0] == "data":
            return "remote-target"
        if source[0] not in projections:
            at = circuit.population(source[0]).site
            ends = (projections[target[0]].target, projections[target[0]].source)
            return "lateral" if at in [circuit.population(end).site for end in ends] else "remote-error"
        if projections[source[0]].target == projections[target[0]].target:
            return "lateral" if where[:2] != reached[:2] else ""
        if where[0] == reached[0] and where[1:] == reached[1:][::-1]:
            return "weight-transport"
        return "weight-sharing" if where == reached else "weight-transport"

    def _outcome(self, changed: Arrays | None = None) -> Arrays:
        """What the synapses are after the hook has run from the random state, some of it changed."""
        self._put(changed or {})
        self._hook.function(self._tensors)
        return {key: array.copy() for key, array in self._targets.items()}

    def _put(self, changed: Arrays) -> None:
        for key, array in self._memory.items():
            array[...] = changed.get(key, self._start[key])

    def _drawn(self, array: np.ndarray) -> np.ndarray:
        if array.dtype.kind == "f":
            return self._random.uniform(-1, 1, array.shape).astype(array.dtype)
        return self._random.integers(array.min(), array.max() + 1, array.shape).astype(array.dtype)

    def _changing_lines(self) -> dict[Key, str]:
        """For each synaptic array the line of the hook's code, or of what it calls, that changes it last."""
        self._put({})
        watch = Watch(self._targets)
        before = sys.gettrace()
        sys.settrace(watch.trace)
        try:
            self._hook.function(self._tensors)
        finally:
            sys.settrace(before)
        watch.look()
        return watch.lines

    def _finding(self, kind: str, target: Key, read: str, lines: dict[Key, str]) -> Finding:
        line = lines.get(target, "")
        rule = f"hook {self._hook.name}" + (f", {line}" if line else "")
        return Finding(kind, target[0], rule, read, "remote", None, REMEDIES[kind])


def _spelled(key: Key) -> str:
    owner, quantity, cycle = key
    if owner == "data":
        return {"x": "the data", "y": "the labels"}[quantity]
    return f"{owner}.{quantity}" + ("" if cycle is None else f"({cycle})")
