"""The step under audit: called on copies, checked, and measured as changes of weights in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from circuitsim.analysis.blackbox.arrays import like, to_numpy
from circuitsim.analysis.blackbox.fresh import fresh, same_random_numbers
from circuitsim.errors import StepError

Arrays = dict[str, np.ndarray]
Step = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True)
class State:
    """All that a step is given: weights as (post, pre), the batch, and values that take the place of activities."""

    weights: Arrays
    batch: Arrays
    held: Arrays = field(default_factory=dict)

    def with_weights(self, **changed: np.ndarray) -> State:
        """Return the state with some weight arrays exchanged."""
        return replace(self, weights={**self.weights, **changed})

    def with_batch(self, **changed: np.ndarray) -> State:
        """Return the state with some batch entries exchanged."""
        return replace(self, batch={**self.batch, **changed})

    def with_held(self, **changed: np.ndarray) -> State:
        """Return the state with some activities held at other values."""
        return replace(self, held={**self.held, **changed})


@dataclass(frozen=True)
class Run:
    """Changes of all weights in consecutive calls from one state, and activities as the step computed them last."""

    state: State
    calls: tuple[Arrays, ...]
    activities: Arrays


class Program:
    """A step that can be run from any state, each time with the memory that it had when the audit began.

    Parameters
    ----------
    step : the user's callable. weights, batch : arrays of any library, which every call gets in the same library.
    returns : "weights" (new weights) or "updates" (their changes).
    pre_axis : the axis of weight matrices that counts presynaptic neurons.
    activities : names of the activities that the step passes through `hold`.
    """

    def __init__(
        self,
        step: Step,
        weights: Mapping[str, Any],
        batch: Mapping[str, Any],
        *,
        returns: str = "weights",
        pre_axis: int = 1,
        activities: Sequence[str] = (),
    ) -> None:
        self._step, self._pre_axis = step, pre_axis
        self.activities = tuple(activities)
        self._models = {"weights": dict(weights), "batch": dict(batch)}
        self.given = State(
            {name: self._turned(to_numpy(f"weights {name!r}", value)) for name, value in weights.items()},
            {name: to_numpy(f"batch {name!r}", value) for name, value in batch.items()},
        )
        self.eps = {name: float(np.finfo(w.dtype).eps) for name, w in self.given.weights.items() if w.dtype.kind == "f"}
        self.rounding = returns == "weights"
        self.made = 0
        self._seen: Arrays = {}

    def run(self, state: State, calls: int = 1) -> Run:
        """Return the changes of weights in consecutive calls with the same arguments, by a fresh copy of the step.

        Raises
        ------
        StepError : if the step raises, changes its arguments, or returns other than it should.
        """
        call = self.session()
        with same_random_numbers():
            changes = tuple(call(state) for _ in range(calls))
        return Run(state, changes, self._seen)

    def session(self) -> Callable[[State], Arrays]:
        """Return a function that calls one fresh copy of the step, which remembers from call to call."""
        step = fresh(self._step)
        return lambda state: self._call(step, state)

    def _call(self, step: Step, state: State) -> Arrays:
        self.made += 1
        weights = {name: like(self._models["weights"][name], self._turned(w)) for name, w in state.weights.items()}
        batch = {name: like(self._models["batch"][name], x) for name, x in state.batch.items()}
        try:
            with np.errstate(all="ignore"):  # large values are drawn on purpose; results are checked below
                returned = step(weights, batch, self._holder(state)) if self.activities else step(weights, batch)
        except StepError:
            raise
        except Exception as fault:
            raise StepError(
                "step",
                got=f"{type(fault).__name__}: {fault}{_where(fault)}",
                expected="a call step(weights, batch) that returns, for weights and batches of the given shapes",
                remedy="Correct the step; the audit calls it with weights and examples drawn anew.",
            ) from fault
        self._check_arguments(state, weights, batch)
        self._check_held()
        return self._changes(state, returned)

    def _holder(self, state: State) -> Callable[[str, Any], Any]:
        """Return the function through which a step passes its activities."""
        self._seen = seen = {}

        def hold(name: str, value: Any) -> Any:
            seen[name] = to_numpy(f"activity {name!r}", value)
            return like(value, state.held[name].astype(seen[name].dtype)) if name in state.held else value

        return hold

    def _check_held(self) -> None:
        if self.activities and set(self._seen) != set(self.activities):
            raise StepError(
                "activities",
                got=f"{_listed(self._seen) or 'none'} passed through hold",
                expected=f"{_listed(self.activities)}, all in each call",
                remedy='Let the step take a third argument and write for each, say, h = hold("h", h).',
            )

    def _check_arguments(self, state: State, weights: Mapping[str, Any], batch: Mapping[str, Any]) -> None:
        for kind, given, before in (("weights", weights, state.weights), ("batch", batch, state.batch)):
            for name, value in before.items():
                after = to_numpy(f"{kind} {name!r}", given[name]) if name in given else None
                after = self._turned(after) if kind == "weights" and after is not None else after
                if after is None or not np.array_equal(after, value, equal_nan=True):
                    raise StepError(
                        "step",
                        got=f"a change of its argument {kind}[{name!r}] in place",
                        expected="arguments left as they are",
                        remedy="Work on a copy, for example w = w + dw in place of w += dw, and return the result.",
                    )

    def _changes(self, state: State, returned: Any) -> Arrays:
        if not isinstance(returned, Mapping) or not set(returned) <= set(state.weights):
            names = _listed(returned) if isinstance(returned, Mapping) else type(returned).__name__
            raise StepError(
                "step",
                got=f"a result of {names}",
                expected=f"a mapping whose names are among {_listed(state.weights)}",
                remedy="Return {name: array}; a name that is left out is not changed.",
            )
        return {name: self._change(name, state, returned) for name in state.weights}

    def _change(self, name: str, state: State, returned: Mapping[str, Any]) -> np.ndarray:
        weight = state.weights[name]
        if name not in returned:
            return np.zeros(weight.shape)
        value = to_numpy(f"result {name!r}", returned[name])
        value = self._turned(value)
        if value.shape != weight.shape or not np.isfinite(value).all():
            cut = [n for n, w in state.weights.items() if w.ndim == 2 and not w.any(axis=0).all()]
            where = f" where synapses of {_listed(cut)} are zero, as in a cut" if cut else ""
            zero = " Add a small number to what the step divides by." if cut else ""
            got = f"shape {self._turned(value).shape}" if value.shape != weight.shape else "NaN or infinite values"
            raise StepError(
                f"result {name!r} of step",
                got=got + where,
                expected=f"finite values of shape {self._turned(weight).shape}",
                remedy=f"Return one value a weight; lower the learning rate if the step diverges.{zero}",
            )
        return value.astype(np.float64) - (weight.astype(np.float64) if self.rounding else 0.0)

    def _turned(self, array: np.ndarray) -> np.ndarray:
        """Return a matrix with pre and post exchanged, if the user's are (pre, post)."""
        return array.T if self._pre_axis == 0 and array.ndim == 2 else array


def _where(fault: Exception) -> str:
    """Return the innermost line of the user's own code in a traceback."""
    trace, place = fault.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if "site-packages" not in code.co_filename and "blackbox/program.py" not in code.co_filename:
            place = f" (line {trace.tb_lineno} of {code.co_name})"
        trace = trace.tb_next
    return place


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
