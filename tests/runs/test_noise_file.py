"""`--noise FILE`: a run fires the noise of a file, says which file it was, and goes on with it alone."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import handwritten_classifier
import numpy as np
import pytest
from running import circuitsim, final, outcome, skip_report

from circuitsim.data import load
from circuitsim.runs.config import spell
from circuitsim.runs.runfolder import read_tensors, save_tensors
from circuitsim.runs.study import Study

SIZES, BATCH, EXAMPLES, BEFORE = [64, 7, 10], 8, 20, 2
PASSES = BEFORE + 2 * 3  # two epochs of three batches, the last of four examples
KEYS = {
    "feedback": "wm", "sizes": SIZES, "hidden": "logistic", "output": "logistic", "batch": BATCH, "lr": 0.05,
    "train_limit": EXAMPLES, "test_limit": 20, "epochs": 2, "shuffle": False, "dtype": "float64",
    "mirror": "{ rate = 1.28, decay = 0.0, passes_before = 2 }",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)


def run(out: Path, noise: Path, **keys: object) -> int:
    texts = {key: value if key == "mirror" else spell(value) for key, value in (KEYS | keys).items()}
    sets = [part for key, text in texts.items() for part in ("--set", f"{key}={text}")]
    return circuitsim("run", "classifier", "--noise", noise, "--out", out, *sets)


@pytest.fixture
def drawn() -> np.ndarray:
    """Uniform noise of the authors' half-width."""
    return np.random.default_rng(5).uniform(-0.05, 0.05, (PASSES, BATCH, SIZES[1]))


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_the_authors_weight_mirror_on_given_noise(suffix: str, drawn: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / f"noise{suffix}"
    if suffix == ".npz":
        np.savez(path, layer1=drawn)
    else:
        save_tensors(path, {"layer1": drawn})
    assert run(tmp_path / "run", path) == 0
    data = load("digits", "float64", EXAMPLES, 20)
    rows = [np.arange(first, min(first + BATCH, EXAMPLES)) for first in range(0, EXAMPLES, BATCH)] * 2
    wanted = handwritten_classifier.train(
        data.train, data.train_labels, read_tensors(tmp_path / "run" / "initial.safetensors"), rows=rows,
        feedback="wm", hidden="logistic", output="logistic", lr=0.05, mirror={"rate": 1.28},
        noise_before=[{2: x} for x in drawn[:BEFORE]],
        noise=[[{2: x[: len(r)]}] for x, r in zip(drawn[BEFORE:], rows, strict=True)],
    )  # fmt: skip
    for name, tensor in final(tmp_path / "run").items():
        np.testing.assert_allclose(tensor, wanted[name], rtol=0, atol=1e-13, err_msg=name)
    given = json.loads((tmp_path / "run" / "config.json").read_text())["given"]["noise"]
    assert given == {"file": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def test_a_run_goes_on_with_its_file_alone(
    drawn: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "noise.npz", tmp_path / "run"
    np.savez(path, layer1=drawn)
    assert run(tmp_path / "whole", path) == 0
    original = Study.end_epoch

    def stop(self: Study) -> None:
        original(self)
        if self.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Study, "end_epoch", stop)
    with pytest.raises((KeyboardInterrupt, AssertionError)):
        assert run(out, path) == 0
    monkeypatch.setattr(Study, "end_epoch", original)
    shutil.move(path, tmp_path / "away")
    assert circuitsim("resume", out) == 2 and "noise.npz" in capfd.readouterr().err
    np.savez(path, layer1=drawn + 1e-9)
    assert circuitsim("resume", out) == 2
    refused = capfd.readouterr().err
    assert "the file with which the run began" in refused and "Put that file back" in refused
    shutil.move(tmp_path / "away", path)
    assert circuitsim("resume", out) == 0
    assert outcome(out) == outcome(tmp_path / "whole")


def test_files_that_do_not_fit(drawn: np.ndarray, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def refusal(arrays: dict[str, np.ndarray] | bytes, **keys: object) -> str:
        path = tmp_path / "noise.npz"
        if isinstance(arrays, bytes):
            path.write_bytes(arrays)
        else:
            np.savez(path, **arrays)
        assert run(tmp_path / "run", path, **keys) == 2
        assert not (tmp_path / "run").exists()
        return capfd.readouterr().err

    assert "got 8 passes; expected at least 11: those before training, and those after each update of every epoch. "
    assert "got 8 passes; expected at least 11: those before" in refusal({"layer1": drawn}, epochs=3)
    assert "got arrays named W2; expected one for each of ['layer1']. Name the arrays layer1." in refusal({"W2": drawn})
    assert "got layer1 of shape (8, 8, 6); expected (passes, 8, 7)" in refusal({"layer1": drawn[:, :, 1:]})
    assert "expected an .npz or .safetensors file, with an array (passes, batch" in refusal(b"no archive")
    assert "key noise: got" in (text := refusal({"layer1": drawn}, feedback="fa"))
    assert "expected none with feedback fa. Leave it out, or choose feedback wm." in text
    assert circuitsim("run", "autoencoder", "--noise", tmp_path / "noise.npz", "--out", tmp_path / "run") == 2
    assert "key noise" in capfd.readouterr().err
