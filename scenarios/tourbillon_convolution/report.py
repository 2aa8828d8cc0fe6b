"""The report of `tourbillon-convolution`: the members of each part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from circuitsim.analysis.reports.portfolio import Exhibit, notes_of, write_portfolio
from circuitsim.runs.config import build
from circuitsim.runs.scenario import Member, MemberRun
from circuitsim.scenarios.figures import measured
from circuitsim.scenarios.tourbillon_convolution.curves import blocks, stack, tuning
from circuitsim.scenarios.tourbillon_convolution.images import figure_9, untied
from circuitsim.scenarios.tourbillon_convolution.members import by_part
from circuitsim.scenarios.tourbillon_convolution.settings import TourbillonConvolutionSettings
from circuitsim.scenarios.tourbillon_convolution.tables import scores, stability, table_1
from circuitsim.scenarios.tourbillon_figures.series import Developed

TITLE = "tourbillon-convolution – circular autoencoders of images"
_Maker = Callable[[Sequence[Developed], Mapping[str, Any]], list[Exhibit]]
_MAKERS: Mapping[str, _Maker] = {
    "blocks": blocks,
    "stability": stability,
    "stack": stack,
    "figure9": figure_9,
    "tuning": tuning,
    "table1": table_1,
    "untied": untied,
    "scorecard": scores,
}


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report of the members that ran."""
    ran = {one.name: one for one in measured(folder, runs, Developed)}
    model = TourbillonConvolutionSettings
    settings = build(model, {key: config[key] for key in model.model_fields})
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
    """Return the errors of blocks in words, if they are there."""
    rows = [row for one in exhibits if one.name == "blocks-final" for row in one.numbers.itertuples(index=False)]
    if not rows:
        return "Convolutional and untied circular autoencoders that learn by recirculation, alone and in stacks."
    return "Test error of blocks (mse): " + "; ".join(f"{row[0]}, {row[1]}: {row[3]:.4g}" for row in rows) + "."
