"""The delta rule, common to backpropagation and random backpropagation."""

from __future__ import annotations

from typing import Any

from circuitsim.rules.rule import builtin_rule


@builtin_rule
def delta(pre: Any, post: Any, w: Any) -> Any:
    """Product of presynaptic activity and the error held by the feedback neuron at the postsynaptic site.

    dw_ij = delta_i O_j

    Source
    ------
    Baldi & Sadowski 2018, eq. 6. The rule is local; the circuit's wires say whether the path of the error is.
    With the error neuron as presynaptic and activity as postsynaptic it adapts feedback synapses (section 2.3.2).
    """
    return post.at(0) * pre.at(0)
