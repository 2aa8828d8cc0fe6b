"""Parameters of a circuit's parts: which there are, which part reads which, their defaults and their ranges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

import numpy as np

from circuitsim.arrays import as_array, misfit_of_mask
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import RECIRCULATES, Carries, Noise, Plasticity, Population, Projection
from circuitsim.circuit.weights import Copied
from circuitsim.errors import CircuitError

Parameters = Mapping[str | tuple[str, str], Any]
CHANGING = ("lr", "lr_bias", "weight_decay", "max_norm")


class Range(NamedTuple):
    """The values that a parameter may have: a test of an array of them, and the text of messages."""

    holds: Callable[[np.ndarray], np.ndarray]
    text: str


NOT_NEGATIVE = Range(lambda v: (v >= 0) & np.isfinite(v), "a number >= 0")
FRACTION = Range(lambda v: (v >= 0) & (v <= 1), "a number from 0 to 1")
PART = Range(lambda v: (v > 0) & (v <= 1), "a number above 0, up to 1")
ANY = Range(lambda v: ~np.isnan(v), "a number")
RANGES = {
    "lr": NOT_NEGATIVE,
    "lr_bias": NOT_NEGATIVE,
    "momentum": Range(lambda v: (v >= 0) & (v < 1), "a number from 0 to below 1"),
    "emits": FRACTION,
    "remembers": FRACTION,
    "max_norm": Range(lambda v: v > 0, "a number above 0, or infinity"),
    "weight_decay": NOT_NEGATIVE,
    "noise_scale": NOT_NEGATIVE,
    "margin": NOT_NEGATIVE,
    "density": PART,
    "copy_interval": Range(
        lambda v: (v >= 1) & ((v == np.floor(v)) | np.isinf(v)), "a whole number of presentations >= 1, or infinity"
    ),
    "update_probability": PART,
    "factor": Range(lambda v: v >= 0, "a number >= 0"),
}
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


def may_change(quantity: str) -> bool:
    """Return whether a parameter may change while a circuit learns: rates, decays, bounds and numbers of rules."""
    return quantity in CHANGING or "." in quantity


def readable(circuit: Circuit) -> dict[str, set[str]]:
    """Return the quantities that each part of a circuit reads."""
    found = {p.name: set(_of_population(circuit, p)) for p in circuit.populations}
    return found | {q.name: set(_of_projection(circuit, q)) for q in circuit.projections}


def rule_parameters(learning: Plasticity) -> dict[str, float]:
    """Return the parameters of a plasticity's rules that may differ between replicas, with their defaults."""
    rules = [rule for rule in (learning.rule, learning.bias_rule, learning.trace) if rule is not None]
    return {f"{rule.name}.{name}": float(value) for rule in rules for name, value in getattr(rule, "free", {}).items()}


def _of_population(circuit: Circuit, p: Population) -> Iterator[str]:
    if p.mixes or any(x.carries in RECIRCULATES for x in circuit.exchanges):
        yield from ("emits", "remembers")
    if p.bounded:
        yield "max_norm"
    if circuit.exchanged(p.name, Carries.MARGIN):
        yield "margin"


def _of_projection(circuit: Circuit, q: Projection) -> Iterator[str]:
    learning = circuit.rules.get(q.name, ())
    if learning:
        yield from ("lr", "weight_decay")
    if learning and q.bias:
        yield "lr_bias"
    if any(p.momentum for p in learning):
        yield "momentum"
    for quantity, reads in {
        "noise_scale": any(m.projection == q.name and m.noise is not Noise.GIVEN for m in circuit.mirrors),
        "density": q.masked,
        "copy_interval": isinstance(q.weights, Copied),
        "update_probability": q.deferred,
    }.items():
        if reads:
            yield quantity
    for p in learning:
        yield from rule_parameters(p)


def check_given(circuit: Circuit, given: Mapping[Any, Any], replicas: int, dtype: np.dtype[Any]) -> None:
    """Raise CircuitError for a parameter that no part of a circuit reads, or not the part that it is given for.

    A default is accepted for every part: it asks for nothing. Values must fit too, as in `spread`.
    """
    reads = readable(circuit)
    every = set[str]().union(*reads.values())
    for key, value in given.items():
        owner, quantity = key if isinstance(key, tuple) else (None, key)
        if owner is not None and owner not in reads:
            refuse_parameter(key, f"the owner {owner!r}", f"a part of circuit {circuit.name}", reads)
        if quantity in (every if owner is None else reads[owner]):
            spread(owner or next(name for name in reads if quantity in reads[name]), quantity, value, replicas, dtype)
            continue
        if _is_default(quantity, value):
            continue
        got = f"the quantity {quantity!r}"
        if owner is None:
            refuse_parameter(key, got, f"one that circuit {circuit.name} reads", every)
        refuse_parameter(key, got, "one that its owner reads", reads[owner])


def _is_default(quantity: str, value: Any) -> bool:
    return quantity in DEFAULTS and bool(np.all(as_array(value) == DEFAULTS[quantity]))


def taken_projections(circuit: Circuit, projections: Any) -> list[str]:
    """Return the names of projections that learn; CircuitError for a name of any other, or for one text."""
    names = [projections] if isinstance(projections, str) else list(projections)
    for name in names:
        if isinstance(projections, str) or name not in circuit.rules:
            raise CircuitError(
                f"projections of circuit {circuit.name}",
                got=repr(name) if name not in circuit.rules else f"the text {name!r}",
                expected="a list of projections that learn",
                remedy=f"Name some of {', '.join(circuit.rules) or 'none'}, or leave them out for all.",
            )
    return names


def spread(owner: str, quantity: str, value: Any, replicas: int, dtype: np.dtype[Any]) -> np.ndarray:
    """Return a parameter's value as an array (replica,) of a type.

    Raises
    ------
    CircuitError : no real numbers, another number of them, or one out of range.
    """
    given, what = as_array(value), f"parameter {quantity} of {owner}"
    numbers = given.dtype.kind in "fiu" and misfit_of_mask(given) is None
    if not numbers or given.ndim > 1 or given.size not in (1, replicas) or np.isnan(given).any():
        raise CircuitError(
            what,
            got=f"an array of shape {given.shape}" if numbers and given.ndim else repr(value),
            expected=f"one number, or one for each of {replicas} replicas",
            remedy="Match the number of seeds.",
        )
    allowed = RANGES.get(quantity, ANY)
    if not (good := allowed.holds(given)).all():
        got = f"{given.reshape(-1)[int(np.argmin(good))]:g}"
        raise CircuitError(what, got=got, expected=allowed.text, remedy="Correct the value.")
    with np.errstate(over="ignore"):  # a rate too large for the type is found as divergence
        return np.array(np.broadcast_to(given.reshape(-1), (replicas,)), dtype)


def refuse_parameter(key: object, got: str, expected: str, known: Iterable[str]) -> NoReturn:
    """Raise CircuitError for a parameter, with the names that are known."""
    remedy = f"Name one of {', '.join(sorted(known))}."
    raise CircuitError(f"parameter {key!r}", got=got, expected=expected, remedy=remedy)
