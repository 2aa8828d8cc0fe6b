"""Replica groups: replicas with one circuit and protocol, which one simulator runs in bulk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from circuitsim.engine.simulator import Simulator
from circuitsim.errors import ConfigError, Diverged
from circuitsim.phases.reading import retained
from circuitsim.runs.base import LearningScenario
from circuitsim.runs.config import TrainingSettings
from circuitsim.runs.design import Design
from circuitsim.runs.of_rules import designs_of
from circuitsim.runs.orders import OrderKey, order_key
from circuitsim.timetable.schedule import check_handover, make_schedule


@dataclass(frozen=True)
class ReplicaGroup:
    """Replicas with one circuit and protocol.

    Parameters
    ----------
    members : their numbers in the run. settings : one for each. design : with parameters as arrays over replicas.
    simulator : runs them. shared : whether all see the examples in the same order.
    """

    members: tuple[int, ...]
    settings: tuple[TrainingSettings, ...]
    design: Design
    simulator: Simulator
    shared: bool

    def rows(self, orders: dict[OrderKey, np.ndarray], batch: slice) -> np.ndarray:
        """Return the examples of a batch: (batch,) if all members see the same, else (replica, batch)."""
        chosen = [orders[order_key(s)][batch] for s in self.settings]
        return chosen[0] if self.shared else np.stack(chosen)


@contextmanager
def renumbering(group: ReplicaGroup, when: str) -> Iterator[None]:
    """Add the time to a group's divergence, and name the replica by its number in the run."""
    try:
        yield
    except Diverged as error:
        own = -1 if error.replica is None else error.replica
        text = str(error).replace(f"replica {own}:", f"replica {group.members[own]}:", 1)
        raise Diverged(f"{when}: {text}") from None


def make_groups(
    scenario: LearningScenario, settings: Sequence[TrainingSettings], make: Callable[..., Simulator]
) -> list[ReplicaGroup]:
    """Group the replicas whose circuit and protocol are equal, and make a simulator for each group."""
    groups: list[list[tuple[int, Design]]] = []
    for index, design in enumerate(designs_of(scenario, settings)):
        for group in groups:
            if group[0][1].alike(design):
                group.append((index, design))
                break
        else:
            groups.append([(index, design)])
    return [_group(group, settings, make) for group in groups]


def _group(
    members: Sequence[tuple[int, Design]], settings: Sequence[TrainingSettings], make: Callable[..., Simulator]
) -> ReplicaGroup:
    """Make the group of these replicas; parameters become arrays over replicas."""
    own = tuple(settings[index] for index, _ in members)
    designs = [design for _, design in members]
    first = designs[0]
    stages = tuple(
        replace(
            stage,
            parameters={key: np.array([d.stages[i].parameters[key] for d in designs]) for key in stage.parameters},
        )
        for i, stage in enumerate(first.stages)
    )
    _check_handovers(first)
    shared = len({order_key(s) for s in own}) == 1
    simulator = make(
        first.circuit,
        first.protocol,
        seeds=[s.seed for s in own],
        dtype=own[0].dtype,
        parameters={key: np.array([d.parameters[key] for d in designs], np.float64) for key in first.parameters},
        shared=shared,
        on_divergence=own[0].on_divergence,
        hooks=first.hooks,
    )
    return ReplicaGroup(tuple(i for i, _ in members), own, replace(first, stages=stages), simulator, shared)


def _check_handovers(design: Design) -> None:
    """Refuse before training what a simulator would refuse as one stage follows another."""
    if len(protocols := design.protocols()) > 1 and retained(design.circuit):
        for old, new in pairwise(make_schedule(design.circuit, protocol) for _, protocol in protocols):
            check_handover(old, new)


def common_epochs(groups: Sequence[ReplicaGroup], common: TrainingSettings) -> int:
    """Return the epochs of a run: those of all stages, or the key `epochs`; ConfigError if groups differ."""
    each = [group.design.stages for group in groups]
    lengths = sorted({sum(s.epochs for s in stages) if stages else common.epochs for stages in each})
    if len(lengths) > 1:
        raise ConfigError(
            "stages of the replicas' circuits",
            got=f"{' and '.join(map(str, lengths))} epochs in all",
            expected="as many in every replica",
            remedy="Vary keys that leave the length of the development as it is, or make several runs.",
        )
    return lengths[0]
