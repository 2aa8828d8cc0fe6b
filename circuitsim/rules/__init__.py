"""Scalar local rules, one a file, and the compiler that lowers them."""

from circuitsim.rules.delta import delta
from circuitsim.rules.error_recirculation import error_recirculation
from circuitsim.rules.recirculation import recirculation
from circuitsim.rules.recirculation_symmetric import recirculation_symmetric, recirculation_symmetric_bias
from circuitsim.rules.rule import Rule, local_rule

__all__ = [
    "Rule",
    "delta",
    "error_recirculation",
    "local_rule",
    "recirculation",
    "recirculation_symmetric",
    "recirculation_symmetric_bias",
]
