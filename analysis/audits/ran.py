"""The audit of what ran: a run's own simulators, with their weights, data, replicas, protocols, hooks and backend.

The driver of runs calls it at the start, after the first epoch, where a protocol changes, and at the end. It costs a
fixed part of the time that training takes, and says what it did in this time. Nothing here trains.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from secrets import randbits
from time import thread_time
from typing import Any

import numpy as np

from circuitsim.analysis.audits.audit import Audit, audit, audit_all
from circuitsim.analysis.audits.deciding import deciding
from circuitsim.analysis.audits.fused import fused_findings
from circuitsim.analysis.audits.hook_audit import examine_hooks
from circuitsim.analysis.audits.intervention import DRAWS, Intervention, intervene
from circuitsim.analysis.audits.mirroring import mirrored, transposes
from circuitsim.analysis.audits.statement import stated
from circuitsim.analysis.reports.labels import label_of
from circuitsim.analysis.sandbox import sandbox
from circuitsim.analysis.scores.costs import costs
from circuitsim.analysis.scores.scorecard import scorecard
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import Diverged
from circuitsim.locality import Finding
from circuitsim.randomness import generator
from circuitsim.runs.groups import ReplicaGroup
from circuitsim.runs.study import Study
from circuitsim.timetable.schedule import Schedule, make_schedules

FRACTION = 0.06  # of the time that training takes
LEAST, MOST = 0.6, 30.0  # seconds for a whole run
FIRST = 0.3  # seconds at the start, when nobody knows how long training takes
FEW = 6  # examples in which halves of groups are tested: the bits of a synapse do not depend on their number
END = "at the end"
SCORED = 1_000_000  # synapses of the largest circuit whose scorecard is measured within a run


class RunAudit:
    """The audit of a run, which grows with it.

    Parameters
    ----------
    study : the replicas that are trained.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._record: dict[str, Any] = study.watch.audited
        if not self._record:
            self._record.update(seed=randbits(32), seconds=0.0, groups=[_new(study, group) for group in study.groups])

    def begin(self) -> None:
        """Audit the simulators before training."""
        if not self._seen(0):
            self._examine("before training", FIRST)

    def after_epoch(self, seconds: float) -> None:
        """Audit after the first epoch, and where a group has another protocol than in the epoch before.

        Parameters
        ----------
        seconds : of training in this epoch.
        """
        self._record["expected"] = seconds * self._study.epochs
        left = self._allowed - self._record["seconds"]
        changed = [_protocol(group) not in self._seen(index) for index, group in enumerate(self._study.groups)]
        if self._study.epoch == self._study.epochs:
            self._examine(END, max(0.0, left))
        elif self._study.epoch == 1 or any(changed):
            self._examine(f"after epoch {self._study.epoch}", max(0.0, left / 2))
        for row, group in zip(self._record["groups"], self._study.groups, strict=True):
            loads = group.simulator.acts.count("load")
            if loads != row["loads"]:
                row["loads"] = loads
                row["mirrors"].append({"when": f"after epoch {self._study.epoch}", "rows": mirrored(group.simulator)})

    def end(self, varied: tuple[str, ...]) -> Audit:
        """Audit the simulators as they are now, and return the content of audit.json.

        Parameters
        ----------
        varied : the keys that differ between replicas, for labels.
        """
        groups = self._study.groups
        if not any(moment["when"] == END for row in self._record["groups"] for moment in row["moments"]):
            self._examine(END, max(0.0, self._allowed - self._record["seconds"]))
        labels = [label_of(self._study, group.members, varied) for group in groups]
        pairs = zip(labels, range(len(groups)), strict=True)
        each = [(label, self._of_group(index)) for label, index in pairs]
        found = audit_all(each)
        return {
            **found,
            "hash": self.hash,
            "seed": self._record["seed"],
            "seconds": round(self._record["seconds"], 3),
            "statement": "; ".join(dict.fromkeys(one["statement"]["text"] for _, one in each)),
        }

    @property
    def hash(self) -> str:
        """The hash of all that decides the result of the run."""
        hashes = [row["decides"]["all"] for row in self._record["groups"]]
        return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()

    @property
    def _allowed(self) -> float:
        return float(min(MOST, max(LEAST, FRACTION * self._record.get("expected", 0.0))))

    def _seen(self, index: int) -> list[str]:
        return [moment["protocol"] for moment in self._record["groups"][index]["moments"]]

    def _examine(self, when: str, seconds: float) -> None:
        begin, groups = thread_time(), self._study.groups
        for index, group in enumerate(groups):
            if group.simulator.state.alive.any():
                seed = self._record["seed"] + 1000 * index + len(self._seen(index))
                row = self._record["groups"][index]
                try:
                    first = not row["moments"]
                    moment, findings = experiments(group.simulator, seed, seconds / len(groups), first=first)
                except Diverged as error:
                    moment, findings = {"left": f"the weights are too large for experiments: {error}"}, []
                row["moments"].append({"when": when, "protocol": _protocol(group), **moment})
                row["findings"] += [f.row() for f in findings if f.row() not in row["findings"]]
        self._record["seconds"] += thread_time() - begin

    def _of_group(self, index: int) -> Audit:
        """Return the audit of a group's circuit from all its protocols, and from what the experiments found."""
        row, group = self._record["groups"][index], self._study.groups[index]
        simulator, schedules = group.simulator, _schedules(group)
        tampered = self._study.watch.tampering[index]
        findings = [Finding(**one) for one in row["findings"]]
        hooked = [f for f in findings if f.rule.startswith("hook ") or f.kind == "tampering"]
        found = audit(schedules, [f for f in findings if f not in hooked], [*hooked, *tampered])
        protocols = [s for s in schedules if not s.protocol.mirror]
        return found | {
            "hash": row["decides"]["all"],
            "decides": row["decides"],
            "ran": _extent(group),
            "moments": row["moments"],
            "intervention": {k: v for k, v in _best(row["moments"]).items() if k != "findings"},
            "acts": simulator.acts.rows(),
            "mirrors": row["mirrors"],
            "transposes": transposes([one for part in row["mirrors"] for one in part["rows"]]),
            "statement": stated(simulator, found, protocols),
            "scorecard": _scores(simulator, found),
        }


