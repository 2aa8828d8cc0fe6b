"""The primitive `sparse` of a feedback synapse: the signal sent through it backwards is weakened."""

from __future__ import annotations

from typing import Any

from circuitsim.rules.rule import builtin_rule


@builtin_rule
def sparse(pre: Any, post: Any, *, c: float = 1.0) -> Any:
    """Minus the gradient of |x_l' B|^2 / 2; the presynaptic site must get what its synapses would carry backwards.

    dB_ij = -c x_l,i (B' x_l)_j

    Parameters
    ----------
    c : the primitive's coefficient.

    Source
    ------
    Kunin et al. 2020, table of primitives; Nayebi 2020 (role of feedback), "sparse".
    Not local: a circuit has to declare
    the transposed weights that bring (B' x)_j to the presynaptic neuron.
    """
    return -c * post.at(0) * pre.at(0)
