"""The symmetric rule of Tourbillon."""

from __future__ import annotations

from typing import Any

from circuitsim.rules.rule import builtin_rule


@builtin_rule
def recirculation_symmetric(pre: Any, post: Any, w: Any, *, n: int = 0, m: int = 1) -> Any:
    """Anti-Hebbian product of the changes of both neurons between cycles n and m.

    dw_ij = -(O_i(n) - O_i(m)) (O_j(n) - O_j(m))

    Parameters
    ----------
    n, m : the cycles compared, 0 <= n < m.

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, eq. 4 (n = 0, m = 1). For all layers below the top, which keeps eq. 3.
    It collapses to the mean image (their figure 6).
    """
    return -(post.at(n) - post.at(m)) * (pre.at(n) - pre.at(m))


@builtin_rule
def recirculation_symmetric_bias(pre: Any, post: Any, w: Any, *, n: int = 0, m: int = 1) -> Any:
    """Bias of the symmetric rule: its presynaptic unit is 1 and enters as activity, not as a change.

    db_i = -(O_i(n) - O_i(m)) 1

    Source
    ------
    Ours: the paper's rule would leave biases unchanged, since a constant activity has no difference.
    """
    return -(post.at(n) - post.at(m)) * pre.at(n)
