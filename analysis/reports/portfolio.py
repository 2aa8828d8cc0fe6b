"""Report of a computation or a campaign: figures, the numbers behind them, and one page with all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim.analysis.averages import SPREADS
from circuitsim.analysis.reports import sections
from circuitsim.analysis.reports.figure_files import write_figure
from circuitsim.analysis.reports.page import (
    Image,
    details,
    figure,
    number,
    page,
    paragraph,
    section,
    table,
    two_digits,
)
from circuitsim.runs.files import write_bytes

if TYPE_CHECKING:
    import pandas as pd

    from circuitsim.runs.scenario import MemberRun

MOST_ROWS = 300  # of a table on the page
WHOLE = 1e6  # columns of smaller whole numbers are written without a point


@dataclass(frozen=True)
class Exhibit:
    """One figure or table of a report, with its numbers.

    Parameters
    ----------
    name : of its files. title, caption : on the page. numbers : the table. image : the figure; None for a table alone.
    """

    name: str
    title: str
    caption: str
    numbers: pd.DataFrame
    image: Image | None = None


def write_portfolio(
    folder: Path,
    title: str,
    lead: str,
    exhibits: Sequence[Exhibit],
    config: Mapping[str, Any],
    *,
    notes: Sequence[str] = (),
    remarks: Sequence[str] = (),
) -> None:
    """Write figures/NAME.svg and figures/NAME.csv of each exhibit, then report.html, which opens offline.

    Parameters
    ----------
    folder : the run folder. lead : the result in a paragraph. config : as in config.json. notes : warnings shown
        first. remarks : comparisons with published numbers, a paragraph each.
    """
    for exhibit in exhibits:
        write_figure(folder, exhibit.name, exhibit.numbers, exhibit.image)
    content = page(
        title,
        paragraph(lead, "lead"),
        *(paragraph(note, "note") for note in notes),
        *(shown(exhibit) for exhibit in exhibits),
        section("Comparison", *map(paragraph, remarks)),
        sections.settings(config),
    )
    write_bytes(folder / "report.html", content.encode("utf-8", "backslashreplace"))


def notes_of(runs: Sequence[MemberRun]) -> list[str]:
    """Describe the members of a campaign that did not end as planned, one note for each reason."""
    notes: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        if run.reason:
            notes.setdefault((run.state, run.reason), []).append(run.member.name)
    return [f"{', '.join(names)}: {state}: {reason}" for (state, reason), names in notes.items()]


def shown(exhibit: Exhibit) -> str:
    """Return an exhibit as a section of a page, its numbers folded below the figure."""
    numbers = exhibit.numbers
    numeric = [index for index, kind in enumerate(numbers.dtypes) if kind.kind in "fiu"]
    columns = [str(column) for column in numbers.columns]
    cells = [_cells(column, list(numbers.iloc[:MOST_ROWS, place])) for place, column in enumerate(columns)]
    made = table(columns, list(zip(*cells, strict=True)), numbers=numeric)
    file = f"figures/{exhibit.name}.csv"
    if len(numbers) > MOST_ROWS:
        made += paragraph(f"The first {MOST_ROWS} of {len(numbers)} rows; {file} has all.", "caption")
    if exhibit.image is None:
        return section(exhibit.title, paragraph(exhibit.caption, "caption"), made)
    return section(exhibit.title, figure(exhibit.image, exhibit.caption), details(f"Numbers ({file})", made))


def _cells(column: str, values: Sequence[object]) -> list[str]:
    """Write a column: spreads with two digits, whole numbers without a point, others with four digits."""
    known = [value for value in values if isinstance(value, float) and math.isfinite(value)]
    if any(column == one or column.startswith(f"{one} of ") or column.endswith(f": {one}") for one in SPREADS):
        write = two_digits
    elif known and all(value == round(value) and abs(value) < WHOLE for value in known):
        write = _whole
    else:
        write = number
    return [write(value) if isinstance(value, float) else str(value) for value in values]


def _whole(value: float | None) -> str:
    return number(value) if value is None or not math.isfinite(value) else f"{value:.0f}"
