"""Report of a run as one HTML file: curves, circuits, timetables, audit, reconstructions, settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim.runs.files import write_bytes
from circuitsim.runs.runfolder import FIGURES

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from circuitsim.analysis.reports.groups import Results
    from circuitsim.analysis.reports.page import Image
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
    notes : warnings, such as a replica that diverged.
    periods : first epochs and names of the periods of a development.
    """

    title: str
    config: Mapping[str, Any]
    metrics: pd.DataFrame
    varied: tuple[str, ...] = ()
    circuits: tuple[tuple[str, Schedule], ...] = ()
    audit: Mapping[str, Any] | None = None
    reconstructions: Reconstructions | None = None
    notes: tuple[str, ...] = ()
    periods: tuple[tuple[int, str], ...] = ()


def write_report(path: Path, data: ReportData) -> None:
    """Write the report as one HTML file, atomically; beside it figures/NAME.svg of its curves, and figures/curves.csv.

    Parameters
    ----------
    path : the file; an existing one is replaced in one step.
    """
    from circuitsim.analysis.reports.groups import curve_table
    from circuitsim.analysis.reports.learning_curves import all_curves

    results = results_of(data)
    drawn = all_curves(results)
    write_bytes(path, _page(data, results, drawn).encode("utf-8", "backslashreplace"))
    place = path.parent / FIGURES
    if drawn:
        place.mkdir(exist_ok=True)
        table = curve_table(results).to_csv(index=False)
        write_bytes(place / "curves.csv", table.encode("utf-8", "backslashreplace"))
    for name, image in drawn.items():
        write_bytes(place / f"{name}.svg", image.content)


def results_of(data: ReportData) -> Results:
    """Return the metrics of a report by group."""
    from circuitsim.analysis.reports.groups import group_results, telling

    return group_results(data.metrics, data.varied, telling(data.config) or "this run", data.periods)


def render(data: ReportData) -> str:
    """Return the report as HTML with all images inline; nothing is loaded from elsewhere."""
    from circuitsim.analysis.reports.learning_curves import all_curves

    results = results_of(data)
    return _page(data, results, all_curves(results))


def _page(data: ReportData, results: Results, drawn: Mapping[str, Image]) -> str:
    from circuitsim.analysis.reports import circuit_sections, sections
    from circuitsim.analysis.reports.page import page, paragraph

    audit = data.audit or {}
    samples = data.reconstructions
    return page(
        data.title,
        sections.headline(results, circuit_sections.verdict(audit)),
        *(paragraph(note, "note") for note in data.notes),
        sections.curves(results, drawn),
        sections.finals(results),
        circuit_sections.circuits(data.circuits) if data.circuits else "",
        circuit_sections.locality(audit),
        sections.samples(samples.originals, samples.outputs, samples.image_shape) if samples else "",
        sections.seconds(results),
        sections.settings(data.config),
    )
