"""Kill runs of all kinds with SIGKILL at random moments, resume them, and compare every bit with undisturbed runs.

Kills also hit `resume`, the writing of a checkpoint, of the report and of figures. After the last resume no half file
may be left. Runs that are killed while they start are new processes; the others are forks of one that has imported all.

Run: python tests/kill.py --times 300
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from running import COMMAND

from circuitsim.randomness import generator

PATIENCE = 300.0  # seconds without an end after which something is wrong
POLL = 0.0005
MOST = 8  # kills of one run
IMPORTED = ("circuitsim.runs.launch", "circuitsim.analysis.reports.report", "matplotlib.pyplot", "pyarrow.parquet")
"""What every run imports: it takes half the time of a small run."""


def _sets(**keys: object) -> list[str]:
    return [part for key, value in keys.items() for part in ("--set", f"{key}={value}")]


LEARNING = {"batch": 50, "checkpoint_every": 3, "epochs": 4, "train_limit": 600, "test_limit": 100}
KINDS: dict[str, list[str]] = {
    "momentum": [
        "autoencoder", "--vary", "rule=rec,rbp", "--vary", "seed=0,1", *_sets(**LEARNING, lr=0.2, momentum=0.5,
        lr_decay=0.9),
    ],
    "float64": ["classifier", "--vary", "seed=0,1", *_sets(**LEARNING, lr=0.1, dtype="float64")],
    "mirror": ["classifier", *_sets(**LEARNING, feedback="wm", lr=0.1)],
    "dropped": [
        "autoencoder", "--vary", "lr=0.1,1e30", "--vary", "seed=0,1", *_sets(**LEARNING, on_divergence="drop"),
    ],
    "development": [
        "tourbillon", *_sets(sizes="[64,20,10]", batch=50, epochs=2, tuning_epochs=2, train_limit=600, test_limit=100,
        checkpoint_every=3),
    ],
    "campaign": ["learning-channels", "--quick"],
    "search": ["mirror-search", "--quick"],
    "computation": ["recirculation-theory", "--quick"],
}  # fmt: skip
"""What is killed, on real digits; a checkpoint every third presentation, so that one is often being written."""


def outcome(folder: Path) -> dict[str, bytes]:
    """All that must be the same to the last bit however often a run was killed: weights, metrics, figures' numbers."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.name == "metrics.parquet":
            frame = pd.read_parquet(path)
            found[name] = frame[frame["metric"] != "seconds"].to_csv(float_format="%.17g").encode()
        elif path.suffix == ".csv" and path.stem == "seconds":
            continue  # no two runs take equally long
        elif path.name in ("initial.safetensors", "final.safetensors") or path.suffix == ".csv":
            found[name] = path.read_bytes()
    return found


