"""The primitive `null` of a feedback synapse: the signal that it passes weakens it."""

from __future__ import annotations

from typing import Any

from circuitsim.rules.rule import builtin_rule


@builtin_rule
def null(pre: Any, post: Any, *, c: float = 1.0) -> Any:
    """Minus the gradient of |B x_{l+1}|^2 / 2; the postsynaptic neuron holds its own summed input.

    dB_ij = -c (B x_{l+1})_i x_{l+1,j}, with x_{l+1} = W x_l, what the layer above takes in

    Parameters
    ----------
    c : the primitive's coefficient.

    Source
    ------
    Kunin et al. 2020, table of primitives; Nayebi 2020 (role of feedback), "null".
    Local: (B x)_i is the neuron's own summed input
    when the activity is sent through the feedback synapses.
    """
    return -c * post.at(0) * pre.at(0)
