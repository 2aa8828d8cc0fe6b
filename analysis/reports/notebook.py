"""HTML that notebooks show of circuits, timetables, audits and runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim.analysis.reports import sections
from circuitsim.analysis.reports.circuit_sections import locality, verdict
from circuitsim.analysis.reports.drawing import circuit_figure
from circuitsim.analysis.reports.gantt import gantt_figure
from circuitsim.analysis.reports.groups import Results
from circuitsim.analysis.reports.page import Image, details, escape, figure, number, paragraph, plural, table
from circuitsim.analysis.reports.run_figure import CurvesFigure, curves_figure
from circuitsim.circuit.circuit import Circuit
from circuitsim.rules.activation import Activation
from circuitsim.rules.rule import Rule
from circuitsim.runs.periods import Period
from circuitsim.timetable.protocol import Protocol
from circuitsim.timetable.schedule import Schedule

if TYPE_CHECKING:
    import pandas as pd

MOST_POPULATIONS = 80  # of a circuit that is drawn
MOST_ROWS = 60  # of a timetable's table


def circuit_html(circuit: Circuit) -> str:
    """Return the drawing of a circuit, and the wires that are not local."""
    if len(circuit.populations) > MOST_POPULATIONS:
        drawn = paragraph(f"{circuit!r}: too large to draw.")
    else:
        drawn = _picture(circuit_figure(circuit))
    wires = [(wire.kind, wire.projection, wire.read) for wire in circuit.wires]
    return drawn + (table(("wire that is not local", "projection", "reads"), wires) if wires else "")


def schedule_html(schedule: Schedule) -> str:
    """Return the chart of a timetable, and its events as a table."""
    chart, note = gantt_figure(schedule)
    rows = schedule.table()
    said = f"{plural(schedule.length, 'tick')} a presentation; neurons remember for {plural(schedule.window, 'tick')}."
    header = ("tick", "phase", "of", "cycle", "reads", "changes")
    cut = paragraph(f"The first {MOST_ROWS} of {len(rows)} events.") if len(rows) > MOST_ROWS else ""
    events = details(plural(len(rows), "event"), table(header, rows[:MOST_ROWS], numbers=(0,)), cut)
    return _picture(chart) + paragraph(f"{said} {note}".strip()) + events


def protocol_html(protocol: Protocol) -> str:
    """Return the contents of a presentation that differ from the defaults."""
    changed = [(key, str(value)) for key, value in protocol.changed().items()]
    if not changed:
        return paragraph("One forward pass, then the updates.")
    return table(("a presentation has", "value"), changed)


def rule_html(rule: Rule) -> str:
    """Return a rule's equation, its parameters and its readings."""
    values = ", ".join(f"{key} = {value}" for key, value in rule.parameters)
    return (
        f"<p><b>{escape(rule.name)}</b>: <code>{escape(rule.equation)}</code>"
        f"{escape('; ' + values if values else '')}</p>"
    )


def activation_html(activation: Activation) -> str:
    """Return an activation's equation, its derivative and its parameters."""
    values = ", ".join(f"{key} = {value}" for key, value in activation.parameters)
    equations = f"{activation.equation}; f'(s) = {activation.derivative}"
    told = escape(f"; {values}" if values else "")
    return f"<p><b>{escape(activation.name)}</b>: <code>{escape(equations)}</code>{told}</p>"


def audit_html(audit: Mapping[str, Any]) -> str:
    """Return the verdict of an audit, its findings with remedies, and the readings of each rule."""
    return locality(audit)


def run_html(
    title: str, results: Results, audit: Mapping[str, Any] | None, report: Path, periods: Sequence[Period] = ()
) -> str:
    """Return a run's curves, its final values, the verdict of its audit, and a link to its report."""
    parts = [
        f"<p><b>{escape(title)}</b></p>",
        _curves(results, periods),
        sections.finals(results),
        paragraph(verdict(audit)) if audit else "",
        f'<p>Report: <a href="{escape(report.absolute().as_uri())}">{escape(report)}</a></p>',
    ]
    return "\n".join(part for part in parts if part)


def comparison_html(rows: Sequence[Mapping[str, str]], results: Results) -> str:
    """Return the table of compared runs, and their curves."""
    header = list(dict.fromkeys(key for row in rows for key in row))
    drawn = _curves(results)
    return drawn + table(header, [[row.get(key, "–") for key in header] for row in rows])


def sweep_html(title: str, points: pd.DataFrame, drawn: CurvesFigure) -> str:
    """Return a sweep's figure, and the table of its points."""
    rows = [[number(value) if isinstance(value, float) else str(value) for value in row] for row in points.to_numpy()]
    return f"<p><b>{escape(title)}</b></p>" + drawn._repr_html_() + table(list(points), rows)


def _curves(results: Results, periods: Sequence[Period] = ()) -> str:
    """Return the curves of the metric that ranks the groups, or nothing if none was measured."""
    pairs = sorted(pair for pair in results.measured if pair[1] == results.ranked_by)
    return curves_figure(results, pairs, periods)._repr_html_() if pairs else ""


def _picture(image: Image) -> str:
    return figure(image, shrink=1.0)
