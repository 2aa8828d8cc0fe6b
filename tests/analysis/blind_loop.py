"""Scenario functions, loads and starts that change what a run computes, written blind."""

# mypy: ignore-errors
from __future__ import annotations

import ctypes
import gc
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
from blind import REFUSED, Case, collector
from numpy.lib.stride_tricks import as_strided
from safetensors.numpy import save_file

import circuitsim as cs
from circuitsim.circuits.classifier import layered_classifier

CASES: list[Case] = []
case = collector(CASES)


class Keys(cs.TrainingSettings):
    """Keys of a small classifier."""

    lr: float = 0.1
    batch: int = 20


def design(keys):
    circuit, protocol = layered_classifier([64, 6, 10], "fa", output="logistic")
    return cs.Design(circuit, protocol, {"lr": keys.lr})


def ran(made=design, initial=None, epochs=2, **functions):
    """Return the audit of a short run of a scenario with these functions."""
    scenario = cs.Scenario("blind", "blind", Keys, made, **functions)
    run = cs.run(scenario, epochs=epochs, train_limit=100, test_limit=40, initial=initial, backend="numpy")
    return run.audit


def measured(act):
    """Return an `inspect` or `examine` that acts and measures nothing."""

    def function(simulator, *rest):
        act(simulator)
        return {}

    return function


def overwritten(view, value=0.5):
    """Write into the memory of a view that is read-only."""
    whole = view
    while isinstance(whole.base, np.ndarray):
        whole = whole.base
    whole.reshape(-1)[:3] = value


@case("tampering", "", daily=True)
def inspect_writes_through_the_base():
    return ran(inspect=measured(lambda s: overwritten(s.tensors()["W1.weight"])))


@case("tampering", "")
def inspect_moves_memory():
    def act(s):
        view = s.tensors()["B2.weight"]
        source = np.ascontiguousarray(s.tensors()["W2.weight"].transpose(0, 2, 1))
        ctypes.memmove(view.ctypes.data, source.ctypes.data, source.nbytes)

    return ran(inspect=measured(act))


@case("tampering", "")
def examine_by_strides():
    def act(s):
        view = s.tensors()["W1.weight"]
        address = (ctypes.c_float * view.size).from_address(view.ctypes.data)
        as_strided(np.frombuffer(address, np.float32), view.shape, view.strides)[...] *= 0.5

    return ran(examine=measured(act))


@case(REFUSED, "")
def inspect_sets_the_flag():
    def act(s):
        s.tensors()["W1.weight"].flags.writeable = True
        s.tensors()["W1.weight"][...] = 0

    try:
        return ran(inspect=measured(act))
    except ValueError as error:
        return f"{REFUSED}: {error}"


@case(REFUSED, "", daily=True)
def inspect_loads():
    return ran(inspect=measured(lambda s: s.load("B2.weight", s.tensors()["W2.weight"].transpose(0, 2, 1))))


@case(REFUSED, "")
def examine_restores():
    kept = []

    def act(s):
        kept.append(s.snapshot())
        s.restore(kept[0])

    return ran(examine=measured(act))


@case(REFUSED, "")
def inspect_presents():
    return ran(inspect=measured(lambda s: s.present(np.arange(4))))


@case(REFUSED, "")
def inspect_changes_the_protocol():
    return ran(inspect=measured(lambda s: s.change_protocol(replace(s.protocol, learn=False))))


@case(REFUSED, "")
def presented_loads():
    def presented(keys):
        def function(s, data, rows):
            s.load("B2.weight", s.tensors()["W2.weight"].transpose(0, 2, 1))
            return {}

        return function

    return ran(presented=presented)


@case("tampering", "")
def presented_writes_now_and_then():
    calls = [0]

    def presented(keys):
        def function(s, data, rows):
            calls[0] += 1
            if calls[0] == 7:
                overwritten(s.tensors()["W1.weight"])
            return {}

        return function

    return ran(presented=presented)


@case("tampering", "")
def thread_started_by_inspect():
    def act(s):
        view = s.tensors()["B2.weight"]
        thread = threading.Timer(0.0, overwritten, (view,))
        thread.start()
        thread.join()

    return ran(inspect=measured(act))


@case("tampering", "")
def found_by_the_garbage_collector():
    def act(s):
        for other in gc.get_objects():
            if type(other).__name__ == "State" and type(other).__module__ == "circuitsim.engine.state":
                for view in other.tensors().values():
                    overwritten(view, 0.25)

    return ran(inspect=measured(act))


