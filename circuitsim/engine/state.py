"""State: weights, parameters and all else that outlives a presentation. `Activity` holds the rest.

Both hand out views of the arrays that an event declares, read-only where it only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Projection
from circuitsim.circuit.weights import Copied, Fixed
from circuitsim.engine.masks import drawn_mask
from circuitsim.errors import CircuitError, TensorError
from circuitsim.locality import Access, Key, Mode
from circuitsim.lowering.links import across, constants, reversed_axes, used
from circuitsim.randomness import generator

Parameters = Mapping[str | tuple[str, str], Any]
ToHost = Callable[[Iterable[np.ndarray]], None]
DEFAULTS = {
    "lr": 0.01,
    "momentum": 0.0,
    "emits": 0.0,
    "remembers": 0.0,
    "max_norm": np.inf,
    "weight_decay": 0.0,
    "noise_scale": 1.0,
    "margin": 1.0,
    "density": 1.0,
    "copy_interval": 1.0,
    "update_probability": 1.0,
}
OF_POPULATIONS = ("emits", "remembers", "max_norm", "margin")
CHANGING = ("lr", "lr_bias", "weight_decay", "max_norm")
OF_PROJECTIONS = (
    "lr",
    "lr_bias",
    "momentum",
    "weight_decay",
    "noise_scale",
    "density",
    "copy_interval",
    "update_probability",
)


class State:
    """Weights (replica, post, pre), biases, velocities, increments, and the parameters (replica,) of everything.

    Parameters
    ----------
    circuit : the circuit that the arrays belong to.
    seeds : one whole number >= 0 for each replica, the seed of its weights.
    dtype : float32 or float64.
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
        parameters: Parameters | None = None,
        to_host: ToHost = lambda arrays: None,
    ) -> None:
        self.circuit, self.dtype, self.replicas, self.to_host = circuit, np.dtype(dtype), len(seeds), to_host
        self._given: Parameters = parameters or {}
        self._first: dict[tuple[str, str], np.ndarray] = {}
        self._arrays: dict[Key, np.ndarray] = {
            ("circuit", "alive", None): np.ones(self.replicas, np.bool_),
            ("circuit", "seeds", None): np.array(seeds, object),  # whole numbers of any size
            ("circuit", "tick", None): np.zeros(1, np.int64),
            ("circuit", "presentation", None): np.zeros(1, np.int64),
        }
        for q in circuit.projections:
            if q.has_tensor:
                self._allocate(q, seeds)
        for q in circuit.projections:
            self._take_over(q)
        self._check_given(self._given)

    def _allocate(self, q: Projection, seeds: Sequence[int]) -> None:
        shape = self.circuit.tensor_shape(q.name)
        weight = self._zeros(q, self.dtype)
        if isinstance(q.weights, Fixed):
            weight[...] = constants(self.circuit, q) * q.weights.value
        else:
            fan = q.connectivity.fan(*self.circuit.ends(q.name))
            for drawn, seed in zip(weight, seeds, strict=True):
                drawn[...] = glorot(seed, f"{q.name}.weight", shape, fan)
        exists = used(self.circuit, q)
        if exists is not None:
            weight *= exists  # slots without a synapse have no weight
        self._arrays[q.name, "weight", None] = weight
        if q.masked:
            density, kept = self.parameter(q.name, "density"), self._zeros(q, np.bool_)
            for chosen, seed, share in zip(kept, seeds, density, strict=True):
                chosen[...] = drawn_mask(self.circuit, q, seed, share)
            self._arrays[q.name, "mask", None] = kept
            weight *= kept
        if q.bias:
            self._arrays[q.name, "bias", None] = np.zeros((self.replicas, *self.circuit.bias_shape(q.name)), self.dtype)
        if q.name in self.circuit.rules:
            self._allocate_increments(q)

    def _allocate_increments(self, q: Projection) -> None:
        fast = any(p.momentum for p in self.circuit.rules[q.name]) and bool(self.parameter(q.name, "momentum").any())
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
        first, second = (axis + 1 for axis in axes)
        forwards = np.empty((1, *shape)).swapaxes(first, second).shape[1:]
        return np.zeros((self.replicas, *forwards), dtype).swapaxes(first, second)

    def _take_over(self, q: Projection) -> None:
        """Copy from the outset the weights that the first presentation copies."""
        if isinstance(q.weights, Copied):
            weight, mask = self._arrays[q.name, "weight", None], self._arrays.get((q.name, "mask", None))
            weight[...] = across(self._arrays[q.weights.of, "weight", None], q.connectivity)
            weight *= 1 if mask is None else mask

    def parameter(self, owner: str, quantity: str) -> np.ndarray:
        """Return a parameter's array (replica,), made when first asked for."""
        key = (owner, quantity, None)
        if key not in self._arrays:
            value = self._given.get((owner, quantity), self._given.get(quantity))
            if value is None and quantity == "lr_bias":
                value = self.parameter(owner, "lr")
            if value is None:
                value = DEFAULTS[quantity] if quantity in DEFAULTS else self._rule_default(owner, quantity)
            self._arrays[key] = self._spread(owner, quantity, value)
        return self._arrays[key]

    def _rule_default(self, owner: str, quantity: str) -> float:
        for p in self.circuit.plasticity:
            for rule in (p.rule, p.bias_rule):
                for name, value in getattr(rule, "free", {}).items():
                    if p.projection == owner and quantity == f"{rule.name}.{name}":  # type: ignore[union-attr]
                        return float(value)
        raise CircuitError(
            f"parameter {quantity} of {owner}",
            got="no value",
            expected="a number, or one for each replica",
            remedy="Pass it in parameters.",
        )

    def _spread(self, owner: str, quantity: str, value: Any) -> np.ndarray:
        given = np.asarray(value)
        numbers = given.dtype.kind in "fiu"
        if not numbers or given.ndim > 1 or given.size not in (1, self.replicas) or np.isnan(given).any():
            raise CircuitError(
                f"parameter {quantity} of {owner}",
                got=f"an array of shape {given.shape}" if numbers and given.ndim else repr(value),
                expected=f"one number, or one for each of {self.replicas} replicas",
                remedy="Match the number of seeds.",
            )
        return np.array(np.broadcast_to(given.reshape(-1), (self.replicas,)), self.dtype)

    def _check_given(self, given: Iterable[str | tuple[str, str]]) -> None:
        known = {p.name: {*OF_POPULATIONS} for p in self.circuit.populations}
        known |= {q.name: {*OF_PROJECTIONS} for q in self.circuit.projections}
        for p in self.circuit.plasticity:
            for rule in (p.rule, p.bias_rule):
                known[p.projection] |= {f"{rule.name}.{name}" for name in getattr(rule, "free", {})} if rule else set()
        for key in given:
            owner, quantity = key if isinstance(key, tuple) else (None, key)
            if owner is not None and owner not in known:
                _refuse_parameter(key, f"the owner {owner!r}", f"a part of circuit {self.circuit.name}", known)
            quantities = known[owner] if owner else set[str]().union(*known.values())
            if quantity not in quantities:
                _refuse_parameter(key, f"the quantity {quantity!r}", "one that its owner has", quantities)

    def view(self, access: Access) -> np.ndarray | None:
        """Return the array behind an access, guarded by its mode; None for a velocity that no replica has."""
        array = self._arrays.get(access.key)
        if array is None and not access.quantity.endswith("velocity"):
            array = self.parameter(access.owner, access.quantity)
        return None if array is None else guarded(array, access.mode)

    def arrays(self) -> dict[Key, np.ndarray]:
        """Return all arrays by address, writable: for audits alone."""
        self.to_host(self._arrays.values())
        return dict(self._arrays)

    def scale_rates(self, factor: float | np.ndarray, projections: Iterable[str] | None = None) -> None:
        """Set the learning rates of some projections, or of all that learn, to their given values times a factor."""
        for projection in self.circuit.rules if projections is None else projections:
            for quantity in ("lr", "lr_bias"):  # made here if need be: kernels bound later use it too
                key = (projection, quantity)
                self._first.setdefault(key, self.parameter(*key).astype(np.float64))
        self.to_host(self._arrays[owner, quantity, None] for owner, quantity in self._first)
        for (owner, quantity), first in self._first.items():
            self._arrays[owner, quantity, None][...] = first * factor

    def set_parameters(self, parameters: Mapping[tuple[str, str], Any]) -> None:
        """Replace parameters from now on.

        Parameters
        ----------
        parameters : one value, or one for each replica, by (owner, quantity): lr, lr_bias, weight_decay of a
            projection, max_norm of a population.

        Raises
        ------
        CircuitError : another parameter, or an owner that the circuit lacks.
        """
        self._check_given(parameters)
        for key, value in parameters.items():
            if key[1] not in CHANGING:
                _refuse_parameter(
                    key, f"the quantity {key[1]!r}", "one that may change while a circuit learns", CHANGING
                )
            given = self._spread(*key, value)
            self.to_host([self.parameter(*key)])
            self.parameter(*key)[...] = given
            if key in self._first:
                self._first[key] = given.astype(np.float64)

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the weights and biases themselves, by name ("A1.weight"), each with a leading replica axis.

        Newer values on a device are copied here: call this anew after each presentation, and before each change.
        """
        constant = {f"{q.name}.weight" for q in self.circuit.projections if q.constant}
        return {name: array for name, array in self._named("weight", "bias").items() if name not in constant}

    def load(self, name: str, values: np.ndarray) -> None:
        """Replace a tensor in place; without a replica axis every replica gets the same.

        Raises
        ------
        TensorError : unknown name, wrong shape, wrong kind of numbers, or values that are not finite.
        """
        tensors = self.tensors()
        if name not in tensors:
            _refuse_tensor(name, "a name that the circuit lacks", f"one of {', '.join(sorted(tensors))}")
        shape = tensors[name].shape
        if values.shape not in (shape, shape[1:]):
            _refuse_tensor(name, f"shape {tuple(values.shape)}", f"{shape[1:]}, or {shape} with replicas")
        if values.dtype.kind != "f" or not np.isfinite(values).all():
            _refuse_tensor(name, f"{values.dtype} with values that are not finite floats", "finite floats")
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

    def persistent(self) -> dict[str, np.ndarray]:
        """Return the arrays of a checkpoint by name: weights, biases, velocities, pending increments, live replicas."""
        return self._named("weight", "bias", "velocity", "bias_velocity", "pending", "bias_pending", "alive")

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


def glorot(seed: int, name: str, shape: tuple[int, ...], fan: tuple[int, int]) -> np.ndarray:
    """Draw weights uniform within ±sqrt(6 / (fan in + fan out)) (Glorot & Bengio 2010)."""
    limit = np.sqrt(6.0 / sum(fan))
    return generator(seed, name).uniform(-limit, limit, shape)


def guarded(array: np.ndarray, mode: Mode) -> np.ndarray:
    """Return a view of an array, read-only unless the mode allows a change."""
    view = array.view()
    view.flags.writeable = mode is not Mode.READ
    return view


def _refuse_parameter(key: object, got: str, expected: str, known: Iterable[str]) -> None:
    remedy = f"Name one of {', '.join(sorted(known))}."
    raise CircuitError(f"parameter {key!r}", got=got, expected=expected, remedy=remedy)


def _refuse_tensor(name: str, got: str, expected: str) -> None:
    raise TensorError(f"tensor {name}", got=got, expected=expected, remedy="Correct the weights that are given.")
