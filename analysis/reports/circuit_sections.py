"""Sections of the report on circuits: drawings, timetables and the locality audit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from circuitsim.analysis.reports.audit_text import said as audit_lines
from circuitsim.analysis.reports.audit_text import scores
from circuitsim.analysis.reports.drawing import circuit_figure
from circuitsim.analysis.reports.figure_files import FigureFiles
from circuitsim.analysis.reports.gantt import gantt_figure
from circuitsim.analysis.reports.page import details, figure, heading, paragraph, plural, section, side_by_side, table

if TYPE_CHECKING:
    import pandas as pd

    from circuitsim.circuit.circuit import Circuit
    from circuitsim.timetable.schedule import Schedule

MOST_CIRCUITS = 8  # drawn; the audit lists all
MOST_POPULATIONS = 80  # of a circuit that is drawn
MOST_EVENTS = 400  # rows of a timetable
OPEN_EVENTS = 30  # longer tables start folded
EVENT = ("tick", "phase", "subject", "cycle", "reads", "changes")
ACT = ("act", "of", "site", "count")
FINDING = ("kind", "projection", "rule", "read", "place", "lag", "remedy")

Audit = Mapping[str, Any]


def circuits(labelled: Sequence[tuple[str, Schedule]], files: FigureFiles) -> str:
    """Drawing and timetable of every circuit."""
    shown = labelled[:MOST_CIRCUITS]
    if len(labelled) == 1:
        return section("Circuit and timetable", *_circuit("circuit", shown[0][1], files))
    parts = [
        details(f"{label}: {schedule.circuit.name}", *_circuit(f"circuit-{label}", schedule, files), opened=index == 0)
        for index, (label, schedule) in enumerate(shown)
    ]
    left = ", ".join(label for label, _ in labelled[MOST_CIRCUITS:])
    return section("Circuits and timetables", *parts, paragraph(f"Not drawn: {left}.") if left else "")


def verdict(audit: Audit) -> str:
    """State the verdict in a sentence; empty if there was no audit."""
    each = _each(audit)
    local = [one for one in each if one.get("local")]
    if not any("local" in one for one in each):
        return ""
    if len(each) == 1:
        count = plural(len(each[0].get("findings") or ()), "finding")
        return "The circuit is local in space and time." if local else f"The circuit is not local: {count}."
    if len(local) == len(each):
        return f"All {len(each)} circuits are local in space and time."
    others = [str(one.get("label", "")) for one in each if not one.get("local")]
    names = ", ".join(others[:MOST_CIRCUITS]) + (" and others" if len(others) > MOST_CIRCUITS else "")
    be = "is" if len(local) == 1 else "are"
    return f"{len(local)} of {len(each)} circuits {be} local in space and time; not local: {names}."


def locality(audit: Audit) -> str:
    """Verdict, findings with remedies, and the readings of each projection's rules with their age."""
    said = verdict(audit)
    if not said:
        return ""
    each, several = _each(audit), len(_each(audit)) > 1
    good = all(one.get("local") for one in each)
    header = (["circuit"] if several else []) + list(FINDING)
    rows = [
        ([str(one.get("label", ""))] if several else []) + [_cell(finding.get(key)) for key in FINDING]
        for one in each
        for finding in one.get("findings") or ()
    ]
    found = [heading("Findings"), table(header, rows)] if rows else [paragraph("There are no findings.")]
    reads = [
        details(str(one.get("label", "")), _reads(one), opened=index == 0) if several else _reads(one)
        for index, one in enumerate(each)
    ]
    explained = paragraph(
        "In a local circuit each synapse reads only its presynaptic neuron, its postsynaptic neuron and itself, and "
        "nothing older than neurons remember. The window of a projection is the age in ticks of the oldest quantity "
        "that its rules read."
    )
    stated = [paragraph(line) for line in _stated(each, several)]
    return section("Locality audit", paragraph(said, "good" if good else "note"), *stated, *found,
                   *_tried(each, several), *_acts(each, several),
                   heading("Readings of the rules"), explained, *reads, *_covered(each))  # fmt: skip


def _stated(each: Sequence[Audit], several: bool) -> list[str]:
    """Return the audit's sentences, each with the circuits of which it is true."""
    of: dict[str, list[str]] = {}
    for one in each:
        for line in audit_lines(one):
            of.setdefault(line, []).append(str(one.get("label", "")))
    return [f"{', '.join(labels)}: {line}" if several else line for line, labels in of.items()]


def _acts(each: Sequence[Audit], several: bool) -> list[str]:
    """Table of what changed the circuits from outside their phases."""
    of: dict[tuple[str, ...], list[str]] = {}
    for one in each:
        for row in one.get("acts") or ():
            of.setdefault(tuple(str(row[key]) for key in ACT), []).append(str(one.get("label", "")))
    if not of:
        return []
    header = (["circuits"] if several else []) + list(ACT)
    header[-2] = "call site"
    rows = [([", ".join(labels)] if several else []) + list(act) for act, labels in of.items()]
    explained = paragraph(
        "An act changes a circuit, or looks at it, from outside its events. Weights that changed by anything but an "
        "act would be a finding of the kind tampering."
    )
    return [heading("Acts"), explained, table(header, rows, numbers=(len(header) - 1,))]


