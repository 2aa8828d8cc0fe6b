"""The primitive `amp` of a feedback synapse: joint activity strengthens it."""

from __future__ import annotations

from typing import Any

from circuitsim.rules.rule import builtin_rule


@builtin_rule
def amp(pre: Any, post: Any, *, c: float = 1.0) -> Any:
    """Minus the gradient of -x_l' B x_{l+1}: Hebb's product of both sides.

    dB_ij = c x_l,i x_{l+1,j}

    x_{l+1} is W x_l, what the layer above takes in; a circuit may present that layer's activity in its place.

    Parameters
    ----------
    c : the primitive's coefficient.

    Source
    ------
    Kunin et al. 2020, table of primitives; Nayebi 2020 (role of feedback), "amp". Local. With noise in place of
    activity, and with decay, this is the weight mirror (Akrout et al. 2019).
    """
    return c * post.at(0) * pre.at(0)
