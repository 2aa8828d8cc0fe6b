"""The static audit, as in audit.json: the readings of rules and the findings, from a circuit's description alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from circuitsim.circuit.circuit import Circuit
from circuitsim.locality import Finding, Place, is_local
from circuitsim.phases.reading import readings
from circuitsim.timetable.schedule import Row, Schedule

Audit = dict[str, Any]


def audit(schedules: Sequence[Schedule], also: Iterable[Finding] = (), hooked: Iterable[Finding] = ()) -> Audit:
    """Audit one circuit from its certificates, its wires and its timetables alone.

    Parameters
    ----------
    schedules : of a presentation and of its mirror modes (`Simulator.schedules`, `timetables`).
    also : findings of other audits, listed after its own unless a declared one has their kind and projection.
    hooked : findings about hooks, which no declaration of a circuit covers.

    Returns
    -------
    `local`; `findings`; `certificates`, one for each projection and rule: each quantity read, its place, cycle and lag
    (ticks from its writing to its use), and the tick of use; `window`, in ticks, that the rules of each projection
    need; `covers`, the circuit's name and a hash of its parts and rules.
    """
    circuit = schedules[0].circuit
    own = [finding for schedule in schedules for finding in schedule.findings]
    findings = [*dict.fromkeys([*_merged(own, also), *hooked])]
    return {
        "circuit": circuit.name,
        "local": is_local(findings),
        "findings": [finding.row() for finding in findings],
        "certificates": _certificates(circuit, [row for schedule in schedules for row in schedule.rows]),
        "window": _largest(schedule.windows for schedule in schedules),
        "covers": {"circuit": circuit.name, "sha256": hashlib.sha256(circuit.text.encode()).hexdigest()},
    }


def audit_all(labelled: Sequence[tuple[str, Audit]]) -> Audit:
    """Combine the audits of a run's circuits."""
    each = [{"label": label, **one} for label, one in labelled]
    hashes = "".join(one["covers"]["sha256"] for one in each)
    return {
        "local": all(one["local"] for one in each),
        "findings": _distinct(finding for one in each for finding in one["findings"]),
        "certificates": _distinct(certificate for one in each for certificate in one["certificates"]),
        "window": _largest(one["window"] for one in each),
        "covers": hashlib.sha256(hashes.encode()).hexdigest(),
        "circuits": each,
    }


def _largest(each: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the largest window of each projection."""
    windows: dict[str, int] = {}
    for one in each:
        for projection, ticks in one.items():
            windows[projection] = max(ticks, windows.get(projection, 0))
    return windows


def _merged(own: Sequence[Finding], also: Iterable[Finding]) -> list[Finding]:
    """Return the declared findings, then those of experiments that no declaration covers."""
    declared = {(finding.kind, finding.projection) for finding in own}
    return list(dict.fromkeys([*own, *(f for f in also if (f.kind, f.projection) not in declared)]))


def _certificates(circuit: Circuit, rows: Sequence[Row]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    used = {(row.projection, row.rule, row.reading, row.owner): row for row in rows}
    for learning in circuit.plasticity:
        for rule, reading, (owner, quantity, _) in readings(circuit, learning):
            row = used.get((learning.projection, rule, reading, owner))
            read = {
                "place": reading.place.value,
                "cycle": reading.cycle,
                "lag": row and row.age,
                "used": row and row.used,
                "of": f"{owner}.{quantity}",
            }
            reads = found.setdefault((learning.projection, rule), [])
            if read not in reads:
                reads.append(read)
    for p in circuit.populations:
        for q in circuit.incoming[p.name] if p.bounded else ():
            own = {"place": Place.NEURON.value, "cycle": None, "lag": 0, "of": f"{p.name}'s incoming synapses"}
            found[q.name, "bound"] = [own]
    return [{"projection": q, "rule": rule, "reads": reads} for (q, rule), reads in found.items()]


def _distinct(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for row in rows:
        if row not in found:
            found.append(row)
    return found
