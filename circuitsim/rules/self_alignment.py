"""The primitive `self` of a feedback synapse: it approaches the weight of the forward synapse."""

from __future__ import annotations

from typing import Any

from circuitsim.rules.rule import builtin_rule


@builtin_rule
def self_alignment(w_remote: Any, *, c: float = 1.0) -> Any:
    """Minus the gradient of -tr(B W), which is the transposed forward weight.

    dB_ij = c w_ji

    Parameters
    ----------
    c : the primitive's coefficient.

    Source
    ------
    Kunin et al. 2020, table of primitives; Nayebi 2020 (role of feedback), "self".
    Not local: `w_remote` is a weight elsewhere,
    which a circuit has to declare as weight transport.
    """
    return c * w_remote
