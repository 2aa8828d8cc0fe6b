"""The report that scenarios write at their end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.labels import label_of
from circuitsim.runs.periods import Period, periods_of, shared_periods

if TYPE_CHECKING:
    from circuitsim.analysis.reports.portfolio import Exhibit
    from circuitsim.analysis.reports.report import Reconstructions
    from circuitsim.runs.study import Study

EXAMPLES = 10
MOST_ROWS = 8  # rows of reconstructions: one for each group of replicas that differ in more than their seed


def finish_with_reconstructions(folder: Path, study: Study, config: Mapping[str, Any]) -> None:
    """Write report.html of a run that reconstructs its inputs."""
    finish(folder, study, config, reconstructions(study, tuple(config["vary"])))


def finish(
    folder: Path,
    study: Study,
    config: Mapping[str, Any],
    samples: Reconstructions | None = None,
    exhibits: Sequence[Exhibit] = (),
) -> None:
    """Write report.html of a run, with the audit that the run has written."""
    from circuitsim.analysis.reports.report import ReportData, write_report
    from circuitsim.runs.runfolder import AUDIT

    varied = tuple(config["vary"])
    circuits = tuple((label_of(study, group.members, varied), group.simulator.schedule) for group in study.groups)
    audit = json.loads((folder / AUDIT).read_bytes())
    lost = sorted(set(range(len(study.settings))) - set(study.alive()))
    periods, different = _periods(study, varied)
    data = ReportData(
        title=f"{study.scenario.name} – {study.scenario.description}",
        config=config,
        metrics=study.metrics_frame(varied),
        varied=varied,
        circuits=circuits,
        audit=audit,
        reconstructions=samples,
        notes=tuple(f"replica {r} diverged and was dropped" for r in lost) + different,
        periods=periods,
        exhibits=tuple(exhibits),
    )
    write_report(folder / "report.html", data)


def _periods(study: Study, varied: tuple[str, ...]) -> tuple[tuple[Period, ...], tuple[str, ...]]:
    """Return the periods of the development; where groups differ in them none, and a sentence on each group."""
    each = {label_of(study, group.members, varied): periods_of(group.design.stages) for group in study.groups}
    if len(set(each.values())) == 1:
        return shared_periods(each.values()), ()
    return (), tuple(f"{label}: {', '.join(map(str, periods)) or 'one period'}" for label, periods in each.items())


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
