"""The search of an intervention: test groups of an event's results, and find what a guilty one depends on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import thread_time

import numpy as np

from circuitsim import phases
from circuitsim.analysis.audits.groups import groups_of, joint_groups
from circuitsim.analysis.audits.leaks import Leak, Reader, findings
from circuitsim.analysis.audits.memory import Array, Comparison, Draw
from circuitsim.analysis.audits.permitted import Element, Group, SynapseGroup
from circuitsim.analysis.audits.recording import Recording
from circuitsim.analysis.audits.scene import Masks
from circuitsim.analysis.audits.summation import unsummed
from circuitsim.analysis.audits.trials import StepTrial, Trials, leaks
from circuitsim.analysis.audits.whole import PresentationTrial
from circuitsim.engine.plan import BoundPlan
from circuitsim.locality import REMEDIES, Finding, Key
from circuitsim.phases.reading import learning_of

FEW = 16  # examples that are added up one by one, whatever time is left


@dataclass
class Search:
    """Experiments on recordings, and what they have found.

    Parameters
    ----------
    random : source of groups and values. until : of this thread's CPU time; later only the groups of all elements are
        tested. trials, halved : numbers of comparisons, and of events of which all groups were tested.
    found : findings by kind and projection.
    """

    random: np.random.Generator
    until: float
    trials: int = 0
    halved: int = 0
    found: dict[tuple[str, str], Finding] = field(default_factory=dict)
    tested: dict[Key, Array] = field(default_factory=dict)  # synapses that a test looked at, by address of increments
    explained: set[str] = field(default_factory=set)  # projections with a finding about a synapse

    def test_timetable(self, recording: Recording, draws: Sequence[tuple[Draw | None, Draw]]) -> None:
        """Test all groups of every event, in a run for each pair of sizes: of what is held, and of what is changed.

        First come the groups of all elements of an event, in all runs, then the halves of these groups; both end when
        the time has passed, but for the first run of the former.
        """
        known = [set[int]() for _ in recording.entries]
        for run, sizes in enumerate(draws):
            if run and self._ended:
                return
            for trial, groups, k in self._trials(recording, *sizes, range(len(recording.entries))):
                self._test_step(trial, next(groups), known[k])
                self._test_writes(recording, k)
        for sizes in draws:
            order = self.random.permutation(len(recording.entries)).tolist()
            for trial, groups, k in self._trials(recording, *sizes, order):
                next(groups)
                for group in groups:
                    if self._ended:
                        return
                    self._test_step(trial, group, known[k])
                self.halved += 1

    def _trials(
        self, recording: Recording, held: Draw | None, other: Draw, order: Iterable[int]
    ) -> Iterator[tuple[StepTrial, Iterator[Group], int]]:
        """Yield a trial of each event with its groups; `held` None: what the presentation left in memory is held."""
        drawn = None if held is None else recording.memory.draw(held)
        trials = Trials(recording, drawn, recording.memory.draw(other, drawn))
        for k in order:
            yield StepTrial(trials, k), iter(groups_of(recording, recording.entries[k], self.random)), k

    @property
    def _ended(self) -> bool:
        return thread_time() > self.until

    def test_presentation(self, recording: Recording) -> None:
        """Test whole presentations: an effect that no event's test showed passed through hidden memory."""
        trial = PresentationTrial(recording, recording.memory.draw(Draw.ORDINARY))
        for groups in joint_groups(recording, self.random):
            left = [group for group in groups if group.projection not in self.explained]
            if self._ended:
                return
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
        if self._ended and recording.part.rows.shape[-1] > FEW:
            return
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
        k = _unlike(recording, part)
        if k is None:
            return
        explained = part is not recording.part and self._has(recording.subject(k))  # by an earlier trial
        if not explained:
            self._note(recording, k, self._some(recording, k), Leak(None))

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
        if isinstance(group, SynapseGroup):
            self._count(trial, group)
        while len(known) < len(recording.memory.blocks):
            self.trials += 1
            _, guilty = trial.guilty(group, known)
            place = next(_firsts(guilty), None)
            if place is None:
                return
            element = _described(recording, trial.index, group, *place)
            outside = {block: None for block in recording.memory.everything if block not in known}
            for leak in list(leaks(recording, trial.differs(group, place), outside)) or [Leak(None)]:
                self._note(recording, trial.index, element, leak, _count(guilty))
                known.update(outside if leak.key is None else [recording.memory.of[leak.key]])

    def _test_writes(self, recording: Recording, k: int) -> None:
        """Note undeclared writes of an event."""
        for block in recording.undeclared(k):
            key = recording.memory.keys[block][0]
            leak = Leak(key, None, recording.arrays[key].shape, changed=True)
            self._note(recording, k, self._some(recording, k), leak)

    def _some(self, recording: Recording, k: int) -> Element:
        """Describe any element that an entry makes."""
        group = next(iter(groups_of(recording, recording.entries[k], self.random)))
        tested = group.tested(recording.scene(k, window=isinstance(group, SynapseGroup)), recording.made[k])
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
    return group.element(recording.scene(k, window=isinstance(group, SynapseGroup)), key, index)


def _count(guilty: Masks) -> int:
    return sum(int(mask.sum()) for mask in guilty.values())


def _unlike(recording: Recording, part: BoundPlan, *, everywhere: bool = False) -> int | None:
    """Return the first event that does not repeat the recording, after a presentation that began in other memory.

    Large blocks are compared where the event changes them, and all at the end; if only the end differs, `everywhere`
    compares all of them after every event to find which one it was.
    """
    memory = recording.memory
    memory.load(memory.draw(Draw.ORDINARY))
    for step in part.bare:
        step()
    memory.load(recording.at[0])
    comparison = Comparison(memory, recording.at[0])
    for k, step in enumerate(part.bare):
        step()
        for block in recording.changed[k]:
            comparison.expect(block, recording.at[k + 1][block])
        if comparison.differing(None if everywhere else recording.changed[k]):
            return k
    if not comparison.differing():
        return None
    return len(part.bare) - 1 if everywhere else _unlike(recording, part, everywhere=True)
