"""The static audit of a schedule, as audit.json holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from circuitsim.locality import Place, Reading, is_local
from circuitsim.phases.plasticity import readings
from circuitsim.schedule import Schedule


def audit(schedule: Schedule) -> dict[str, Any]:
    """Judge one circuit from its certificates, its wires and its timetable alone.

    Returns
    -------
    `local`; `findings`; `certificates`, one for each projection and rule; `window`, for each projection the ticks that
    its rule needs.
    """
    return {
        "circuit": schedule.circuit.name,
        "local": is_local(schedule.findings),
        "findings": [finding.row() for finding in schedule.findings],
        "certificates": _certificates(schedule),
        "window": schedule.windows,
    }


def audit_all(labelled: Sequence[tuple[str, Schedule]]) -> dict[str, Any]:
    """The audit of a run: one for each circuit in it, and what they come to together."""
    each = [{"label": label, **audit(schedule)} for label, schedule in labelled]
    windows: dict[str, int] = {}
    for one in each:
        for projection, ticks in one["window"].items():
            windows[projection] = max(ticks, windows.get(projection, 0))
    return {
        "local": all(one["local"] for one in each),
        "findings": _distinct(finding for one in each for finding in one["findings"]),
        "certificates": _distinct(certificate for one in each for certificate in one["certificates"]),
        "window": windows,
        "circuits": each,
    }


def _certificates(schedule: Schedule) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    ages = {(row.projection, row.rule, row.reading): row.age for row in schedule.rows}
    for learning in schedule.circuit.plasticity:
        for rule, reading, (owner, quantity, _) in readings(schedule.circuit, learning):
            age = ages.get((learning.projection, rule, reading))
            row = {**_reading(reading), "lag": age, "of": f"{owner}.{quantity}"}
            rows = found.setdefault((learning.projection, rule), [])
            if row not in rows:
                rows.append(row)
    for p in schedule.circuit.populations:
        for q in schedule.circuit.incoming[p.name] if p.bounded else ():
            row = {"place": Place.NEURON.value, "cycle": None, "lag": 0, "of": f"{p.name}'s incoming synapses"}
            found[q.name, "bound"] = [row]
    return [{"projection": q, "rule": rule, "reads": rows} for (q, rule), rows in found.items()]


def _reading(reading: Reading) -> dict[str, Any]:
    return {"place": reading.place.value, "cycle": reading.cycle}


def _distinct(rows: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for row in rows:
        if row not in found:
            found.append(row)
    return found
