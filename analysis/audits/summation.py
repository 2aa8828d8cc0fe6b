"""The increments of a batch must be the sum of the increments of its examples.

A synapse may read all examples of its two neurons, because its update sums over them. A rule that combines two
examples is not local: the examples of a batch stand for consecutive presentations, and no neuron remembers both.
"""

from __future__ import annotations

import numpy as np

from circuitsim.analysis.audits.recording import Recording
from circuitsim.engine.plan import BoundPlan
from circuitsim.locality import Key

ROUNDING = {"float32": 1e-3, "float64": 1e-9}  # relative to the summed magnitudes: above rounding, below any mistake


def unsummed(recording: Recording, single: BoundPlan, k: int) -> list[str]:
    """Return the quantities (weight, bias) whose increments at entry k are not the sum over examples, up to rounding.

    Parameters
    ----------
    recording : of a batch. single : the same timetable for one example. k : an entry of the plasticity phase.
    """
    recording.memory.load(recording.at[k])
    made = [key for key in recording.made[k] if key[1].endswith("increment")]
    held = {key: recording.arrays[key].copy() for key in single.arrays if key[2] is not None}
    whole = _proposed(recording, recording.part, k, made)
    summed = {key: np.zeros_like(values) for key, values in whole.items()}
    sizes = {key: np.zeros_like(values) for key, values in whole.items()}
    for example in range(recording.part.rows.shape[-1]):
        for key, values in held.items():
            single.arrays[key][:, 0] = values[:, example]
        for key, values in _proposed(recording, single, k, made).items():
            summed[key] += values
            sizes[key] += np.abs(values)
    rounding = ROUNDING[str(recording.arrays[made[0]].dtype)] if made else 0.0
    wrong = [key for key in made if (np.abs(whole[key] - summed[key]) > rounding * (sizes[key] + 1e-30)).any()]
    return ["bias" if key[1].startswith("bias") else "weight" for key in wrong]


def _proposed(recording: Recording, part: BoundPlan, k: int, made: list[Key]) -> dict[Key, np.ndarray]:
    """Return what the entry's rule adds to the increments, in double precision."""
    for key in made:
        recording.arrays[key][...] = 0
    part.bare[k]()
    return {key: recording.arrays[key].astype(np.float64) for key in made}
