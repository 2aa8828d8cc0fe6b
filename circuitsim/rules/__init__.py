"""Scalar local rules, one a file, and the compiler that lowers them."""

from circuitsim.rules.activation import Activation, local_activation
from circuitsim.rules.amp import amp
from circuitsim.rules.decay import decay
from circuitsim.rules.delta import delta
from circuitsim.rules.eligibility import eligibility
from circuitsim.rules.error_recirculation import error_recirculation
from circuitsim.rules.null import null
from circuitsim.rules.recirculation import recirculation
from circuitsim.rules.recirculation_symmetric import recirculation_symmetric, recirculation_symmetric_bias
from circuitsim.rules.replacement import replacement, replacement_feedback
from circuitsim.rules.rule import Rule, builtin_rule, local_rule
from circuitsim.rules.self_alignment import self_alignment
from circuitsim.rules.sparse import sparse
from circuitsim.rules.three_factor import three_factor

__all__ = [
    "Activation",
    "Rule",
    "amp",
    "builtin_rule",
    "decay",
    "delta",
    "eligibility",
    "error_recirculation",
    "local_activation",
    "local_rule",
    "null",
    "recirculation",
    "recirculation_symmetric",
    "recirculation_symmetric_bias",
    "replacement",
    "replacement_feedback",
    "self_alignment",
    "sparse",
    "three_factor",
]
