"""Steps: what binding gives, called without arguments once for each presentation; several as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

Step = Callable[[], None]


class InTurn:
    """Several steps as one, in order."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = list(steps)

    def __call__(self) -> None:
        for step in self.steps:
            step()


def in_turn(steps: Sequence[Step]) -> Step:
    """One step that does several, in order."""
    return steps[0] if len(steps) == 1 else InTurn(steps)


def flattened(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps that do one thing each."""
    for step in steps:
        if isinstance(step, InTurn):
            yield from flattened(step.steps)
        else:
            yield step