class Forked:
    """A fork that carries out a command of the command line; its methods are those of subprocess.Popen.

    Parameters
    ----------
    arguments : of the command. errors : the file for what it writes to stderr.
    """

    def __init__(self, arguments: list[str], errors: Path) -> None:
        self._errors = errors
        self._process = multiprocessing.get_context("fork").Process(target=self._carry_out, args=(arguments,))
        self._process.start()

    @property
    def returncode(self) -> int | None:
        """The exit status, or the number of the signal that ended it, negative; None until it has ended."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self.returncode

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Wait until it has ended, and return what it wrote."""
        self._process.join(timeout)
        return "", self._errors.read_text(errors="replace") if self._errors.exists() else ""

    def _carry_out(self, arguments: list[str]) -> None:
        for stream, path in ((1, Path(os.devnull)), (2, self._errors)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        from circuitsim.cli import main as command_line

        command_line(arguments)


@dataclass
class Killer:
    """Starts the command line on a run folder and kills it at moments drawn from a seed.

    Parameters
    ----------
    folder : of all runs. kind : of what is run. seed : draws the moments.
    """

    folder: Path
    kind: str
    seed: int
    startup: float = 0.0
    duration: float = 0.0
    kills: int = 0
    differences: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random: np.random.Generator = generator(self.seed, f"kills of {self.kind}")
        whole = self.folder / f"{self.kind}-whole"
        begin = time.monotonic()
        process = self._start(whole)
        while process.poll() is None and not (whole / "config.json").exists():
            time.sleep(POLL)
        self.startup = time.monotonic() - begin
        _, err = process.communicate(timeout=PATIENCE)
        if process.returncode:
            raise RuntimeError(err)
        self.duration = time.monotonic() - begin
        self.expected, self.names = outcome(whole), names(whole)
        print(f"{self.kind}: undisturbed {self.duration:.1f} s, {self.startup:.1f} s before the run folder", flush=True)

    def run(self, number: int, times: int) -> None:
        """Kill and resume one run, at most so many times, until it ends; then compare."""
        out = self.folder / f"{self.kind}-{number}"
        again = True
        while again and times > 0 and self._killed(out):
            times -= 1
            again = bool(self.random.random() < 0.85)
        self._finish(out)
        self._compare(out)

    def _killed(self, out: Path) -> bool:
        """Start or resume, and kill; False where it ended before."""
        name, moment = MOMENTS[int(self.random.integers(len(MOMENTS)))]
        begin = time.monotonic()
        process = self._start(out) if moment is _in_startup else self._fork(out)
        for _ in moment(self, out):
            if process.poll() is not None or time.monotonic() - begin > PATIENCE:
                break
            time.sleep(POLL)
        process.kill()
        _, err = process.communicate(PATIENCE)
        if process.returncode == 0:
            return False
        if process.returncode != -9:
            self.differences.append(f"{out.name}: status {process.returncode}: {err}")
        self.kills += 1
        partial = len(list(out.rglob("*.partial"))) if out.exists() else 0
        print(f"{out.name}: {name}, {time.monotonic() - begin:.2f} s, {partial} unfinished files", flush=True)
        return True

    def _start(self, out: Path) -> subprocess.Popen[str]:
        """Carry out a command in a new process."""
        command = [*COMMAND, *self._command(out)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def _fork(self, out: Path) -> Forked:
        """Carry out a command in a fork of this process."""
        return Forked(self._command(out), self.folder / "stderr")

    def _command(self, out: Path) -> list[str]:
        """Resume, or begin (again) where there is nothing to resume."""
        begin = ["run", *KINDS[self.kind], "--overwrite", "--out", str(out)]
        return ["resume", str(out)] if (out / "config.json").exists() else begin

    def _finish(self, out: Path) -> None:
        process = self._fork(out)
        _, err = process.communicate(PATIENCE)
        if process.returncode:
            self.differences.append(f"{out.name}: the last resume ended with status {process.returncode}: {err}")

    def _compare(self, out: Path) -> None:
        found = outcome(out)
        for name in sorted(found.keys() | self.expected.keys()):
            if found.get(name) != self.expected.get(name):
                self.differences.append(f"{out.name}: other {name} than the run that was left alone")
        if names(out) != self.names:
            self.differences.append(f"{out.name}: holds {sorted(names(out) ^ self.names)} or lacks it")


def names(folder: Path) -> set[str]:
    """The names of all that is in a run folder; those of checkpoints and of SQLite's journals differ."""
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if not p.match("*.checkpoint")}


# Moments to kill: each yields until the moment has come.


def _until(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield


def _in_startup(killer: Killer, out: Path) -> Iterator[None]:
    return _until(float(killer.random.uniform(0, killer.startup)))


def _at_random(killer: Killer, out: Path) -> Iterator[None]:
    return _until(float(killer.random.uniform(0, killer.duration - killer.startup)))


def _in_a_checkpoint(killer: Killer, out: Path) -> Iterator[None]:
    """In the first to the twentieth that is caught."""
    seen = set(out.rglob("checkpoint/.*.partial"))
    left = int(killer.random.integers(1, 21))
    while left:
        new = set(out.rglob("checkpoint/.*.partial")) - seen
        seen |= new
        left -= bool(new)
        if left:
            yield


def _at_the_end(killer: Killer, out: Path) -> Iterator[None]:
    old = _written(out)
    while _written(out) == old:
        yield
    yield from _until(float(killer.random.choice([0.02, 0.2, 1.0]) * killer.random.random()))


def _written(out: Path) -> tuple[int, float]:
    """What changes when a run, or a campaign's member, begins to write its end: weights, figures, the report."""
    ends = [*out.rglob("final.safetensors"), *out.rglob("figures/*"), *out.glob("report.html")]
    return len(list(out.rglob(".[frm]*.partial"))), max((p.stat().st_mtime for p in ends if p.exists()), default=0.0)


Moment = Callable[[Killer, Path], Iterator[None]]
MOMENTS: tuple[tuple[str, Moment], ...] = (
    ("while starting", _in_startup),
    ("at random", _at_random),
    ("while writing a checkpoint", _in_a_checkpoint),
    ("while writing the end", _at_the_end),
)


def main() -> int:
    """Exit status 1 on any difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50, help="kills to make")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS), help="what is killed")
    parser.add_argument("--seed", type=int, default=0, help="draws the moments")
    options = parser.parse_args()
    for module in IMPORTED:
        importlib.import_module(module)
    with tempfile.TemporaryDirectory() as folder:
        killers = [Killer(Path(folder), kind, options.seed) for kind in options.kinds]
        number = lost = 0
        while (made := sum(killer.kills for killer in killers)) < options.times:
            killer = killers[number % len(killers)]
            killer.run(number, min(options.times - made, MOST))
            number += 1
            lost = sum(len(killer.differences) for killer in killers)
            print(f"{sum(killer.kills for killer in killers)} kills of {number} runs, {lost} differences", flush=True)
    print(", ".join(f"{killer.kind} {killer.kills}" for killer in killers))
    for difference in (difference for killer in killers for difference in killer.differences):
        print(difference)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
