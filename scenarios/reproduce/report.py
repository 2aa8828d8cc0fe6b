"""The table of `reproduce`: a row for each item, for the report, as CSV, and as Markdown for docs/results.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from circuitsim.analysis.averages import half_width
from circuitsim.analysis.reports.portfolio import write_portfolio
from circuitsim.runs.files import write_bytes
from circuitsim.scenarios.figures import exhibit
from circuitsim.scenarios.reproduce.items import LONG, SOURCES, Experiment, Item, Read, experiments
from circuitsim.scenarios.reproduce.reading import kept_results, values

if TYPE_CHECKING:
    import pandas as pd

TITLE = "reproduce – the sources, item by item"
NOTHING, CHECKED = "no number", "checked by the command"
AND = "; "  # between a row's settings, and between its commands
CAPTION = (
    "Ours: mean over seeds ± half of its 95 % interval (Student's t), with the number of seeds. Agrees: our number, or "
    "what the command checks, is in the range that the source's statement gives. Differs: it is not. Refuted: a "
    "counterexample is in the report of the command. Not comparable: the reason is given."
)
Numbers = Mapping[tuple[str, int, str], np.ndarray]  # by source, row and label


class Row(NamedTuple):
    """One row of the table."""

    source: str
    row: int
    item: str
    printed: str
    ours: str
    setting: str
    command: str
    verdict: str
    why: str


SHOWN = ("source", "row", "item", "verdict", "printed", "ours", "why", "setting", "command")
"""Columns of the page: what matters first, since a narrow window shows the first ones."""


def finish(folder: Path, metrics: pd.DataFrame, chosen: Sequence[Item], config: Mapping[str, Any]) -> None:
    """Write the table and the report."""
    rows = table(chosen, _numbers(metrics))
    cells = [tuple(getattr(row, name) for name in SHOWN) for row in rows]
    made = exhibit("items", "All items", CAPTION, SHOWN, cells)
    write_portfolio(folder, TITLE, lead(rows), [made], config)
    write_bytes(folder / "table.md", markdown(rows).encode())


def kept_table(chosen: Iterable[Item]) -> list[Row]:
    """Return the rows as the results that are kept give them."""
    found: dict[tuple[str, int, str], np.ndarray] = {}
    chosen = list(chosen)
    for item in chosen:
        for read in item.reads:
            frame = kept_results(read.experiment)
            if frame is not None:
                found[item.source, item.row, read.label] = values(frame, read)
    return table(chosen, found)


def table(chosen: Iterable[Item], numbers: Numbers) -> list[Row]:
    """Return a row for each item."""
    return [_row(item, {read.label: numbers.get((item.source, item.row, read.label)) for read in item.reads})
            for item in chosen]  # fmt: skip


def lead(rows: Sequence[Row]) -> str:
    """Count the verdicts."""
    counts = Counter(row.verdict for row in rows)
    return f"{len(rows)} items: {', '.join(f'{count} {verdict}' for verdict, count in counts.most_common())}."


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as Markdown, a table for each source, commands below it."""
    parts = [f"{lead(rows)} {CAPTION}\n"]
    for source, (reference, _) in SOURCES.items():
        own = [row for row in rows if row.source == source]
        if not own:
            continue
        commands = list(dict.fromkeys(one for row in own for one in _commands(row)))
        parts.append(f"### {source}: {reference}\n")
        parts.append("| row | item | printed | ours | setting | command | verdict |\n|---|---|---|---|---|---|---|")
        for row in own:
            number = ", ".join(f"[{commands.index(one) + 1}]" for one in _commands(row)) or "–"
            verdict = f"**{row.verdict}**" + (f": {row.why}" if row.why else "")
            cells = (str(row.row), row.item, row.printed, row.ours, row.setting, number, verdict)
            parts.append(f"| {' | '.join(cell.replace('|', '∣') for cell in cells)} |")
        parts.append("\nCommands:\n")
        parts += [f"{k}. `{command}`" for k, command in enumerate(commands, 1)]
        parts.append("")
    return "\n".join(parts)


def _commands(row: Row) -> list[str]:
    return [] if row.command == "–" else row.command.split(AND)


def _numbers(metrics: pd.DataFrame) -> Numbers:
    found: dict[tuple[str, int, str], np.ndarray] = {}
    for key, rows in metrics.groupby(["source", "row", "label"], sort=False):
        source, row, label = key
        found[str(source), int(row), str(label)] = rows.sort_values("number")["value"].to_numpy(np.float64)
    return found


def _row(item: Item, numbers: Mapping[str, np.ndarray | None]) -> Row:
    known = {read.label: found for read in item.reads if (found := numbers[read.label]) is not None and len(found)}
    used = [experiments()[name] for name in dict.fromkeys(read.experiment for read in item.reads)]
    settings, commands = [one.setting for one in used], [_command(one) for one in used]
    none = NOTHING if item.verdict == "not comparable" else CHECKED
    verdict, why, minutes = str(item.verdict), item.why, sum(one.minutes for one in used)
    if len(known) == len(item.reads):
        ours = "; ".join(_value(read, known[read.label]) for read in item.reads) or item.reported or none
        if not item.reads or not item.reported:  # what is reported has a setting and a command of its own
            settings, commands = [*settings, item.setting], [*commands, item.command]
        if not all(read.holds(float(known[read.label].mean())) for read in item.reads):
            verdict = str(item.otherwise)
    elif item.reported:
        ours, settings = item.reported, [item.setting] if item.setting else settings
        commands = [item.command, *(f"in full, {one}" for one in commands)] if item.command else commands
    else:
        ours, verdict = NOTHING, "not comparable"
        why = f"not run: about {minutes:g} minutes on one core{'; ' if why else ''}{why}"
    setting, command = (AND.join(filter(None, parts)) or "–" for parts in (settings, commands))
    return Row(item.source, item.row, item.item, item.printed, ours, setting, command, verdict, why)


def _command(one: Experiment) -> str:
    return f"{one.command}  # about {one.minutes / 60:.2g} hours" if one.minutes > LONG else one.command


def _value(read: Read, found: np.ndarray) -> str:
    """Write a mean with its interval."""
    unit = " %" if read.relative_to else ""
    mean, half = float(found.mean()), half_width(found)
    spread = f" ± {half:.2g}" if np.isfinite(half) else ""
    count = f" (n = {len(found)})" if len(found) > 1 else ""
    written = f"{mean:,.0f}" if mean.is_integer() else f"{mean:.4g}"
    return f"{read.label}: {written}{spread}{unit}{count}"
