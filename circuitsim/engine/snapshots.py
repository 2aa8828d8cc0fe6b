"""Snapshots: arrays by name that continue a simulator to the same bits, and the checks of one before it is restored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from circuitsim.arrays import as_array
from circuitsim.engine.neurons import LASTING
from circuitsim.engine.parameters import may_change, readable
from circuitsim.engine.state import State
from circuitsim.errors import CircuitError
from circuitsim.timetable.protocol import Protocol

Arrays = dict[str, np.ndarray]


def take(state: State, protocol: Protocol, memory: Arrays) -> Arrays:
    """Copy a state, and what must be equal in the simulator that the snapshot is restored into.

    Parameters
    ----------
    memory : what else continues: counters, probes, neurons' memories where presentations overlap.
    """
    return {name: array.copy() for name, array in (_kept(state, protocol) | memory | _same(state, protocol)).items()}


def put(snapshot: Mapping[str, Any], state: State, protocol: Protocol, memory: Arrays) -> None:
    """Fill a state and memory from a snapshot; CircuitError, and nothing changed, for one of another simulator."""
    kept = _kept(state, protocol) | memory
    _check(state.circuit.name, snapshot, kept, _same(state, protocol))
    for name, array in kept.items():
        array[...] = snapshot[name]


def _kept(state: State, protocol: Protocol) -> Arrays:
    """Return the arrays of a state that continue; where presentations overlap, increments have still to be applied."""
    kept = state.persistent() | (state.increments() if protocol.interval is not None else {})
    return {f"state/{name}": array for name, array in kept.items()} | state.rates()


def _same(state: State, protocol: Protocol) -> Arrays:
    """Return what decides the future beside what is kept: the circuit, the protocol, seeds, fixed parameters."""
    fixed = {
        f"same/parameter {quantity} of {owner}": state.parameter(owner, quantity)
        for owner, quantities in readable(state.circuit).items()
        for quantity in sorted(quantities)
        if not may_change(quantity)
    }
    state.to_host(fixed.values())
    texts = {"same/circuit": _digest(state.circuit.text), "same/protocol": _digest(repr(protocol))}
    return texts | {"same/seeds": state.seeds} | fixed


def _digest(text: str) -> np.ndarray:
    return np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)


def _check(name: str, snapshot: Mapping[str, Any], kept: Arrays, same: Arrays) -> None:
    for key in same:
        given, what = as_array(snapshot.get(key)), key.removeprefix("same/")
        if given.dtype.kind == "O":
            _refuse(name, f"no {key}", "all that `snapshot` returns")
        if not np.array_equal(given, same[key]):
            short = what in ("circuit", "protocol")
            got = f"another {what}" if short else f"{what} {_values(given)}"
            _refuse(name, got, "that of this simulator" if short else f"{what} {_values(same[key])}")
    for key, array in kept.items():
        given = as_array(snapshot.get(key))
        if given.shape != array.shape or given.dtype != array.dtype:
            got = f"{key} as {given.dtype} of shape {given.shape}" if key in snapshot else f"no {key}"
            _refuse(name, got, f"{key} as {array.dtype} of shape {array.shape}")
        if key.startswith("state/") and given.dtype.kind == "f" and not _finite(key, given):
            _refuse(name, f"{key} with values that are not finite", "finite values")
        if key.startswith("rates/") and not _usable(key, given):
            _refuse(name, f"{key} of {_values(given)}", "numbers >= 0, infinite ones only of rates and bounds")
    for key in sorted(snapshot.keys() - kept.keys() - same.keys()):
        _refuse(name, key, "nothing that this simulator lacks")


def _finite(key: str, given: np.ndarray) -> bool:
    """Return whether values are finite, or memory of neurons, which overflows before any weight does."""
    return key.rpartition(".")[2] in LASTING or bool(np.isfinite(given).all())


def _usable(key: str, rates: np.ndarray) -> bool:
    """Return whether a parameter may have these values; rates that overflowed are found as divergence."""
    return bool((rates >= 0).all() and (np.isfinite(rates).all() or not key.endswith("weight_decay")))


def _values(values: np.ndarray) -> str:
    return np.array2string(values, threshold=8)


def _refuse(name: str, got: str, expected: str) -> None:
    remedy = "Restore it into a simulator that is made like the one it was taken from."
    raise CircuitError(f"snapshot for circuit {name}", got=got, expected=expected, remedy=remedy)