def _tried(each: Sequence[Audit], several: bool) -> list[str]:
    """Result of the intervention on each circuit, and the scorecard where there is one."""
    tried = [one for one in each if one.get("intervention")]
    if not tried:
        return []
    header = (["circuit"] if several else []) + ["experiment"]
    rows = [([str(one.get("label", ""))] if several else []) + [str(one["intervention"]["summary"])] for one in tried]
    how = paragraph(
        "On the simulator that ran, with its weights and examples and with random ones of several sizes, everything "
        "that a local synapse may not read was changed and everything that it may read was kept. Its update was "
        "compared bit by bit."
    )
    parts = [heading("Intervention"), how, table(header, rows)]
    for one in each:
        if one.get("scorecard"):
            measured = table(("problem", "measured"), scores(one["scorecard"]))
            parts.append(details(f"Scorecard, five problems and costs: {one.get('label', 'this circuit')}", measured))
    return parts


def _covered(each: Sequence[Audit]) -> list[str]:
    """Hash of each circuit and its rules, which ties the audit to them."""
    covers = [f"{one['covers']['circuit']} {one['covers']['sha256'][:16]}" for one in each if one.get("covers")]
    return [paragraph(f"SHA-256 of circuit and rules: {'; '.join(covers)}.")] if covers else []


def _circuit(name: str, schedule: Schedule, files: FigureFiles) -> list[str]:
    circuit = schedule.circuit
    chart, note = gantt_figure(schedule)
    caption = "Boxes are populations (number of neurons, activation function)."
    if any(p.feedback for p in circuit.populations):
        caption += " Yellow boxes are feedback neurons, which carry errors."
    if len({p.site for p in circuit.populations}) < len(circuit.populations):
        caption += " Populations in one shaded frame are colocated, neuron by neuron."
    timing = (
        "One presentation. Within a tick, events run from left to right; digits are cycles. Solid arrows are signals "
        "in transit, dotted arrows exchanges between colocated neurons. "
        f"Neurons remember for {plural(schedule.window, 'tick')}. {note}"
    )
    if len(circuit.populations) > MOST_POPULATIONS:
        drawn = paragraph(f"The circuit is too large to draw: {plural(len(circuit.populations), 'population')}.")
    else:
        image = circuit_figure(circuit)
        files.keep(name, image, _projections(circuit))
        drawn = figure(image, caption)
    files.keep(f"{name}-timetable", chart, _events(schedule))
    return [side_by_side(drawn, figure(chart, timing)), _table(schedule)]


def _projections(circuit: Circuit) -> pd.DataFrame:
    """Return the projections of a circuit, a row each."""
    import pandas as pd

    rows = [(q.name, q.source, q.target, q.delay, type(q.connectivity).__name__) for q in circuit.projections]
    return pd.DataFrame(rows, columns=["projection", "source", "target", "delay", "connectivity"])


def _events(schedule: Schedule) -> pd.DataFrame:
    """Return the events of a timetable, a row each."""
    import pandas as pd

    return pd.DataFrame(schedule.table(), columns=list(EVENT))


def _table(schedule: Schedule) -> str:
    every = schedule.table()
    title = f"Timetable as a table: {plural(len(every), 'event')}"
    cut = (
        f"The first {MOST_EVENTS} events are shown; `circuitsim schedule` prints all."
        if len(every) > MOST_EVENTS
        else ""
    )
    rows = table(EVENT, every[:MOST_EVENTS], numbers=(0,))
    return details(title, rows, paragraph(cut) if len(every) > MOST_EVENTS else "", opened=len(every) <= OPEN_EVENTS)


def _reads(one: Audit) -> str:
    """Table of readings, one row for each projection and rule."""
    windows: Mapping[str, Any] = one.get("window") or {}
    certificates = list(one.get("certificates") or ())
    certified = {c.get("projection") for c in certificates}
    certificates += [{"projection": name} for name in windows if name not in certified]
    rows = [
        (
            _cell(c.get("projection")),
            _cell(c.get("rule")),
            "; ".join(_reading(r) for r in c.get("reads") or ()) or "–",
            _cell(windows.get(c.get("projection", ""))),
        )
        for c in certificates
    ]
    return table(("projection", "rule", "reads", "window (ticks)"), rows, numbers=(3,)) if rows else ""


def _reading(read: Any) -> str:
    """Describe one quantity that a rule reads: place, owner, age."""
    if not isinstance(read, Mapping) or "place" not in read:
        return _cell(read)
    cycle = "" if read.get("cycle") is None else f".at({read['cycle']})"
    whose = f" = {read['of']}{cycle.removeprefix('.at')}" if read.get("of") else ""
    lag = read.get("lag")
    return f"{read['place']}{cycle}{whose}" + (f", {plural(lag, 'tick')} old" if lag else "")


def _each(audit: Audit) -> list[Audit]:
    return list(audit.get("circuits") or [audit])


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "–"
    return value if isinstance(value, str) else json.dumps(value, default=str)
