"""The command line from end to end: what it prints, its statuses, and runs with all that they write."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from running import COMMAND, ENTRIES, REAL_DATA, circuitsim, final, measured, metrics, run, vary

import circuitsim as cs
from circuitsim.cli import app as cli
from circuitsim.errors import CircuitsimError
from circuitsim.runs.lookup import load_scenario, scenario_names


def test_list_is_a_line_each(capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("list") == 0
    lines = capfd.readouterr().out.splitlines()
    names = [line.split()[0] for line in lines[1:]]
    assert names[: len(scenario_names())] == scenario_names()
    assert {"autoencoder", "quickstart", "circular_autoencoder"} <= set(names)


@pytest.mark.parametrize(
    "command", ["", "run", "resume", "compare", "sweep", "schedule", "audit", "trace", "list", "data", "data fetch"]
)
def test_help(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim(*command.split(), "--help") == 0
    out, err = capfd.readouterr()
    assert out.startswith(f"Usage: {' '.join(['circuitsim', *command.split()])}")
    assert err == ""


def test_help_on_a_scenario_lists_its_keys(capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("run", "classifier", "--help") == 0
    out, err = capfd.readouterr()
    lines = [re.split(r" {2,}", line.strip()) for line in out.splitlines()]
    assert ["lr", "0.01", "a number >= 0, or a list with one for each layer above the input"] in lines
    assert ["epochs", "10", "a whole number >= 0", "no"] in lines
    assert ["feedback", "bp", "one of bp, fa, dfa, kp, wm, ss, urfb, ia, sa, aa"] in lines
    shown = {line[0] for line in lines}
    assert set(load_scenario("classifier").settings.model_fields) <= shown and err == ""
    assert "--quick sets epochs=2, train_limit=1000, test_limit=200" in out


def test_help_on_a_scenario_that_varies_keys_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("run", "quickstart", "--help") == 0
    assert "varied unless they are set: rule=('rec', 'bp', 'rbp', 'top'), seed=(0, 1, 2)" in capfd.readouterr().out
    assert circuitsim("run", "no-such", "--help") == 2
    assert "scenario no-such: got an unknown name" in capfd.readouterr().err


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("--version") == 0
    assert capfd.readouterr() == (f"circuitsim {cs.__version__}\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_for_completion(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("--show-completion", shell) == 0
    out, err = capfd.readouterr()
    assert "_CIRCUITSIM_COMPLETE" in out and err == ""


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("sch", ["schedule"]),
        ("run quick", ["quickstart"]),
        ("audit tour", ["tourbillon", "tourbillon-convolution", "tourbillon-figures"]),
    ],
)
def test_completion(
    words: str, offered: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_CIRCUITSIM_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"circuitsim {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    assert circuitsim() == 0
    out, err = capfd.readouterr()
    assert out.split() == offered and err == ""


def test_commands_start_without_the_libraries_of_simulations() -> None:
    code = "import sys, circuitsim.cli as c\ntry: c.main(['list'])\nfinally: print(*sys.modules, file=sys.stderr)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numba", "sympy", "scipy", "networkx", "pandas", "matplotlib"} & set(ended.stderr.split())


def test_schedule(capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("schedule", "autoencoder", "--set", "delay=2") == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].split() == ["tick", "phase", "of", "cycle", "reads", "changes"]
    ticks = [int(line.split()[0]) for line in lines[1:-1]]
    assert ticks == sorted(ticks)
    assert {0, 2, 4, 6} <= set(ticks)
    assert re.fullmatch(r"7 ticks a presentation; window of 6 ticks, needed: A1 6, A2 4", lines[-1])


def test_schedule_has_mirror_mode_too(capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("schedule", "classifier", "--set", "feedback=wm", "--set", "sizes=[64,8,10]") == 0
    out = capfd.readouterr().out
    assert "mirror mode of W2, 1 time(s) after each presentation" in out
    assert re.search(r"^1 +mirror mode +layer2", out, re.M) and "2 ticks a wave; window of 1 ticks, needed: B2 1" in out


def test_audit_for_a_person(capfd: pytest.CaptureFixture[str]) -> None:
    """The verdict first, findings with remedies, what was tried; sizes that fit no data set will do."""
    assert circuitsim("audit", "autoencoder", "--set", "sizes=[30,6,30]", "--set", "rule=bp") == 0
    out, err = capfd.readouterr()
    assert out.startswith("autoencoder with bp: NOT local: 1 finding\n\nweight-transport in B2\n") and err == ""
    assert (
        "    reads the transposed weights of A2\n    remedy: give the feedback projection weights and rules of its own"
        in out
    )
    assert "tested on backend numba: weight-transport in B2" in out
    assert re.search(r"^distances +an error signal travels up to 1 hop, 1 tick *$", out, re.M)
    assert circuitsim("audit", "autoencoder", "--backend", "numpy") == 0
    out = capfd.readouterr().out
    assert out.startswith("circular autoencoder: local in space and time\n")
    assert "tested on backend numpy: no forbidden value changed a bit" in out


def test_audit_for_a_program(capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("audit", "autoencoder", "--set", "rule=arbp", "--set", "max_norm=1.0", "--json") == 0
    found = json.loads(capfd.readouterr().out)
    assert found["local"] is True and found["findings"] == [] and found["window"] == {"A1": 3, "A2": 1, "B2": 1}
    assert {"certificates", "covers", "intervention", "scorecard", "circuit", "label"} < set(found)
    places = {read["place"] for certificate in found["certificates"] for read in certificate["reads"]}
    assert places == {"pre", "post", "neuron"}


def test_trace(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Sizes that fit no data set will do: a trace needs none."""
    out, options = tmp_path / "t.json", ["--set", "sizes=[30,6,30]", "--set", "rule=bp", "--set", "batch=5"]
    assert circuitsim("trace", "autoencoder", *options, "--out", out) == 0
    assert capfd.readouterr() == (f"written: {out}. Open it at https://ui.perfetto.dev\n", "")
    first = json.loads(out.read_text())
    assert first["otherData"]["circuit"] == "autoencoder with bp"
    assert {e["ph"] for e in first["traceEvents"]} == {"M", "X", "s", "f"}
    assert circuitsim("trace", "autoencoder", "--quick", "--out", out, "--overwrite") == 0
    assert json.loads(out.read_text())["otherData"]["circuit"] == "circular autoencoder"
    assert [path.name for path in tmp_path.iterdir()] == ["t.json"]


