"""Report of a computation or a campaign: figures, the numbers behind them, and one page with all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim.analysis.reports import sections
from circuitsim.analysis.reports.page import Image, details, figure, number, page, paragraph, section, table
from circuitsim.runs.files import write_bytes
from circuitsim.runs.runfolder import FIGURES

if TYPE_CHECKING:
    import pandas as pd

    from circuitsim.runs.scenario import MemberRun


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
    (folder / FIGURES).mkdir(exist_ok=True)
    for exhibit in exhibits:
        write_bytes(folder / FIGURES / f"{exhibit.name}.csv", exhibit.numbers.to_csv(index=False).encode())
        if exhibit.image is not None:
            write_bytes(folder / FIGURES / f"{exhibit.name}.svg", exhibit.image.content)
    shown = {key: value for key, value in config.items() if key not in ("given", "members")}
    content = page(
        title,
        paragraph(lead, "lead"),
        *(paragraph(note, "note") for note in notes),
        *(_shown(exhibit) for exhibit in exhibits),
        section("Comparison", *map(paragraph, remarks)),
        sections.settings(shown),
    )
    write_bytes(folder / "report.html", content.encode("utf-8", "backslashreplace"))


def notes_of(runs: Sequence[MemberRun]) -> list[str]:
    """Describe the members of a campaign that did not end as planned, one note for each reason."""
    notes: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        if run.reason:
            notes.setdefault((run.state, run.reason), []).append(run.member.name)
    return [f"{', '.join(names)}: {state}: {reason}" for (state, reason), names in notes.items()]


def _shown(exhibit: Exhibit) -> str:
    numbers = exhibit.numbers
    numeric = [index for index, kind in enumerate(numbers.dtypes) if kind.kind in "fiu"]
    rows = [[_cell(value) for value in row] for row in numbers.itertuples(index=False, name=None)]
    made = table([str(column) for column in numbers.columns], rows, numbers=numeric)
    if exhibit.image is None:
        return section(exhibit.title, paragraph(exhibit.caption, "caption"), made)
    below = details(f"Numbers (figures/{exhibit.name}.csv)", made)
    return section(exhibit.title, figure(exhibit.image, exhibit.caption), below)


def _cell(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)
