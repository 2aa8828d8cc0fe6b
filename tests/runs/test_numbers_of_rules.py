"""Keys RULE.PARAMETER: numbers of rules from the command line, from Python, and over the epochs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import standin
from running import circuitsim, final, metrics, outcome, stopped_after

import circuitsim as cs
from circuitsim.runs.study import Study

RULES = """
def leaky(pre, post, w, *, decay=0.01, gain=1.0, cycle=1):
    return gain * (post.at(0) - post.at(cycle)) * pre.at(0) - decay * w


def curved(pre, post, w, *, slope=0.5):
    return (post.at(0) - post.at(1)) * tanh(slope * pre.at(0) + w)
"""
KEYS: dict[str, Any] = {"sizes": [64, 5, 64], "train_limit": 60, "test_limit": 20, "batch": 10, "epochs": 3, "lr": 0.1}
SETS = [part for key, value in KEYS.items() for part in ("--set", f"{key}={value}")]


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("rules.py").write_text(RULES)
    Path("other.py").write_text(RULES.replace("decay=0.01", "decay=0.2"))
    return tmp_path


@cs.local_rule
def leaky(pre: Any, post: Any, w: Any, *, decay: float = 0.01) -> Any:
    return (post.at(0) - post.at(1)) * pre.at(0) - decay * w


@cs.local_rule
def curved(pre: Any, post: Any, w: Any, *, decay: float = 0.01) -> Any:
    return pre.at(0) * decay / (2 + w + post.at(1))


def by_hand(rule: cs.Rule, tensors: dict[str, np.ndarray], x: np.ndarray, decays: list[float]) -> Any:
    """One example a time through 4-2-4 tanh neurons: A1 learns by the rule, with its number for each presentation."""
    w1, w2 = tensors["A1.weight"][0].copy(), tensors["A2.weight"][0].copy()
    for row, decay in zip(x, decays, strict=True):
        hidden = np.tanh(w1 @ row)
        back = np.tanh(w2 @ hidden)
        again = np.tanh(w1 @ back)
        old = w1.copy()
        for i in range(2):
            for j in range(4):
                posts, pres = (hidden[i], again[i]), (row[j], back[j])
                w1[i, j] += 0.3 * rule(pres.__getitem__, posts.__getitem__, old[i, j], decay=decay)
        w2 += 0.3 * np.outer(row - back, hidden)
    return w1, w2


@pytest.mark.parametrize("backend", standin.each("numba", "numpy", "cupy"))
@pytest.mark.parametrize("rule", [leaky, curved], ids=["products", "loop"])
def test_a_number_may_change_between_presentations(rule: cs.Rule, backend: str) -> None:
    circuit, protocol = cs.circuits.circular_autoencoder([4, 2, 4], rule, hidden="tanh", output="tanh", bias=False)
    quantity = f"{rule.name}.decay"
    made = cs.Simulator(circuit, protocol, batch=1, dtype="float64", backend=backend, parameters={"lr": 0.3})
    x = np.random.default_rng(0).uniform(-1, 1, (4, 4))
    decays = [0.3, -0.2, 0.0, 1.5]
    expected = by_hand(rule, made.tensors(), x, decays)
    made.use(x)
    for row, decay in enumerate(decays):
        made.set_parameters({("A1", quantity): decay})
        made.present([row])
    for name, array in zip(("A1.weight", "A2.weight"), expected, strict=True):
        np.testing.assert_allclose(made.tensors()[name][0], array, rtol=1e-10)


def test_a_number_that_is_set_is_the_rules_own(rules: Path) -> None:
    assert circuitsim("run", "autoencoder", *SETS, "--set", "rule=rules.py:leaky", "--set", "leaky.decay=0.2",
                      "--out", "set") == 0  # fmt: skip
    assert circuitsim("run", "autoencoder", *SETS, "--set", "rule=other.py:leaky", "--out", "written") == 0
    assert circuitsim("run", "autoencoder", *SETS, "--set", "rule=rules.py:leaky", "--out", "default") == 0
    assert outcome(Path("set")) == outcome(Path("written")) != outcome(Path("default"))
    assert cs.load_run("set").settings["leaky.decay"] == 0.2


def test_numbers_are_varied_into_replicas(rules: Path) -> None:
    run = cs.run("autoencoder", rule="rules.py:leaky", vary={"leaky.decay": [0.0, 0.2]}, **KEYS)
    assert set(run.metrics["leaky.decay"]) == {0.0, 0.2}
    alone = cs.run("autoencoder", rule="rules.py:leaky", **KEYS, **{"leaky.decay": 0.2})
    for name, array in alone.tensors().items():
        np.testing.assert_allclose(run.tensors(1)[name], array, rtol=1e-5, atol=1e-6)
    assert np.abs(run.tensors(0)["A1.weight"] - run.tensors(1)["A1.weight"]).max() > 0.01
    sweep = cs.sweep("autoencoder", {"leaky.decay": [0.0, 0.2]}, rule="rules.py:leaky", **KEYS)
    assert sweep.table["leaky.decay"].tolist() == [0.0, 0.2]


def test_both_spellings_of_a_configuration(rules: Path) -> None:
    Path("a.toml").write_text('rule = "rules.py:leaky"\n"leaky.decay" = 0.2\n')
    Path("b.toml").write_text('rule = "rules.py:leaky"\n[leaky]\ndecay = 0.2\n')
    for name in ("a", "b"):
        assert circuitsim("run", "autoencoder", "--config", f"{name}.toml", *SETS, "--out", name) == 0
    assert final(Path("a"))["A1.weight"].tobytes() == final(Path("b"))["A1.weight"].tobytes()
    assert circuitsim("run", "autoencoder", "--config", "b.toml", *SETS, "--set", "leaky.decay=0.3", "--out", "c") == 0
    assert cs.load_run("c").settings["leaky.decay"] == 0.3


TABLE = {"value": 0.4, "decay": 0.5, "warmup": 1, "steps": [2], "factor": 0.1}


def test_a_number_changes_over_the_epochs(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    entered = Study.enter

    def enter(self: Study, group: Any) -> None:
        entered(self, group)
        seen.append(float(group.simulator.state.parameter("A1", "leaky.decay")[0]))

    monkeypatch.setattr(Study, "enter", enter)
    run = cs.run("autoencoder", rule="rules.py:leaky", out="whole", **KEYS, **{"leaky.decay": TABLE})
    np.testing.assert_allclose(seen[:3], [0.2, 0.2, 0.01], rtol=1e-6)
    assert run.settings["leaky.decay"] == TABLE
    assert float(run.simulator().state.parameter("A1", "leaky.decay")[0]) == pytest.approx(0.4 * 0.125 * 0.1)


def test_a_run_whose_numbers_change_resumes_to_the_same_bits(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"rule": "rules.py:leaky", "leaky.decay": TABLE}
    cs.run("autoencoder", out="whole", **KEYS, **given)
    with stopped_after(2), pytest.raises(cs.CircuitsimError):
        cs.run("autoencoder", out="stopped", **KEYS, **given)
    cs.resume("stopped", trust=True)
    assert outcome(Path("stopped")) == outcome(Path("whole"))
    assert len(metrics(Path("stopped"))) == len(metrics(Path("whole")))


def test_a_table_may_be_varied_beside_numbers(rules: Path) -> None:
    run = cs.run("autoencoder", rule="rules.py:leaky", vary={"leaky.decay": [0.2, TABLE]}, **KEYS)
    assert run.metrics["leaky.decay"].nunique() == 2
    alone = cs.run("autoencoder", rule="rules.py:leaky", **KEYS, **{"leaky.decay": TABLE})
    np.testing.assert_allclose(run.tensors(1)["A1.weight"], alone.tensors()["A1.weight"], rtol=1e-5, atol=1e-6)


REFUSED = {
    "leaky.gian=1": r"key leaky\.gian: got 1\.0; expected one of leaky\.decay, leaky\.gain\. Did you mean leaky\.gain"
    r"\? A rule's parameter can be set if its default has a decimal point\.",
    "leaky.cycle=1": r"key leaky\.cycle: got 1\.0; expected one of leaky\.decay, leaky\.gain\. .* has a decimal",
    "leaky.decay=true": r"key leaky\.decay: got true; expected a number, or a table \{ value, decay, warmup, steps, "
    r"factor \} of one that changes over the epochs\. Give a number\.",
    "leaky.decay=fast": r"key leaky\.decay: got 'fast'; expected a number, or",
    "leaky.decay=inf": r"key leaky\.decay: got inf; expected a number, or",
    "leaky.decay={ value = 1, rate = 2 }": r"key leaky\.decay\.rate: got 2; expected one of decay, factor, steps",
    "leaky.decay={ decay = 0.5 }": r"key leaky\.decay\.value: got none; expected a number\. Correct the value of",
    "leaky.decay={ value = 1, decay = 0 }": r"key leaky\.decay\.decay: got 0; expected a number above 0\.",
    "sizes.scale=1": r"key sizes\.scale: got 1; expected one of",
    "leaky.=1": r"key leaky\.: got 1; expected one of",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused(text: str, rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("run", "autoencoder", *SETS, "--set", "rule=rules.py:leaky", "--set", text, "--out", "out") == 2
    assert re.search(REFUSED[text], capsys.readouterr().err.replace("\n", " "))
    assert not Path("out").exists()


def test_a_circuit_whose_rules_have_no_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("audit", "autoencoder", "--set", "leaky.decay=1") == 2
    told = capsys.readouterr().err.replace("\n", " ")
    assert "got 1.0; expected a key without a dot: no rule of the circuit has parameters." in told


def test_a_number_that_another_key_gives(capsys: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("audit", "classifier", "--set", "feedback=sa", "--set", "decay.c=0.5") == 2
    text = "key decay.c: got 0.5; expected no value, since other keys give B2 1. Set the scenario's own key."
    assert text in capsys.readouterr().err.replace("\n", " ")


def test_the_help_of_a_scenario_names_the_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("run", "autoencoder", "--help") == 0
    assert "RULE.PARAMETER" in capsys.readouterr().out


def test_a_scenario_of_ones_own_takes_them() -> None:
    class Keys(cs.TrainingSettings):
        batch: int = 10

    def design(keys: Keys) -> cs.Design:
        circuit, protocol = cs.circuits.circular_autoencoder([64, 4, 64], leaky)
        return cs.Design(circuit, protocol, {"lr": 0.1, "leaky.decay": 0.5})

    mine = cs.Scenario("mine", "an autoencoder", Keys, design)
    run = cs.run(mine, epochs=1, train_limit=20, **{"leaky.decay": 0.25})
    assert float(run.simulator().state.parameter("A1", "leaky.decay")[0]) == 0.25
