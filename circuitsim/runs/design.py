"""A design: one replica's circuit, protocol and parameters, and the stages of its development."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from circuitsim.errors import CircuitError

if TYPE_CHECKING:
    from circuitsim.circuit.circuit import Circuit
    from circuitsim.engine.hooks import Hook
    from circuitsim.engine.parameters import Parameters
    from circuitsim.timetable.protocol import Protocol


@dataclass(frozen=True)
class Stage:
    """Consecutive epochs of a run that share a protocol and parameters.

    Parameters
    ----------
    epochs : their number. protocol : the content of a presentation.
    parameters : lr, lr_bias, weight_decay, max_norm, by (owner, quantity), where they differ from the design's.
    name : for tables and figures.
    """

    epochs: int
    protocol: Protocol
    parameters: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class Design:
    """One replica's circuit, protocol and parameters. Replicas that differ only in parameters run in bulk.

    Parameters
    ----------
    decaying : the projections whose learning rates `lr_decay` multiplies; None: all that learn.
    passes_before : passes of mirror mode before training.
    hooks : code that runs between phases; the audit of the run rehearses it.
    stages : the stages of a development, each with its protocol and its decay of rates; none: `protocol` throughout.
    """

    circuit: Circuit
    protocol: Protocol
    parameters: Parameters
    decaying: tuple[str, ...] | None = None
    passes_before: int = 0
    stages: tuple[Stage, ...] = ()
    hooks: tuple[Hook, ...] = ()

    def __post_init__(self) -> None:
        given = {frozenset(stage.parameters) for stage in self.stages}
        if len(given) > 1:
            raise CircuitError(
                f"stages of circuit {self.circuit.name}",
                got="parameters that only some of them give",
                expected="values for the same parameters in each stage",
                remedy="Give in each stage all that changes in any.",
            )

    def alike(self, other: Design) -> bool:
        """Return whether one simulator can run both in step."""
        return self._fixed == other._fixed

    @property
    def _fixed(self) -> tuple[object, ...]:
        stages = tuple((s.epochs, s.protocol, frozenset(s.parameters)) for s in self.stages)
        return self.circuit, self.protocol, self.decaying, self.passes_before, stages, self.hooks

    def protocols(self) -> list[tuple[str, Protocol]]:
        """Return the protocols in order, each with the epochs in which it holds ("" for a design without stages)."""
        found: list[tuple[str, Protocol]] = []
        begin = 1
        for _, group in groupby(self.stages, key=lambda s: (s.protocol, s.name)):
            same = list(group)
            end = begin + sum(s.epochs for s in same) - 1
            found.append((f"epochs {begin} to {end}: {same[0].name}", same[0].protocol))
            begin = end + 1
        return found or [("", self.protocol)]

    def stage(self, epoch: int) -> tuple[Stage, int]:
        """Return the stage of an epoch, counted from 0, and the stage's first epoch."""
        begin = 0
        for stage in self.stages:
            if epoch < begin + stage.epochs:
                return stage, begin
            begin += stage.epochs
        return (self.stages[-1], begin - self.stages[-1].epochs) if self.stages else (Stage(0, self.protocol), 0)
