"""The report of `tourbillon-figures`: the members of each figure, in the order of the paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from circuitsim.analysis.reports.portfolio import Exhibit, notes_of, write_portfolio
from circuitsim.runs.config import build
from circuitsim.runs.scenario import Member, MemberRun
from circuitsim.scenarios.figures import measured
from circuitsim.scenarios.tourbillon_figures.curves import figure_3, figure_4, figure_5, nest
from circuitsim.scenarios.tourbillon_figures.members import by_part
from circuitsim.scenarios.tourbillon_figures.samples import figure_6, figure_7, figure_9
from circuitsim.scenarios.tourbillon_figures.schedules import bounds, schedules
from circuitsim.scenarios.tourbillon_figures.series import Developed
from circuitsim.scenarios.tourbillon_figures.settings import TourbillonFiguresSettings
from circuitsim.scenarios.tourbillon_figures.tables import table_1, tuning

TITLE = "tourbillon-figures – stacks of circular autoencoders, figure by figure"
_Maker = Callable[[Sequence[Developed], Mapping[str, Any]], list[Exhibit]]
_MAKERS: Mapping[int | str, _Maker] = {
    3: figure_3,
    4: figure_4,
    5: figure_5,
    6: figure_6,
    7: figure_7,
    9: figure_9,
    "table1": table_1,
    "tuning": tuning,
    "bounds": bounds,
    "schedules": schedules,
    "nest": nest,
}


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report of the members that ran."""
    ran = {one.name: one for one in measured(folder, runs, Developed)}
    settings = build(TourbillonFiguresSettings, {key: config[key] for key in TourbillonFiguresSettings.model_fields})
    exhibits = []
    for part, members in by_part(settings).items():
        own = [ran[member.name] for member in _complete(members, ran)]
        exhibits += _MAKERS[part](own, config) if own else []
    write_portfolio(folder, TITLE, _lead(exhibits), exhibits, config, notes=notes_of(runs))


def _complete(members: Sequence[Member], ran: Mapping[str, Developed]) -> list[Member]:
    """Return the members on the data sets of which all members ran."""
    missing = {member.values["dataset"] for member in members if member.name not in ran}
    return [member for member in members if member.values["dataset"] not in missing]


def _lead(exhibits: Sequence[Exhibit]) -> str:
    """Return the last numbers of figure 4 in words, if it is drawn."""
    found = [exhibit.numbers for exhibit in exhibits if exhibit.name == "figure-4-final"]
    rows = [row for table in found for row in table[table["split"] == "test"].itertuples(index=False)]
    if not rows:
        return "Stacks of circular autoencoders that learn by recirculation, and what they replace."
    return "Test accuracy, %: " + "; ".join(f"{row[0]}, {row[2]}: {row[3]:.2f} ({row[4]:.2g})" for row in rows) + "."
