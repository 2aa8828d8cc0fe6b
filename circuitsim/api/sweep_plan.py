"""Division of a sweep into runs: replicas in bulk where they can be, runs of their own where shapes differ."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitsim.errors import ConfigError
from circuitsim.runs import runfolder
from circuitsim.runs.base import AnyScenario
from circuitsim.runs.config import based, refuse, replicas
from circuitsim.runs.given import shortened
from circuitsim.runs.ownership import check_unowned

PLAN, RUNS = "sweep.json", "runs"
MOST_REPLICAS = 64


@dataclass(frozen=True)
class Part:
    """One run of a sweep: a number, the keys that it sets, and those that it varies."""

    number: int
    values: Mapping[str, Any]
    vary: Mapping[str, Sequence[Any]]

    @property
    def count(self) -> int:
        """The number of its replicas."""
        return math.prod(len(values) for values in self.vary.values())

    def folder(self, sweep: Path) -> Path:
        """Return the folder of the run."""
        return sweep / RUNS / f"{self.number:04d}"

    def state(self, sweep: Path) -> Path:
        """Return the file that says how the run ended; it exists once the run is complete or has diverged."""
        return sweep / RUNS / f"{self.number:04d}.json"


def divide(
    scenario: AnyScenario, values: Mapping[str, Any], vary: Mapping[str, Sequence[Any]], most: int
) -> list[Part]:
    """Return the runs of a sweep, in order; each crosses as many of the last keys as it may in bulk.

    Parameters
    ----------
    values, vary : the keys that are set, and those that are crossed, shapes included.
    most : replicas of a run, >= 1.

    Raises
    ------
    ConfigError : a value is wrong, or a key is both set and varied.
    """
    for key in vary:
        if key in values:
            refuse(key, f"{key} both set and varied", "one of the two", "Remove one of them.")
    inside: list[str] = []
    for key in reversed(list(vary)):
        if key not in scenario.settings.FIXED and math.prod(len(vary[k]) for k in (*inside, key)) <= most:
            inside.insert(0, key)
    outside = [key for key in vary if key not in inside]
    for key in outside:
        if len({json.dumps(value) for value in vary[key]}) < len(vary[key]):
            refuse(key, vary[key], "each value once: equal runs are not independent", "Remove the repeated one.")
    parts = []
    for number, chosen in enumerate(itertools.product(*(vary[key] for key in outside))):
        own = {**values, **dict(zip(outside, chosen, strict=True))}
        part = Part(number, own, {key: list(vary[key]) for key in inside})
        based(replicas(scenario.settings, part.values, part.vary), "")  # refused before anything runs
        parts.append(part)
    return parts


def claim(folder: Path, plan: Mapping[str, Any]) -> None:
    """Make a sweep's folder with its plan, or accept one that has the same plan.

    Raises
    ------
    RunFolderError : the folder has another sweep, or something else.
    """
    runfolder.check_place(folder)
    path = folder / PLAN
    text = json.loads(json.dumps(plan))
    if path.is_file():
        try:
            given = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise runfolder.unreadable(path, error) from None
        if given != text:
            differ = next(key for key in text if given.get(key) != text[key])
            got = f"a sweep with another {differ}: {given.get(differ)}"
            raise runfolder.refused(folder, got, f"{differ} {text[differ]}", "Choose another --out.")
        return
    held = len(list(folder.iterdir())) if folder.exists() else 0
    if held:
        raise runfolder.refused(folder, f"a folder with {held} files", "a new or empty folder", "Choose another --out.")
    check_unowned(folder)
    (folder / RUNS).mkdir(parents=True, exist_ok=True)
    runfolder.write_json(path, text)


def read_shard(text: str | None) -> tuple[int, int]:
    """Read `--shard K/N`: the K-th of N parts, counted from 1; all of one where none is given."""
    if text is None:
        return 1, 1
    first, slash, last = text.partition("/")
    whole = first.isdecimal() and last.isdecimal() and max(len(first), len(last)) < 10
    if not (slash and whole and 1 <= int(first) <= int(last)):
        raise ConfigError(
            f"--shard {shortened(text)}",
            got=shortened(repr(text)),
            expected="K/N with 1 <= K <= N",
            remedy="Write for example 3/10.",
        )
    return int(first), int(last)
