"""The eligibility of a synapse between neurons that fire tanh: a trace of how its weight acted on its target."""

from __future__ import annotations

from typing import Any

from circuitsim.rules.rule import builtin_rule


@builtin_rule
def eligibility(pre: Any, post: Any, trace: Any, *, keep: float = 0.9, gain: float = 1.0) -> Any:
    """A trace that decays and takes in presynaptic activity times the postsynaptic slope.

    e_ij <- keep e_ij + gain (1 - O_i^2) O_j

    Parameters
    ----------
    keep : part of the trace that is left after a step, below 1; with a leak 1/τ it is 1 - 1/τ.
    gain : what a step adds; 1/τ where the target leaks after its activation (RFLO), 1 in e-prop.

    Source
    ------
    Murray 2019, "Local online learning in recurrent networks with random feedback", eq. 3; Bellec et al. 2020, "A
    solution to the learning dilemma for recurrent networks of spiking neurons", for rate neurons, where the presynaptic
    activity is that of a leaky population beside the source and `keep` is the leak of the readout.
    """
    return keep * trace + gain * (1 - post.at(0) ** 2) * pre.at(0)
