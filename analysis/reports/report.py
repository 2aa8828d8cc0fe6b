"""One file that tells a run: curves, circuit, timetable, audit, reconstructions, settings. It opens offline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim.runs.files import write_bytes

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from circuitsim.timetable.schedule import Schedule


@dataclass(frozen=True)
class Reconstructions:
    """What replicas make of a few examples.

    Parameters
    ----------
    originals : (examples, features). outputs : the same shape for each label.
    image_shape : (channels, rows, columns) where features are an image's pixels, flattened in this order; else None.
    """

    originals: np.ndarray
    outputs: Mapping[str, np.ndarray]
    image_shape: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class ReportData:
    """All that a report tells.

    Parameters
    ----------
    title : of the page. config : every key and the value used; beside them `versions`, a table, and `vary`, the list
        of values of each varied key.
    metrics : columns replica, epoch (0: before training), split (train, test), metric, value, and each varied key.
    varied : the varied keys; replicas that differ in `seed` and `data_seed` alone make one group.
    circuits : a label and the schedule of each distinct circuit in the run.
    audit : as in audit.json; with several circuits one such table each, and its label, under `circuits`.
    notes : what the reader must know, such as a replica that diverged.
    """

    title: str
    config: Mapping[str, Any]
    metrics: pd.DataFrame
    varied: tuple[str, ...] = ()
    circuits: tuple[tuple[str, Schedule], ...] = ()
    audit: Mapping[str, Any] | None = None
    reconstructions: Reconstructions | None = None
    notes: tuple[str, ...] = ()


def write_report(path: Path, data: ReportData) -> None:
    """Write the report as one HTML file, whole or not at all.

    Parameters
    ----------
    path : the file; one that is there is replaced in one step.
    """
    write_bytes(path, render(data).encode())


def render(data: ReportData) -> str:
    """The report as HTML, in which every image is inline and nothing is loaded from elsewhere."""
    from circuitsim.analysis.reports import circuit_sections, sections
    from circuitsim.analysis.reports.groups import group_results, telling
    from circuitsim.analysis.reports.page import page, paragraph

    results = group_results(data.metrics, data.varied, telling(data.config) or "this run")
    audit = data.audit or {}
    samples = data.reconstructions
    return page(
        data.title,
        sections.headline(results, circuit_sections.verdict(audit)),
        *(paragraph(note, "note") for note in data.notes),
        sections.curves(results),
        sections.finals(results),
        circuit_sections.circuits(data.circuits) if data.circuits else "",
        circuit_sections.locality(audit),
        sections.samples(samples.originals, samples.outputs, samples.image_shape) if samples else "",
        sections.seconds(results),
        sections.settings(data.config),
    )
