"""The audit and the report that scenarios write at their end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.groups import SEEDS, TELLING, telling
from circuitsim.runs.config import spell
from circuitsim.runs.files import write_bytes

if TYPE_CHECKING:
    from circuitsim.analysis.audits.audit import Audit
    from circuitsim.analysis.reports.report import Reconstructions
    from circuitsim.runs.groups import ReplicaGroup
    from circuitsim.runs.study import Study

EXAMPLES = 10
MOST_ROWS = 8  # rows of reconstructions: one for each group of replicas that differ in more than their seed


def finish_with_reconstructions(folder: Path, study: Study, config: Mapping[str, Any]) -> None:
    """Write audit.json and report.html of a run that reconstructs its inputs."""
    finish(folder, study, config, reconstructions(study, tuple(config["vary"])))


def finish(folder: Path, study: Study, config: Mapping[str, Any], samples: Reconstructions | None = None) -> None:
    """Write audit.json and report.html of a run."""
    from circuitsim.analysis.audits.audit import audit_all
    from circuitsim.analysis.reports.report import ReportData, write_report

    varied = tuple(config["vary"])
    circuits = tuple((_label(study, group.members, varied), group.simulator.schedule) for group in study.groups)
    judged = [_audited(study, group) for group in study.groups]
    audit = audit_all([(label, one) for (label, _), one in zip(circuits, judged, strict=True)])
    write_bytes(folder / "audit.json", json.dumps(audit, indent=2).encode())
    lost = sorted(set(range(len(study.settings))) - set(study.alive()))
    data = ReportData(
        title=f"{study.scenario.name} – {study.scenario.description}",
        config={key: value for key, value in config.items() if key != "given"},
        metrics=study.metrics_frame(varied),
        varied=varied,
        circuits=circuits,
        audit=audit,
        reconstructions=samples,
        notes=tuple(f"replica {r} diverged and was dropped" for r in lost) + _protocols(study),
    )
    write_report(folder / "report.html", data)


def _protocols(study: Study) -> tuple[str, ...]:
    """Describe the stages of a development."""
    return tuple(dict.fromkeys(when for group in study.groups for when, _ in group.design.protocols() if when))


def _audited(study: Study, group: ReplicaGroup) -> Audit:
    """Audit a group's circuit on the backend that ran it."""
    from circuitsim.analysis.audits.examine import examine

    one = group.design
    dtype = study.common.dtype
    return examine(one.circuit, one.protocol, one.parameters, backend=study.backend, dtype=dtype, measure=False)


def reconstructions(study: Study, varied: tuple[str, ...]) -> Reconstructions:
    """Return the first test examples as the first replica of each group reconstructs them."""
    from circuitsim.analysis.reports.report import Reconstructions

    originals = study.data.test[:EXAMPLES]
    outputs: dict[str, np.ndarray] = {}
    for group in study.groups:
        made = np.concatenate([out.copy() for _, out, _ in group.simulator.outputs(originals)], axis=1)
        for index, replica in enumerate(group.members):
            label = _label(study, (replica,), varied)
            if label not in outputs and len(outputs) < MOST_ROWS and np.isfinite(made[index]).all():
                outputs[label] = made[index]
    return Reconstructions(originals, outputs, study.data.image_shape)


def _label(study: Study, members: tuple[int, ...], varied: tuple[str, ...]) -> str:
    """Return the values of the varied keys, without seeds, that some replicas have in common."""
    parts = []
    for key in varied:
        values = {spell(getattr(study.settings[replica], key)).strip("'") for replica in members}
        if key not in SEEDS and len(values) == 1:
            parts.append(f"{key} {values.pop()}" if key not in TELLING else values.pop())
    return ", ".join(parts) or telling(study.settings[members[0]].model_dump()) or study.scenario.name
