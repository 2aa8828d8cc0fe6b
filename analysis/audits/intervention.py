"""The interventional audit: does anything that a synapse must not know change what it learns? Tried, not derived.

Everything outside what locality permits (`permitted.py`) is scrambled, all within is held, and what comes out is
compared to the bit, on the backend that runs. The static audit reads what the circuit declares; this one would find
what it does not: a kernel that takes the wrong column, a hook that copies weights, a buffer kept between calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from circuitsim import phases
from circuitsim.analysis.audits.culprits import Culprit, Reader, findings
from circuitsim.analysis.audits.interference import StepTrial, SynapseTrial, culprits
from circuitsim.analysis.audits.memory import same_bits
from circuitsim.analysis.audits.permitted import Arrival, Element, Neuron, Synapse
from circuitsim.analysis.audits.stage import Stage, rebound, singly, stages
from circuitsim.analysis.audits.summation import unsummed
from circuitsim.engine.plan import BoundPlan
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import REMEDIES, Finding
from circuitsim.phases import FIRING

OF_SYNAPSES = (phases.REFRESH, phases.PLASTICITY, phases.UPDATE)


@dataclass(frozen=True)
class Intervention:
    """What an interventional audit tried, and what it found.

    Parameters
    ----------
    backend : the kernels that ran.
    synapses : for each projection that learns, how many of its synapses, biases included, were tried.
    events : how many entries of the timetable were tried. trials : how often something was scrambled and compared.
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
        count, what = sum(self.synapses.values()), "nothing outside changed a bit"
        if self.findings:
            what = "found: " + ", ".join(f"{f.kind} in {f.projection}" for f in self.findings)
        return (
            f"{count} synapses of {len(self.synapses)} projections and {self.events} events tried "
            f"on backend {self.backend}, {what}"
        )

    def undeclared(self, static: Iterable[Finding]) -> tuple[Finding, ...]:
        """The findings whose kind and projection the static verdict does not have."""
        known = {(f.kind, f.projection) for f in static}
        return tuple(f for f in self.findings if (f.kind, f.projection) not in known)

    def row(self) -> dict[str, Any]:
        """The result as a plain mapping, as in audit.json."""
        counts = {"backend": self.backend, "synapses": self.synapses, "events": self.events, "trials": self.trials}
        return {**counts, "findings": [f.row() for f in self.findings]}


def intervene(simulator: Simulator, rows: Any, *, samples: int = 4, seed: int = 0) -> Intervention:
    """Try whether each synapse's update depends on nothing but what locality permits.

    Whole presentations are run with everything scrambled that is not a sampled synapse or one of its two neurons;
    each event of the timetable with everything scrambled that a sampled element of what it makes must not see. A
    presentation is repeated after a different one, and with steps that were bound anew in between; what rules propose
    for a batch is compared with the sum over its examples. Mirror mode likewise. The simulator is left as it was, to
    the bit.

    Parameters
    ----------
    simulator : with its examples in use.
    rows : numbers of the examples to show, (batch,) or (replica, batch).
    samples : how many synapses, biases or neurons of each projection and event, >= 1. seed : which ones.

    Raises
    ------
    CircuitError : too many rows, or a row that does not exist.
    """
    random = np.random.default_rng(seed)
    with stages(simulator, rows, random) as parts:
        experiment = _Experiment(samples, random, hooked=bool(simulator.hooks))
        for stage in parts:
            experiment.try_stage(stage)
        for stage, single in singly(simulator, parts):
            experiment.try_singly(stage, single)
        for stage, again in rebound(simulator, parts):
            experiment.try_again(stage, again)
        return Intervention(
            simulator.backend,
            experiment.synapses,
            sum(len(stage.entries) for stage in parts),
            experiment.trials,
            tuple(experiment.found.values()),
        )


