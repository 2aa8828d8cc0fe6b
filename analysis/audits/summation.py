"""Examples stand for presentations one after the other: what a batch proposes is the sum of what each would alone.

Locality lets a synapse see all examples of its two neurons, since its update sums over them. It must not combine one
example with another: no neuron remembers both.
"""

from __future__ import annotations

import numpy as np

from circuitsim.analysis.audits.stage import Stage
from circuitsim.engine.plan import BoundPlan
from circuitsim.locality import Key

ROUNDING = {"float32": 1e-3, "float64": 1e-9}  # of the sum of sizes: far above rounding, far below a mistake


def unsummed(stage: Stage, single: BoundPlan, k: int) -> list[str]:
    """The quantities (weight, bias) whose increments at entry k are not the sum over examples, up to rounding.

    Parameters
    ----------
    stage : a recorded timetable of a batch. single : the same for one example. k : an entry of the phase plasticity.
    """
    stage.memory.load(stage.at[k])
    made = [key for key in stage.made(k) if key[1].endswith("increment")]
    held = {key: stage.arrays[key].copy() for key in single.arrays if key[2] is not None}
    whole = _proposed(stage, stage.part, k, made)
    summed = {key: np.zeros_like(values) for key, values in whole.items()}
    sizes = {key: np.zeros_like(values) for key, values in whole.items()}
    for example in range(stage.part.rows.shape[-1]):
        for key, values in held.items():
            single.arrays[key][:, 0] = values[:, example]
        for key, values in _proposed(stage, single, k, made).items():
            summed[key] += values
            sizes[key] += np.abs(values)
    rounding = ROUNDING[str(stage.arrays[made[0]].dtype)] if made else 0.0
    wrong = [key for key in made if (np.abs(whole[key] - summed[key]) > rounding * (sizes[key] + 1e-30)).any()]
    return ["bias" if key[1].startswith("bias") else "weight" for key in wrong]


def _proposed(stage: Stage, part: BoundPlan, k: int, made: list[Key]) -> dict[Key, np.ndarray]:
    """What the entry's rule adds to the increments, in double precision."""
    for key in made:
        stage.arrays[key][...] = 0
    part.steps[k]()
    return {key: stage.arrays[key].astype(np.float64) for key in made}
