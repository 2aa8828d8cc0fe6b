"""The specification of rules: the scalar function itself, mapped over the synapses, one example after the other.

Nothing of the lowering is used here. Compiled rules are tested against it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from circuitsim.kernels.links import Links
from circuitsim.kernels.steps import Step
from circuitsim.rules.rule import Rule


@dataclass(frozen=True)
class RuleInputs:
    """The arrays that a rule reads: memories by cycle (replica or 1, batch, neuron), weights, parameters (replica).

    `third` are those of a third factor, of as many neurons as `post` or of one; `trace` (replica, batch,
    synapse) has the traces; `factors` are what was computed of all these already in the same event, by what they were
    computed of.
    """

    pre: dict[int | None, np.ndarray]
    post: dict[int | None, np.ndarray]
    synapse: np.ndarray | None
    parameters: dict[str, np.ndarray]
    batch: int
    w_remote: np.ndarray | None = None
    factors: dict[tuple[Any, ...], np.ndarray] = field(default_factory=dict)
    third: dict[int | None, np.ndarray] = field(default_factory=dict)
    trace: np.ndarray | None = None


def mapped(rule: Rule, quantity: str, operands: RuleInputs, out: np.ndarray) -> Step:
    """The scalar function over all synapses, one example after the other: the specification."""
    weights = quantity == "weight"
    synapse = out.dtype.type(1) if operands.synapse is None else operands.synapse  # None: it cancels, any will do

    def column(values: np.ndarray) -> np.ndarray:
        return values[:, :, None] if weights else values

    def propose() -> None:
        out[...] = 0
        parameters = {k: v.reshape((-1,) + (1,) * (out.ndim - 1)) for k, v in operands.parameters.items()}
        for b in range(operands.batch):
            out[...] += rule(
                (lambda k, b=b: operands.pre[k][:, b, None, :]) if weights else (lambda k: out.dtype.type(1)),
                lambda k, b=b: column(operands.post[k][:, b]),
                synapse,
                operands.w_remote,
                third=lambda k, b=b: _third_of(operands, k, b, out.shape[1:]),
                trace=None if operands.trace is None else operands.trace[:, b].reshape(-1, *out.shape[1:]),
                **parameters,
            )

    return propose


def mapped_along(rule: Rule, quantity: str, operands: RuleInputs, out: np.ndarray, along: Links) -> Step:
    """The scalar function over the synapses of a table, one example after the other: the specification."""
    post, pre, slot = along.synapses
    places = np.unravel_index(slot, along.tensor_shape)

    def stored(tensor: np.ndarray | None, r: int) -> Any:
        return None if tensor is None else tensor[r].reshape(along.tensor_shape)[places]

    def propose() -> None:
        out[...] = 0
        for r, target in enumerate(out.reshape(len(out), *along.tensor_shape)):
            synapse = out.dtype.type(1) if operands.synapse is None else stored(operands.synapse, r)
            for b in range(operands.batch):
                dw = rule(
                    lambda k, r=r, b=b: (
                        operands.pre[k][min(r, len(operands.pre[k]) - 1), b, pre]
                        if quantity == "weight"
                        else out.dtype.type(1)
                    ),
                    lambda k, r=r, b=b: operands.post[k][min(r, len(operands.post[k]) - 1), b, post],
                    synapse,
                    stored(operands.w_remote, r),
                    third=lambda k, r=r, b=b: _third_along(operands.third[k], r, b, post),
                    **{k: v[r] for k, v in operands.parameters.items()},
                )
                np.add.at(target, places, np.broadcast_to(dw, post.shape))

    return propose


def mapped_trace(rule: Rule, quantity: str, operands: RuleInputs, trace: np.ndarray, width: int) -> Step:
    """The scalar function over all synapses, one example after the other: the specification."""
    shaped = trace.reshape(*trace.shape[:2], -1, width)
    one = trace.dtype.type(1)
    synapse = one if operands.synapse is None else operands.synapse.reshape(len(operands.synapse), -1, width)

    def renew() -> None:
        parameters = {k: v.reshape(-1, 1, 1) for k, v in operands.parameters.items()}
        for b in range(operands.batch):
            shaped[:, b] = rule(
                (lambda k, b=b: operands.pre[k][:, b, None, :]) if quantity == "weight" else (lambda k: one),
                lambda k, b=b: operands.post[k][:, b, :, None],
                synapse,
                trace=shaped[:, b],
                **parameters,
            )

    return renew


def _third_of(operands: RuleInputs, cycle: Any, example: int, ends: tuple[int, ...]) -> np.ndarray:
    """Return a third factor for all synapses, (replica, post, 1), or for all biases."""
    third = operands.third[cycle][:, example]
    return third if len(ends) == 1 else third[:, :, None]


def _third_along(third: np.ndarray, r: int, b: int, post: np.ndarray) -> Any:
    """Return a third factor for the synapses of a table."""
    values = third[min(r, len(third) - 1), b]
    return values[0] if len(values) == 1 else values[post]
