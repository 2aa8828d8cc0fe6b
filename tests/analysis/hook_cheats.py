"""Hooks that carry something to where it may not be, as a user could write them, and honest ones.

Each gets `tensors`, the weights and biases by name, of a simulator whose circuit (8-6-5-3 with feedback alignment) is
local. `found` registers a hook, `found_in` a function that makes one for a simulator, with the findings that the audit
must have: pairs of a kind and a projection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from circuitsim import Simulator

Tensors = Mapping[str, np.ndarray]
Make = Callable[[Simulator], Callable[[Tensors], None]]
Pairs = set[tuple[str, str]]
FOUND: dict[str, tuple[Make, Pairs]] = {}


def found(*expected: tuple[str, str]) -> Callable[[Any], Any]:
    def register(hook: Any) -> Any:
        FOUND[hook.__name__] = (lambda simulator: hook), {*expected}
        return hook

    return register


def found_in(*expected: tuple[str, str]) -> Callable[[Any], Any]:
    def register(make: Any) -> Any:
        FOUND[make.__name__] = make, {*expected}
        return make

    return register


@found(("weight-transport", "B2"), ("weight-transport", "B3"))
def copy_transposed(tensors: Tensors) -> None:
    for h in (2, 3):
        tensors[f"B{h}.weight"][...] = tensors[f"W{h}.weight"].transpose(0, 2, 1)


@found(("weight-transport", "B2"))
def copy_softly(tensors: Tensors) -> None:
    b, w = tensors["B2.weight"], tensors["W2.weight"]
    b += 0.1 * (np.swapaxes(w, 1, 2) - b)


@found(("weight-transport", "B3"))
def copy_signs(tensors: Tensors) -> None:
    b = tensors["B3.weight"]
    b[...] = np.abs(b) * np.sign(np.transpose(tensors["W3.weight"], (0, 2, 1)))


@found_in(("weight-transport", "B2"))
def copy_through_a_closure(simulator: Simulator) -> Any:
    own = simulator.state.writable()

    def quietly(tensors: Tensors) -> None:
        own["B2.weight"][0] = own["W2.weight"][0].T

    return quietly


@found_in(("weight-transport", "B2"))
def copy_through_an_attribute(simulator: Simulator) -> Any:
    class Friend:
        state = simulator.state

        def __call__(self, tensors: Tensors) -> None:
            found = self.state.writable()
            found["B2.weight"][0] = found["W2.weight"][0].T

    return Friend()


@found(("weight-transport", "B2"))
def copy_one_synapse(tensors: Tensors) -> None:
    tensors["B2.weight"][0, 4, 1] = tensors["W2.weight"][0, 1, 4]


def helper(target: np.ndarray, source: np.ndarray) -> None:
    for i in range(target.shape[0]):
        target[i] = source[:, i]


@found(("weight-transport", "B3"))
def copy_by_parts(tensors: Tensors) -> None:
    helper(tensors["B3.weight"][0], tensors["W3.weight"][0])


@found(("lateral", "W2"))
def share_a_weight(tensors: Tensors) -> None:
    tensors["W2.weight"][0, 1] = tensors["W2.weight"][0, 0]


@found(("lateral", "W2"))
def divide_by_the_whole_norm(tensors: Tensors) -> None:
    w = tensors["W2.weight"]
    w /= np.sqrt((w**2).sum())


@found(("lateral", "W1"))
def subtract_the_mean_weight(tensors: Tensors) -> None:
    tensors["W1.weight"][...] -= tensors["W1.weight"].mean(axis=1, keepdims=True)


@found_in(("remote-target", "W3"))
def add_the_labels(simulator: Simulator) -> Any:
    y = simulator.bound_plan(simulator.batch).arrays["data", "y", None]

    def teach(tensors: Tensors) -> None:
        tensors["W3.bias"][0] += 0.1 * (np.bincount(y, minlength=3) * np.arange(1, 4))

    return teach


@found_in(("remote-error", "W1"))
def read_another_layer(simulator: Simulator) -> Any:
    activity = simulator.bound_plan(simulator.batch).arrays["layer3", "O", 0]

    def peek(tensors: Tensors) -> None:
        tensors["W1.bias"][0] += activity.mean()

    return peek


@found_in(("lateral", "W1"))
def read_a_neighbour(simulator: Simulator) -> Any:
    activity = simulator.bound_plan(simulator.batch).arrays["layer1", "O", 0]

    def lean(tensors: Tensors) -> None:
        tensors["W1.bias"][0] += np.roll(activity.mean(axis=1)[0], 1)

    return lean


LINES = {
    "copy_transposed": 'tensors[f"B{h}.weight"][...] = tensors[f"W{h}.weight"].transpose(0, 2, 1)',
    "copy_softly": "b += 0.1 * (np.swapaxes(w, 1, 2) - b)",
    "copy_by_parts": "target[i] = source[:, i]",
    "divide_by_the_whole_norm": "w /= np.sqrt((w**2).sum())",
}


def clip(tensors: Tensors) -> None:
    for array in tensors.values():
        np.clip(array, -0.5, 0.5, out=array)


def bound_each_neuron(tensors: Tensors) -> None:
    w, b = tensors["W2.weight"], tensors["W2.bias"]
    norm = np.sqrt((w**2).sum(axis=2) + b**2)
    w /= norm[:, :, None]
    b /= norm


def only_look(tensors: Tensors) -> None:
    sizes.append(sum(float(np.abs(array).sum()) for array in tensors.values()))


def decay(tensors: Tensors) -> None:
    tensors["W1.weight"][...] *= 0.999


sizes: list[float] = []
HONEST = [clip, bound_each_neuron, only_look, decay]
