"""What a newcomer tries first does what it says: the examples, and the program in the README."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from running import circuitsim

import circuitsim as cs

ROOT = Path(__file__).parent.parent


def printed(*arguments: str) -> str:
    """What a Python program prints, run from the repository's root."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_own_rule_learns() -> None:
    said = printed("examples/own_rule.py")
    assert "reads: post.at(0), post.at(1), pre.at(0)" in said
    errors = [float(error) for error in re.findall(r"test mse (\S+)", said)]
    assert len(errors) == 10 and errors[-1] < errors[0] / 2


def test_what_is_not_local_is_refused_and_the_readme_quotes_it() -> None:
    said = printed("examples/not_local.py")
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    for name in ("from_elsewhere", "too_old", "transported"):
        assert re.search(rf"^{name}: ", said, re.M)
    for refusal in re.findall(r"^(?:from_elsewhere|too_old): (.*)$", said, re.M):
        assert re.sub(r"line \d+", "line 18", refusal) in readme


def test_a_hook_that_copies_weights_is_found_and_a_synapse_explained() -> None:
    said = printed("examples/audit.py")
    assert said.startswith("not local\nlabel in W2: ")
    found = re.findall(r"^weight-transport in B2: W2.weight \(hook keep_aligned, line (\d+): (.*)\)$", said, re.M)
    lines = (ROOT / "examples/audit.py").read_text(encoding="utf-8").splitlines()
    assert len(found) == 1 and lines[int(found[0][0]) - 1].strip() == found[0][1]
    assert "W1.weight[2, 5], from neuron 5 of layer0 to neuron 2 of layer1" in said and "after = " in said


def test_a_twin_grows_and_is_tuned() -> None:
    said = printed("examples/twin.py")
    assert "  is     circular autoencoder: layer0 -W1-> layer1 -W1_decoder-> layer0_image_W1\n" in said
    rows = [[float(value) for value in re.findall(r" ([0-9.]+)", line)] for line in said.splitlines()[-3:]]
    (first, untrained, _), (_, second, _), (_, _, error) = rows
    assert first < 0.03 and second < untrained / 3 and error < 20


def test_the_readme_program_runs(tmp_path: Path) -> None:
    program = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    assert len(program) == 2
    path = tmp_path / "readme.py"
    path.write_text(program[1] + "print(simulator.presentations, simulator.tensors()['A1.weight'].shape)\n")
    assert printed(str(path)) == "143 (1, 16, 64)\n"


def test_the_readme_runs_from_python(tmp_path: Path) -> None:
    program = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)[0]
    quick = program.replace("batch=10", "batch=100, epochs=1").replace("epochs=1, epochs=3", "epochs=1")
    path = tmp_path / "readme.py"
    path.write_text(quick + "print(run, simulator.presentations)\n")
    assert re.match(r"<Run: autoencoder, 6 replicas, in .*> 15\n", printed(str(path)))


def test_the_readme_activates_the_environment_before_it_uses_the_command() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    bare = next(k for k, line in enumerate(lines) if line.startswith("circuitsim "))
    assert "source .venv/bin/activate" in lines[:bare]


@pytest.mark.parametrize(
    "line",
    re.findall(
        r"^(circuitsim (?:run|schedule|audit|trace|data).*?)\s+#",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        re.M,
    ),
)
def test_the_readme_commands_are_understood(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = shlex.split(line)[1:]
    if arguments[0] == "run":
        arguments += ["--set", "epochs=1", "--out", str(tmp_path / "run")]
    assert circuitsim(*arguments) == 0
    assert capfd.readouterr().out


def test_the_classifier_of_the_readme_learns(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^(circuitsim run classifier --set.*?)\s+#", readme, re.M)
    assert circuitsim(*shlex.split(line)[1:], "--out", tmp_path / "run") == 0
    metrics = cs.load_run(tmp_path / "run").metrics
    last = metrics[(metrics["metric"] == "error") & (metrics["split"] == "test") & (metrics["epoch"] == 10)]
    assert len(last) == 3 and (last["value"] < 15).all()
    low, high = map(int, re.findall(r"three kinds of feedback: (\d+) to (\d+) % test error", readme)[0])
    assert low <= last["value"].min() and last["value"].max() <= high
