"""State: weights, parameters and all else that outlives a presentation. `Activity` holds the rest.

Both hand out views of the arrays that an event declares, read-only where it only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from operator import is_
from typing import Any

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import exchanged
from circuitsim.circuit.parts import Projection
from circuitsim.circuit.weights import Copied, Fixed, Own
from circuitsim.engine.acts import Acts
from circuitsim.engine.initial import glorot
from circuitsim.engine.inputs import taken_dtype, taken_seeds
from circuitsim.engine.loading import refuse_exchanged, taken_tensor
from circuitsim.engine.masks import drawn_mask
from circuitsim.engine.neurons import LASTING, neuron_memory
from circuitsim.engine.parameters import (
    CHANGING,
    DEFAULTS,
    Parameters,
    check_given,
    may_change,
    readable,
    refuse_parameter,
    rule_parameters,
    spread,
    taken_projections,
)
from circuitsim.engine.views import guarded
from circuitsim.errors import CircuitError
from circuitsim.locality import Access, Key, Mode
from circuitsim.lowering.links import across, constants, reversed_axes, used

ToHost = Callable[[Iterable[np.ndarray]], None]


class State:
    """Weights (replica, post, pre), biases, velocities, increments, and the parameters (replica,) of everything.

    Parameters
    ----------
    circuit : the circuit that the arrays belong to.
    seeds : one whole number from 0 to 2^64 - 1 for each replica, the seed of its weights.
    dtype : float32 or float64. batch : the most examples shown together.
    parameters : numbers, one or one for each replica, keyed by (owner, quantity) or by quantity for all owners:
        lr, lr_bias (default lr), momentum, weight_decay, noise_scale, density, copy_interval, update_probability of
        projections; emits, remembers, max_norm, margin of populations; and `rule.parameter` of a rule.
    to_host : called with arrays that the host is about to read, or to change if they are writeable.
    """

    def __init__(
        self,
        circuit: Circuit,
        *,
        seeds: Sequence[int],
        dtype: Any = np.float32,
        batch: int = 1,
        parameters: Parameters | None = None,
        to_host: ToHost = lambda arrays: None,
    ) -> None:
        seeds = taken_seeds(circuit, seeds)
        self.circuit, self.replicas, self.to_host = circuit, len(seeds), to_host
        self.acts = Acts(circuit.name)
        self.dtype = taken_dtype(circuit, dtype)
        self._given: Parameters = deepcopy(dict(parameters or {}))  # read when first asked for
        check_given(circuit, self._given, self.replicas, self.dtype)
        self._first: dict[tuple[str, str], np.ndarray] = {}
        self._made: dict[Key, np.ndarray] = {}  # the arrays as they were made
        self._arrays: dict[Key, np.ndarray] = {
            ("circuit", "alive", None): np.ones(self.replicas, np.bool_),
            ("circuit", "seeds", None): np.array(seeds, object),  # Python's numbers, as keys
            ("circuit", "tick", None): np.zeros(1, np.int64),
            ("circuit", "presentation", None): np.zeros(1, np.int64),
        }
        self._arrays |= neuron_memory(circuit, self.replicas, batch, self.dtype)
        for q in circuit.projections:
            if q.has_tensor:
                self._allocate(q, seeds)
        for q in circuit.projections:
            self._take_over(q)
        self._made = dict(self._arrays) | self._made

    def _allocate(self, q: Projection, seeds: Sequence[int]) -> None:
        shape = self.circuit.tensor_shape(q.name)
        weight = self._zeros(q, self.dtype)
        if isinstance(q.weights, Fixed):
            weight[...] = constants(self.circuit, q) * q.weights.value
        elif isinstance(q.weights, Own) and q.weights.first is not None:
            weight[...] = q.weights.first
        else:
            fan = q.connectivity.fan(*self.circuit.ends(q.name))
            for drawn, seed in zip(weight, seeds, strict=True):
                drawn[...] = glorot(seed, f"{q.name}.weight", shape, fan)
        exists = used(self.circuit, q)
        if exists is not None:
            weight *= exists  # slots without a synapse have no weight
        self._arrays[q.name, "weight", None] = weight
        if q.masked:
            density, kept = self._parameter(q.name, "density"), self._zeros(q, np.bool_)
            for chosen, seed, share in zip(kept, seeds, density, strict=True):
                chosen[...] = drawn_mask(self.circuit, q, seed, share)
            kept &= True if exists is None else exists
            self._arrays[q.name, "mask", None] = kept
            weight *= kept
        if q.bias:
            self._arrays[q.name, "bias", None] = np.zeros((self.replicas, *self.circuit.bias_shape(q.name)), self.dtype)
        if q.name in self.circuit.rules:
            self._allocate_increments(q)

    def _allocate_increments(self, q: Projection) -> None:
        fast = any(p.momentum for p in self.circuit.rules[q.name]) and bool(self._parameter(q.name, "momentum").any())
        for quantity, prefix in (("weight", ""), ("bias", "bias_"))[: 2 if q.bias else 1]:
            shaped = self._arrays[q.name, quantity, None]
            self._arrays[q.name, f"{prefix}increment", None] = np.zeros_like(shaped)
            if q.deferred:
                self._arrays[q.name, f"{prefix}pending", None] = np.zeros_like(shaped)
            if fast:
                self._arrays[q.name, f"{prefix}velocity", None] = np.zeros_like(shaped)

    def _zeros(self, q: Projection, dtype: Any) -> np.ndarray:
        """Return an array (replica, *tensor) of a projection.

        Synapses read backwards lie in memory as they do read forwards, so that one kernel serves both.
        """
        shape, axes = self.circuit.tensor_shape(q.name), reversed_axes(q)
        if not axes:
            return np.zeros((self.replicas, *shape), dtype)
        return across(np.zeros((self.replicas, *exchanged(shape, axes)), dtype), q.connectivity)

    def _take_over(self, q: Projection) -> None:
        """Copy from the outset the weights that the first presentation copies."""
        if isinstance(q.weights, Copied):
            weight, mask = self._arrays[q.name, "weight", None], self._arrays.get((q.name, "mask", None))
            weight[...] = across(self._arrays[q.weights.of, "weight", None], q.connectivity)
            weight *= 1 if mask is None else mask

    def parameter(self, owner: str, quantity: str) -> np.ndarray:
        """Return a parameter's values (replica,), read-only; `set_parameters` and `scale_rates` change them."""
        return guarded(self._parameter(owner, quantity), Mode.READ)

    def _parameter(self, owner: str, quantity: str) -> np.ndarray:
        """Return a parameter's array (replica,), made when first asked for."""
        key = (owner, quantity, None)
        if key not in self._arrays:
            value = self._given.get((owner, quantity), self._given.get(quantity))
            if value is None and quantity == "lr_bias":
                value = self._parameter(owner, "lr")
            elif value is None:
                value = DEFAULTS[quantity] if quantity in DEFAULTS else self._rule_default(owner, quantity)
            self._arrays[key] = self._made[key] = spread(owner, quantity, value, self.replicas, self.dtype)
        return self._arrays[key]

    def _rule_default(self, owner: str, quantity: str) -> float:
        for learning in self.circuit.rules.get(owner, ()):
            if quantity in (known := rule_parameters(learning)):
                return known[quantity]
        raise CircuitError(
            f"parameter {quantity} of {owner}",
            got="no value",
            expected="a number, or one for each replica",
            remedy="Pass it in parameters.",
        )

    def view(self, access: Access) -> np.ndarray | None:
        """Return the array behind an access, guarded by its mode; None for a velocity that no replica has."""
        array = self._arrays.get(access.key)
        if array is None and not access.quantity.endswith("velocity"):
            array = self._parameter(access.owner, access.quantity)
        return None if array is None else guarded(array, access.mode)

    def arrays(self) -> dict[Key, np.ndarray]:
        """Return all arrays by address, writable: for audits alone."""
        self.to_host(self._arrays.values())
        return dict(self._arrays)

    def scale_rates(self, factor: float | np.ndarray, projections: Iterable[str] | None = None) -> None:
        """Set the learning rates of some projections, or of all that learn, to their given values times a factor."""
        chosen = list(self.circuit.rules) if projections is None else taken_projections(self.circuit, projections)
        factors = spread("the rates", "factor", factor, self.replicas, np.dtype(np.float64))
        keys = [(owner, quantity) for owner in chosen for quantity in ("lr", "lr_bias")]
        given = [self._given_rate(*key) for key in keys]  # made here if need be: kernels bound later use them too
        self.acts.note("set_rates", "all projections" if projections is None else ", ".join(chosen))
        self.to_host(self._parameter(*key) for key in keys)
        for key, first in zip(keys, given, strict=True):
            self._parameter(*key)[...] = np.where(first == 0, 0, first * factors)  # 0 stays 0

    def set_parameters(self, parameters: Mapping[tuple[str, str], Any]) -> None:
        """Replace parameters from now on.

        Parameters
        ----------
        parameters : one value, or one for each replica, by (owner, quantity): lr, lr_bias, weight_decay and
            `rule.parameter` of a projection, max_norm of a population.

        Raises
        ------
        CircuitError : another parameter, or an owner that the circuit lacks.
        """
        check_given(self.circuit, parameters, self.replicas, self.dtype)
        for key in parameters:
            if not may_change(key[1]):
                expected, known = "one that may change while a circuit learns", (*CHANGING, "RULE.PARAMETER")
                refuse_parameter(key, f"the quantity {key[1]!r}", expected, known)
        for key, given in [(k, spread(*k, v, self.replicas, self.dtype)) for k, v in parameters.items()]:
            self.acts.note("set_parameters", ".".join(key))
            self.to_host([self._parameter(*key)])
            self._parameter(*key)[...] = given
            if key in self._first:
                self._first[key][...] = given

    def tensors(self) -> dict[str, np.ndarray]:
        """Return read-only views of the weights and biases by name ("A1.weight"), with a leading replica axis each."""
        return {name: guarded(array, Mode.READ) for name, array in self.writable().items()}

    def writable(self) -> dict[str, np.ndarray]:
        """Return the weights and biases themselves, by name, on the host: for hooks and audits alone."""
        constant = {f"{q.name}.weight" for q in self.circuit.projections if q.constant}
        return {name: array for name, array in self._named("weight", "bias").items() if name not in constant}

    def load(self, name: str, values: np.ndarray) -> None:
        """Replace a tensor in place; without a replica axis every replica gets the same.

        Raises
        ------
        TensorError for an unknown name, a wrong shape, wrong numbers, or values that are not finite.
        """
        tensors = self.writable()
        values = taken_tensor(name, values, tensors, self.dtype)
        self.acts.note("load", name)
        tensors[name][...] = values
        owner = name.removesuffix(".weight")
        exists = used(self.circuit, self.circuit.projection(owner)) if owner != name else None
        for mask in (self._arrays.get((owner, "mask", None)), exists):
            if mask is not None:
                tensors[name] *= mask  # synapses that do not exist have no weight
        if not self._arrays["circuit", "presentation", None][0]:
            for q in self.circuit.projections:
                if f"{q.transposed_from}.weight" == name:
                    self._take_over(q)

    def check_whole(self) -> None:
        """Raise CircuitError if an array is not the one that was made: compiled steps would go on with the old one."""
        if len(self._arrays) != len(self._made) or not all(map(is_, self._arrays.values(), self._made.values())):
            refuse_exchanged(self.circuit.name, self._arrays, self._made)

    def persistent(self) -> dict[str, np.ndarray]:
        """Return the arrays of a checkpoint by name: weights, velocities, pending increments, memory of neurons."""
        return self._named("weight", "bias", "velocity", "bias_velocity", "pending", "bias_pending", "alive", *LASTING)

    @property
    def seeds(self) -> np.ndarray:
        """The seed of each replica, (replica,) of uint64."""
        return self._arrays["circuit", "seeds", None].astype(np.uint64)

    def rates(self) -> dict[str, np.ndarray]:
        """Return the parameters that may change, by name, and the given rates that `scale_rates` multiplies."""
        found = {}
        for owner, quantities in readable(self.circuit).items():
            for quantity in sorted(filter(may_change, quantities)):
                kind = "rates" if quantity in CHANGING else "numbers"  # of rules: any, also negative ones
                found[f"{kind}/{owner}.{quantity}"] = self._parameter(owner, quantity)
                if quantity in ("lr", "lr_bias"):
                    found[f"rates/{owner}.{quantity} as given"] = self._given_rate(owner, quantity)
        self.to_host(found.values())
        return found

    def _given_rate(self, owner: str, quantity: str) -> np.ndarray:
        """Return the rates from which `scale_rates` starts, (replica,) of float64."""
        return self._first.setdefault((owner, quantity), self._parameter(owner, quantity).astype(np.float64))

    def increments(self) -> dict[str, np.ndarray]:
        """Return the increments by name; where presentations overlap, some have still to be applied."""
        return self._named("increment", "bias_increment")

    def _named(self, *quantities: str) -> dict[str, np.ndarray]:
        """Return all arrays of some quantities by name, on the host."""
        found = {f"{o}.{q}": a for (o, q, _), a in self._arrays.items() if q in quantities}
        self.to_host(found.values())
        return found

    def set_clock(self, tick: int, presentation: int) -> None:
        """Set the tick and the number of the presentation, which keyed randomness and copies read."""
        clock, count = self._arrays["circuit", "tick", None], self._arrays["circuit", "presentation", None]
        self.to_host((clock, count))
        clock[0], count[0] = tick, presentation

    @property
    def alive(self) -> np.ndarray:
        """Replicas that have not diverged, (replica,) of bool."""
        found = self._arrays["circuit", "alive", None]
        self.to_host((found,))
        return found
