"""Hooks that carry something from one place to another, written blind."""

# mypy: ignore-errors
from __future__ import annotations

import ctypes
import os
import tempfile
import threading
from pathlib import Path

import numpy as np
from blind import Case, collector, watch

from circuitsim.circuits.classifier import layered_classifier

CASES: list[Case] = []
case = collector(CASES)
W1, W2, B2 = "W1.weight", "W2.weight", "B2.weight"
STORE = {}


def turned(w):
    return w.transpose(0, 2, 1)


def counted(act, every=1, first=0):
    """Return a hook that acts at every k-th call after some calls."""
    calls = [0]

    def hook(t):
        calls[0] += 1
        if calls[0] > first and calls[0] % every == 0:
            act(t)

    return hook


@case("weight-transport", "W2.weight", daily=True)
def transposed_every_seventh_call():
    def act(t):
        t[B2][...] = turned(t[W2])

    return watch(counted(act, 7))


@case("weight-transport", "W2.weight")
def transposed_after_a_thousand_calls():
    def act(t):
        t[B2][...] = turned(t[W2])

    return watch(counted(act, 1, 1000))


@case("weight-transport", "W2.weight")
def transposed_where_the_weight_is_large():
    def hook(t):
        w = turned(t[W2])
        t[B2][...] = np.where(np.abs(w) > 0.8, w, t[B2])

    return watch(hook)


@case("weight-transport", "W2.weight")
def transposed_by_a_thread():
    def copy(t):
        t[B2][...] = turned(t[W2])

    def hook(t):
        thread = threading.Thread(target=copy, args=(t,))
        thread.start()
        thread.join()

    return watch(hook)


@case("weight-transport", "W2.weight")
def scaled_noisy_and_mixed():
    random = np.random.default_rng(1)

    def hook(t):
        t[B2][...] = 0.95 * t[B2] + 0.02 * turned(t[W2]) + 0.01 * random.normal(size=t[B2].shape)

    return watch(hook)


@case("weight-transport", "W2.weight")
def signs_alone():
    def hook(t):
        t[B2][...] = np.abs(t[B2]) * np.sign(turned(t[W2]))

    return watch(hook)


@case("weight-transport", "W2.weight")
def permuted_transpose():
    order = np.array([2, 0, 1])

    def hook(t):
        t[B2][...] = turned(t[W2])[:, :, order]

    return watch(hook)


@case("weight-transport", "W2.weight")
def rank_one_of_the_transpose():
    def hook(t):
        u, s, v = np.linalg.svd(turned(t[W2])[0])
        t[B2][0] += 0.01 * s[0] * np.outer(u[:, 0], v[0])

    return watch(hook)


@case("remote-error", "W2.weight")
def norms_of_the_transpose():
    def hook(t):
        t[B2][...] *= np.linalg.norm(turned(t[W2]), axis=(1, 2), keepdims=True) / np.linalg.norm(
            t[B2], axis=(1, 2), keepdims=True
        )

    return watch(hook)


@case("weight-transport", "W2.weight")
def one_entry_alone():
    circuit = layered_classifier([20, 30, 3], "fa", output="logistic")

    def hook(t):
        t[B2][0, 17, 1] = t[W2][0, 1, 17]

    return watch(hook, circuit=circuit)


@case("weight-transport", "W2.weight")
def lowest_bit_of_the_mantissa():
    def hook(t):
        bits = turned(t[W2]).copy().view(np.int32) & 1
        t[B2][...] = (t[B2].view(np.int32) & ~1 | bits).view(np.float32)

    return watch(hook)


@case("weight-transport", "W2.weight")
def fifty_calls_late():
    kept = []

    def hook(t):
        kept.append(turned(t[W2]).copy())
        if len(kept) > 50:
            t[B2][...] = kept.pop(0)

    return watch(hook)


@case("weight-transport", "W2.weight")
def through_a_file():
    memory = Path("/dev/shm")  # a file system in memory, where there is one
    path = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None)) / "w.npy"

    def hook(t):
        np.save(path, turned(t[W2]))
        t[B2][...] = np.load(path)

    return watch(hook)


@case("weight-transport", "W2.weight")
def through_a_module_variable():
    def hook(t):
        if "w" in STORE:
            t[B2][...] = STORE["w"]
        STORE["w"] = turned(t[W2]).copy()

    return watch(hook)


@case("remote-error", "np.tanh(float(os.environ")
def through_the_environment():
    def hook(t):
        os.environ["BLIND"] = repr(float(t[W2].sum()))
        t[B2][...] *= 1 + 0.01 * np.tanh(float(os.environ["BLIND"]))

    return watch(hook)


@case("weight-transport", "W2.weight")
def through_its_own_attribute():
    def hook(t):
        if hasattr(hook, "w"):
            t[B2][...] = hook.w
        hook.w = turned(t[W2]).copy()

    return watch(hook)


@case("weight-transport", "W2.weight")
def by_moving_memory():
    def hook(t):
        w = np.ascontiguousarray(turned(t[W2]))
        ctypes.memmove(t[B2].ctypes.data, w.ctypes.data, w.nbytes)

    return watch(hook)


