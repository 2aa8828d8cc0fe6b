"""Watch a run's weights: functions of a scenario look at them, and what no act and no event changed is found.

Between presentations nothing may change a weight but an act that is written down. A fingerprint of all weights is taken
where events end, and compared where something else has run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from circuitsim.engine.acts import OF_WEIGHTS, definition
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import REMEDIES, Finding
from circuitsim.randomness import generator
from circuitsim.runs.groups import ReplicaGroup

T = TypeVar("T")
Prints = dict[str, bytes]


class WeightWatch:
    """Fingerprints of one simulator's weights, and the findings about changes that nobody wrote down.

    Parameters
    ----------
    simulator : of a group of replicas. findings : where new ones are added.
    """

    def __init__(self, simulator: Simulator, findings: list[Finding]) -> None:
        self._simulator, self._findings = simulator, findings
        self._repeated: tuple[dict[str, np.ndarray], np.ndarray, Prints] | None = None
        self.seal()

    def seal(self) -> None:
        """Take the weights as they are now: events, or an act that is written down, have made them."""
        self._prints, self._acts = fingerprints(self._simulator), self._simulator.acts.count(*OF_WEIGHTS)

    def check(self, after: str) -> None:
        """Add a finding for each tensor that changed since the last seal without an act.

        Parameters
        ----------
        after : what has run since then, for the message.
        """
        now = fingerprints(self._simulator)
        if self._simulator.acts.count(*OF_WEIGHTS) == self._acts:
            for name in (name for name, before in self._prints.items() if now[name] != before):
                self._note(name, f"{name}: changed by no act and no event, after {after}")
        self.seal()

    def look(self, who: str, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function that may only look at the simulator, and find what it changes all the same."""
        acts = self._simulator.acts
        acts.note("scenario function", who, definition(function))
        with acts.looking(f"{who}, a function of the scenario"):
            found = function(*arguments)
        self.check(f"{who} ({definition(function)})")
        return found

    def remember(self, rows: np.ndarray) -> None:
        """Keep the state before a presentation, so that `repeat` can show it again."""
        simulator = self._simulator
        plain = not simulator.hooks and simulator.protocol.interval is None and not simulator.recordings
        self._repeated = (simulator.snapshot(), rows, {}) if plain else None

    def presented(self) -> None:
        """Keep what the presentation that is remembered has made."""
        if self._repeated is not None:
            self._repeated[2].update(fingerprints(self._simulator))

    def repeat(self) -> None:
        """Show the remembered presentation again from the same state; other bits are a finding."""
        if self._repeated is None:
            return
        (begin, rows, expected), simulator = self._repeated, self._simulator
        self._repeated, now = None, simulator.snapshot()
        with simulator.acts.experimenting():
            simulator.restore(begin)
            simulator.present(rows[0])
            made = fingerprints(simulator)
            simulator.restore(now)
        for name in (name for name, before in expected.items() if made[name] != before):
            self._note(name, f"{name}: a presentation repeated from the same state leaves other bits")

    def _note(self, name: str, read: str) -> None:
        owner = name.rpartition(".")[0]
        found = Finding("tampering", owner, "", read, "remote", None, REMEDIES["tampering"])
        if found not in self._findings:
            self._findings.append(found)


class RunWatch:
    """The watches of a run's groups, the record of its audit, and the findings about changes that nobody wrote down.

    Parameters
    ----------
    groups : of replicas.
    """

    def __init__(self, groups: Sequence[ReplicaGroup]) -> None:
        self._groups = groups
        self.audited: dict[str, Any] = {}  # what the audit of the run keeps
        self.tampering: list[list[Finding]] = [[] for _ in groups]
        self.of = [WeightWatch(g.simulator, found) for g, found in zip(groups, self.tampering, strict=True)]

    def seal(self) -> None:
        """Take the weights as they are now."""
        for watch in self.of:
            watch.seal()

    def begin_epoch(self) -> None:
        """Find what changed the weights between two epochs."""
        for watch in self.of:
            watch.check("the epoch before, and before the next presentation")

    def end_epoch(self) -> None:
        """Repeat the presentations that are remembered, and take the weights as they are now."""
        for watch in self.of:
            watch.repeat()
        self.seal()

    def snapshot(self) -> np.ndarray:
        """Return all that a checkpoint keeps, as bytes."""
        acts = [group.simulator.acts.rows() for group in self._groups]
        tampering = [[finding.row() for finding in found] for found in self.tampering]
        kept = {"audited": self.audited, "acts": acts, "tampering": tampering}
        return np.frombuffer(json.dumps(kept).encode(), np.uint8)

    def restore(self, kept: np.ndarray) -> None:
        """Continue from what a checkpoint kept; ValueError where it is not of these groups."""
        found = json.loads(kept.tobytes())
        self.audited = found["audited"]
        for group, acts in zip(self._groups, found["acts"], strict=True):
            group.simulator.acts.resume(acts)
        for own, rows in zip(self.tampering, found["tampering"], strict=True):
            own[:] = [Finding(**row) for row in rows]
        self.seal()


def fingerprints(simulator: Simulator) -> Prints:
    """Return a fingerprint of each weight, bias, velocity and pending increment: any change of a bit changes it."""
    kept = {name: a for name, a in simulator.state.persistent().items() if a.dtype.kind == "f"}
    return {name: _print(array.ravel("K")) for name, array in kept.items()}


def _print(flat: np.ndarray) -> bytes:
    """Return the sum of the bits, which any one change alters, and a weighted sum, which an exchange alters."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = flat.view(f"u{flat.dtype.itemsize}").sum(dtype=np.uint64)
        return bytes(total.tobytes() + np.dot(flat, _weighting(len(flat), str(flat.dtype))).tobytes())


@lru_cache(64)
def _weighting(size: int, dtype: str) -> np.ndarray:
    return generator(0, "weighting of fingerprints").random(size).astype(dtype)
