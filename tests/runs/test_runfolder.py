"""The run folder as scripts rely on it: files, config.json, metrics.parquet, tensors, `--init`, `--overwrite`."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import ENTRIES, SMALL, checkpoints, circuitsim, final, measured, metrics, run, skip_report, tree, vary

from circuitsim import data
from circuitsim.runs.runfolder import read_tensors, save_tensors


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)


def test_what_is_in_it(tmp_path: Path) -> None:
    assert run(tmp_path / "deep" / "run") == 0
    folder = tmp_path / "deep" / "run"
    assert {path.name for path in folder.iterdir()} == ENTRIES
    assert [path.name for path in checkpoints(folder)] == ["000000000010.checkpoint", "000000000015.checkpoint"]
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8").lower()
    audit = json.loads((folder / "audit.json").read_text())
    assert {"local", "findings", "certificates", "window"} <= audit.keys()
    assert (audit["local"], audit["findings"], audit["window"]) == (True, [], {"A1": 3, "A2": 2})
    assert {(row["projection"], row["rule"]) for row in audit["certificates"]} == {
        ("A1", "recirculation"),
        ("A2", "recirculation"),
    }


def test_audit_of_backpropagation(tmp_path: Path) -> None:
    assert run(tmp_path / "run", rule="bp", epochs=0) == 0
    audit = json.loads((tmp_path / "run" / "audit.json").read_text())
    assert audit["local"] is False
    assert [(f["kind"], f["projection"]) for f in audit["findings"]] == [("weight-transport", "B2")]
    assert all({"rule", "place", "lag", "remedy"} <= finding.keys() for finding in audit["findings"])


def test_config_has_every_key_with_the_value_used(tmp_path: Path) -> None:
    assert run(tmp_path / "run", "--seed", "7", lr=0.25, epochs=0) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["scenario"] == "autoencoder"
    assert {key: config[key] for key in SMALL} == SMALL | {"epochs": 0}
    expected = {"lr": 0.25, "lr_bias": 0.25, "seed": 7, "data_seed": 7, "window": 3, "momentum": 0.0, "rule": "rec"}
    assert {key: config[key] for key in expected} == expected
    assert {"python", "numpy", "numba", "circuitsim"} <= config["versions"].keys()
    for key in ("hidden", "output", "lr_decay", "shuffle", "delay", "max_norm", "on_divergence", "variant", "lam"):
        assert key in config


def test_config_has_a_list_where_replicas_differ(tmp_path: Path) -> None:
    assert run(tmp_path / "run", *vary(lr="0.1,0.2", seed="3,4"), epochs=0) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["lr"] == config["lr_bias"] == [0.1, 0.1, 0.2, 0.2]
    assert (config["seed"], config["data_seed"], config["replicas"]) == ([3, 4, 3, 4], 0, 4)
    assert config["vary"] == {"lr": [0.1, 0.2], "seed": [3, 4]}


def test_metrics_of_one_replica(tmp_path: Path) -> None:
    assert run(tmp_path / "run") == 0
    frame = metrics(tmp_path / "run")
    assert list(frame.columns) == ["replica", "epoch", "split", "metric", "value"]
    assert [frame[key].dtype.kind for key in ("replica", "epoch", "value")] == ["i", "i", "f"]
    rows = set(zip(frame["epoch"], frame["split"], frame["metric"], strict=True))
    both = {(epoch, split, metric) for epoch in range(4) for split in ("train", "test") for metric in ("mse", "bce")}
    assert rows == both | {(epoch, "train", "seconds") for epoch in (1, 2, 3)}
    assert len(frame) == len(rows)
    assert (frame["value"] > 0).all()
    error = frame[(frame["split"] == "train") & (frame["metric"] == "mse")].sort_values("epoch")["value"]
    assert error.is_monotonic_decreasing


def test_no_cross_entropy_without_logistic_outputs(tmp_path: Path) -> None:
    assert run(tmp_path / "run", output="identity", epochs=0) == 0
    assert set(metrics(tmp_path / "run")["metric"]) == {"mse"}


def test_varied_keys_are_columns_where_there_are_replicas(tmp_path: Path) -> None:
    assert run(tmp_path / "one", *vary(lr="0.1"), epochs=0) == 0
    assert "lr" not in metrics(tmp_path / "one").columns
    assert run(tmp_path / "six", *vary(lr="0.1,[0.1,0.3]", rule="rec,bp,top"), epochs=0) == 0
    frame = metrics(tmp_path / "six")
    assert list(frame.columns[5:]) == ["lr", "rule"]
    first = frame.drop_duplicates("replica").sort_values("replica")
    assert list(first["replica"]) == list(range(6))
    assert list(first["rule"]) == ["rec", "bp", "top"] * 2
    assert list(first["lr"]) == ["0.1"] * 3 + ["[0.1, 0.3]"] * 3


SHAPES = {"A1.weight": (6, 64), "A1.bias": (6,), "A2.weight": (64, 6), "A2.bias": (64,)}
FEEDBACK = {"rec": {}, "bp": {}, "top": {}, "rbp": {"B2.weight": (6, 64)}, "srbp": {"D1.weight": (6, 64)}}


@pytest.mark.parametrize("rule", FEEDBACK)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tensors_of_one_replica(rule: str, dtype: str, tmp_path: Path) -> None:
    assert run(tmp_path / "run", rule=rule, dtype=dtype, epochs=1) == 0
    for name in ("initial", "final"):
        tensors = read_tensors(tmp_path / "run" / f"{name}.safetensors")
        assert {key: value.shape for key, value in tensors.items()} == SHAPES | FEEDBACK[rule]
        assert {value.dtype.name for value in tensors.values()} == {dtype}


def test_tensors_without_biases_and_with_three_layers(tmp_path: Path) -> None:
    assert run(tmp_path / "run", sizes=[64, 6, 5, 64], bias=False, rule="arbp", epochs=0) == 0
    shapes = {key: value.shape for key, value in final(tmp_path / "run").items()}
    weights = {"A1.weight": (6, 64), "A2.weight": (5, 6), "A3.weight": (64, 5)}
    assert shapes == weights | {"B2.weight": (6, 5), "B3.weight": (5, 64)}


def test_tensors_of_replicas_are_nan_where_one_lacks_them(tmp_path: Path) -> None:
    assert run(tmp_path / "run", *vary(rule="rec,rbp", seed="0,1"), epochs=1) == 0
    tensors = final(tmp_path / "run")
    assert {key: value.shape for key, value in tensors.items()} == {
        key: (4, *shape) for key, shape in (SHAPES | FEEDBACK["rbp"]).items()
    }
    assert np.isnan(tensors["B2.weight"][:2]).all()
    assert all(np.isfinite(value[2:]).all() for value in tensors.values())
    assert all(np.isfinite(tensors[key]).all() for key in SHAPES)


def test_glorot_and_the_bias_of_the_data(tmp_path: Path) -> None:
    assert run(tmp_path / "run", epochs=0, sizes=[64, 40, 64]) == 0
    tensors = final(tmp_path / "run")
    limit = np.sqrt(6 / 104)
    for key in ("A1.weight", "A2.weight"):
        assert 0.95 * limit < np.abs(tensors[key]).max() <= limit
    assert not tensors["A1.bias"].any()
    mean = data.load("digits", "float64", 40, 20).train.mean(axis=0)
    np.testing.assert_allclose(1 / (1 + np.exp(-tensors["A2.bias"])), np.clip(mean, 1e-6, 1 - 1e-6), rtol=1e-9)


def test_final_weights_serve_as_first(tmp_path: Path) -> None:
    assert run(tmp_path / "first", rule="rbp", momentum=0.5) == 0
    init = tmp_path / "first" / "final.safetensors"
    assert run(tmp_path / "next", "--init", init, rule="rbp", epochs=1) == 0
    assert tree(tmp_path / "next")["initial.safetensors"] == init.read_bytes()
    before, after = measured(tmp_path / "first"), measured(tmp_path / "next")
    last = before[before["epoch"] == 3]["value"].to_numpy()
    np.testing.assert_array_equal(after[after["epoch"] == 0]["value"].to_numpy(), last)


def test_init_serves_every_replica_and_any_subset(tmp_path: Path) -> None:
    weight = np.linspace(-0.1, 0.1, 6 * 64).reshape(6, 64)
    feedback = np.linspace(-0.1, 0.1, 64 * 6).reshape(6, 64)
    save_tensors(tmp_path / "some", {"A1.weight": weight.astype(np.float32), "B2.weight": feedback})
    assert run(tmp_path / "run", "--init", tmp_path / "some", *vary(rule="rec,rbp", seed="0,1"), epochs=0) == 0
    tensors = final(tmp_path / "run")
    for replica in range(4):
        np.testing.assert_array_equal(tensors["A1.weight"][replica], weight.astype(np.float32))
    np.testing.assert_array_equal(tensors["B2.weight"][2:], [feedback, feedback])
    assert (tensors["A2.weight"][0] != tensors["A2.weight"][1]).any()


def test_overwrite_replaces_all_of_an_earlier_run(tmp_path: Path) -> None:
    assert run(tmp_path / "run", epochs=3) == 0
    (tmp_path / "run" / ".final.safetensors.abc.partial").write_bytes(b"what a kill left")
    assert run(tmp_path / "run") == 2
    assert run(tmp_path / "run", "--overwrite", epochs=1, lr=0.3) == 0
    assert run(tmp_path / "new", "--overwrite", epochs=1, lr=0.3) == 0
    assert {path.name for path in (tmp_path / "run").iterdir()} == ENTRIES
    assert [path.name for path in checkpoints(tmp_path / "run")] == [
        path.name for path in checkpoints(tmp_path / "new")
    ]
    pd.testing.assert_frame_equal(measured(tmp_path / "run"), measured(tmp_path / "new"))


def test_overwrite_may_start_from_what_it_replaces(tmp_path: Path) -> None:
    assert run(tmp_path / "run") == 0
    weights = (tmp_path / "run" / "final.safetensors").read_bytes()
    assert run(tmp_path / "run", "--overwrite", "--init", tmp_path / "run" / "final.safetensors", epochs=0) == 0
    assert (tmp_path / "run" / "initial.safetensors").read_bytes() == weights


def test_an_empty_folder_is_free(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert run(tmp_path / "run", epochs=0) == 0


def test_names_with_brackets(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a[red]b[" / "x]"
    assert run(folder, epochs=1) == 0
    assert f"done: {folder}\nreport: {folder / 'report.html'}\n" in capfd.readouterr().out
    checkpoints(folder)[-1].write_bytes(b"damaged")
    assert circuitsim("resume", folder) == 0
    assert f"refused: checkpoint {folder}" in capfd.readouterr().out


def test_resume_finds_data_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names stay as the user gave them; config.json has the folder in which they begin."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    np.savez("own.npz", x=np.random.default_rng(0).random((100, 64)))
    assert run(Path("run"), dataset="own.npz") == 0
    expected = measured(Path("run"))
    for name in ("checkpoint", "metrics.parquet", "final.safetensors"):
        shutil.rmtree(f"run/{name}") if name == "checkpoint" else Path(f"run/{name}").unlink()
    monkeypatch.chdir(tmp_path / "there")
    assert circuitsim("resume", "../here/run") == 0
    pd.testing.assert_frame_equal(measured(tmp_path / "here" / "run"), expected)
    config = json.loads((tmp_path / "here" / "run" / "config.json").read_text())
    assert (config["dataset"], config["given"]["folder"]) == ("own.npz", str(tmp_path / "here"))


def test_resume_finds_data_that_moved_with_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    np.savez("own.npz", x=np.random.default_rng(0).random((100, 64)))
    assert run(Path("run"), dataset="own.npz") == 0
    monkeypatch.chdir((tmp_path / "here").rename(tmp_path / "there"))
    assert circuitsim("resume", "run") == 0


def test_precedence(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text('epochs = 9\nlr = 0.7\nmomentum = 0.1\nvariant = "ccr"\nseed = 5\n')
    sets = ["--set", "momentum=0.2", "--set", "train_limit=40"]
    options = ["--config", file, "--quick", "--seed", "3", "--out", tmp_path / "run"]
    assert circuitsim("run", "autoencoder", *options, *sets) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    used = {key: config[key] for key in ("epochs", "train_limit", "test_limit", "lr", "momentum", "variant")}
    expected = {"epochs": 2, "train_limit": 40, "test_limit": 200, "lr": 0.7, "momentum": 0.2, "variant": "ccr"}
    assert used == expected
    assert (config["seed"], config["data_seed"]) == (5, 3)


def test_every_file_is_whole_when_it_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written in place: each write makes another file, and a rename puts it there.

    The log of metrics alone is appended to: a checkpoint knows how much of it counts.
    """
    opened: list[str] = []
    original = Path.replace

    def note(self: Path, target: Path) -> Path:
        opened.append(Path(target).name)
        assert self.parent == Path(target).parent
        assert self.name.endswith(".partial")
        return original(self, target)

    monkeypatch.setattr(Path, "replace", note)
    assert run(tmp_path / "run", epochs=1) == 0
    files = {path.name for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert files == {*opened, "metrics.jsonl"}


@pytest.mark.parametrize(("mask", "rights"), [(0o077, 0o600), (0o002, 0o664), (0o022, 0o644)])
def test_files_have_the_rights_that_the_umask_gives(
    mask: int, rights: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_report(monkeypatch)
    before = os.umask(mask)
    try:
        assert run(tmp_path / "run", epochs=1) == 0
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert len(files) > 6 and {path.stat().st_mode & 0o777 for path in files} == {rights}


def test_the_number_of_threads_is_recorded_and_another_one_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    skip_report(monkeypatch)
    monkeypatch.setattr("circuitsim.kernels.cpu.threads.thread_count", lambda: 1)
    assert run(tmp_path / "run", epochs=2) == 0
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_text())
    assert config["threads"] == 1
    assert circuitsim("resume", tmp_path / "run") == 0
    assert "the run began with" not in capfd.readouterr().out
    for one in sorted((tmp_path / "run" / "checkpoint").iterdir())[1:]:
        one.unlink()  # as if it had been killed before its end
    path.write_text(json.dumps(config | {"threads": 2}))
    assert circuitsim("resume", tmp_path / "run") == 0
    said = "the run began with 2 threads and goes on with 1: last bits of its numbers may differ; NUMBA_NUM_THREADS=2"
    assert said in capfd.readouterr().out
