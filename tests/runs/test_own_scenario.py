"""Scenarios in files of the user's: short, resumable, and executed from elsewhere only with consent."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from running import circuitsim, final, measured, outcome, skip_report

import circuitsim as cs
from circuitsim.errors import BadInput, Interrupted
from circuitsim.runs.runfolder import save_tensors
from circuitsim.runs.training import TrainingRun

EXAMPLE = Path(__file__).parents[2] / "examples/own_scenario.py"
SMALL = ["--set", "units=4", "--set", "train_limit=60", "--set", "test_limit=20", "--set", "epochs=3"]
LABELLED = """
import circuitsim as cs
class Keys(cs.TrainingSettings):
    lr: float = 0.5
def design(keys):
    circuit, protocol = cs.circuits.layered_classifier([64, 8, 10])
    return cs.Design(circuit, protocol, {"lr": keys.lr})
SCENARIO = cs.Scenario("mine", "a classifier", Keys, design)
OTHER = 3
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files of scenarios, which is the working folder."""
    skip_report(monkeypatch)
    monkeypatch.chdir(tmp_path)
    shutil.copy(EXAMPLE, "own.py")
    Path("labelled.py").write_text(LABELLED)
    Path("broken.py").write_text("import nothing_of_this_name")
    return tmp_path


def test_the_example_is_as_short_as_promised() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    code = [line for line in lines if line.strip() and not line.startswith(('"""', "from __future__"))]
    assert len(code) <= 15


def test_a_run_from_a_file(here: Path) -> None:
    assert circuitsim("run", "own.py:SCENARIO", "--out", "run", *SMALL, "--vary", "seed=0,1") == 0
    run = cs.load_run("run")
    assert run.name == "own.py:SCENARIO" and run.settings["units"] == 4
    assert set(run.metrics["metric"]) == {"mse", "bce", "seconds"}
    errors = run.metrics[(run.metrics["metric"] == "mse") & (run.metrics["split"] == "test")]
    assert errors.groupby("epoch")["value"].mean().is_monotonic_decreasing
    assert json.loads(Path("run/config.json").read_bytes())["given"]["code"].keys() == {"own.py"}


def test_every_part_of_a_default_report_is_written(tmp_path: Path) -> None:
    run = cs.run(f"{EXAMPLE}:SCENARIO", units=4, train_limit=60, epochs=1)
    assert run.audit is not None and run.audit.local
    assert "reconstruct" in run.report.read_text(encoding="utf-8").lower()


def test_a_circuit_with_labels_is_measured_by_error_and_loss(here: Path) -> None:
    assert (
        circuitsim("run", "labelled.py:SCENARIO", "--out", "run", "--set", "train_limit=60", "--set", "epochs=1") == 0
    )
    assert set(measured(Path("run"))["metric"]) == {"error", "loss"}


def test_first_weights_of_its_circuits_are_taken_and_others_refused(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    save_tensors(Path("first.safetensors"), {"A1.bias": np.full(4, 0.25, np.float32)})
    assert circuitsim("run", "own.py:SCENARIO", "--out", "run", "--init", "first.safetensors", *SMALL) == 0
    assert (cs.load_run("run").tensors(initial=True)["A1.bias"] == 0.25).all()
    save_tensors(Path("first.safetensors"), {"A9.bias": np.zeros(4, np.float32)})
    assert circuitsim("run", "own.py:SCENARIO", "--out", "other", "--init", "first.safetensors", *SMALL) == 2
    assert "expected one of A1.bias, A1.weight, A2.bias, A2.weight" in capfd.readouterr().err


def test_a_stopped_run_goes_on_from_any_folder_with_consent_alone(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert circuitsim("run", "own.py:SCENARIO", "--out", "whole", *SMALL) == 0
    with monkeypatch.context() as patch:
        saved = TrainingRun.save_checkpoint

        def stop(self: TrainingRun) -> None:
            saved(self)
            if self.study.epoch == 1:
                raise Interrupted("interrupted in a test", self.folder)

        patch.setattr(TrainingRun, "save_checkpoint", stop)
        assert circuitsim("run", "own.py:SCENARIO", "--out", "part", *SMALL) == 130
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    capfd.readouterr()
    assert circuitsim("resume", here / "part") == 2
    assert "got code in own.py, to be executed (SHA-256 when the run started: " in capfd.readouterr().err
    with pytest.raises(BadInput, match=r"code in own\.py, to be executed"):
        cs.load_run(here / "part").simulator()
    assert circuitsim("resume", "--trust", here / "part") == 0
    assert outcome(here / "part") == outcome(here / "whole")
    simulator = cs.load_run(here / "part", trust=True).simulator()
    assert np.array_equal(simulator.tensors()["A1.weight"][0], final(here / "part")["A1.weight"])


def test_other_commands_take_files_too(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("schedule", "own.py:SCENARIO") == 0
    assert circuitsim("run", "own.py:SCENARIO", "--help") == 0
    assert "units" in capfd.readouterr().out


def test_a_scenario_object_runs_and_its_folder_needs_it_again(here: Path) -> None:
    keys: dict[str, object] = {}
    exec(LABELLED, keys)
    run = cs.run(keys["SCENARIO"], epochs=0, train_limit=50, out="run")  # type: ignore[arg-type]
    assert run.simulator().circuit.labels
    with pytest.raises(BadInput, match="scenario mine: got an unknown name"):
        cs.load_run("run").simulator()
    assert cs.load_run("run", scenario=keys["SCENARIO"]).simulator().circuit.labels  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            "none.py:SCENARIO",
            r"scenario none\.py:SCENARIO: got no such file; expected the path of a Python file, a col",
        ),
        ("broken.py:SCENARIO", r"got a file that raises ModuleNotFoundError: No module named 'nothing_of_this_name'; "),
        (
            "labelled.py:MISSING",
            r"got no MISSING in the file; expected a Scenario, Computation or Campaign\. Define it",
        ),
        ("labelled.py:OTHER", r"got OTHER, a int; expected a Scenario, Computation or Campaign"),
    ],
)
def test_refusals(reference: str, message: str, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadInput, match=message):
        cs.run(reference)
    assert circuitsim("run", reference) == 2
    assert not (here / "runs").exists()


def test_keys_without_descriptions_are_refused_by_their_type(here: Path) -> None:
    with pytest.raises(
        BadInput, match=r"key units: got 'x'; expected a value of type int\. Correct the value of units"
    ):
        cs.run("own.py:SCENARIO", units="x")
