"""What notebooks and terminals show of each object, and pickles."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import circuitsim as cs
from circuitsim import display
from circuitsim.rules import recirculation
from circuitsim.runs.base import LearningScenario
from circuitsim.runs.lookup import all_scenarios


@cs.local_rule
def leaky(pre, post, w, *, decay=0.01, cycle=1):  # type: ignore[no-untyped-def]
    return (post.at(0) - post.at(cycle)) * pre.at(0) - decay * w


def test_short_texts() -> None:
    circuit, protocol = cs.circuits.circular_autoencoder([6, 3, 6], rule=leaky)
    assert repr(circuit) == "<Circuit circular autoencoder: 3 populations, 2 projections, 2 rules>"
    assert repr(protocol) == "Protocol(cycles=1)" and repr(cs.Protocol()) == "Protocol()"
    assert repr(leaky) == "<Rule leaky: dw = -decay*w + pre.at(0)*(post.at(0) - post.at(1))>"
    assert repr(cs.make_schedule(circuit, protocol)).startswith("<Schedule of circular autoencoder: ")


def test_short_texts_of_what_holds_arrays() -> None:
    digits = cs.data.load("digits")
    assert repr(digits) == "<Dataset digits: 1437 training and 360 test examples, 64 features>"
    simulator = cs.Simulator(*cs.circuits.circular_autoencoder([64, 3, 64]), batch=10, seeds=[0, 1], backend="numpy")
    simulator.use(digits.train)
    simulator.present(range(10))
    assert repr(simulator) == "<Simulator of circular autoencoder, numpy, replicas: 2, presentations: 1>"


def test_an_audit_of_a_step_shows_its_verdict() -> None:
    random = np.random.default_rng(0)
    weights, batch = {"W": random.normal(size=(3, 5))}, {"x": random.normal(size=(4, 5))}
    audits = []
    for target in (0.0, 1.0):

        def step(weights: Any, batch: Any, target: float = target) -> Any:
            fired = np.tanh(batch["x"] @ weights["W"].T)
            return {"W": weights["W"] + 0.1 * (fired + target * fired.sum(axis=1, keepdims=True)).T @ batch["x"]}

        audits.append(cs.audit_step(step, weights, {"W": ("x", "y")}, batch, seed=0))
    assert repr(audits[0]) == "<StepAudit: no violation of locality found>"
    assert repr(audits[1]) == "<StepAudit: not local: lateral>"
    shown = audits[1]._repr_html_()
    assert "Not local: 1 finding(s)." in shown and "Remedy: " in shown and "<table" in shown


def test_html_of_what_describes() -> None:
    circuit, protocol = cs.circuits.layered_classifier([6, 3, 2])
    drawn = circuit._repr_html_() or ""
    assert "<img" in drawn and "transposed weights of W2" in drawn
    timetable = cs.make_schedule(circuit, protocol)._repr_html_() or ""
    assert "<img" in timetable and "forward pass" in timetable and "<td" in timetable
    assert "One forward pass" in (cs.Protocol()._repr_html_() or "")
    assert "cycles" in (cs.Protocol(cycles=3)._repr_html_() or "")
    assert "dw = -decay*w + pre.at(0)*(post.at(0) - post.at(1))" in (leaky._repr_html_() or "")
    assert "decay = 0.01, cycle = 1" in (leaky._repr_html_() or "")


def test_html_of_an_audit_has_the_verdict_and_remedies() -> None:
    found = cs.audit(*cs.circuits.layered_classifier([6, 3, 2]), measure=False, runs=1)
    assert isinstance(found, dict) and not found.local
    shown = found._repr_html_()
    assert "The circuit is not local" in shown and "give the feedback projection weights" in shown
    assert "not local: weight-transport" in repr(found)


def test_without_what_draws_there_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "entry_points", lambda **_: ())
    assert leaky._repr_html_() is None


@pytest.mark.parametrize("rule", [leaky, recirculation, leaky.bind(decay=0.5, cycle=2)])
def test_rules_pickle(rule: cs.Rule) -> None:
    again = pickle.loads(pickle.dumps(rule))
    assert again == rule and hash(again) == hash(rule) and again.text == rule.text
    assert again != rule.bind(decay=0.25) if rule is not recirculation else True
    numbers = np.random.default_rng(0).random(5)
    pre, post = (lambda k: numbers[k]), (lambda k: numbers[k + 2])
    assert again(pre, post, 0.5) == rule(pre, post, 0.5)


def test_circuits_pickle_into_another_process() -> None:
    circuit, protocol = cs.circuits.circular_autoencoder([6, 3, 6], rule=leaky)
    schedule = cs.make_schedule(circuit, protocol)
    again, *_ = copied = pickle.loads(pickle.dumps((circuit, protocol, schedule)))
    assert copied == (circuit, protocol, schedule) and again.text == circuit.text
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer)[0].text, end='')"
    other = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps((circuit, protocol)), capture_output=True, check=True
    )
    assert other.stdout.decode() == circuit.text


def test_rules_that_differ_are_not_equal() -> None:
    def leaky(pre, post, w, *, decay=0.01, cycle=1):  # type: ignore[no-untyped-def]
        return (post.at(0) - post.at(cycle)) * pre.at(0) + decay * w

    assert cs.local_rule(leaky) != globals()["leaky"]


@pytest.mark.parametrize("name", sorted(all_scenarios()))
def test_settings_pickle(name: str) -> None:
    scenario = all_scenarios()[name]
    settings = scenario.settings()
    assert pickle.loads(pickle.dumps(settings)) == settings
    if isinstance(scenario, LearningScenario):
        design = scenario.design(settings)
        again = pickle.loads(pickle.dumps((design.circuit, design.protocol)))
        assert again == (design.circuit, design.protocol)


def test_dir_lists_the_public_names_and_nothing_else() -> None:
    assert set(dir(cs)) == {*cs.__all__, "__version__"}
    for name in cs.__all__:
        assert getattr(cs, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'numpy'"):
        cs.numpy  # type: ignore[attr-defined]  # noqa: B018
    assert cs.circuits.circular_autoencoder([6, 3, 6])[0].name == "circular autoencoder"
    assert dir(cs.circuits) == sorted(cs.circuits.__all__)


def test_a_run_shows_curves_a_table_and_the_verdict() -> None:
    run = cs.run("autoencoder", sizes=[64, 4, 64], epochs=1, train_limit=50, vary={"rule": ["rec", "bp"]})
    shown = run._repr_html_()
    assert "<svg" in shown and "test mse" in shown and "1 of 2 circuits is local" in shown
    assert run.report.as_uri() in shown
    assert "<svg" in run.plot()._repr_html_()  # type: ignore[attr-defined]
    assert "<svg" in cs.compare([run])._repr_html_()
