"""Runs with a rule of the user's own that reads `at(-1)`, the presentation before."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from running import circuitsim, outcome, run, stopped_after, vary
from sample_rules import sequence

import circuitsim as cs
from circuitsim.runs.design import Design, Stage
from circuitsim.runs.groups import _check_handovers

RULE = "def chained(pre, post, w):\n    return post.at(0) * pre.at(-1) - 0.1 * post.at(0) ** 2 * w\n"
KEYS = {"rule": "own.py:chained", "shuffle": False, "train_limit": 44, "epochs": 3}  # 44: a short last batch of 4


@pytest.fixture(autouse=True)
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(RULE)


def test_a_run_of_several_replicas_resumes_to_the_same_bits() -> None:
    replicas = vary(seed="0,1,2")
    assert run(Path("whole"), *replicas, **KEYS) == 0
    with stopped_after(2):
        assert run(Path("halved"), *replicas, **KEYS) == 1
    assert circuitsim("resume", "halved", "--trust") == 0
    assert outcome(Path("halved")) == outcome(Path("whole"))


def test_an_own_rule_runs_from_python_and_the_audit_states_its_window() -> None:
    keys = {"sizes": [64, 6, 64], "test_limit": 20, "batch": 8, "dtype": "float64", **KEYS}
    found = cs.run("autoencoder", **keys)
    assert found.audit["local"] and found.audit["window"] == {"A1": 2, "A2": 2}
    reads = next(c["reads"] for c in found.audit["certificates"] if c["rule"] == "chained")
    # layer 0 recirculates: it fires last at tick 2 of 3, and A1's rule reads that at tick 1
    assert {"place": "pre", "cycle": -1, "lag": 2, "used": 1, "of": "layer0.O"} in reads
    shuffled = cs.run("autoencoder", **{**keys, "shuffle": True})
    assert np.abs(found.tensors()["A1.weight"] - shuffled.tensors()["A1.weight"]).max() > 1e-3


def test_a_window_that_is_too_short_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(Path("refused"), window=1, **KEYS) == 2
    said = "rule chained of projection A1: got pre.at(-1), 2 ticks old when it is read; expected nothing older than"
    assert said in capfd.readouterr().err and not Path("refused").exists()


def test_stages_between_which_it_would_be_too_old_are_refused_before_training() -> None:
    circuit, protocol = cs.circuits.circular_autoencoder([6, 4, 6], sequence)
    slow, wide = replace(protocol, interval=9), replace(protocol, window=9)
    _check_handovers(Design(circuit, slow, {}, stages=(Stage(1, protocol), Stage(1, slow), Stage(1, wide))))
    message = "rule sequence of projection A1: got pre.at(-1), 8 ticks old when it is read; expected nothing older than"
    with pytest.raises(cs.CircuitsimError, match=f"^{re.escape(message)} the window of 2 ticks .* Set the window to 8"):
        _check_handovers(Design(circuit, slow, {}, stages=(Stage(1, slow), Stage(1, protocol))))