def test_a_tool_that_nothing_provides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("circuitsim.runs.tools.TOOLS", "circuitsim.none")
    assert circuitsim("trace", "autoencoder", "--out", tmp_path / "t.json") == 2
    assert capfd.readouterr().err == (
        "circuitsim: command trace: got no installed package that carries it out; expected an entry point 'trace' "
        "in the group circuitsim.none. Install circuitsim again: pip install --force-reinstall circuitsim.\n"
    )
    assert not list(tmp_path.iterdir())


DATASETS = ["cifar10", "cluttered-digits", "digits", "fashion-mnist", "lowrank", "mnist", "teacher"]


def test_data(capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("data", "list") == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == DATASETS


@pytest.mark.skipif(not REAL_DATA, reason="CIRCUITSIM_DATA names no folder with MNIST")
def test_mnist(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("data", "path", "mnist") == 0
    assert capfd.readouterr().out == f"{Path(REAL_DATA) / 'mnist'}\n"
    assert run(tmp_path / "run", dataset="mnist", sizes=[784, 10, 784], train_limit=1000, lr=0.1, epochs=2) == 0
    frame = metrics(tmp_path / "run")
    error = frame[(frame["split"] == "test") & (frame["metric"] == "mse")].sort_values("epoch")["value"].to_numpy()
    assert error[-1] < error[0] < 0.1


def test_what_a_run_prints(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "run", *vary(rule="rec,bp", seed="0,1,2"), lr=0.3) == 0
    out, err = capfd.readouterr()
    lines = [line for line in out.splitlines() if not line.startswith("compiling")]
    assert err == ""
    assert [line.split("  ")[0] for line in lines[:4]] == ["epoch 0/3", "epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert re.fullmatch(r"epoch 3/3  test mse 0\.\d+ to 0\.\d+ \(6 replicas\)  [\d,]+ batches/s  0:00 left", lines[3])
    frame = measured(tmp_path / "run")
    last = frame[(frame["epoch"] == 3) & (frame["split"] == "test") & (frame["metric"] == "mse")]
    assert lines[4].split() == ["rule", "replicas", "test", "mse", "test", "bce"]
    for line, rule in zip(lines[5:7], ("rec", "bp"), strict=True):
        mean = last[last["rule"] == rule]["value"].mean()
        assert line.split()[:3] == [rule, "3", f"{mean:.4g}"]
    assert lines[7:] == [f"done: {tmp_path / 'run'}", f"report: {tmp_path / 'run' / 'report.html'}"]


def test_a_run_without_out_gets_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert circuitsim("run", "autoencoder", "--set", "epochs=0") == 0
    [folder] = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"autoencoder-\d{8}-\d{6}", folder.name)
    assert {path.name for path in folder.iterdir()} == ENTRIES


def test_quickstart(tmp_path: Path) -> None:
    limits = ["--set", "train_limit=50", "--set", "test_limit=20"]
    assert circuitsim("run", "quickstart", "--quick", "--out", tmp_path / "run", *limits) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["vary"] == {"rule": ["rec", "bp", "rbp", "top"], "seed": [0, 1, 2]}
    assert (config["epochs"], config["replicas"], config["data_seed"]) == (3, 12, 0)


def test_quickstart_varies_only_what_is_not_given(tmp_path: Path) -> None:
    options = ["--set", "rule=bp", "--seed", "4", "--vary", "lr=0.1,0.2", "--set", "epochs=0"]
    assert circuitsim("run", "quickstart", "--out", tmp_path / "run", *options) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["vary"] == {"lr": [0.1, 0.2]}
    assert (config["rule"], config["seed"], config["data_seed"]) == ("bp", 4, 4)


def test_a_varied_key_goes_before_the_file_s(tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text("lr = 0.7\nmomentum = 0.5\n")
    options = ["--config", tmp_path / "keys.toml", *vary(lr="0.1,0.2")]
    assert run(tmp_path / "run", *options, epochs=0) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["lr"], config["momentum"]) == ([0.1, 0.2], 0.5)


def test_the_report_of_a_run_that_diverged(tmp_path: Path) -> None:
    wild = {"hidden": "identity", "output": "identity"}
    assert run(tmp_path / "stop", lr=500.0, dtype="float32", **wild) == 3
    assert {path.name for path in (tmp_path / "stop").iterdir()} == ENTRIES
    assert run(tmp_path / "drop", *vary(lr="0.01,50"), on_divergence="drop", batch=1, **wild) == 0
    assert "replica 1 diverged and was dropped" in (tmp_path / "drop" / "report.html").read_text(encoding="utf-8")
    assert final(tmp_path / "drop")["A1.weight"].shape == (2, 6, 64)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (CircuitsimError("it broke"), 1, "circuitsim: it broke\n"),
        (KeyboardInterrupt(), 130, "circuitsim: interrupted before anything new was done; resume, or start again.\n"),
        (typer.Abort(), 130, "circuitsim: interrupted before anything new was done; resume, or start again.\n"),
        (OSError(28, "No space left", "f"), 1, "circuitsim: No space left: f. Free some space, then resume.\n"),
        (OSError(122, "Quota exceeded", "f"), 1, "circuitsim: Quota exceeded: f. Free some space, then resume.\n"),
        (OSError(27, "Too large", "f"), 1, "circuitsim: Too large: f. Raise the limit of the size of a file (ulimi"),
        (
            OSError(13, "Permission denied", "f"),
            1,
            "circuitsim: Permission denied: f. Check the path and its rights.\n",
        ),
        (MemoryError("3 TiB"), 2, "circuitsim: not enough memory: 3 TiB. Lower batch, sizes or the number of repl"),
    ],
)
def test_statuses(
    error: BaseException, status: int, message: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(name: str) -> None:
        raise error

    monkeypatch.setattr(cli, "find_scenario", fail)
    assert circuitsim("run", "autoencoder") == status
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(message)


def test_a_traceback_is_left_for_what_is_no_fault_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "find_scenario", fail)
    with pytest.raises(ZeroDivisionError):
        circuitsim("run", "autoencoder")


def test_the_command_is_installed(tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, "list"], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "autoencoder" in done.stdout