def experiments(
    simulator: Simulator, seed: int, seconds: float, *, first: bool = False
) -> tuple[dict[str, Any], list[Finding]]:
    """Experiment on a run's simulator, with its own weights and examples, and restore it to the bit.

    Parameters
    ----------
    seconds : of CPU after which no further halves of groups are tested. first : hooks are rehearsed too.

    Returns
    -------
    What was done, and the findings.
    """
    begin = thread_time()
    random = generator(seed, "examples of an audit of a run")
    sets = (simulator.state.replicas,) if simulator.rows_by_replica else ()
    rows = random.integers(0, simulator.examples, (*sets, simulator.batch))
    said, findings = fused_findings(simulator, rows)
    done: dict[str, Any] = {"fused": said}
    own = simulator.batch > FEW
    tested: list[Intervention] = []
    if own:
        tested.append(intervene(simulator, rows, runs=1, seed=seed, seconds=0))
    left = max(0.0, begin + seconds - thread_time())
    tested.append(intervene(simulator, rows[..., :FEW], runs=len(DRAWS) if first else 1, seed=seed, seconds=left))
    done["interventions"] = [{k: v for k, v in one.row().items() if k != "findings"} for one in tested]
    if first and simulator.hooks:
        with sandbox(simulator, rows[..., :FEW]):  # a few examples of its own, which hooks may change
            audits = examine_hooks(simulator, seed=seed)
        done["hooks"] = [one.row() for one in audits]
        findings += [finding for one in audits for finding in one.findings]
    findings += [finding for one in tested for finding in one.findings]
    done["seconds"] = round(thread_time() - begin, 3)
    return done, list(dict.fromkeys(findings))


def _new(study: Study, group: ReplicaGroup) -> dict[str, Any]:
    """Return the record of a group before its first experiment."""
    begin = {"when": "before training", "rows": mirrored(group.simulator)}
    loads = group.simulator.acts.count("load")
    return {"moments": [], "findings": [], "mirrors": [begin], "loads": loads, "decides": deciding(study, group)}


def _protocol(group: ReplicaGroup) -> str:
    return repr(group.simulator.protocol)


def _schedules(group: ReplicaGroup) -> list[Schedule]:
    """Return the timetables of all protocols of a run, and of the mirror modes."""
    protocols = dict.fromkeys([group.simulator.protocol, *(p for _, p in group.design.protocols())])
    each = [s for protocol in protocols for s in make_schedules(group.design.circuit, protocol)]
    return list({(repr(s.protocol)): s for s in each}.values())


def _extent(group: ReplicaGroup) -> dict[str, Any]:
    """Say what was held, what was changed, and on what."""
    simulator = group.simulator
    return {
        "replicas": list(group.members),
        "batch": simulator.batch,
        "presentations": simulator.presentations,
        "backend": simulator.backend,
        "dtype": str(simulator.state.dtype),
        "protocols": [when or "all epochs" for when, _ in group.design.protocols()],
        "hooks": [hook.name for hook in simulator.hooks],
        "held": "a group of synapses, arrivals or neurons, the neurons at its ends, and parameters",
        "changed": "all other weights, biases, velocities, increments, activities, examples and replicas",
        "sizes": [f"held {a.name.lower() if a else 'as recorded'}, changed {b.name.lower()}" for a, b in DRAWS],
    }


def _best(moments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the most complete experiment of a run, for summaries; empty if there was none."""
    every = [one for moment in moments for one in moment.get("interventions", ())]
    return dict(max(every, key=lambda one: (one["complete"], one["halved"], one["trials"]))) if every else {}


def _scores(simulator: Simulator, found: Audit) -> dict[str, Any]:
    """Return the scorecard; of a large circuit what its description tells, and how to measure the rest."""
    kinds = Counter(finding["kind"] for finding in found["findings"])
    locality = {"local": found["local"], "findings": dict(kinds)}
    size = sum(array[0].size for array in simulator.tensors().values())
    described = {"locality": locality, "costs": costs(simulator), "left": "run `circuitsim audit` for the rest"}
    if size > SCORED or not simulator.state.alive.all():
        return described
    rows = np.arange(min(simulator.batch, simulator.examples, FEW))
    rows = np.broadcast_to(rows, (simulator.state.replicas, len(rows))) if simulator.rows_by_replica else rows
    try:
        return {**scorecard(simulator, rows), "locality": locality}
    except Diverged:
        return described
