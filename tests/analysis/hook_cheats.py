"""Hooks that carry something to where it may not be, as a user could write them, and honest ones.

Each is made for a simulator whose circuit (8-6-5-3 with feedback alignment) is local, and gets `tensors`, the weights
and biases by name. What it must be found as: pairs of a kind and a projection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from circuitsim import Simulator

Tensors = Mapping[str, np.ndarray]
Made = Callable[[Simulator], Callable[[Tensors], None]]


def copy_transposed(simulator: Simulator) -> Any:
    def align(tensors: Tensors) -> None:
        for h in (2, 3):
            tensors[f"B{h}.weight"][...] = tensors[f"W{h}.weight"].transpose(0, 2, 1)

    return align


def copy_softly(simulator: Simulator) -> Any:
    def drift(tensors: Tensors) -> None:
        b, w = tensors["B2.weight"], tensors["W2.weight"]
        b += 0.1 * (np.swapaxes(w, 1, 2) - b)

    return drift


def copy_signs(simulator: Simulator) -> Any:
    def sign(tensors: Tensors) -> None:
        b = tensors["B3.weight"]
        b[...] = np.abs(b) * np.sign(np.transpose(tensors["W3.weight"], (0, 2, 1)))

    return sign


def copy_through_a_closure(simulator: Simulator) -> Any:
    own = simulator.tensors()

    def quietly(tensors: Tensors) -> None:
        own["B2.weight"][0] = own["W2.weight"][0].T

    return quietly


def copy_through_an_attribute(simulator: Simulator) -> Any:
    class Friend:
        state = simulator.state

        def __call__(self, tensors: Tensors) -> None:
            found = self.state.tensors()
            found["B2.weight"][0] = found["W2.weight"][0].T

    return Friend()


def copy_one_synapse(simulator: Simulator) -> Any:
    def small(tensors: Tensors) -> None:
        tensors["B2.weight"][0, 4, 1] = tensors["W2.weight"][0, 1, 4]

    return small


def copy_by_parts(simulator: Simulator) -> Any:
    def helper(target: np.ndarray, source: np.ndarray) -> None:
        for i in range(target.shape[0]):
            target[i] = source[:, i]

    def outsourced(tensors: Tensors) -> None:
        helper(tensors["B3.weight"][0], tensors["W3.weight"][0])

    return outsourced


def share_a_weight(simulator: Simulator) -> Any:
    def tie(tensors: Tensors) -> None:
        tensors["W2.weight"][0, 1] = tensors["W2.weight"][0, 0]

    return tie


def divide_by_the_whole_norm(simulator: Simulator) -> Any:
    def norm(tensors: Tensors) -> None:
        w = tensors["W2.weight"]
        w /= np.sqrt((w**2).sum())

    return norm


def subtract_the_mean_weight(simulator: Simulator) -> Any:
    def centre(tensors: Tensors) -> None:
        tensors["W1.weight"][...] -= tensors["W1.weight"].mean(axis=1, keepdims=True)

    return centre


def add_the_labels(simulator: Simulator) -> Any:
    y = simulator.bound_plan(simulator.batch).arrays["data", "y", None]

    def teach(tensors: Tensors) -> None:
        tensors["W3.bias"][0] += 0.1 * (np.bincount(y, minlength=3) * np.arange(1, 4))

    return teach


def read_another_layer(simulator: Simulator) -> Any:
    activity = simulator.bound_plan(simulator.batch).arrays["layer3", "O", 0]

    def peek(tensors: Tensors) -> None:
        tensors["W1.bias"][0] += activity.mean()

    return peek


def read_a_neighbour(simulator: Simulator) -> Any:
    activity = simulator.bound_plan(simulator.batch).arrays["layer1", "O", 0]

    def lean(tensors: Tensors) -> None:
        tensors["W1.bias"][0] += np.roll(activity.mean(axis=1)[0], 1)

    return lean


def keep_an_old_array(simulator: Simulator) -> Any:
    kept: list[np.ndarray] = []

    def stale(tensors: Tensors) -> None:
        if kept:
            tensors["W1.weight"][...] += 0.5 * kept[-1]
        kept.append(tensors["W1.weight"].copy())

    return stale


def keep_a_default(simulator: Simulator) -> Any:
    def memory(tensors: Tensors, kept: list[np.ndarray] = []) -> None:  # noqa: B006
        kept.append(tensors["W2.weight"].sum())
        tensors["W2.bias"][...] += 0.01 * len(kept)

    return memory


FOUND: dict[Made, set[tuple[str, str]]] = {
    copy_transposed: {("weight-transport", "B2"), ("weight-transport", "B3")},
    copy_softly: {("weight-transport", "B2")},
    copy_signs: {("weight-transport", "B3")},
    copy_through_a_closure: {("weight-transport", "B2")},
    copy_through_an_attribute: {("weight-transport", "B2")},
    copy_one_synapse: {("weight-transport", "B2")},
    copy_by_parts: {("weight-transport", "B3")},
    share_a_weight: {("lateral", "W2")},
    divide_by_the_whole_norm: {("lateral", "W2")},
    subtract_the_mean_weight: {("lateral", "W1")},
    add_the_labels: {("remote-target", "W3")},
    read_another_layer: {("remote-error", "W1")},
    read_a_neighbour: {("lateral", "W1")},
    keep_an_old_array: {("time-window", "W1")},
    keep_a_default: {("time-window", "W2")},
}

LINES = {
    copy_transposed: 'tensors[f"B{h}.weight"][...] = tensors[f"W{h}.weight"].transpose(0, 2, 1)',
    copy_softly: "b += 0.1 * (np.swapaxes(w, 1, 2) - b)",
    copy_by_parts: "target[i] = source[:, i]",
    divide_by_the_whole_norm: "w /= np.sqrt((w**2).sum())",
}


def clip(simulator: Simulator) -> Any:
    def honest(tensors: Tensors) -> None:
        for array in tensors.values():
            np.clip(array, -0.5, 0.5, out=array)

    return honest


def bound_each_neuron(simulator: Simulator) -> Any:
    def honest(tensors: Tensors) -> None:
        w, b = tensors["W2.weight"], tensors["W2.bias"]
        norm = np.sqrt((w**2).sum(axis=2) + b**2)
        w /= norm[:, :, None]
        b /= norm

    return honest


def only_look(simulator: Simulator) -> Any:
    sizes: list[float] = []

    def honest(tensors: Tensors) -> None:
        sizes.append(sum(float(np.abs(array).sum()) for array in tensors.values()))

    return honest


def leak(simulator: Simulator) -> Any:
    def honest(tensors: Tensors) -> None:
        tensors["W1.weight"][...] *= 0.999

    return honest


HONEST: list[Made] = [clip, bound_each_neuron, only_look, leak]
