"""Report of a run as one HTML file: curves, circuits, timetables, audit, reconstructions, settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim.analysis.reports.figure_files import FigureFiles
from circuitsim.runs.files import write_bytes
from circuitsim.runs.periods import Period

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from circuitsim.analysis.reports.portfolio import Exhibit
    from circuitsim.timetable.schedule import Schedule


@dataclass(frozen=True)
class Reconstructions:
    """Reconstructions of a few examples.

    Parameters
    ----------
    originals : (examples, features). outputs : the same shape for each label.
    image_shape : (channels, rows, columns) if features are pixels, flattened in this order; otherwise None.
    """

    originals: np.ndarray
    outputs: Mapping[str, np.ndarray]
    image_shape: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class ReportData:
    """Content of a report.

    Parameters
    ----------
    title : of the page. config : every key and its value; also `versions`, a table, and `vary`, the values of each
        varied key.
    metrics : columns replica, epoch (0: before training), split (train, test), metric, value, and each varied key.
    varied : the varied keys; replicas that differ only in `seed` and `data_seed` form one group.
    circuits : a label and the schedule of each distinct circuit in the run.
    audit : as in audit.json; for several circuits one such table each, with its label, under `circuits`.
    notes : warnings, such as a replica that diverged. periods : of the development, marked on the curves.
    exhibits : further figures and tables, shown after the final values.
    """

    title: str
    config: Mapping[str, Any]
    metrics: pd.DataFrame
    varied: tuple[str, ...] = ()
    circuits: tuple[tuple[str, Schedule], ...] = ()
    audit: Mapping[str, Any] | None = None
    reconstructions: Reconstructions | None = None
    notes: tuple[str, ...] = ()
    periods: tuple[Period, ...] = ()
    exhibits: tuple[Exhibit, ...] = ()


def write_report(path: Path, data: ReportData) -> None:
    """Write figures/NAME.svg and NAME.csv of each figure, then the report as one HTML file, atomically.

    Parameters
    ----------
    path : the file; an existing one is replaced in one step. Figures lie beside it.
    """
    files = FigureFiles()
    content = render(data, files).encode("utf-8", "backslashreplace")
    files.write(path.parent)
    write_bytes(path, content)


def render(data: ReportData, files: FigureFiles) -> str:
    """Return the report as HTML with all images inline, and keep its figures; nothing is loaded from elsewhere."""
    from circuitsim.analysis.reports import circuit_sections, sections
    from circuitsim.analysis.reports.groups import group_results, telling
    from circuitsim.analysis.reports.page import page, paragraph
    from circuitsim.analysis.reports.portfolio import shown

    results = group_results(data.metrics, data.varied, telling(data.config) or "this run")
    audit = data.audit or {}
    samples = data.reconstructions
    for exhibit in data.exhibits:
        files.keep(exhibit.name, exhibit.image, exhibit.numbers)
    return page(
        data.title,
        sections.headline(results, circuit_sections.verdict(audit)),
        *(paragraph(note, "note") for note in data.notes),
        sections.curves(results, data.periods, files),
        sections.finals(results),
        *map(shown, data.exhibits),
        circuit_sections.circuits(data.circuits, files) if data.circuits else "",
        circuit_sections.locality(audit),
        sections.samples(samples.originals, samples.outputs, samples.image_shape, files) if samples else "",
        sections.seconds(results, files),
        sections.settings(data.config),
    )
