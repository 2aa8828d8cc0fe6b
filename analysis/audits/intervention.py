"""The interventional audit: test on the running backend that no forbidden value changes what a synapse learns.

The audit holds everything that locality permits (`permitted.py`), changes everything else, and compares the result to
the bit. The static audit reads what a circuit declares; this one finds what it does not declare: a kernel that takes
the wrong column, a buffer kept between calls, a rule object that lies.

It tests all synapses, in groups (`cuts.py`): whatever a group may depend on is held for all of it, and every member
whose result differs is guilty. For any synapse and any neuron, synapse, example or replica that it must not depend on
there is a test that holds the one and changes the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from secrets import randbits
from time import thread_time
from typing import Any

import numpy as np

from circuitsim.analysis.audits.memory import Draw
from circuitsim.analysis.audits.recording import rebound, recordings, singly
from circuitsim.analysis.audits.search import Search
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import Finding

RUNS = 3
# what is held and what forbidden memory gets, run by run; None: held as it was recorded
DRAWS: tuple[tuple[Draw | None, Draw], ...] = (
    (None, Draw.ORDINARY),
    (Draw.ORDINARY, Draw.ROUGH),
    (Draw.ROUGH, Draw.LARGE),
    (Draw.SMALL, Draw.ORDINARY),
    (Draw.LARGE, Draw.SMALL),
)


@dataclass(frozen=True)
class Intervention:
    """Extent and findings of an interventional audit.

    Parameters
    ----------
    backend : the kernels that ran. dtype : of the numbers.
    synapses : number of stored weights and biases tested, for each projection that learns; existing : of all of them.
    events : number of timetable entries tested. trials : number of comparisons.
    runs : number of repetitions with other random values and groups. seed : of these.
    batch, replicas : shape of a presentation. halved : number of events of which every half of the group was tested,
        over all runs; all of them unless the time ended before.
    findings : one for each kind and projection.
    """

    backend: str
    dtype: str
    synapses: dict[str, int]
    existing: dict[str, int]
    events: int
    trials: int
    runs: int
    seed: int
    batch: int
    replicas: int
    halved: int
    findings: tuple[Finding, ...]

    @property
    def complete(self) -> bool:
        """True if all groups were tested, in every run."""
        return self.halved == self.events * self.runs

    @property
    def text(self) -> str:
        """The result in a sentence."""
        tested, existing = sum(self.synapses.values()), sum(self.existing.values())
        what = "no forbidden value changed a bit"
        if self.findings:
            what = ", ".join(f"{f.kind} in {f.projection}" for f in self.findings)
        extent = ", ".join(
            [self.dtype, _counted(self.runs, "run"), f"batch {self.batch}", _counted(self.replicas, "replica")]
        )
        return (
            f"{tested:,} of {existing:,} synapses of {_counted(len(self.synapses), 'projection')} and "
            f"{_counted(self.events, 'event')} ({extent}, seed {self.seed}) tested on backend "
            f"{self.backend}{self._left}: {what}"
        )

    @property
    def _left(self) -> str:
        """Say what the time did not allow."""
        if self.complete:
            return ""
        whole = f"{self.halved} of {self.events * self.runs} events in all halves of their groups"
        return f", each projection against everything else; in the time given, {whole}"

    def undeclared(self, static: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return the findings whose kind and projection the static verdict lacks."""
        known = {(f.kind, f.projection) for f in static}
        return tuple(f for f in self.findings if (f.kind, f.projection) not in known)

    def row(self) -> dict[str, Any]:
        """Return the result as a plain mapping."""
        names = ("backend", "dtype", "synapses", "existing", "events", "trials", "runs", "seed", "batch", "replicas")
        found = {name: getattr(self, name) for name in names}
        found |= {"complete": self.complete, "halved": self.halved}
        return {**found, "findings": [f.row() for f in self.findings], "summary": self.text}


def intervene(
    simulator: Simulator, rows: Any, *, runs: int = RUNS, seed: int | None = None, seconds: float = np.inf
) -> Intervention:
    """Test that each synapse's update depends only on what locality permits.

    - Each event runs with everything changed that a group of its results must not depend on.
    - Whole presentations run with everything changed but groups of synapses and their neurons.
    - A presentation is repeated after a different one, and with steps bound anew.
    - The increments of a batch are compared with the sum over its examples.

    Mirror mode is tested likewise. Hooks do not run here: `audit_hooks` tests them. The simulator is restored to the
    bit.

    Parameters
    ----------
    simulator : with its examples in use.
    rows : numbers of the examples to show, (batch,) or (replica, batch).
    runs : number of repetitions, >= 1. The first holds what the presentation leaves in memory, the others hold random
        values of several sizes. seed : of groups and random values; None: drawn anew.
    seconds : of this thread's CPU after which no further halves of groups are tested; what is left is said.

    Raises
    ------
    CircuitError : too many rows, or a row that does not exist.
    """
    seed = randbits(32) if seed is None else seed
    random = np.random.default_rng(seed)
    begin = thread_time()
    with recordings(simulator, rows, random) as recorded:
        search = Search(random, begin + seconds)
        draws = [DRAWS[run % len(DRAWS)] for run in range(runs)]
        for recording in recorded:
            search.test_timetable(recording, draws)
            search.test_presentation(recording)
            search.test_repeated(recording, recording.part)
        for recording, single in singly(simulator, recorded):
            search.test_sums(recording, single)
        for recording, again in rebound(simulator, recorded):
            search.test_repeated(recording, again)
        events = sum(len(recording.entries) for recording in recorded)
        return Intervention(
            simulator.backend,
            str(simulator.state.dtype),
            *search.counts(),
            events,
            search.trials,
            runs,
            seed,
            recorded[0].part.rows.shape[-1] if recorded else 0,
            simulator.state.replicas,
            search.halved,
            tuple(search.found.values()),
        )


def _counted(number: int, name: str) -> str:
    return f"{number:,} {name}" + "s" * (number != 1)
