"""Hooks that hide what they carry: seldom, late, beyond a threshold, in other words, through other memory or a thread.

They run in the circuit of `hook_cheats.py` (8-6-5-3 with feedback alignment) and register themselves there. The texts
are pieces of what the user is told.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from hook_cheats import Tensors, found_in

from circuitsim import Simulator
from circuitsim.randomness import generator

TRANSPORT = ("weight-transport", "B2")
SCALAR = "one number from elsewhere (width 1"
TEXTS: dict[str, str] = {}


def carried(*expected: tuple[str, str], text: str) -> Any:
    """Register a function that makes a hook, the findings, and a part of the first one's text."""

    def register(make: Any) -> Any:
        TEXTS[make.__name__] = text
        return found_in(*expected)(make)

    return register


def memory(simulator: Simulator) -> Mapping[tuple[str, str, int | None], np.ndarray]:
    return simulator.bound_plan(simulator.batch).arrays


def copy(tensors: Tensors) -> None:
    tensors["B2.weight"][...] = tensors["W2.weight"].transpose(0, 2, 1)


# ------------------------------------------------------------------------------------------------- seldom and late


@carried(TRANSPORT, text="W2.weight")
def every_seventh_call(simulator: Simulator) -> Any:
    calls = [0]

    def hook(tensors: Tensors) -> None:
        calls[0] += 1
        if calls[0] % 7 == 0:
            copy(tensors)

    return hook


@carried(TRANSPORT, text="W2.weight, in call 998 of")
def after_a_thousand_calls(simulator: Simulator) -> Any:
    calls: list[int] = []

    def hook(tensors: Tensors) -> None:
        calls.append(1)
        if len(calls) > 1000:
            copy(tensors)

    return hook


