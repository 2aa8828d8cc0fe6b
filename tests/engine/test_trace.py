"""Evidence: whole, in order, as old as the timetable says, and without any effect on what it is evidence of."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from building import Built, Setting, classifier, presentations, simulator, stack, train

from circuitsim import phases
from circuitsim.circuit.parts import Mirror
from circuitsim.engine.evidence import Evidence, Record
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import Mode, Place
from circuitsim.phases.reading import readings

DEEP = (64, 9, 7, 10)
SETTINGS: list[Setting | Built] = [
    Setting((64, 7, 5, 64), variant="rwcc", lam=0.3, cycles=3, reference_cycle=1, max_norm=0.9, momentum=0.5),
    Setting((64, 7, 5, 64), rule="error-rec"),
    Setting((64, 7, 5, 64), rule="arbp"),
    classifier("wm", DEEP, {"momentum": 0.5}, passes=2, mirror=Mirror("", centre=True)),
    classifier("dfa", DEEP, loss="hinge", output="identity"),
    classifier("ia", DEEP, primitives=("self", "sparse", "decay", "null", "amp")),
    classifier("ss", DEEP, masked=True),
    stack((64, 7, 5, 4)),
]
ROWS = presentations(4)
each_setting = pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.label)
both = pytest.mark.parametrize("backend", ["numba", "numpy"])
delays = pytest.mark.parametrize("longest", [None, 5], ids=["delay 1", "delays to 5"])


def bits(made: Simulator) -> dict[str, bytes]:
    return {name: tensor.tobytes() for name, tensor in made.tensors().items()}


def evidence(made: Simulator) -> Evidence:
    assert made.evidence is not None
    return made.evidence


def happening(made: Simulator) -> list[Any]:
    """The entries of a presentation and of the waves that follow it."""
    waves = made.schedules[1:] * made.protocol.passes
    return [entry for schedule in (made.schedule, *waves) for entry in schedule.entries]


@delays
@each_setting
def test_every_event_is_recorded_in_order(setting: Setting | Built, longest: int | None) -> None:
    for more in ({}, {"order": lambda events: events[::-1]}):
        made = simulator([setting], longest=longest, evidence=True, **more)
        for rows in ROWS:
            made.present(rows)
            entries, records = happening(made), evidence(made).records
            assert [r.event for r in records] == [e.event for e in entries]
            for record, entry in zip(records, entries, strict=True):
                assert record.phase == phases.name(entry.event)
                assert record.subject == phases.subject(made.circuit, entry.event)
                assert [a for a, _ in record.read] == [a for a in entry.accesses if a.mode is not Mode.WRITE]
                changed = {a.key for a in entry.accesses if a.mode is not Mode.READ}
                assert changed - record.made.keys() <= {k for k in changed if k[1].endswith("velocity")}
                assert record.made.keys() == record.before.keys() <= changed
                assert record.began <= record.ended
            assert all(one.ended <= other.began for one, other in pairwise(records))


def ages(made: Simulator, record: Record, place: int) -> dict[tuple[str, int | None], int | None]:
    """How old what a rule read of its neurons was, by place and cycle."""
    law = made.circuit.rules[record.subject][place]
    by_key = {access.key: age for access, age in record.read}
    rows = [(reading, key) for _, reading, key in readings(made.circuit, law)]
    return {(r.place.value, r.cycle): by_key[key] for r, key in rows if r.place in (Place.PRE, Place.POST)}


@delays
@each_setting
def test_ages_are_those_of_the_timetable(setting: Setting | Built, longest: int | None) -> None:
    made = simulator([setting], longest=longest, evidence=True)
    for rows in ROWS[:2]:
        made.present(rows)
        for schedule in made.schedules:
            wave = schedule.protocol.mirror
            laws = {
                (name, law.rule.name) for name, some in made.circuit.rules.items() for law in some if law.mirror == wave
            }
            expected = {
                (row.projection, row.rule, row.reading.place.value, row.reading.cycle): row.age
                for row in schedule.rows
                if row.reading.place in (Place.PRE, Place.POST)
            }
            found = {}
            for record in (r for r in evidence(made).records if r.phase == "plasticity"):
                law = made.circuit.rules[record.subject][record.event.detail]
                if (record.subject, law.rule.name) in laws:
                    read = ages(made, record, record.event.detail)
                    found |= {(record.subject, law.rule.name, *where): age for where, age in read.items()}
            biases = {key for key in expected if key not in found}
            assert found.items() <= expected.items()
            assert all(key[1].endswith("_bias") for key in biases)  # a rule of the bias alone


def test_what_no_event_has_written_has_no_age() -> None:
    made = simulator([classifier("fa", DEEP)], evidence=True)
    of_weights = []
    for rows in ROWS[:2]:
        made.present(rows)
        (delivered,) = (r for r in evidence(made).records if r.phase == "delivery" and r.subject == "W1")
        of_weights.append({a.quantity: age for a, age in delivered.read if a.mode is Mode.READ})
    assert of_weights[0] == {"O": 1, "weight": None}
    assert of_weights[1] == {"O": 1, "weight": 2}  # the update of the presentation before, in its last tick, and one
    fixed = [r for r in evidence(made).records if r.phase == "delivery" and r.subject == "B2"]
    assert {a.key: age for a, age in fixed[0].read}["B2", "weight", None] is None


@both
@each_setting
def test_what_is_recorded_is_what_was_there(setting: Setting | Built, backend: str) -> None:
    """What an event left is what the next one that touches it found, and the last is what there is."""
    made = simulator([setting, setting], backend=backend, evidence=True)
    before = {(*name.split("."), None): t.copy() for name, t in made.tensors().items()}
    made.present(ROWS[0])
    held: dict[Any, np.ndarray] = dict(before)
    lasting = {key for key in before if key[1] in ("weight", "bias")}
    for record in evidence(made).records:
        for key in record.made.keys() & lasting:
            assert np.array_equal(record.before[key], held[key])
            held[key] = record.made[key]
    assert held.keys() == before.keys()
    for (owner, quantity, _), array in held.items():
        tensor = made.tensors()[f"{owner}.{quantity}"]
        assert np.array_equal(array, tensor) and not np.shares_memory(array, tensor)


def test_the_last_presentation_alone_is_kept() -> None:
    made = simulator([classifier("wm", DEEP)], evidence=True)
    assert evidence(made).records == []
    for rows in ROWS:
        begins = made.tick
        made.present(rows)
        assert len(evidence(made).records) == len(happening(made))
        assert evidence(made).start == begins + made.schedule.duration + made.schedules[1].duration  # of the last wave
    made.mirror(2)
    waves = [entry.event for wave in made.schedules[1:] for entry in wave.entries]
    assert [r.event for r in evidence(made).records] == waves * 2


@both
@each_setting
def test_evidence_and_probes_change_no_bit(setting: Setting | Built, backend: str) -> None:
    expected = bits(train(simulator([setting], backend=backend), ROWS))
    keys = sorted(
        {a.key for e in simulator([setting]).schedule.entries for a in e.accesses
         if a.mode is not Mode.READ and a.cycle is not None}
    )  # fmt: skip
    for more in ({"evidence": True}, {"probes": keys}, {"evidence": True, "probes": keys}):
        assert bits(train(simulator([setting], backend=backend, **more), ROWS)) == expected


@each_setting
def test_without_evidence_there_is_no_step_of_recording(setting: Setting | Built) -> None:
    plain, watched = (simulator([setting], evidence=e) for e in (False, True))
    assert plain.evidence is None
    for made, recording in ((plain, False), (watched, True)):
        train(made, ROWS[:1])
        for plan in (*made.plans, *made.mirror_plans):
            steps = plan.bound(16).steps
            assert len(steps) == len(plan.schedule.entries)
            names = {getattr(step, "__qualname__", "").startswith("Evidence.recorded") for step in steps}
            assert names == {recording}
