"""The report of `recurrent-classifier`: that of other runs, and its filters, recurrent kernels and gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim.analysis.reports.labels import label_of
from circuitsim.runs.runfolder import INITIAL, read_tensors
from circuitsim.scenarios import reporting

if TYPE_CHECKING:
    from circuitsim.analysis.reports.portfolio import Exhibit
    from circuitsim.runs.study import Study

MOST = 8  # networks that are shown


def finish(folder: Path, study: Study, config: Mapping[str, Any]) -> None:
    """Write report.html of a run, with the audit that the run has written."""
    reporting.finish(folder, study, config, exhibits=list(_exhibits(folder, study, config)))


def _exhibits(folder: Path, study: Study, config: Mapping[str, Any]) -> Iterator[Exhibit]:
    from circuitsim.scenarios.recurrent_classifier import exhibits

    varied = tuple(config["vary"])
    labels = [label_of(study, (replica,), varied) for replica in range(len(study.settings))]
    before, after = read_tensors(folder / INITIAL), study.tensors()
    if len(labels) == 1:
        before, after = ({name: tensor[None] for name, tensor in one.items()} for one in (before, after))
    shown = exhibits.networks(labels, before, after)
    measured = exhibits.gates_by_network(study, labels)
    cut = f" Of {len(shown)} networks the first {MOST} are shown." if len(shown) > MOST else ""
    for one in (
        *exhibits.filters(shown[:MOST]),
        *exhibits.recurrent_kernels(shown[:MOST]),
        *exhibits.gates(dict(islice(measured.items(), MOST))),
    ):
        yield replace(one, caption=one.caption + cut)
