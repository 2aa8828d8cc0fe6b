"""Recirculation of outputs."""

from __future__ import annotations

from typing import Any

from circuitsim.rules.rule import builtin_rule


@builtin_rule
def recirculation(pre: Any, post: Any, w: Any, *, n: int = 0, m: int = 1) -> Any:
    """Product of the change of postsynaptic activity between cycles n and m and the presynaptic activity.

    dw_ij = (O_i(n) - O_i(m)) O_j(n)

    Parameters
    ----------
    n, m : the cycles compared, 0 <= n < m; the presynaptic activity is that of cycle n.

    Source
    ------
    Baldi & Sadowski 2018, eq. 23 (n = 0, m = 1), eqs. 48 and 51 for other cycles. The learning rate enters
    at the update.
    """
    return (post.at(n) - post.at(m)) * pre.at(n)
