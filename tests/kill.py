"""Kill a run with SIGKILL at random moments, resume it, and compare every final bit with a run that was left alone.

Run: python tests/kill.py --times 50
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from running import COMMAND, ENTRIES, checkpoints, outcome

from circuitsim.randomness import generator

PATIENCE = 120.0  # seconds without an end after which something is wrong
POLL = 0.0005
REPLICAS = ["--vary", "rule=rec,rbp", "--vary", "seed=0,1"]


def settings(epochs: int) -> list[str]:
    """Real digits; a checkpoint every third presentation, so that one is often being written."""
    keys = {"epochs": epochs, "batch": 50, "lr": 0.2, "momentum": 0.5, "lr_decay": 0.9, "checkpoint_every": 3}
    return [*REPLICAS, *(part for key, value in keys.items() for part in ("--set", f"{key}={value}"))]


@dataclass
class Killer:
    """Starts the command line on a run folder and kills it at moments drawn from a seed."""

    folder: Path
    epochs: int
    seed: int
    startup: float = 0.0
    duration: float = 0.0
    kills: int = 0
    differences: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random: np.random.Generator = generator(self.seed, "kills")

    def reference(self) -> tuple[bytes, bytes]:
        """What a run that is left alone ends with; how long it takes tells when to kill."""
        whole = self.folder / "whole"
        begin = time.monotonic()
        process = self._start(whole)
        while process.poll() is None and not (whole / "config.json").exists():
            time.sleep(POLL)
        self.startup = time.monotonic() - begin
        if process.wait(PATIENCE):
            raise RuntimeError(process.communicate()[1])
        self.duration = time.monotonic() - begin
        return outcome(whole)

    def run(self, times: int) -> None:
        """Kill and resume, often more than once a run, until so many kills have been made."""
        expected = self.reference()
        print(f"undisturbed: {self.duration:.1f} s, {self.startup:.1f} s of it before the run folder", flush=True)
        number = 0
        while self.kills < times:
            number += 1
            out = self.folder / f"run{number}"
            again = True
            while again and self.kills < times and self._killed(out):
                again = bool(self.random.random() < 0.7)
            self._finish(out)
            self._compare(out, expected)

    def _killed(self, out: Path) -> bool:
        """Start or resume, and kill; False where it ended before."""
        name, moment = MOMENTS[int(self.random.integers(len(MOMENTS)))]
        begin = time.monotonic()
        process = self._start(out)
        for _ in moment(self, out):
            if process.poll() is not None or time.monotonic() - begin > PATIENCE:
                break
            time.sleep(POLL)
        process.kill()
        _, err = process.communicate()
        if process.returncode == 0:
            return False
        if process.returncode != -9:
            self.differences.append(f"{out.name}: status {process.returncode}: {err}")
        self.kills += 1
        partial = len(list(out.rglob("*.partial"))) if out.exists() else 0
        kept = len(checkpoints(out)) - partial if (out / "checkpoint").exists() else 0
        held = f"{kept} checkpoints, {partial} unfinished files" if out.exists() else "nothing on disk"
        print(f"kill {self.kills}: {out.name}, {name}, after {time.monotonic() - begin:.2f} s: {held}", flush=True)
        return True

    def _start(self, out: Path) -> subprocess.Popen[str]:
        """Resume, or begin (again) where there is nothing to resume."""
        resume = ["resume", str(out)]
        begin = ["run", "autoencoder", "--overwrite", "--out", str(out), *settings(self.epochs)]
        command = [*COMMAND, *(resume if (out / "config.json").exists() else begin)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def _finish(self, out: Path) -> None:
        process = self._start(out)
        _, err = process.communicate(timeout=PATIENCE)
        if process.returncode:
            self.differences.append(f"{out.name}: the last resume ended with status {process.returncode}: {err}")

    def _compare(self, out: Path, expected: tuple[bytes, bytes]) -> None:
        for what, got, wanted in zip(("final weights", "metrics"), outcome(out), expected, strict=True):
            if got != wanted:
                self.differences.append(f"{out.name}: other {what} than the run that was left alone")
        held = {path.name for path in out.iterdir()}
        if held != ENTRIES or len(checkpoints(out)) != 2:
            self.differences.append(f"{out.name}: holds {sorted(held)}, {len(checkpoints(out))} checkpoints")


# Moments to kill: each yields until the moment has come.


def _until(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield


def _in_startup(killer: Killer, out: Path) -> Iterator[None]:
    return _until(float(killer.random.uniform(0, killer.startup)))


def _at_random(killer: Killer, out: Path) -> Iterator[None]:
    return _until(float(killer.random.uniform(0, killer.duration)))


def _in_a_checkpoint(killer: Killer, out: Path) -> Iterator[None]:
    """In the first to the twentieth that is caught."""
    seen = set(out.glob("checkpoint/.*.partial"))
    left = int(killer.random.integers(1, 21))
    while left:
        new = set(out.glob("checkpoint/.*.partial")) - seen
        seen |= new
        left -= bool(new)
        if left:
            yield


def _at_the_end(killer: Killer, out: Path) -> Iterator[None]:
    old = _written(out)
    while _written(out) == old:
        yield
    yield from _until(float(killer.random.choice([0.02, 0.2, 1.0]) * killer.random.random()))


def _written(out: Path) -> tuple[bool, float]:
    final = out / "final.safetensors"
    return any(out.glob(".final*.partial")), final.stat().st_mtime if final.exists() else 0.0


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
    parser.add_argument("--epochs", type=int, default=40, help="length of the run that is killed")
    parser.add_argument("--seed", type=int, default=0, help="draws the moments")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        killer = Killer(Path(folder), options.epochs, options.seed)
        killer.run(options.times)
    for difference in killer.differences:
        print(difference)
    print(f"{killer.kills} kills, {len(killer.differences)} differences")
    return 1 if killer.differences else 0


if __name__ == "__main__":
    sys.exit(main())
