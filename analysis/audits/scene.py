"""Scenes that groups of elements look at: the circuit, all arrays by address, and masks of what belongs to neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from circuitsim.analysis.audits.memory import Array
from circuitsim.analysis.audits.synapse_table import bias_shape, bias_slots, synapse_table
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.norms import STATE
from circuitsim.circuit.parts import Projection
from circuitsim.circuit.weights import Transposed
from circuitsim.circuit.wires import own_gain
from circuitsim.locality import Key
from circuitsim.phases.mirror import NOISE_OF

OF_WEIGHTS = ("weight", "increment", "velocity", "pending", "mask")
OF_BIASES = ("bias", "bias_increment", "bias_velocity", "bias_pending")
Arrays = Mapping[Key, Array]
Ticks = Mapping[Key, int]  # when each activity of this presentation was last written
Masks = dict[Key, Array]
X, Y, ROWS = (("data", name, None) for name in ("x", "y", "rows"))


def parameter_keys(arrays: Arrays) -> tuple[Key, ...]:
    """Return the addresses of parameters: a number for each replica."""
    return tuple(k for k, a in arrays.items() if k[2] is None and a.ndim == 1 and k[0] not in ("data", "circuit"))


@dataclass(frozen=True)
class Scene:
    """Scene that a group looks at: the circuit, all arrays by address, and the activity written by then.

    Parameters
    ----------
    constant : the addresses of parameters, by `parameter_keys`.
    """

    circuit: Circuit
    arrays: Arrays
    held: Ticks
    constant: tuple[Key, ...]

    def at_site(self, population: str) -> Sequence[Key]:
        """Return the activity that is held at a population's site."""
        return self._at_sites.get(self.circuit.population(population).site, ())

    @cached_property
    def _at_sites(self) -> dict[str, list[Key]]:
        found: dict[str, list[Key]] = {}
        for key in self.held:
            found.setdefault(self.circuit.population(key[0]).site, []).append(key)
        return found

    def clamped(self, population: str) -> bool:
        """Tell if a population is at the site of the input."""
        return self.circuit.colocated(self.circuit.inputs, population) and X in self.arrays

    def statistics(self, population: str) -> list[tuple[Key, Array]]:
        """Return the running statistics of neurons that normalise."""
        keys = [(population, quantity, None) for quantity in STATE]
        return [(key, self.arrays[key]) for key in keys if key in self.arrays]

    def data_of(self, population: str) -> Key | None:
        """Return the address of what a population is clamped to: noise from outside, examples, or labels."""
        noise = ("data", f"{NOISE_OF}{population}", None)
        if noise in self.arrays:
            return noise
        return {self.circuit.inputs: X, self.circuit.labels: Y}.get(population)

    def parameters(self, replicas: Array) -> Masks:
        """Mark the parameters of some replicas, on which everything in them may depend."""
        return dict.fromkeys(self.constant, replicas)


def incoming(scene: Scene, q: Projection, replicas: Array, posts: Array, *, all_: bool = False) -> Masks:
    """Mark the own synapses of neurons in a projection: weights and biases; none where the weights are another's.

    `all_` : their increments, velocities and pending increments too.
    """
    owner, found = physical(scene.circuit, q), Masks()
    slots = synapse_table(scene.circuit, q.name).into(posts)
    biases = biases_of(scene.circuit, q.name, posts, every=False)
    weights = OF_WEIGHTS if all_ else ("weight", "mask")
    keys: list[tuple[Key, Array]] = [((owner, quantity, None), slots) for quantity in weights if owner]
    if q.bias:
        keys += [((q.name, quantity, None), biases) for quantity in (OF_BIASES if all_ else ("bias",))]
    for key, chosen in keys:
        if key in scene.arrays:
            found[key] = replicas.reshape(-1, *(1 for _ in chosen.shape)) & chosen
    return found


def physical(circuit: Circuit, q: Projection) -> str | None:
    """Return the projection whose synapses q uses physically: itself, or one between the same sites."""
    if isinstance(q.weights, Transposed):
        if own_gain(circuit, q):
            return q.weights.of
        return None  # a synapse in the other direction is another one
    if q.tied_to is None:
        return q.name
    origin = circuit.projection(q.tied_to)
    ends = ((q.source, origin.source), (q.target, origin.target))
    return origin.name if all(circuit.population(a).site == circuit.population(b).site for a, b in ends) else None


def signals(array: Array, replicas: Array, examples: Array | None, neurons: Array) -> Array:
    """Mark elements of an activity (replica, example, neuron); one that is the same for all replicas has one row."""
    rows = replicas if len(array) == len(replicas) else np.array([bool(replicas.any())])
    numbers = neurons[: array.shape[2]]
    if len(numbers) < array.shape[2]:  # populations of one site need not have one size
        numbers = np.append(numbers, np.zeros(array.shape[2] - len(numbers), bool))
    found: Array = rows[:, None, None] & numbers
    return found if examples is None else found & examples[None, :, None]


def biases_of(circuit: Circuit, projection: str, posts: Array, *, every: bool) -> Array:
    """Mark the biases all of whose neurons, or any of whose neurons, are in a mask."""
    slots, shape = bias_slots(circuit, projection), bias_shape(circuit, projection)
    found = np.full(int(np.prod(shape)), every)
    found[slots[~posts] if every else slots[posts]] = not every
    return found.reshape(shape)


def join(found: Masks, key: Key, mask: Array) -> None:
    """Add a mask to that of an address."""
    found[key] = found[key] | mask if key in found else mask
