"""A simulator of one replica of a run, in the state that the run left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from circuitsim.engine.simulator import Simulator
from circuitsim.runs import checkpoint, runfolder
from circuitsim.runs.base import AnyScenario
from circuitsim.runs.groups import ReplicaGroup
from circuitsim.runs.scenario import expect_circuits
from circuitsim.runs.study import Study
from circuitsim.runs.training import make_study


def simulator_of(
    scenario: AnyScenario, settings: Sequence[Any], folder: Path, config: Mapping[str, Any], replica: int
) -> Simulator:
    """Return the simulator of a run's replica with weights, velocities, rates and clock as they were at its end.

    Parameters
    ----------
    settings : of all replicas, with the folder in which their paths begin. folder, config : of the run.
    """
    found, backend = expect_circuits(scenario, "simulator of"), str(config["backend"])
    alone = make_study(found, [settings[replica]], backend)
    simulator = alone.groups[0].simulator
    kept = checkpoint.newest_whole(folder / runfolder.CHECKPOINTS)
    if kept is None:
        for name, values in runfolder.read_tensors(folder / runfolder.FINAL).items():
            if name in simulator.tensors():
                simulator.load(name, values[replica] if len(settings) > 1 else values)
        return simulator
    together = alone if len(settings) == 1 else make_study(found, settings, backend)
    together.restore(kept)
    alone.epoch = together.epoch
    alone.enter(alone.groups[0])
    group = next(group for group in together.groups if replica in group.members)
    simulator.restore(_part(group, alone, group.members.index(replica)))
    return simulator


def _part(group: ReplicaGroup, alone: Study, index: int) -> dict[str, np.ndarray]:
    """Return one replica's part of a group's snapshot, in the shapes of a study of it alone."""
    own = alone.groups[0].simulator.snapshot()
    whole = group.simulator.snapshot()
    return {
        name: whole[name] if whole[name].shape == array.shape else whole[name][index : index + 1]
        for name, array in own.items()
    }
