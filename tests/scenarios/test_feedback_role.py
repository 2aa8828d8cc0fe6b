"""The campaign of feedback edges and their roles: members, controls of equal weights, table, refusals."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import circuitsim, metrics

from circuitsim.errors import CircuitsimError
from circuitsim.runs.config import build, spell
from circuitsim.scenarios.feedback_role.scenario import (
    OTHERS,
    ROLES,
    WIDER,
    FeedbackRoleSettings,
    Role,
    matched,
    members,
    weights,
)
from circuitsim.scenarios.recurrent_classifier.scenario import SCENARIO, RecurrentSettings

TINY: dict[str, Any] = {"channels": [2, 3], "steps": 3, "train_limit": 40, "test_limit": 40, "epochs": 1, "seeds": 2}


def test_four_uses_of_the_edges_differ_in_nothing_else() -> None:
    found = {m.name: m for m in members(FeedbackRoleSettings(seeds=3))}
    assert list(found) == [*ROLES, *OTHERS, *WIDER]
    apart = [{k: v for k, v in found[name].values.items() if k not in ("top_down", "errors")} for name in ROLES]
    assert all(one == apart[0] for one in apart)
    uses = {name: (found[name].values["top_down"], found[name].values["errors"]) for name in ROLES}
    assert uses == {
        "neither": (False, "last"),
        "inference": (True, "last"),
        "learning": (False, "edges"),
        "both": (True, "edges"),
    }
    assert all(m.vary == {"seed": [0, 1, 2]} for m in found.values())
    rates = [m.values["lr"] for m in members(FeedbackRoleSettings(rates={"both": 0.5})) if m.name in ROLES]
    assert rates == [0.03, 0.03, 0.03, 0.5]


def test_controls_have_as_many_weights() -> None:
    settings = FeedbackRoleSettings()
    count = {name: weights(settings, role, settings.channels) for name, role in {**ROLES, **OTHERS}.items()}
    assert count["inference"] == count["learning"] == count["both"] > count["neither"]
    for name, like in WIDER.values():
        role = {**ROLES, **OTHERS}[name]
        wider = matched(settings, role, {**ROLES, **OTHERS}[like])
        assert wider != settings.channels
        assert abs(weights(settings, role, wider) - count[like]) < 0.01 * count[like]
    assert Role(True, "edges") == ROLES["both"]


@pytest.mark.parametrize("errors", ["last", "edges", "plastic-edges", "layers"])
def test_what_learns(errors: str) -> None:
    keys = {"channels": [2, 3], "cell": "none", "top_down": True, "errors": errors, "feedback": "fa"}
    design = SCENARIO.design(build(RecurrentSettings, {**keys, "dataset": "cluttered-digits"}))
    own = {"last": set(), "edges": {"W1"}, "plastic-edges": {"W1", "F"}, "layers": {"W1", "F"}}
    assert {p.projection for p in design.circuit.plasticity} == {"W2", "readout"} | own[errors]


REFUSED = [
    ({"errors": "edges"}, "key channels: got [8, 16]; expected two layers without cells"),
    ({"errors": "last", "cell": "none", "channels": [4]}, "key channels: got [4]; expected two layers without cells"),
    ({"errors": "top"}, "key errors: got 'top'; expected one of layers, edges, plastic-edges, last"),
]


@pytest.mark.parametrize(("keys", "text"), REFUSED)
def test_recurrent_classifiers_without_such_edges_are_refused(keys: dict[str, Any], text: str) -> None:
    with pytest.raises(CircuitsimError, match=re.escape(text)):
        build(RecurrentSettings, keys)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"channels": [8]}, "key channels: got [8]; expected a list of two whole numbers >= 1"),
        ({"feedback": "dfa"}, "key feedback: got 'dfa'; expected one of bp, fa, kp, ss"),
        (
            {"rates": {"all": 0.1}},
            "key rates: got {'all': 0.1}; expected a table of numbers >= 0 by network: neither, ",
        ),
        ({"dataset": "lowrank"}, "key dataset: got 'lowrank'; expected one of digits, cluttered-digits"),
    ],
)
def test_settings_that_do_not_fit_are_refused(keys: dict[str, Any], text: str) -> None:
    with pytest.raises(CircuitsimError, match=re.escape(text)):
        build(FeedbackRoleSettings, keys)


@pytest.mark.nightly
def test_the_table_has_error_window_memory_and_verdict(tmp_path: Path) -> None:
    out = tmp_path / "run"
    sets = [part for key, value in TINY.items() for part in ("--set", f"{key}={spell(value)}")]
    assert circuitsim("run", "feedback-role", "--out", out, *sets) == 0
    names = [m.name for m in members(FeedbackRoleSettings(**TINY))]
    table = pd.read_csv(out / "figures" / "roles.csv").set_index("use")
    costs = pd.read_csv(out / "figures" / "costs.csv").set_index("use")
    assert list(table.index) == list(costs.index) == names
    rows = metrics(out)
    last = rows[(rows["metric"] == "error") & (rows["split"] == "test") & (rows["epoch"] == 1)]
    for name, own in last.groupby("member"):
        np.testing.assert_allclose(table.loc[name, "mean"], own["value"].mean())
        audit = json.loads((out / "members" / str(name) / "audit.json").read_text())
        assert costs.loc[name, "window (ticks)"] == max(audit["window"].values())
        shared = [f for f in audit["findings"] if f["kind"] == "weight-sharing"]
        assert f"weight-sharing {len(shared)}" in costs.loc[name, "verdict"]
    window, memory = costs["window (ticks)"], costs["memory (values)"]
    assert window["neither"] == window["inference"] < window["learning"] < window["both"] < window["layers-inference"]
    assert memory["neither"] < memory["learning"] and memory["both"] < memory["layers-inference"]
    assert set(pd.read_csv(out / "figures" / "steps.csv")["use"]) == {
        "inference",
        "both",
        "both-plastic",
        "layers-inference",
    }
    assert (out / "report.html").exists()