@dataclass
class _Experiment:
    samples: int
    random: np.random.Generator
    hooked: bool
    trials: int = 0
    synapses: dict[str, int] = field(default_factory=dict)
    found: dict[tuple[str, str], Finding] = field(default_factory=dict)
    explained: set[str] = field(default_factory=set)  # projections of which a synapse already has a finding

    def try_stage(self, stage: Stage) -> None:
        """All trials of one timetable."""
        chosen = self._chosen(stage)
        for k in range(len(stage.entries)):
            elements, known = self._elements(stage, k, chosen), set[int]()
            for number, element in enumerate(elements):
                self._try_step(StepTrial(stage, k, element, invented=number % 2 == 1), known)
            self._try_writes(stage, k, elements[0])
        for name, synapses in chosen.items():
            self.synapses[name] = self.synapses.get(name, 0) + len(synapses)
            for synapse in synapses:
                self._try_synapse(stage, synapse)
        self._repeat(stage, stage.part, chosen)

    def try_singly(self, stage: Stage, single: BoundPlan) -> None:
        """What a rule proposes for a batch must be the sum of what it proposes for each example alone."""
        for k, entry in enumerate(stage.entries):
            name = _subject(stage, k)
            if entry.event.phase == phases.PLASTICITY and not self._has(name):
                self.trials += 1
                for quantity in unsummed(stage, single, k):
                    rule = stage.circuit.rules[name][entry.event.detail].rule.name
                    read = f"one example together with others of the batch, for {quantity}"
                    found = Finding("lateral", name, rule, read, "remote", None, REMEDIES["lateral"])
                    self.found.setdefault((found.kind, found.projection), found)

    def try_again(self, stage: Stage, part: BoundPlan) -> None:
        """Steps that were bound while memory held something else must do the same."""
        self._repeat(stage, part, self._chosen(stage))

    def _chosen(self, stage: Stage) -> dict[str, list[Synapse]]:
        """A sample of the synapses of every projection that learns."""
        learning = [_subject(stage, k) for k, e in enumerate(stage.entries) if e.event.phase in OF_SYNAPSES]
        return {name: self._synapses(stage, name) for name in dict.fromkeys(learning)}

    def _elements(self, stage: Stage, k: int, chosen: dict[str, list[Synapse]]) -> list[Element]:
        """A sample of what an entry makes."""
        event, subject = stage.entries[k].event, _subject(stage, k)
        elements: list[Any] = []
        if event.phase == phases.DELIVERY:
            elements += [Arrival(subject, *place, event.detail) for place in self._places(stage, k)]
        elif event.phase in FIRING:
            elements += [Neuron(subject, r, i, b) for r, b, i in self._places(stage, k)]
        elif event.phase == phases.BOUND:
            elements += [Neuron(subject, r, i) for r, _, i in self._places(stage, k)]
        else:
            elements += chosen[subject]
        if self.hooked:  # a hook may change weights that are not the event's
            owners = dict.fromkeys(stage.memory.keys[block][0] for block in stage.undeclared(k))
            elements += [s for name, quantity, _ in owners if quantity in ("weight", "bias") for s in
                         self._synapses(stage, name)]  # fmt: skip
        return elements

    def _places(self, stage: Stage, k: int) -> Iterator[tuple[int, int, int]]:
        """A sample of (replica, example, neuron) of the population that an entry is about."""
        subject, circuit = _subject(stage, k), stage.circuit
        delivery = stage.entries[k].event.phase == phases.DELIVERY
        population = circuit.population(circuit.projection(subject).target if delivery else subject)
        labels = subject == circuit.labels  # of few values, which random ones often hit: more are tried
        for number in range(self.samples * (6 if labels else 1)):
            shape = (stage.replicas, stage.part.rows.shape[-1], population.size)
            r, b, i = (int(n) for n in self.random.integers(0, shape))
            if labels and number % 3:  # the neuron that is 1 tells most
                fired = stage.at[k + 1][stage.memory.of[subject, "O", 0]]
                i = int(fired[min(r, len(fired) - 1), b].argmax())
            yield r, b, i

    def _synapses(self, stage: Stage, name: str) -> list[Synapse]:
        """A sample of a projection's synapses, of those that exist, and of its biases."""
        weight, bias = (stage.arrays.get((name, quantity, None)) for quantity in ("weight", "bias"))
        found: list[Synapse] = []
        if weight is not None:
            exists = stage.arrays.get((name, "mask", None))
            places = np.flatnonzero(_telling(weight.shape) if exists is None else exists)
            for place in self.random.choice(places, min(self.samples, len(places)), replace=False):
                r, i, j = (int(n) for n in np.unravel_index(place, weight.shape))
                found.append(Synapse(name, r, i, j))
        if bias is not None:
            for place in self.random.choice(bias.size, min(self.samples, bias.size), replace=False):
                r, i = (int(n) for n in np.unravel_index(place, bias.shape))
                found.append(Synapse(name, r, i))
        return found

    def _try_step(self, trial: StepTrial, known: set[int]) -> None:
        """Scramble what the element must not see before one step; if that changes it, search for the culprits."""
        stage = trial.stage
        outside = {block: None for block in stage.memory.everything if block not in known}
        self.trials += 1
        if not trial.differs(outside):
            return
        for culprit in culprits(stage, trial.differs, outside):
            self._note(stage, trial.index, trial.element, culprit)
            known.update(outside if culprit.key is None else [stage.memory.of[culprit.key]])

    def _try_synapse(self, stage: Stage, synapse: Synapse) -> None:
        """A whole presentation; what its events' own trials do not explain has gone from one to another unseen."""
        trial = SynapseTrial(stage, synapse)
        self.trials += 1
        if synapse.projection in self.explained or not trial.differs(stage.memory.everything):
            return
        what = next(culprits(stage, trial.differs, stage.memory.everything), Culprit(None))
        last = max(k for k in range(len(stage.entries)) if _subject(stage, k) == synapse.projection)
        self._note(stage, last, synapse, replace(what, hidden=True))

    def _try_writes(self, stage: Stage, k: int, element: Element) -> None:
        """What an event changes without declaring it, hooks excepted: they declare nothing."""
        for block in () if self.hooked else stage.undeclared(k):
            key = stage.memory.keys[block][0]
            self._note(stage, k, element, Culprit(key, None, stage.arrays[key].shape, changed=True))

    def _repeat(self, stage: Stage, part: BoundPlan, chosen: dict[str, list[Synapse]]) -> None:
        """The same presentation after a different one must be the same."""
        self.trials += 1
        stage.memory.load(stage.at[0])
        stage.memory.scramble(stage.memory.everything)
        for step in part.steps:
            step()
        stage.memory.load(stage.at[0])
        for k, step in enumerate(part.steps):
            step()
            pairs = zip(stage.memory.blocks, stage.at[k + 1], strict=True)
            if not all(same_bits(block, before) for block, before in pairs):
                if part is not stage.part and self._has(_subject(stage, k)):
                    return  # what an earlier trial has explained
                self._note(stage, k, self._elements(stage, k, chosen)[0], Culprit(None))
                return

    def _has(self, name: str) -> bool:
        return any(projection == name for _, projection in self.found)

    def _note(self, stage: Stage, k: int, element: Element, culprit: Culprit) -> None:
        reader = Reader(stage.entries[k], element, stage.written[k], stage.later(k))
        for finding in findings(stage.circuit, reader, culprit):
            self.found.setdefault((finding.kind, finding.projection), finding)
        if isinstance(element, Synapse):
            self.explained.add(element.projection)


def _telling(shape: tuple[int, ...]) -> np.ndarray:
    """The synapses that have another place in the transposed array: they tell transport from sharing."""
    posts, pres = np.indices(shape[1:])
    return np.broadcast_to(posts != pres if max(shape[1:]) > 1 else posts == pres, shape)


def _subject(stage: Stage, k: int) -> str:
    return phases.subject(stage.circuit, stage.entries[k].event)
