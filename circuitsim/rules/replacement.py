"""Rules of synapses between neurons in which the feedback signal replaces the forward activity."""

from __future__ import annotations

from typing import Any

from circuitsim.rules.rule import builtin_rule


@builtin_rule
def replacement(pre: Any, post: Any) -> Any:
    """Product of the postsynaptic feedback signal and the presynaptic forward activity, for forward synapses.

    dw_ij = delta_i x_j, with delta_i = O_i(1) and x_j = O_j(0)

    Source
    ------
    Amit 2019, section 2 and Remark 1.
    """
    return post.at(1) * pre.at(0)


@builtin_rule
def replacement_feedback(pre: Any, post: Any) -> Any:
    """Product of the forward activity below and the feedback signal above, for feedback synapses.

    db_ji = x_j delta_i, with x_j = O_j(0) and delta_i = O_i(1)

    Source
    ------
    Amit 2019, section 2.
    """
    return post.at(0) * pre.at(1)
