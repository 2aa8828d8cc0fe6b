"""The light cone: one neuron is disturbed at the tick it fires; nothing may change sooner or elsewhere than delays allow.

The presentation is run once as it is and once disturbed, on the backend that runs, and compared to the bit after every
step. `reach.py` says what could change, where and when, without looking at the timetable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.memory import Array, Index, same_bits
from analysis.reach import Reach, Spread
from analysis.stage import Stage, stages
from circuitsim import phases
from circuitsim.errors import CircuitError
from circuitsim.schedule import FIRING, Key
from circuitsim.simulator import Simulator

Where = tuple[str, int | None]  # a population and the cycle of its activity, or a projection's increments
DISTURBANCE = 0.37  # of ordinary size; any would do


@dataclass(frozen=True)
class LightCone:
    """What a disturbance changed, and what it could have changed.

    Parameters
    ----------
    population, cycle, neuron, example : what was disturbed.
    predicted, observed : the first tick of a change, by population and cycle, or by projection (cycle None: its
        increments). What is predicted may fail to appear: neurons need not pass everything on.
    violations : a sentence for each change that came sooner, later or elsewhere than predicted.
    """

    population: str
    cycle: int
    neuron: int
    example: int
    predicted: dict[Where, int]
    observed: dict[Where, int]
    violations: tuple[str, ...]


def light_cone(
    simulator: Simulator,
    rows: Any,
    population: str,
    *,
    cycle: int = 0,
    neuron: int = 0,
    example: int = 0,
    replica: int = 0,
) -> LightCone:
    """Disturb one neuron's activity as it fires and follow what comes of it; the simulator is left as it was.

    Parameters
    ----------
    simulator : with its examples in use. rows : numbers of the examples to show.
    population, cycle, neuron, example, replica : what is disturbed; the example by its place among the rows.

    Raises
    ------
    CircuitError : rows that cannot be shown, or a population that does not fire in that cycle.
    """
    with stages(simulator, rows, np.random.default_rng(0)) as (stage, *_):
        first = _firing(stage, population, cycle)
        reach = Reach(
            simulator.circuit,
            simulator.protocol,
            lambda name, which: tuple(simulator.state.parameter(name, which).tolist()),
            (population, cycle, neuron),
        )
        watch = _Watch(stage, reach, example, replica)
        watch.follow(first)
        return LightCone(
            population, cycle, neuron, example, watch.predicted, watch.observed, tuple(dict.fromkeys(watch.violations))
        )


@dataclass
class _Watch:
    """The comparison of a disturbed presentation with the recorded one."""

    stage: Stage
    reach: Reach
    example: int
    replica: int
    observed: dict[Where, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cones: dict[Where, Spread] = {}
        for (name, _, cycle), spread in self.reach.signals.items():
            known = self.cones.get((name, cycle))
            wider = known is not None and None in (known.neurons, spread.neurons)
            neurons = None if wider else spread.neurons
            self.cones[name, cycle] = Spread(min(spread.tick, known.tick if known else spread.tick), neurons)
        self.rules = {
            learning: cone
            for learning in self.stage.circuit.plasticity
            if not learning.mirror and (cone := self.reach.increments(learning))
        }

    @property
    def predicted(self) -> dict[Where, int]:
        """The first tick at which each population and each projection's increments can change."""
        found: dict[Where, int] = {where: spread.tick for where, spread in self.cones.items()}
        for learning, (tick, _, _) in self.rules.items():
            where = (learning.projection, None)
            found[where] = min(tick, found.get(where, tick))
        return {where: tick for where, tick in found.items() if self._kept(where)}

    def _kept(self, where: Where) -> bool:
        """Whether there is memory of it: the schedule leaves out what nothing needs."""
        name, cycle = where
        return any(k[0] == name and (k[2] == cycle if cycle is not None else "increment" in k[1])
                   for k in self.stage.arrays)  # fmt: skip

    def follow(self, first: int) -> None:
        """Disturb after an entry, run the rest, and compare after every step."""
        stage, memory = self.stage, self.stage.memory
        memory.load(stage.at[first + 1])
        population, cycle, neuron = self.reach.origin
        blocks = {memory.of[k] for k in memory.of if k[0] == population and k[1] in ("O", "E") and k[2] == cycle}
        for block in blocks:
            array = memory.blocks[block]
            array[min(self.replica, len(array) - 1), self.example, neuron] += DISTURBANCE
        self._compare(first)
        for index in range(first + 1, len(stage.entries)):
            stage.part.steps[index]()
            self._compare(index)

    def _compare(self, index: int) -> None:
        """Note what is different after an entry."""
        tick = self.stage.entries[index].event.tick
        pairs = zip(self.stage.memory.keys, self.stage.memory.blocks, self.stage.at[index + 1], strict=True)
        for keys, now, before in pairs:
            if not same_bits(now, before):
                self._note(keys[0], np.argwhere(now != before), tick, now)