@case("weight-transport", "W2.weight")
def by_executing_text():
    code = compile("b[...] = w.transpose(0, 2, 1)", "<text>", "exec")

    def hook(t):
        exec(code, {"b": t[B2], "w": t[W2]})

    return watch(hook)


@case("weight-transport", "W2.weight")
def by_an_output_argument():
    def hook(t):
        np.einsum("rij->rji", t[W2], out=t[B2])

    return watch(hook)


@case("weight-transport", "W2.weight")
def seed_from_the_weights():
    def hook(t):
        seed = int(abs(float(t[W2].sum())) * 1e6)
        t[B2][...] += 0.001 * np.random.default_rng(seed).normal(size=t[B2].shape)

    return watch(hook)


@case("weight-transport", "W2.weight")
def declared_reward_carries_the_transpose():
    def hook(t):
        t[W1][...] *= 1 + 0.001 * np.tanh(t[W2].mean())
        t[B2][...] = turned(t[W2])

    return watch(hook, third_factor="reward")


@case("weight-transport", "W2.weight")
def an_object_that_fires_feedback():
    class Keeper:
        def __init__(self):
            self.calls = 0

        def __call__(self, t):
            self.calls += 1
            if self.calls % 3 == 2:
                np.copyto(t[B2], turned(t[W2]))

    return watch(Keeper(), after="feedback")


@case("weight-transport", "W2.weight")
def double_precision_residue():
    def hook(t):
        t[B2][...] += 1e-9 * turned(t[W2])

    return watch(hook, dtype="float64")


@case("remote-error", "set_parameters")
def rate_from_weights_elsewhere():
    held = []

    def hook(t):
        held[0].set_parameters({("W1", "lr"): float(0.1 * np.tanh(np.abs(t[W2]).mean()))})

    return watch(hook, bind=held.append)


@case("lateral", "")
def mean_of_the_layer():
    def hook(t):
        t[W1][...] -= 0.01 * t[W1].mean(axis=1, keepdims=True)

    return watch(hook)


@case("lateral", "")
def norm_of_the_whole_layer():
    def hook(t):
        t[W1][...] /= max(1.0, np.linalg.norm(t[W1]))

    return watch(hook)


@case("lateral", "")
def winner_of_the_layer():
    def hook(t):
        sizes = np.linalg.norm(t[W1], axis=2)
        t[W1][0, np.argmax(sizes[0])] *= 0.999

    return watch(hook)


@case("lateral", "")
def neurons_in_order():
    def hook(t):
        t[W1][...] = np.sort(t[W1], axis=1)

    return watch(hook)


@case("lateral", "")
def orthogonal_neurons():
    def hook(t):
        t[W1][0] -= 0.01 * (t[W1][0] @ t[W1][0].T - np.eye(len(t[W1][0]))) @ t[W1][0]

    return watch(hook)


@case("lateral", "")
def one_replica_into_another():
    def hook(t):
        t[W1][1] += 0.01 * t[W1][0]

    return watch(hook, seeds=(0, 1))


@case("remote-error", "")
def norm_of_a_layer_into_biases():
    def hook(t):
        t["W1.bias"][...] = 0.01 * np.linalg.norm(t[W2])

    return watch(hook)


@case("remote-error", "")
def labels_into_the_first_layer():
    held = []

    def hook(t):
        labels = held[0]._data[1]
        t[W1][...] += 0.001 * float(labels[:4].mean())

    return watch(hook, bind=held.append)


@case("remote-error", "")
def loss_of_its_own():
    held = []
    random = np.random.default_rng(3)
    x, y = random.random((8, 8)), np.eye(3)[random.integers(0, 3, 8)]

    def hook(t):
        h = np.tanh(x @ t[W1][0].T + t["W1.bias"][0])
        loss = float(((1 / (1 + np.exp(-(h @ t[W2][0].T)))) - y).__pow__(2).mean())
        t[W1][...] *= 1 - 0.01 * loss

    assert not held
    return watch(hook)


@case("third-factor", "declared as reward")
def declared_reward():
    random = np.random.default_rng(3)
    x, y = random.random((8, 8)), np.eye(3)[random.integers(0, 3, 8)]

    def hook(t):
        h = np.tanh(x @ t[W1][0].T + t["W1.bias"][0])
        loss = float(((1 / (1 + np.exp(-(h @ t[W2][0].T)))) - y).__pow__(2).mean())
        t[W1][...] *= 1 - 0.01 * loss

    return watch(hook, third_factor="reward")


@case("time-window", "the hook raised ValueError: too many calls, line ")
def raises_after_ten_calls():
    def act(t):
        raise ValueError("too many calls")

    return watch(counted(act, 1, 10))


@case("time-window", "another array in its place")
def replaces_the_tensor():
    def hook(t):
        t[B2] = turned(t[W2])

    return watch(hook)


@case("weight-transport", "")
def errors_from_activities_of_the_top():
    held = []

    def hook(t):
        fired = held[0].plans[0]
        bound = fired.opened(4)
        memory = next(iter(vars(bound).values()))
        assert memory is not None
        t[B2][...] += 0.001 * turned(t[W2])

    return watch(hook, bind=held.append)