@carried(TRANSPORT, text="W2.weight, in call")
def once_in_fifteen_hundred_calls(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        hook.calls = getattr(hook, "calls", 0) + 1  # type: ignore[attr-defined]
        if hook.calls == 1500:  # type: ignore[attr-defined]
            copy(tensors)

    return hook


@carried(TRANSPORT, text="W2.weight")
def at_every_hundredth_presentation(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        if simulator.presentations % 100 == 99:
            copy(tensors)

    return hook


@carried(TRANSPORT, text="W2.weight")
def where_its_own_weight_is_large(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        b, w = tensors["B2.weight"], tensors["W2.weight"].transpose(0, 2, 1)
        b[...] = np.where(np.abs(b) > 2, w, b)

    return hook


@carried(TRANSPORT, text="W2.weight")
def where_the_other_weight_is_large(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        b, w = tensors["B2.weight"], tensors["W2.weight"].transpose(0, 2, 1)
        b[...] = np.where(np.abs(w) > 2, w, b)

    return hook


@carried(TRANSPORT, text="W2.weight")
def where_its_own_weight_is_zero(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        b, w = tensors["B2.weight"], tensors["W2.weight"].transpose(0, 2, 1)
        b[...] = np.where(b == 0, w, b)

    return hook


@carried(TRANSPORT, text="W2.weight")
def when_nothing_has_changed_since_the_last_call(simulator: Simulator) -> Any:
    last = [b""]

    def hook(tensors: Tensors) -> None:
        now = tensors["W1.weight"].tobytes()
        if now == last[0]:
            copy(tensors)
        last[0] = now

    return hook


@carried(TRANSPORT, text="W2.weight of an earlier call")
def of_the_call_before(simulator: Simulator) -> Any:
    kept: list[np.ndarray] = []

    def hook(tensors: Tensors) -> None:
        if kept:
            tensors["B2.weight"][...] = kept[-1].transpose(0, 2, 1)
        kept[:] = [tensors["W2.weight"].copy()]

    return hook


@carried(TRANSPORT, text="W2.weight")
def by_a_slow_average(simulator: Simulator) -> Any:
    mean = np.zeros((1, 6, 5), "float32")

    def hook(tensors: Tensors) -> None:
        mean[...] = 0.99 * mean + 0.01 * tensors["W2.weight"].transpose(0, 2, 1)
        tensors["B2.weight"][...] += 0.1 * (mean - tensors["B2.weight"])

    return hook


# ------------------------------------------------------------------------------------------------- in other words


@carried(TRANSPORT, text="W2.weight")
def scaled(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        tensors["B2.weight"][...] += 1e-4 * tensors["W2.weight"].transpose(0, 2, 1)

    return hook


@carried(TRANSPORT, text="W2.weight")
def noisy(simulator: Simulator) -> Any:
    drawn = np.random.default_rng(1)

    def hook(tensors: Tensors) -> None:
        w = tensors["W2.weight"].transpose(0, 2, 1)
        tensors["B2.weight"][...] = w + 0.5 * drawn.standard_normal(w.shape)

    return hook


@carried(TRANSPORT, text="W2.weight")
def permuted(simulator: Simulator) -> Any:
    order = np.array([3, 5, 0, 2, 1, 4])

    def hook(tensors: Tensors) -> None:
        tensors["B2.weight"][...] = tensors["W2.weight"].transpose(0, 2, 1)[:, order]

    return hook


@carried(TRANSPORT, text="W2.weight")
def signed(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        b = tensors["B2.weight"]
        b[...] = np.copysign(b, tensors["W2.weight"].transpose(0, 2, 1))

    return hook


@carried(TRANSPORT, text="W2.weight")
def of_low_rank(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        u, s, v = np.linalg.svd(tensors["W2.weight"][0].T, full_matrices=False)
        tensors["B2.weight"][0] = s[0] * np.outer(u[:, 0], v[0])

    return hook


@carried(TRANSPORT, text="W2.weight")
def in_two_bits(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        tensors["B2.weight"][...] = np.clip(np.round(tensors["W2.weight"].transpose(0, 2, 1) * 2) / 2, -1, 1)

    return hook


@carried(TRANSPORT, text="W2.weight")
def as_the_seed_of_noise(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        seed = int(np.abs(tensors["W2.weight"]).sum() * 1e6)
        tensors["B2.weight"][...] += np.random.default_rng(seed).standard_normal((1, 6, 5)) * 0.1

    return hook


@carried(TRANSPORT, text="W2.weight")
def through_a_file(simulator: Simulator) -> Any:
    path = Path(mkdtemp()) / "w.npy"

    def hook(tensors: Tensors) -> None:
        if path.exists():
            tensors["B2.weight"][...] = np.load(path).transpose(0, 2, 1)
        np.save(path, tensors["W2.weight"])

    return hook


@carried(TRANSPORT, text="W2.weight")
def by_a_thread_of_the_call(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        threading.Timer(0.001, copy, [tensors]).start()

    return hook


@carried(TRANSPORT, text="W2.weight, by a thread")
def by_a_thread_beside_it(simulator: Simulator) -> Any:
    arrays, stopped = memory(simulator), threading.Event()

    def work() -> None:
        while not stopped.wait(0.005):
            arrays["B2", "weight", None][...] = arrays["W2", "weight", None].transpose(0, 2, 1)

    threading.Thread(target=work, daemon=True).start()
    STOPPED.append(stopped)
    return lambda tensors: None


STOPPED: list[threading.Event] = []  # set by the test when it is done

# ------------------------------------------------------------------------------- other memory than weights and biases


@carried(TRANSPORT, text="W2.velocity")
def from_a_velocity(simulator: Simulator) -> Any:
    arrays = memory(simulator)

    def hook(tensors: Tensors) -> None:
        tensors["B2.weight"][...] += arrays["W2", "velocity", None].transpose(0, 2, 1)

    return hook


@carried(("weight-transport", "W1"), text="W2.weight")
def into_a_velocity(simulator: Simulator) -> Any:
    arrays = memory(simulator)

    def hook(tensors: Tensors) -> None:
        arrays["W1", "velocity", None][:, :5] += tensors["W2.weight"][:, :, :1]

    return hook


@carried(TRANSPORT, text="W2.increment")
def from_an_increment(simulator: Simulator) -> Any:
    arrays = memory(simulator)

    def hook(tensors: Tensors) -> None:
        tensors["B2.weight"][...] += 0.1 * arrays["W2", "increment", None].transpose(0, 2, 1)

    return hook


@carried(("remote-error", "W1"), text="error3.O(0)")
def into_an_increment(simulator: Simulator) -> Any:
    arrays = memory(simulator)

    def hook(tensors: Tensors) -> None:
        arrays["W1", "increment", None][:, :3] += arrays["error3", "O", 0].mean(axis=1)[:, :, None]

    return hook


@carried(("remote-error", "W1"), text="error3.O(0)")
def into_activity(simulator: Simulator) -> Any:
    """The error of the output takes the place of the hidden layer's own."""
    arrays = memory(simulator)

    def hook(tensors: Tensors) -> None:
        arrays["error1", "O", 0][:, :, :3] = arrays["error3", "O", 0]

    return hook


@carried(("remote-error", "W1"), text=SCALAR)
def into_a_rate(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        simulator.set_parameters({("W1", "lr"): 0.1 / (1 + np.abs(tensors["W3.weight"]).sum())})

    return hook


@carried(("remote-target", "layer0"), text="the labels")
def into_the_examples(simulator: Simulator) -> Any:
    arrays = memory(simulator)

    def hook(tensors: Tensors) -> None:
        arrays["data", "x", None][:, 0] = arrays["data", "y", None]

    return hook


# -------------------------------------------------------------------------- statistics, labels and losses of its own


@carried(("lateral", "W1"), text="layer1.O(0)")
def normalised_over_the_batch(simulator: Simulator) -> Any:
    arrays = memory(simulator)

    def hook(tensors: Tensors) -> None:
        o = arrays["layer1", "O", 0]
        o[...] = (o - o.mean(axis=1, keepdims=True)) / (0.1 + o.std(axis=1, keepdims=True))

    return hook


@carried(("lateral", "W1"), text="layer1.O(0)")
def normalised_over_the_layer(simulator: Simulator) -> Any:
    arrays = memory(simulator)

    def hook(tensors: Tensors) -> None:
        o = arrays["layer1", "O", 0]
        o[...] /= 0.1 + o.std(axis=2, keepdims=True)

    return hook


@carried(("lateral", "W1"), text="combines examples")
def scaled_by_the_spread_over_the_batch(simulator: Simulator) -> Any:
    arrays = memory(simulator)

    def hook(tensors: Tensors) -> None:
        tensors["W1.bias"][...] /= 0.5 + arrays["layer1", "O", 0].std(axis=1)

    return hook


@carried(("lateral", "W2"), ("remote-error", "W2"), ("lateral", "W1"), ("remote-error", "W1"), text="increment")
def clipped_by_the_norm_of_all_increments(simulator: Simulator) -> Any:
    arrays = memory(simulator)

    def hook(tensors: Tensors) -> None:
        found = [arrays[name, "increment", None] for name in ("W1", "W2")]
        norm = np.sqrt(sum((array**2).sum() for array in found))
        for array in found:
            array[...] *= min(1.0, 0.5 / max(norm, 1e-9))

    return hook


@carried(("remote-target", "W3"), text="labels of the hook's own")
def labels_of_its_own(simulator: Simulator) -> Any:
    arrays = memory(simulator)
    y, rows = arrays["data", "y", None].copy(), simulator.bound_plan(simulator.batch).rows

    def hook(tensors: Tensors) -> None:
        tensors["W3.bias"][0] += 0.1 * np.bincount(y[rows[0]], minlength=3)

    return hook


@carried(("remote-target", "W3"), text="labels of the hook's own")
def labels_of_its_own_one_hot(simulator: Simulator) -> Any:
    wanted, calls = np.eye(3, dtype="float32")[memory(simulator)["data", "y", None]], [0]

    def hook(tensors: Tensors) -> None:
        calls[0] += 1
        tensors["W3.bias"][0] += 0.1 * wanted[calls[0] % len(wanted)]

    return hook


@carried(("remote-error", "W1"), ("lateral", "W1"), text=SCALAR)
def a_loss_of_its_own(simulator: Simulator) -> Any:
    """It computes the circuit's error from weights and examples, and broadcasts it."""
    x, y = (memory(simulator)["data", name, None] for name in "xy")

    def hook(tensors: Tensors) -> None:
        o = x
        for h in (1, 2, 3):
            o = np.tanh(o @ tensors[f"W{h}.weight"][0].T + tensors[f"W{h}.bias"][0])
        tensors["W1.weight"][...] *= 1 - 0.01 * ((o - np.eye(3)[y]) ** 2).mean()

    return hook


@carried(("remote-error", "W1"), ("remote-error", "W2"), text=f"{SCALAR}, 0 calls old)")
def the_mean_error_to_all(simulator: Simulator) -> Any:
    arrays = memory(simulator)

    def hook(tensors: Tensors) -> None:
        reward = arrays["error3", "O", 0].mean()
        for name in ("W1", "W2"):
            arrays[name, "increment", None][...] *= 1 + reward

    return hook


@carried(("remote-error", "W1"), text=f"{SCALAR}, 2 calls old)")
def the_mean_error_of_two_calls_before(simulator: Simulator) -> Any:
    arrays, kept = memory(simulator), [0.0, 0.0, 0.0]

    def hook(tensors: Tensors) -> None:
        kept.append(float(arrays["error3", "O", 0].mean()))
        tensors["W1.weight"][...] *= 1 + 0.1 * kept[-3]

    return hook


@carried(("remote-error", "W1"), text="a number that other code gave to the hook")
def a_loss_that_the_loop_notes(simulator: Simulator) -> Any:
    losses: list[float] = []

    def hook(tensors: Tensors) -> None:
        if losses:
            tensors["W1.weight"][...] *= 1 - 0.01 * losses[-1]

    LOOPS[hook] = lambda: losses.append(float(np.random.default_rng(3).random()))
    return hook


LOOPS: dict[Any, Any] = {}  # what the user's loop does after each presentation, by hook


# ------------------------------------------------------------------------------------------------------- one synapse


@carried(("lateral", "W2"), text="W2.weight")
def one_synapse_from_another_neuron(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        tensors["W2.weight"][0, 3, 2] += 0.1 * tensors["W2.weight"][0, 1, 2]

    return hook


@carried(("lateral", "W1"), text="layer1.O(0)")
def one_neuron_from_its_neighbour(simulator: Simulator) -> Any:
    arrays = memory(simulator)

    def hook(tensors: Tensors) -> None:
        tensors["W1.bias"][0, 4] += 0.1 * arrays["layer1", "O", 0][0, 2, 1]

    return hook


@carried(("remote-error", "W1"), text="layer3.O(0)")
def one_neuron_of_another_layer(simulator: Simulator) -> Any:
    arrays = memory(simulator)

    def hook(tensors: Tensors) -> None:
        tensors["W1.weight"][0, 4, 5] += 0.1 * arrays["layer3", "O", 0][0, 2, 1]

    return hook


# ----------------------------------------------------------------------------------------------------- honest ones


def own_momentum(simulator: Simulator) -> Any:
    last: dict[str, np.ndarray] = {}
    speed: dict[str, np.ndarray] = {}

    def hook(tensors: Tensors) -> None:
        for name, w in tensors.items():
            if name in last:
                speed[name] = 0.9 * speed.get(name, 0) + 0.1 * (w - last[name])
                w += 0.1 * speed[name]
            last[name] = w.copy()

    return hook


def synaptic_noise(simulator: Simulator) -> Any:
    calls = [0]

    def hook(tensors: Tensors) -> None:
        calls[0] += 1
        for name, w in tensors.items():
            w += 0.01 * generator(7, f"noise of {name}", calls[0]).standard_normal(w.shape)

    return hook


def noise_of_the_clock(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        w = tensors["W1.weight"]
        w += 0.01 * generator(7, "noise", simulator.presentations).standard_normal(w.shape)

    return hook


def annealed(simulator: Simulator) -> Any:
    calls = [0]

    def hook(tensors: Tensors) -> None:
        calls[0] += 1
        tensors["W2.weight"][...] *= 1 - 0.1 / (1 + calls[0])

    return hook


def annealed_rate(simulator: Simulator) -> Any:
    calls = [0]

    def hook(tensors: Tensors) -> None:
        calls[0] += 1
        simulator.set_rates(1 / (1 + 0.01 * calls[0]), ["W1"])

    return hook


def heterosynaptic(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        w = tensors["W2.weight"]
        w -= 0.1 * w.mean(axis=2, keepdims=True)

    return hook


def heterosynaptic_with_memory(simulator: Simulator) -> Any:
    size = np.ones((1, 5, 1), "float32")

    def hook(tensors: Tensors) -> None:
        w = tensors["W2.weight"]
        size[...] = 0.9 * size + 0.1 * np.sqrt((w**2).sum(axis=2, keepdims=True))
        w /= np.maximum(size, 0.5)

    return hook


def logging(simulator: Simulator) -> Any:
    path, seen = Path(mkdtemp()) / "log.txt", list[float]()

    def hook(tensors: Tensors) -> None:
        seen.append(float(sum(np.abs(w).sum() for w in tensors.values())))
        with path.open("a") as file:
            print(len(seen), seen[-1], file=file)

    LOGS.append(path)
    return hook


LOGS: list[Path] = []


def printing(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        print("norm", float((tensors["W1.weight"] ** 2).sum()))

    return hook


def homeostatic(simulator: Simulator) -> Any:
    """Each neuron moves its threshold towards a mean activity of its own."""
    arrays, wanted = memory(simulator), np.linspace(0.1, 0.6, 6, dtype="float32")

    def hook(tensors: Tensors) -> None:
        tensors["W1.bias"][...] += 0.01 * (wanted - arrays["layer1", "O", 0].mean(axis=1))

    return hook


def second_moment(simulator: Simulator) -> Any:
    arrays, moment = memory(simulator), np.zeros((1, 5, 6), "float32")

    def hook(tensors: Tensors) -> None:
        dw = arrays["W2", "increment", None]
        moment[...] = 0.99 * moment + 0.01 * dw**2
        tensors["W2.weight"][...] += 0.001 * dw / (0.1 + np.sqrt(moment))

    return hook


def one_sign_a_neuron(simulator: Simulator) -> Any:
    sign = np.where(np.arange(6) % 2, 1, -1).astype("float32")

    def hook(tensors: Tensors) -> None:
        w = tensors["W2.weight"]
        w[...] = np.where(np.sign(w) == sign, w, 0)

    return hook


def pruned(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        for name in ("W1.weight", "W2.weight"):
            tensors[name][np.abs(tensors[name]) < 0.01] = 0

    return hook


def quantised(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        for w in tensors.values():
            w[...] = np.round(w * 64) / 64

    return hook


def slow_and_fast_weights(simulator: Simulator) -> Any:
    slow: list[np.ndarray] = []

    def hook(tensors: Tensors) -> None:
        w = tensors["W3.weight"]
        if not slow:
            slow.append(w.copy())
        slow[0] += 0.01 * (w - slow[0])
        w += 0.01 * (slow[0] - w)

    return hook


def raising_on_odd_values(simulator: Simulator) -> Any:
    """It checks what it gets, and random weights of an audit are not what it expects."""

    def hook(tensors: Tensors) -> None:
        if np.abs(tensors["W1.weight"]).max() > 3:
            raise ValueError("weights have run away")
        tensors["W1.weight"][...] *= 0.99

    return hook


def a_global_stream_of_noise(simulator: Simulator) -> Any:
    def hook(tensors: Tensors) -> None:
        tensors["W1.weight"][...] += 0.001 * np.random.standard_normal((1, 6, 8))

    return hook


def dropped_out(simulator: Simulator) -> Any:
    """Each neuron is silent by a draw of its own."""
    arrays, calls = memory(simulator), [0]

    def hook(tensors: Tensors) -> None:
        calls[0] += 1
        o = arrays["layer1", "O", 0]
        o *= generator(3, "dropout", calls[0]).random(o.shape) < 0.8

    return hook


def an_array_of_its_past(simulator: Simulator) -> Any:
    kept: list[np.ndarray] = []

    def hook(tensors: Tensors) -> None:
        if kept:
            tensors["W1.weight"][...] += 0.5 * kept[-1]
        kept.append(tensors["W1.weight"].copy())

    return hook


def a_count_in_a_default(simulator: Simulator) -> Any:
    def hook(tensors: Tensors, kept: list[float] = []) -> None:  # noqa: B006
        kept.append(float(tensors["W2.weight"].sum()))
        tensors["W2.bias"][...] += 0.01 * len(kept)

    return hook


def its_own_settings(simulator: Simulator) -> Any:
    settings = {"decay": 0.01, "floor": [0.0, 0.1]}

    def hook(tensors: Tensors) -> None:
        w = tensors["W1.weight"]
        w *= 1 - settings["decay"]  # type: ignore[operator]
        w += settings["floor"][0]  # type: ignore[index]

    return hook


HONEST_MAKERS = [
    own_momentum, synaptic_noise, noise_of_the_clock, annealed, annealed_rate, heterosynaptic,
    heterosynaptic_with_memory, logging, printing, homeostatic, second_moment, one_sign_a_neuron, pruned, quantised,
    slow_and_fast_weights, raising_on_odd_values, a_global_stream_of_noise, dropped_out, its_own_settings,
    an_array_of_its_past, a_count_in_a_default,
]  # fmt: skip
