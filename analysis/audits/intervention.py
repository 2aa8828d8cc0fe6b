"""The interventional audit: test on the running backend that no forbidden value changes what a synapse learns.

The audit holds everything that locality permits (`permitted.py`), scrambles everything else, and compares the result
to the bit. The static audit reads what a circuit declares; this one finds what it does not declare: a kernel that takes
the wrong column, a hook that copies weights, a buffer kept between calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from circuitsim import phases
from circuitsim.analysis.audits.leaks import Leak, Reader, findings
from circuitsim.analysis.audits.memory import same_bits
from circuitsim.analysis.audits.permitted import Arrival, Element, Neuron, Synapse
from circuitsim.analysis.audits.recording import Recording, rebound, recordings, singly
from circuitsim.analysis.audits.summation import unsummed
from circuitsim.analysis.audits.trials import StepTrial, SynapseTrial, leaks
from circuitsim.engine.plan import BoundPlan
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import REMEDIES, Finding
from circuitsim.phases import FIRING

OF_SYNAPSES = (phases.REFRESH, phases.PLASTICITY, phases.UPDATE)


@dataclass(frozen=True)
class Intervention:
    """Extent and findings of an interventional audit.

    Parameters
    ----------
    backend : the kernels that ran.
    synapses : number of synapses tested, biases included, for each projection that learns.
    events : number of timetable entries tested. trials : number of comparisons.
    findings : one for each kind and projection.
    """

    backend: str
    synapses: dict[str, int]
    events: int
    trials: int
    findings: tuple[Finding, ...]

    @property
    def text(self) -> str:
        """The result in a sentence."""
        count, what = sum(self.synapses.values()), "no forbidden value changed a bit"
        if self.findings:
            what = ", ".join(f"{f.kind} in {f.projection}" for f in self.findings)
        return (
            f"{count} synapses of {len(self.synapses)} projections and {self.events} events tested "
            f"on backend {self.backend}: {what}"
        )

    def undeclared(self, static: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return the findings whose kind and projection the static verdict lacks."""
        known = {(f.kind, f.projection) for f in static}
        return tuple(f for f in self.findings if (f.kind, f.projection) not in known)

    def row(self) -> dict[str, Any]:
        """Return the result as a plain mapping."""
        counts = {"backend": self.backend, "synapses": self.synapses, "events": self.events, "trials": self.trials}
        return {**counts, "findings": [f.row() for f in self.findings]}


def intervene(simulator: Simulator, rows: Any, *, samples: int = 4, seed: int = 0) -> Intervention:
    """Test that each synapse's update depends only on what locality permits.

    - Each event runs with everything scrambled that a sampled element of its result must not depend on.
    - Whole presentations run with everything scrambled but a sampled synapse and its two neurons.
    - A presentation is repeated after a different one, and with steps bound anew.
    - The increments of a batch are compared with the sum over its examples.

    Mirror mode is tested likewise. The simulator is restored to the bit.

    Parameters
    ----------
    simulator : with its examples in use.
    rows : numbers of the examples to show, (batch,) or (replica, batch).
    samples : number of synapses, biases or neurons tested in each projection and event, >= 1. seed : selects them.

    Raises
    ------
    CircuitError : too many rows, or a row that does not exist.
    """
    random = np.random.default_rng(seed)
    with recordings(simulator, rows, random) as recorded:
        search = _Search(samples, random, hooked=bool(simulator.hooks))
        for recording in recorded:
            search.test_timetable(recording)
        for recording, single in singly(simulator, recorded):
            search.test_sums(recording, single)
        for recording, again in rebound(simulator, recorded):
            search.test_repeated(recording, again, search.chosen(recording))
        events = sum(len(recording.entries) for recording in recorded)
        return Intervention(simulator.backend, search.synapses, events, search.trials, tuple(search.found.values()))


