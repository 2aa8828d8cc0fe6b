"""Computations: the same commands and refusals as of studies; their numbers whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import Field
from running import circuitsim, installed, interrupt, metrics, start, tree

from circuitsim.runs.config import Settings
from circuitsim.runs.scenario import Computation

OWN = {"config.json", "metrics.parquet", "report.html"}


class PowerSettings(Settings):
    base: float = Field(2.0, gt=0, description="a number above 0")
    steps: int = Field(3, ge=1, description="a whole number >= 1")
    seed: int = Field(0, description="a whole number")
    FIXED = ("steps",)


def _powers(settings: PowerSettings) -> pd.DataFrame:
    rows = [(n, "train", "power", settings.base**n + settings.seed, n / 2) for n in range(settings.steps)]
    return pd.DataFrame(rows, columns=["epoch", "split", "metric", "value", "time"])


def _finish(folder: Path, frame: pd.DataFrame, config: Any) -> None:
    (folder / "report.html").write_text(f"{config['scenario']}: {len(frame)} numbers, {frame['value'].sum():g} in all")


POWERS = Computation("powers", "powers of a number", PowerSettings, _powers, _finish, quick={"steps": 1})


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, POWERS)


def test_what_a_computation_leaves(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert circuitsim("run", "powers", "--set", "base=3", "--vary", "seed=0,5", "--out", out) == 0
    assert {path.name for path in out.iterdir()} == OWN
    frame = metrics(out)
    assert list(frame.columns) == ["replica", "epoch", "split", "metric", "value", "time", "seed"]
    assert list(frame["value"]) == [1, 3, 9, 6, 8, 14]
    assert list(frame["replica"]) == [0, 0, 0, 1, 1, 1]
    config = json.loads((out / "config.json").read_text())
    assert (config["scenario"], config["base"], config["seed"], config["replicas"]) == ("powers", 3.0, [0, 5], 2)
    assert {"python", "scipy", "circuitsim"} <= config["versions"].keys()
    assert (out / "report.html").read_text() == "powers: 6 numbers, 41 in all"
    assert capfd.readouterr().out.endswith(f"done: {out}\nreport: {out / 'report.html'}\n")


def test_quick_seed_and_file(tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text("base = 5.0\nsteps = 9\n")
    out = tmp_path / "run"
    assert circuitsim("run", "powers", "--config", tmp_path / "keys.toml", "--quick", "--seed", 7, "--out", out) == 0
    config = json.loads((out / "config.json").read_text())
    assert [config[key] for key in ("base", "steps", "seed")] == [5.0, 1, 7]
    assert list(metrics(out)["value"]) == [8.0]


def test_list_says_what_kind(capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("list") == 0
    assert any(line.split()[:2] == ["powers", "computation"] for line in capfd.readouterr().out.splitlines())


REFUSED = {
    "--set bas=1": "key bas: got 1; expected one of base, seed, steps. Did you mean base?",
    "--set base=0": "key base: got 0; expected a number above 0. Correct the value of base.",
    "--vary steps=1,2": "key steps: got '--vary steps'; expected a key that changes neither shapes nor the course of "
    "the run. Make a run of its own for each value.",
    "--backend jax": "backend: got 'jax'; expected one of numpy, numba, cupy. Choose one of these.",
    "--backend numpy": "backend of computation powers: got 'numpy'; expected numba. Leave --backend out.",
    "--init w.safetensors": "--init w.safetensors: got first weights for a computation; expected a scenario that "
    "trains circuits of its own. Leave --init out.",
}


@pytest.mark.parametrize("options", REFUSED)
def test_refused(options: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("run", "powers", "--out", tmp_path / "run", *options.split()) == 2
    assert capfd.readouterr().err.startswith(f"circuitsim: {REFUSED[options]}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["schedule powers", "audit powers", "trace powers --out t.json"])
def test_it_has_no_circuit(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert circuitsim(*command.split()) == 2
    assert capfd.readouterr().err == (
        f"circuitsim: {command.split()[0]} powers: got a computation; expected a scenario that trains circuits of its "
        "own. `circuitsim list` shows which scenarios do.\n"
    )
    assert not list(tmp_path.iterdir())


def test_a_scenario_that_draws_nothing_has_no_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    installed(monkeypatch, Computation("still", "nothing", Settings, _powers, _finish))
    assert circuitsim("run", "still", "--seed", 3, "--out", tmp_path / "run") == 2
    expected = "circuitsim: --seed 3: got still, which draws nothing; expected no seed. Leave it out.\n"
    assert capfd.readouterr().err == expected


def test_overwrite(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert circuitsim("run", "powers", "--out", out) == 0
    (out / "figures").mkdir()
    (out / "figures" / "old.svg").write_text("an earlier figure")
    assert circuitsim("run", "powers", "--out", out) == 2
    assert circuitsim("run", "powers", "--out", out, "--overwrite") == 0
    assert {path.name for path in out.iterdir()} == OWN
    (out / "figures").mkdir()
    (out / "figures" / "thesis.tex").write_text("not ours")
    before = tree(out)
    assert circuitsim("run", "powers", "--out", out, "--overwrite") == 2
    assert "got figures/thesis.tex, which no run wrote; expected an earlier run's folder" in capfd.readouterr().err
    assert tree(out) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_and_resumed(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing of the first replica is kept when the second is interrupted; `resume` computes both."""

    def stop(settings: PowerSettings) -> pd.DataFrame:
        if settings.seed:
            os.kill(os.getpid(), number)
            time.sleep(5)
        return _powers(settings)

    out, options = tmp_path / "run", ["--vary", "seed=0,1"]
    installed(monkeypatch, Computation("powers", "", PowerSettings, stop, _finish))
    assert circuitsim("run", "powers", "--out", out, *options) == 130
    assert capfd.readouterr().err == (
        "circuitsim: computation powers: interrupted before its numbers were complete, and none are kept; go on with: "
        f"circuitsim resume {out}\n"
    )
    assert {path.name for path in out.iterdir()} == {"config.json"}
    installed(monkeypatch, POWERS)
    assert circuitsim("resume", out) == 0
    assert circuitsim("run", "powers", "--out", tmp_path / "whole", *options) == 0
    pd.testing.assert_frame_equal(metrics(out), metrics(tmp_path / "whole"))


def test_resume_of_a_complete_one_draws_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert circuitsim("run", "powers", "--out", tmp_path / "run") == 0
    before = tree(tmp_path / "run")
    (tmp_path / "run" / "report.html").unlink()

    def again(settings: PowerSettings) -> pd.DataFrame:
        raise AssertionError("computed again")

    installed(monkeypatch, Computation("powers", "", PowerSettings, again, _finish))
    assert circuitsim("resume", tmp_path / "run") == 0
    assert tree(tmp_path / "run") == before


def test_ctrl_c_in_a_process_of_its_own(tmp_path: Path) -> None:
    process = start("run", "feedback-ode", "--set", "duration=50", "--out", tmp_path / "run")
    while process.poll() is None and not (tmp_path / "run" / "config.json").exists():
        time.sleep(0.02)
    time.sleep(0.5)
    interrupt(process)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "interrupted before its numbers were complete" in err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]
