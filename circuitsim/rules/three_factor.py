"""A three-factor rule: the synapse's trace times a third factor that the postsynaptic neuron, or everybody, gets."""

from __future__ import annotations

from typing import Any

from circuitsim.rules.rule import builtin_rule


@builtin_rule
def three_factor(third: Any, trace: Any) -> Any:
    """Product of a third factor and the synapse's trace.

    dw_ij = L_i e_ij

    Source
    ------
    Murray 2019 (RFLO); Bellec et al. 2020 (e-prop); Frémaux & Gerstner 2016 (three-factor rules). The rule is local
    where the third factor is the activity of neurons colocated with the target; where one neuron broadcasts it, the
    circuit declares the wire.
    """
    return third.at(0) * trace