@case(REFUSED, "")
def real_simulator_found_and_loaded():
    def act(s):
        for other in gc.get_objects():
            if type(other) is cs.Simulator and other.circuit == s.circuit:
                other.load("B2.weight", other.tensors()["W2.weight"].transpose(0, 2, 1))

    return ran(inspect=measured(act))


@case("tampering", "")
def evaluate_writes_the_last_column():
    def evaluate(s, x, y):
        view = s.tensors()["W2.weight"]
        whole = view if view.base is None else view.base
        np.asarray(whole).setflags(write=True)
        np.asarray(whole).reshape(-1)[-1] = 1.0
        return {"error": np.zeros(1)}

    return ran(evaluate=evaluate)


@case(REFUSED, "read-only")
def evaluate_writes_the_examples():
    def evaluate(s, x, y):
        x[...] = 0
        return {"error": np.zeros(1)}

    try:
        return ran(evaluate=evaluate)
    except ValueError as error:
        return f"{REFUSED}: {error}"


@case("tampering", "")
def velocity_written_by_inspect():
    def made(keys):
        found = design(keys)
        return replace(found, parameters={"lr": 0.1, "momentum": 0.9})

    def act(s):
        for key, array in s.state._arrays.items():
            if "velocity" in key[1] and array is not None:
                overwritten(array, 1.0)

    return ran(made, inspect=measured(act))


@case("", "equals the transpose")
def begins_as_the_transpose():
    return ran(initial=start(lambda w: w.T), epochs=1)


@case("", "transpose")
def begins_as_the_scaled_transpose():
    return ran(initial=start(lambda w: 0.3 * w.T), epochs=1)


@case("", "B2 is near the transpose of W2 (0.")
def begins_near_the_transpose():
    return ran(initial=start(lambda w: w.T + 0.01 * np.random.default_rng(0).normal(size=w.T.shape)), epochs=1)


@case("", "B2 is near minus the transpose of W2 (180.000 degrees)")
def begins_as_minus_the_transpose():
    return ran(initial=start(lambda w: -w.T), epochs=1)


def start(back):
    """Write first weights with feedback made from the forward ones."""
    w = np.random.default_rng(1).normal(size=(10, 6)).astype(np.float32)
    path = Path(tempfile.mkdtemp()) / "first.safetensors"
    save_file({"W2.weight": w, "B2.weight": np.ascontiguousarray(back(w)).astype(np.float32)}, path)
    return str(path)


@case("", "equals the transpose")
def prepare_draws_the_same_weights():
    def prepare(keys, data):
        circuit, protocol = layered_classifier([64, 6, 10], "fa", output="logistic")
        twin = cs.Simulator(circuit, protocol, batch=1, seeds=(keys.seed,), backend="numpy")
        return {"B2.weight": twin.tensors()["W2.weight"][0].T.copy()}

    return ran(prepare=prepare, epochs=1)


@case("weight-transport", "W2.weight")
def hook_of_a_design():
    def keep(t):
        t["B2.weight"][...] = t["W2.weight"].transpose(0, 2, 1)

    return ran(lambda keys: replace(design(keys), hooks=(cs.Hook(keep),)))


@case("weight-transport", "W2.weight")
def hook_of_a_design_every_eleventh_call():
    calls = [0]

    def keep(t):
        calls[0] += 1
        if calls[0] % 11 == 0:
            t["B2.weight"][...] += 0.1 * t["W2.weight"].transpose(0, 2, 1)

    return ran(lambda keys: replace(design(keys), hooks=(cs.Hook(keep),)))


@case("weight-transport", "B2")
def transposed_in_the_second_stage():
    from circuitsim.runs.design import Stage

    def made(keys):
        circuit, protocol = layered_classifier([64, 6, 10], "bp", output="logistic")
        stages = (Stage(1, replace(protocol, learn=False), name="rest"), Stage(1, protocol, name="learn"))
        return cs.Design(circuit, protocol, {"lr": keys.lr}, stages=stages)

    return ran(made)


@case("", "load")
def load_is_written_down():
    circuit, protocol = layered_classifier([8, 6, 3], "fa", output="logistic")
    simulator = cs.Simulator(circuit, protocol, batch=4, backend="numpy")
    simulator.load("B2.weight", simulator.tensors()["W2.weight"].transpose(0, 2, 1))
    return "local=True\n" + "\n".join(str(row) for row in simulator.acts.rows())
