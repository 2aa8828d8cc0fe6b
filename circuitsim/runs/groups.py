"""Cohorts: replicas with one circuit and protocol, which one simulator runs in bulk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from circuitsim.engine.simulator import Simulator
from circuitsim.errors import Diverged
from circuitsim.runs.config import Settings
from circuitsim.runs.scenario import Design, Scenario


@dataclass(frozen=True)
class Cohort:
    """Replicas with one circuit and protocol: their numbers in the run, their settings, their simulator."""

    members: tuple[int, ...]
    settings: tuple[Settings, ...]
    design: Design
    simulator: Simulator
    shared: bool

    def rows(self, orders: dict[tuple[int, bool], np.ndarray], batch: slice) -> np.ndarray:
        """The examples of a batch: (batch,) where all members see the same, else (replica, batch)."""
        chosen = [orders[order_key(s)][batch] for s in self.settings]
        return chosen[0] if self.shared else np.stack(chosen)


def order_key(settings: Settings) -> tuple[int, bool]:
    """What decides the order in which a replica is shown the examples."""
    return settings.data_seed, settings.shuffle


@contextmanager
def renumbering(cohort: Cohort, when: str) -> Iterator[None]:
    """Say when a cohort diverged. The simulator counts its own replicas; the user counts those of the run."""
    try:
        yield
    except Diverged as error:
        own = -1 if error.replica is None else error.replica
        text = str(error).replace(f"replica {own}:", f"replica {cohort.members[own]}:", 1)
        raise Diverged(f"{when}: {text}") from None


def cohorts(scenario: Scenario, settings: Sequence[Settings], make: Callable[..., Simulator]) -> list[Cohort]:
    """Group replicas whose circuit and protocol are equal; the others' parameters become arrays over replicas."""
    groups: list[tuple[Design, list[int], list[Design]]] = []
    for index, one in enumerate(settings):
        design = scenario.design(one)
        for first, members, designs in groups:
            if first.alike(design):
                members.append(index)
                designs.append(design)
                break
        else:
            groups.append((design, [index], [design]))
    return [_cohort(first, members, designs, settings, make) for first, members, designs in groups]


def _cohort(
    first: Design,
    members: list[int],
    designs: list[Design],
    settings: Sequence[Settings],
    make: Callable[..., Simulator],
) -> Cohort:
    own = tuple(settings[index] for index in members)
    periods = tuple(
        replace(p, parameters={key: np.array([d.periods[i].parameters[key] for d in designs]) for key in p.parameters})
        for i, p in enumerate(first.periods)
    )
    shared = len({order_key(s) for s in own}) == 1
    simulator = make(
        first.circuit,
        first.protocol,
        seeds=[s.seed for s in own],
        dtype=own[0].dtype,
        parameters={key: np.array([d.parameters[key] for d in designs], np.float64) for key in first.parameters},
        shared=shared,
        on_divergence=own[0].on_divergence,
    )
    return Cohort(tuple(members), own, replace(first, periods=periods), simulator, shared)
