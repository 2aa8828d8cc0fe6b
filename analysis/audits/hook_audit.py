"""The audit of hooks: find by experiment what a user's hook carries to a synapse, and the line that does it.

No certificate covers a hook. The audit runs it on the simulator's own memory from a random state, then again with one
array changed at a time. A synapse that comes out differently depends on that array, however the hook reached it (an
argument, a closure, a global, an attribute). The memory is restored afterwards.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from circuitsim.analysis.audits.line_tracer import LineTracer
from circuitsim.analysis.tracing.dataflow import address_text
from circuitsim.engine.hooks import Hook, Tensors
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import REMEDIES, Finding, Key
from circuitsim.randomness import generator

Arrays = dict[Key, np.ndarray]
DATA = {("data", "x"): "the data", ("data", "y"): "the labels"}
CONSTANT = ("alive", "seeds", "tick", "rows")
SYNAPTIC = ("weight", "bias")
ELEMENTS = 4  # elements located in each pair of arrays


def audit_hooks(simulator: Simulator, *, seed: int = 0) -> tuple[Finding, ...]:
    """Find what the simulator's hooks carry to synapses from elsewhere than their own neurons.

    Parameters
    ----------
    simulator : its hooks run on its own memory, which is restored to the bit.
    seed : of the random states and changes.

    Returns
    -------
    One finding for each pair of a synaptic array that a hook changes and an array elsewhere that the change depends
    on; `rule` names the hook and the line, `read` the array. A hook that changes nothing has no finding, nor one that
    makes a synapse depend only on itself and on its neuron's other incoming synapses.
    """
    found: list[Finding] = []
    for hook in simulator.hooks:
        with _preserved(simulator) as memory:
            found += _HookExperiment(simulator, hook, memory, generator(seed, f"audit of hook {hook.name}")).findings()
    return tuple(dict.fromkeys(found))


@contextmanager
def _preserved(simulator: Simulator) -> Iterator[Arrays]:
    """Yield all memory that can be changed, each array once, and restore it at the end."""
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


class _HookExperiment:
    """One hook, run repeatedly from one random state with something changed."""

    def __init__(self, simulator: Simulator, hook: Hook, memory: Arrays, random: np.random.Generator) -> None:
        self._simulator, self._hook, self._memory, self._random = simulator, hook, memory, random
        self._tensors = Tensors(simulator.tensors())
        self._targets = {key: array for key, array in memory.items() if key[1] in SYNAPTIC}
        self._start = {key: self._drawn(array) for key, array in memory.items()}

    def findings(self) -> Iterator[Finding]:
        """Yield one finding for each forbidden dependence of a synaptic array on an array."""
        first = self._outcome()
        lines = self._changing_lines()
        expected = self._outcome()
        unrepeatable = [target for target in self._targets if not np.array_equal(first[target], expected[target])]
        for target in unrepeatable:
            yield self._finding("time-window", target, "a value kept from an earlier call, or a random one", lines)
        for source in self._memory if not unrepeatable else ():
            for target in self._dependent(source, expected):
                kind = self._kind(source, target, expected[target])
                if kind:
                    yield self._finding(kind, target, DATA.get(source[:2]) or address_text(source), lines)

    def _dependent(self, source: Key, expected: Arrays) -> list[Key]:
        """Return the synaptic arrays that change with the whole of an array, the array itself included."""
        outcome = self._outcome({source: self._drawn(self._memory[source])})
        found = [key for key in self._targets if key != source and not np.array_equal(outcome[key], expected[key])]
        touched = source in self._targets and not np.array_equal(expected[source], self._start[source])
        return [*found, source] if touched else found

    def _kind(self, source: Key, target: Key, expected: np.ndarray) -> str:
        """Return the kind of finding of a dependence between two arrays; "" where locality permits it."""
        for among, compared in self._partitions(source, target):
            found = [self._located(source, target, among, compared, expected) for _ in range(ELEMENTS)]
            kinds = [self._relation(source, where, target, reached) for where, reached in filter(None, found)]
            strays = [kind for kind in kinds if kind]
            if strays:
                return max(strays, key=strays.count)
        return ""

    def _partitions(self, source: Key, target: Key) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield parts of an array to change and parts of a target to compare that no permitted reading connects.

        Where a neuron may read its own elements, neurons with one bit of their number set are changed and those
        without it compared, for every bit and both ways: any two neurons differ in a bit.
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
                compared = np.ones(reached, bool)
                for _, axis in axes:
                    compared &= _along(reached, axis, (np.arange(reached[axis]) >> bit) & 1 != value)
                yield among, compared

    def _shared_axes(self, source: Key, target: Key) -> list[tuple[int, int]]:
        """Return the axes of an array and a target along which equal indices are one neuron."""
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
        self, source: Key, target: Key, among: np.ndarray, compared: np.ndarray, expected: np.ndarray
    ) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Return one element whose change reaches the target, and the element reached, by bisection."""
        chosen = self._random.permutation(np.flatnonzero(among))
        other = self._drawn(self._memory[source]).reshape(-1)

        def reached(part: np.ndarray) -> np.ndarray:
            changed = self._start[source].copy()
            changed.reshape(-1)[part] = other[part]
            outcome = self._outcome({source: changed})[target]
            return np.argwhere((outcome != expected) & compared)

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
        """Return the kind of finding of one element that changes a synapse; "" where locality permits it."""
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
        """Run the hook from the random state, partly changed, and return the synapses."""
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
        """Return the line of the hook, or of code that it calls, that changes each synaptic array last."""
        self._put({})
        tracer = LineTracer(self._targets)
        before = sys.gettrace()
        sys.settrace(tracer.trace)
        try:
            self._hook.function(self._tensors)
        finally:
            sys.settrace(before)
        tracer.compare()
        return tracer.lines

    def _finding(self, kind: str, target: Key, read: str, lines: dict[Key, str]) -> Finding:
        line = lines.get(target, "")
        rule = f"hook {self._hook.name}" + (f", {line}" if line else "")
        return Finding(kind, target[0], rule, read, "remote", None, REMEDIES[kind])


def _along(shape: tuple[int, ...], axis: int, chosen: np.ndarray) -> np.ndarray:
    """Make a mask of that shape that depends on one axis."""
    turned = chosen.reshape([-1 if k == axis else 1 for k in range(len(shape))])
    return np.broadcast_to(turned, shape).copy()
