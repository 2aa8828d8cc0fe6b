"""The report that scenarios write at their end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.labels import label_of

if TYPE_CHECKING:
    from circuitsim.analysis.reports.report import Reconstructions
    from circuitsim.runs.study import Study

EXAMPLES = 10
MOST_ROWS = 8  # rows of reconstructions: one for each group of replicas that differ in more than their seed


def finish_with_reconstructions(folder: Path, study: Study, config: Mapping[str, Any]) -> None:
    """Write report.html of a run that reconstructs its inputs."""
    finish(folder, study, config, reconstructions(study, tuple(config["vary"])))


def finish(folder: Path, study: Study, config: Mapping[str, Any], samples: Reconstructions | None = None) -> None:
    """Write report.html of a run, with the audit that the run has written."""
    from circuitsim.analysis.reports.report import ReportData, write_report
    from circuitsim.runs.runfolder import AUDIT

    varied = tuple(config["vary"])
    circuits = tuple((label_of(study, group.members, varied), group.simulator.schedule) for group in study.groups)
    audit = json.loads((folder / AUDIT).read_bytes())
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
        periods=_periods(study),
    )
    write_report(folder / "report.html", data)


def _protocols(study: Study) -> tuple[str, ...]:
    """Describe the stages of a development."""
    return tuple(dict.fromkeys(when for group in study.groups for when, _ in group.design.protocols() if when))


def _periods(study: Study) -> tuple[tuple[int, str], ...]:
    """Return the first epoch and the name of each period of a development, if all replicas have the same ones."""
    each = set()
    for group in study.groups:
        begin, found = 1, list[tuple[int, str]]()
        for stage in group.design.stages:
            if stage.epochs and (not found or found[-1][1] != stage.name):
                found.append((begin, stage.name))
            begin += stage.epochs
        each.add(tuple(found))
    return each.pop() if len(each) == 1 else ()


def reconstructions(study: Study, varied: tuple[str, ...]) -> Reconstructions:
    """Return the first test examples as the first replica of each group reconstructs them."""
    from circuitsim.analysis.reports.report import Reconstructions

    originals = study.data.test[:EXAMPLES]
    outputs: dict[str, np.ndarray] = {}
    for group in study.groups:
        made = np.concatenate([out.copy() for _, out, _ in group.simulator.outputs(originals)], axis=1)
        for index, replica in enumerate(group.members):
            label = label_of(study, (replica,), varied)
            if label not in outputs and len(outputs) < MOST_ROWS and np.isfinite(made[index]).all():
                outputs[label] = made[index]
    return Reconstructions(originals, outputs, study.data.image_shape)
