"""The interventional audit: test on the running backend that no forbidden value changes what a synapse learns.

The audit holds everything that locality permits (`permitted.py`), changes everything else, and compares the result to
the bit. The static audit reads what a circuit declares; this one finds what it does not declare: a kernel that takes
the wrong column, a buffer kept between calls, a rule object that lies.

It tests all synapses, in groups (`cuts.py`): whatever a group may depend on is held for all of it, and every member
whose result differs is guilty. For any synapse and any neuron, synapse, example or replica that it must not depend on
there is a test that holds the one and changes the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from secrets import randbits
from typing import Any

import numpy as np

from circuitsim import phases
from circuitsim.analysis.audits.groups import groups_of, joint_groups
from circuitsim.analysis.audits.leaks import Leak, Reader, findings
from circuitsim.analysis.audits.memory import Array, Draw, same_bits
from circuitsim.analysis.audits.permitted import Element, Group, Masks, SynapseGroup
from circuitsim.analysis.audits.recording import Recording, rebound, recordings, singly
from circuitsim.analysis.audits.summation import unsummed
from circuitsim.analysis.audits.trials import PresentationTrial, StepTrial, leaks
from circuitsim.engine.plan import BoundPlan
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import REMEDIES, Finding, Key
from circuitsim.phases.reading import learning_of

RUNS = 3
OF_SYNAPSES = (phases.REFRESH, phases.PLASTICITY, phases.UPDATE)
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
    batch, replicas : shape of a presentation.
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
    findings: tuple[Finding, ...]

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
            f"{_counted(self.events, 'event')} ({extent}, seed {self.seed}) tested on backend {self.backend}: {what}"
        )

    def undeclared(self, static: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return the findings whose kind and projection the static verdict lacks."""
        known = {(f.kind, f.projection) for f in static}
        return tuple(f for f in self.findings if (f.kind, f.projection) not in known)

    def row(self) -> dict[str, Any]:
        """Return the result as a plain mapping."""
        names = ("backend", "dtype", "synapses", "existing", "events", "trials", "runs", "seed", "batch", "replicas")
        found = {name: getattr(self, name) for name in names}
        return {**found, "findings": [f.row() for f in self.findings], "summary": self.text}