@dataclass
class _Search:
    samples: int
    random: np.random.Generator
    hooked: bool
    trials: int = 0
    synapses: dict[str, int] = field(default_factory=dict)
    found: dict[tuple[str, str], Finding] = field(default_factory=dict)
    explained: set[str] = field(default_factory=set)  # projections with a finding about a synapse

    def test_timetable(self, recording: Recording) -> None:
        """Test every event and every sampled synapse of one timetable."""
        chosen = self.chosen(recording)
        for k in range(len(recording.entries)):
            elements, known = self._elements(recording, k, chosen), set[int]()
            for number, element in enumerate(elements):
                self._test_step(StepTrial(recording, k, element, randomised=number % 2 == 1), known)
            self._test_writes(recording, k, elements[0])
        for name, synapses in chosen.items():
            self.synapses[name] = self.synapses.get(name, 0) + len(synapses)
            for synapse in synapses:
                self._test_synapse(recording, synapse)
        self.test_repeated(recording, recording.part, chosen)

    def test_sums(self, recording: Recording, single: BoundPlan) -> None:
        """Test that the increments of a batch are the sum of the increments of its examples."""
        for k, entry in enumerate(recording.entries):
            name = _subject(recording, k)
            if entry.event.phase == phases.PLASTICITY and not self._has(name):
                self.trials += 1
                for quantity in unsummed(recording, single, k):
                    rule = recording.circuit.rules[name][entry.event.detail].rule.name
                    read = f"one example together with others of the batch, for {quantity}"
                    found = Finding("lateral", name, rule, read, "remote", None, REMEDIES["lateral"])
                    self.found.setdefault((found.kind, found.projection), found)

    def chosen(self, recording: Recording) -> dict[str, list[Synapse]]:
        """Sample the synapses of every projection that learns."""
        learning = [_subject(recording, k) for k, e in enumerate(recording.entries) if e.event.phase in OF_SYNAPSES]
        return {name: self._synapses(recording, name) for name in dict.fromkeys(learning)}

    def _elements(self, recording: Recording, k: int, chosen: dict[str, list[Synapse]]) -> list[Element]:
        """Sample the elements that an entry makes."""
        event, subject = recording.entries[k].event, _subject(recording, k)
        elements: list[Any] = []
        if event.phase == phases.DELIVERY:
            elements += [Arrival(subject, *place, event.detail) for place in self._places(recording, k)]
        elif event.phase in FIRING:
            elements += [Neuron(subject, r, i, b) for r, b, i in self._places(recording, k)]
        elif event.phase == phases.BOUND:
            elements += [Neuron(subject, r, i) for r, _, i in self._places(recording, k)]
        else:
            elements += chosen[subject]
        if self.hooked:  # a hook may change weights that are not the event's
            owners = dict.fromkeys(recording.memory.keys[block][0] for block in recording.undeclared(k))
            elements += [s for name, quantity, _ in owners if quantity in ("weight", "bias") for s in
                         self._synapses(recording, name)]  # fmt: skip
        return elements

    def _places(self, recording: Recording, k: int) -> Iterator[tuple[int, int, int]]:
        """Sample (replica, example, neuron) of the population that an entry changes."""
        subject, circuit = _subject(recording, k), recording.circuit
        delivery = recording.entries[k].event.phase == phases.DELIVERY
        population = circuit.population(circuit.projection(subject).target if delivery else subject)
        labels = subject == circuit.labels  # random labels are often the true ones: more samples
        for number in range(self.samples * (6 if labels else 1)):
            shape = (recording.replicas, recording.part.rows.shape[-1], population.size)
            r, b, i = (int(n) for n in self.random.integers(0, shape))
            if labels and number % 3:  # the neuron at 1
                fired = recording.at[k + 1][recording.memory.of[subject, "O", 0]]
                i = int(fired[min(r, len(fired) - 1), b].argmax())
            yield r, b, i

    def _synapses(self, recording: Recording, name: str) -> list[Synapse]:
        """Sample a projection's existing synapses and its biases."""
        weight, bias = (recording.arrays.get((name, quantity, None)) for quantity in ("weight", "bias"))
        found: list[Synapse] = []
        if weight is not None:
            exists = recording.arrays.get((name, "mask", None))
            places = np.flatnonzero(_off_diagonal(weight.shape) if exists is None else exists)
            for place in self.random.choice(places, min(self.samples, len(places)), replace=False):
                r, i, j = (int(n) for n in np.unravel_index(place, weight.shape))
                found.append(Synapse(name, r, i, j))
        if bias is not None:
            for place in self.random.choice(bias.size, min(self.samples, bias.size), replace=False):
                r, i = (int(n) for n in np.unravel_index(place, bias.shape))
                found.append(Synapse(name, r, i))
        return found

    def _test_step(self, trial: StepTrial, known: set[int]) -> None:
        """Scramble what the element must not depend on before one step; if the element changes, locate the leaks."""
        recording = trial.recording
        outside = {block: None for block in recording.memory.everything if block not in known}
        self.trials += 1
        if not trial.differs(outside):
            return
        for leak in leaks(recording, trial.differs, outside):
            self._note(recording, trial.index, trial.element, leak)
            known.update(outside if leak.key is None else [recording.memory.of[leak.key]])

    def _test_synapse(self, recording: Recording, synapse: Synapse) -> None:
        """Test a whole presentation; an effect that no event's trial showed passed through hidden memory."""
        trial = SynapseTrial(recording, synapse)
        self.trials += 1
        if synapse.projection in self.explained or not trial.differs(recording.memory.everything):
            return
        what = next(leaks(recording, trial.differs, recording.memory.everything), Leak(None))
        last = max(k for k in range(len(recording.entries)) if _subject(recording, k) == synapse.projection)
        self._note(recording, last, synapse, replace(what, hidden=True))

    def _test_writes(self, recording: Recording, k: int, element: Element) -> None:
        """Note undeclared writes of an event; hooks declare nothing and are exempt."""
        for block in () if self.hooked else recording.undeclared(k):
            key = recording.memory.keys[block][0]
            self._note(recording, k, element, Leak(key, None, recording.arrays[key].shape, changed=True))

    def test_repeated(self, recording: Recording, part: BoundPlan, chosen: dict[str, list[Synapse]]) -> None:
        """Test that a presentation after a different one repeats the recording."""
        self.trials += 1
        recording.memory.load(recording.at[0])
        recording.memory.scramble(recording.memory.everything)
        for step in part.steps:
            step()
        recording.memory.load(recording.at[0])
        for k, step in enumerate(part.steps):
            step()
            pairs = zip(recording.memory.blocks, recording.at[k + 1], strict=True)
            if not all(same_bits(block, before) for block, before in pairs):
                if part is not recording.part and self._has(_subject(recording, k)):
                    return  # an earlier trial explains it
                self._note(recording, k, self._elements(recording, k, chosen)[0], Leak(None))
                return

    def _has(self, name: str) -> bool:
        return any(projection == name for _, projection in self.found)

    def _note(self, recording: Recording, k: int, element: Element, leak: Leak) -> None:
        reader = Reader(recording.entries[k], element, recording.written[k], recording.later(k))
        for finding in findings(recording.circuit, reader, leak):
            self.found.setdefault((finding.kind, finding.projection), finding)
        if isinstance(element, Synapse):
            self.explained.add(element.projection)


def _off_diagonal(shape: tuple[int, ...]) -> np.ndarray:
    """Mark the synapses off the diagonal, which tell weight transport from weight sharing."""
    posts, pres = np.indices(shape[1:])
    return np.broadcast_to(posts != pres if max(shape[1:]) > 1 else posts == pres, shape)


def _subject(recording: Recording, k: int) -> str:
    return phases.subject(recording.circuit, recording.entries[k].event)
