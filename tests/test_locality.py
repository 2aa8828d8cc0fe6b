"""The verdict on wires and ages, and what becomes of it."""

from __future__ import annotations

import pytest

from circuitsim.errors import CircuitError
from circuitsim.locality import (
    REMEDIES,
    Access,
    Certificate,
    Finding,
    Mode,
    Place,
    Reading,
    Wire,
    is_local,
    refuse_nonlocal,
    verdict,
)

LABEL, TRANSPORT = Wire("label", "T1", "the class"), Wire("weight-transport", "B2", "the transposed weights of A2")
PRE = Reading(Place.PRE, 0)


def test_each_kind_of_wire_is_a_finding_with_its_remedy() -> None:
    kinds = [kind for kind in REMEDIES if kind not in ("time-window", "causality")]
    found = verdict([Wire(kind, "A1", "something") for kind in kinds], (), 0)
    assert kinds == [
        "weight-transport",
        "weight-sharing",
        "lateral",
        "remote-target",
        "remote-error",
        "third-factor",
        "tampering",
        "label",
    ]
    assert [(f.kind, f.remedy, f.place, f.lag) for f in found] == [(k, REMEDIES[k], "remote", None) for k in kinds]


@pytest.mark.parametrize(
    "age, window, kind",
    [(-1, 5, "causality"), (0, 0, None), (5, 5, None), (6, 5, "time-window"), (1, 0, "time-window")],
)
def test_ages_are_held_against_the_window(age: int, window: int, kind: str | None) -> None:
    found = verdict((), [("A1", "delta", PRE, age)], window)
    expected = [Finding(kind, "A1", "delta", "pre.at(0)", "pre", age, REMEDIES[kind])] if kind else []
    assert list(found) == expected
    assert is_local(found) is (kind is None)


def test_findings_keep_the_order_in_which_things_were_given() -> None:
    rows = [("A2", "r", PRE, 9), ("A1", "r", Reading(Place.POST, 1), 8), ("A1", "r", PRE, 0)]
    found = verdict([TRANSPORT, LABEL], rows, 3)
    assert [(f.kind, f.projection, f.read) for f in found] == [
        ("weight-transport", "B2", "the transposed weights of A2"), ("label", "T1", "the class"),
        ("time-window", "A2", "pre.at(0)"), ("time-window", "A1", "post.at(1)"),
    ]  # fmt: skip
    assert found[0].row() == {
        "kind": "weight-transport", "projection": "B2", "rule": "", "read": "the transposed weights of A2",
        "place": "remote", "lag": None, "remedy": REMEDIES["weight-transport"],
    }  # fmt: skip


def test_labels_alone_do_not_make_a_circuit_non_local() -> None:
    labels = verdict([LABEL, LABEL], (), 0)
    assert len(labels) == 2 and is_local(labels) and is_local(())
    refuse_nonlocal("c", labels)
    assert not is_local(verdict([LABEL, TRANSPORT], (), 0))


def test_the_refusal_names_the_first_that_is_no_label() -> None:
    message = (
        r"circuit c: got 2 finding\(s\), first weight-transport in B2, which reads the transposed weights of A2; "
        r"expected no non-local wire in a circuit declared local\. Give the feedback projection weights and rules of "
        r"its own, or recirculate; or build it with local=False\."
    )
    with pytest.raises(CircuitError, match=message):
        refuse_nonlocal("c", verdict([LABEL, TRANSPORT, TRANSPORT], (), 0))


def test_what_a_rule_reads_of_another_synapse_is_no_matter_of_age() -> None:
    """It is found as the wire that brings it, once."""
    wire = Wire("weight-transport", "B2", "the transposed weights of W2", "self_alignment")
    (found,) = verdict([wire], [("B2", "self_alignment", Reading(Place.REMOTE), 0)], 0)
    assert (found.kind, found.rule, found.read) == ("weight-transport", "self_alignment", wire.read)


def test_addresses_and_readings_compare_by_value() -> None:
    read, write = (Access(mode, "layer1", "O", 2) for mode in (Mode.READ, Mode.WRITE))
    assert read.key == write.key == ("layer1", "O", 2) and read != write
    readings = [Reading(Place.SYNAPSE), PRE, Reading(Place.POST, 1), Reading(Place.POST, 0)]
    assert [r.place.value for r in sorted(set(readings))] == ["post", "post", "pre", "synapse"]
    assert sorted([Reading(Place.SYNAPSE), Reading(Place.REMOTE)])[0].place is Place.REMOTE
    assert Certificate("r", (PRE,)) == Certificate("r", (Reading(Place.PRE, 0),))