def intervene(simulator: Simulator, rows: Any, *, runs: int = RUNS, seed: int | None = None) -> Intervention:
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

    Raises
    ------
    CircuitError : too many rows, or a row that does not exist.
    """
    seed = randbits(32) if seed is None else seed
    random = np.random.default_rng(seed)
    with recordings(simulator, rows, random) as recorded:
        search = _Search(random)
        for recording in recorded:
            for run in range(runs):
                search.test_timetable(recording, *DRAWS[run % len(DRAWS)])
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
            tuple(search.found.values()),
        )


@dataclass
class _Search:
    random: np.random.Generator
    trials: int = 0
    found: dict[tuple[str, str], Finding] = field(default_factory=dict)
    tested: dict[Key, Array] = field(default_factory=dict)  # synapses that a test looked at, by address of increments
    explained: set[str] = field(default_factory=set)  # projections with a finding about a synapse

    def test_timetable(self, recording: Recording, held: Draw | None, other: Draw) -> None:
        """Test all groups of every event."""
        drawn = None if held is None else recording.memory.draw(held)
        forbidden = recording.memory.draw(other, drawn)
        for k, entry in enumerate(recording.entries):
            before = recording.at[k] if drawn is None else drawn
            trial, known = StepTrial(recording, k, before, forbidden), set[int]()
            for group in groups_of(recording, entry, self.random):
                self._test_step(trial, group, known)
                if isinstance(group, SynapseGroup):
                    self._count(trial, group)
            self._test_writes(recording, k)

    def test_presentation(self, recording: Recording) -> None:
        """Test whole presentations: an effect that no event's test showed passed through hidden memory."""
        trial = PresentationTrial(recording, recording.memory.draw(Draw.ORDINARY))
        for groups in joint_groups(recording, self.random):
            left = [group for group in groups if group.projection not in self.explained]
            if not left:
                continue
            self.trials += 1
            _, guilty = trial.guilty(left)
            for key, index in _firsts(guilty):
                last = max(k for k in range(len(recording.entries)) if recording.subject(k) == key[0])
                differs = trial.differs(left, (key, index))
                what = next(leaks(recording, differs, recording.memory.everything), Leak(None))
                group = next(group for group in left if group.projection == key[0])
                self._note(recording, last, _described(recording, last, group, key, index), replace(what, hidden=True))

    def test_sums(self, recording: Recording, single: BoundPlan) -> None:
        """Test that the increments of a batch are the sum of the increments of its examples."""
        for k, entry in enumerate(recording.entries):
            name = recording.subject(k)
            if entry.event.phase == phases.PLASTICITY and not self._has(name):
                self.trials += 1
                for quantity in unsummed(recording, single, k):
                    rule = learning_of(recording.circuit, entry.event).rule.name
                    read = f"one example together with others of the batch, for {quantity}"
                    found = Finding("lateral", name, rule, read, "remote", None, REMEDIES["lateral"])
                    self.found.setdefault((found.kind, found.projection), found)

    def test_repeated(self, recording: Recording, part: BoundPlan) -> None:
        """Test that a presentation after a different one repeats the recording."""
        self.trials += 1
        memory = recording.memory
        memory.load(memory.draw(Draw.ORDINARY))
        for step in part.bare:
            step()
        memory.load(recording.at[0])
        for k, step in enumerate(part.bare):
            step()
            pairs = zip(memory.blocks, recording.at[k + 1], strict=True)
            if not all(same_bits(block, before) for block, before in pairs):
                if part is not recording.part and self._has(recording.subject(k)):
                    return  # an earlier trial explains it
                self._note(recording, k, self._some(recording, k), Leak(None))
                return

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return the number of synapses tested, and of all, for each projection."""
        tested, existing = dict[str, int](), dict[str, int]()
        for (name, _, _), marked in self.tested.items():
            tested[name] = tested.get(name, 0) + int(marked.all(axis=0).sum())
            existing[name] = existing.get(name, 0) + marked[0].size
        return tested, existing

    def _count(self, trial: StepTrial, group: SynapseGroup) -> None:
        for key, mask in group.own(trial.scene(window=True)).items():
            if key[1] in ("weight", "bias") and (key[0], "increment", None) in trial.recording.arrays:
                array = trial.recording.arrays[key]
                marked = self.tested.setdefault(key, np.zeros(array.shape, bool))
                marked |= mask

    def _test_step(self, trial: StepTrial, group: Group, known: set[int]) -> None:
        """Test a group; if elements differ, locate what they depend on, and test again without it."""
        recording = trial.recording
        outside = {block: None for block in recording.memory.everything if block not in known}
        while outside:
            self.trials += 1
            _, guilty = trial.guilty(group, known)
            place = next(_firsts(guilty), None)
            if place is None:
                return
            element = _described(recording, trial.index, group, *place)
            for leak in list(leaks(recording, trial.differs(group, place), outside)) or [Leak(None)]:
                self._note(recording, trial.index, element, leak, _count(guilty))
                known.update(outside if leak.key is None else [recording.memory.of[leak.key]])
            outside = {block: None for block in outside if block not in known}

    def _test_writes(self, recording: Recording, k: int) -> None:
        """Note undeclared writes of an event."""
        for block in recording.undeclared(k):
            key = recording.memory.keys[block][0]
            leak = Leak(key, None, recording.arrays[key].shape, changed=True)
            self._note(recording, k, self._some(recording, k), leak)

    def _some(self, recording: Recording, k: int) -> Element:
        """Describe any element that an entry makes."""
        entry, made = recording.entries[k], recording.made(k)
        group = next(iter(groups_of(recording, entry, self.random)))
        trial = StepTrial(recording, k, recording.at[k], recording.at[k])
        tested = group.tested(trial.scene(isinstance(group, SynapseGroup)), made)
        key, index = next(_firsts(tested))
        return _described(recording, k, group, key, index)

    def _has(self, name: str) -> bool:
        return any(projection == name for _, projection in self.found)

    def _note(self, recording: Recording, k: int, element: Element, leak: Leak, count: int = 0) -> None:
        reader = Reader(recording.entries[k], element, recording.written[k], recording.later(k), count)
        for finding in findings(recording.circuit, reader, leak):
            self.found.setdefault((finding.kind, finding.projection), finding)
        if element.kind == "synapse":
            self.explained.add(element.owner)


def _firsts(guilty: Masks) -> Iterator[tuple[Key, tuple[int, ...]]]:
    """Yield one marked element of each array; in weights one off the diagonal, which tells transport from sharing."""
    for key, mask in guilty.items():
        if mask.any():
            places = np.argwhere(mask)
            apart = places[places[:, -1] != places[:, -2]] if key[2] is None and places.shape[1] > 2 else places
            place = (apart if len(apart) else places)[0]
            yield key, tuple(int(n) for n in place)


def _described(recording: Recording, k: int, group: Group, key: Key, index: tuple[int, ...]) -> Element:
    trial = StepTrial(recording, k, recording.at[k], recording.at[k])
    return group.element(trial.scene(isinstance(group, SynapseGroup)), key, index)


def _count(guilty: Masks) -> int:
    return sum(int(mask.sum()) for mask in guilty.values())


def _counted(number: int, name: str) -> str:
    return f"{number:,} {name}" + "s" * (number != 1)
