"""The primitive `decay` of a feedback synapse: weights shrink."""

from __future__ import annotations

from typing import Any

from circuitsim.rules.rule import builtin_rule


@builtin_rule
def decay(w: Any, *, c: float = 1.0) -> Any:
    """Minus the gradient of |B|^2 / 2.

    dB_ij = -c b_ij

    Parameters
    ----------
    c : the primitive's coefficient.

    Source
    ------
    Kunin et al. 2020, table of primitives; Nayebi 2020 (role of feedback), "decay". Local: it reads the synapse alone.
    """
    return -c * w
