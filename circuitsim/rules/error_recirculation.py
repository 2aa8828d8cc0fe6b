"""Recirculation of errors."""

from __future__ import annotations

from typing import Any

from circuitsim.rules.rule import builtin_rule


@builtin_rule
def error_recirculation(pre: Any, post: Any, w: Any) -> Any:
    """Product of the postsynaptic response to the recirculated error and the presynaptic activity of cycle 0.

    dw_ij = O_i(1) O_j(0), where O^0(1) = I - O^L(0)

    Source
    ------
    Baldi & Sadowski 2018, eq. 18. Its passes add biases, so hidden layers change even without an error.
    """
    return post.at(1) * pre.at(0)
