"""A hash of all that decides the result of a run, part by part, so that two runs can be told apart."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable
from functools import partial
from types import CodeType
from typing import Any

import numpy as np

from circuitsim.engine.parameters import readable
from circuitsim.engine.simulator import Simulator
from circuitsim.environment import versions_of
from circuitsim.kernels.cpu.providers import provider
from circuitsim.kernels.cpu.threads import thread_count
from circuitsim.runs.groups import ReplicaGroup
from circuitsim.runs.study import Study

VERSIONED = ("circuitsim", "numpy", "numba", "scipy", "sympy")
_PACKAGES = tuple(f"{name}." for name in VERSIONED)  # their functions are known by their versions
DEPTH = 5  # of what a function reaches: the functions that it calls, and those that these call
FUNCTIONS = ("design", "prepare", "presented", "check")


def deciding(study: Study, group: ReplicaGroup) -> dict[str, str]:
    """Return the SHA-256 of each part of what decides a group's result, by name, and of all of them as `all`.

    The weights are those of now: call it before training.
    """
    simulator, settings = group.simulator, [one.model_dump() for one in group.settings]
    protocols = [protocol for _, protocol in group.design.protocols()]
    functions = [getattr(study.scenario, name) for name in FUNCTIONS]
    parts = {
        **of_simulator(simulator),
        "protocols": _digest(repr(p) for p in [simulator.protocol, *protocols]),
        "stages": _digest(repr((s.epochs, sorted(s.parameters.items(), key=str))) for s in group.design.stages),
        "settings": _digest([json.dumps(settings, default=str)]),
        "scenario": _digest(_of_function(function) for function in functions),
        "data": _digest(str(zlib.crc32(np.ascontiguousarray(x).data)) for x in _data(study) if x is not None),
        "order": _digest([repr((study.common.batch, study.batches, study.epochs, group.members, group.shared))]),
    }
    return {**parts, "all": _digest(f"{name} {digest}" for name, digest in sorted(parts.items()))}


def of_simulator(simulator: Simulator) -> dict[str, str]:
    """Return the SHA-256 of each part of a simulator that decides what it computes, by name."""
    state = simulator.state
    given = [plan.x for plan in simulator.mirror_plans if plan.x is not None]  # noise in place of what seeds draw
    read = {(o, q): state.parameter(o, q) for o, qs in sorted(readable(state.circuit).items()) for q in sorted(qs)}
    state.to_host(read.values())
    updates = [(s.protocol.updates.value, s.duration, [e.event for e in s.entries]) for s in simulator.schedules]
    hooks = [[h.after, h.third_factor, _of_function(h.function)] for h in simulator.hooks]
    return {
        "circuit": _digest([state.circuit.text]),
        "protocols": _digest(repr(s.protocol) for s in simulator.schedules),
        "window": _digest(str(s.window) for s in simulator.schedules),
        "updates": _digest(map(repr, updates)),
        "parameters": _digest(f"{key} {array.tobytes().hex()}" for key, array in read.items()),
        "hooks": _digest(map(repr, hooks)),
        "weights": _digest(f"{n} {zlib.crc32(np.ascontiguousarray(t).data)}" for n, t in state.persistent().items()),
        "seeds": _digest([repr(state.seeds.tolist()), *(str(zlib.crc32(noise.data)) for noise in given)]),
        "backend": _digest([simulator.backend, str(state.dtype), str(simulator.batch), str(thread_count())]),
        "products": _digest([str(provider()) if simulator.backend == "numba" else simulator.backend]),
        "versions": _digest(" ".join(row) for row in versions_of(VERSIONED).items()),
    }


def _data(study: Study) -> list[np.ndarray | None]:
    data = study.data
    return [data.train, data.test, data.train_labels, data.test_labels, data.train_targets, data.test_targets]


def _of_function(function: Any, depth: int = DEPTH) -> str:
    """Return a text that differs for functions that compute differently.

    It has the code, constants, defaults, attributes, what it closes over, and the functions and numbers that it names
    in its module.
    """
    if isinstance(function, partial):
        return repr((_of_function(function.func, depth), _value([*function.args, function.keywords], depth)))
    code = getattr(function, "__code__", None)
    called = function if code else type(function).__call__
    code = getattr(called, "__code__", None)
    if code is None:
        return type(function).__name__
    cells = [_cell(cell) for cell in getattr(called, "__closure__", None) or ()]
    named = {name: called.__globals__[name] for name in sorted(_names(code)) if name in called.__globals__}
    owner = getattr(function, "__self__", function)  # of a method, or the object that is called
    kept = [called.__defaults__, called.__kwdefaults__, cells, getattr(owner, "__dict__", {}), named]
    return repr((_of_code(code), _value(kept, depth)))


def _names(code: CodeType) -> set[str]:
    """Return the names that a function and the functions inside it use."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return {*code.co_names}.union(*map(_names, inner))


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _value(value: Any, depth: int) -> str:
    """Return a text of a value, down to a depth; of objects their type, whose addresses say nothing."""
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return repr(value)
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {zlib.crc32(np.ascontiguousarray(value).data)}"
    if depth and isinstance(value, (list, tuple)):
        return repr([_value(one, depth - 1) for one in value])
    if depth and isinstance(value, dict):
        return repr([(str(k), _value(v, depth - 1)) for k, v in value.items() if not str(k).startswith("__")])
    plain = hasattr(value, "__code__") and not str(value.__module__).startswith(_PACKAGES)
    return _of_function(value, depth - 1) if depth and plain else type(value).__name__


def _of_code(code: CodeType | None) -> object:
    if code is None:
        return None
    constants = [_of_code(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return code.co_code.hex(), constants, code.co_names, code.co_varnames


def _digest(texts: Iterable[str]) -> str:
    found = hashlib.sha256()
    for text in texts:
        found.update(text.encode() + b"\0")
    return found.hexdigest()
