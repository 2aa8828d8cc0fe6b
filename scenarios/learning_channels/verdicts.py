"""The paper's verdict on each row of Table 5, and what training changed and the audit found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

import numpy as np

from circuitsim.runs.config import build
from circuitsim.runs.runfolder import FINAL, INITIAL, read_tensors
from circuitsim.runs.scenario import MemberRun
from circuitsim.scenarios.layouts import LayoutSettings, described


class Expected(Enum):
    """A verdict in short: the hidden layer learns, does not learn, or the question is open."""

    LEARNS, NONE, OPEN = "learns", "none", "open"


class Agreement(str, Enum):
    """Agreement of a run with a verdict; a dash where the verdict is open."""

    YES, NO, OPEN = "yes", "no", "–"


@dataclass(frozen=True)
class Found:
    """Number of seeds that ended below TOP, in words, and its agreement with the verdict."""

    below: str
    text: str


PAPER: Mapping[str, tuple[str, Expected]] = MappingProxyType(
    {
        "row1": ("optimal learning impossible", Expected.NONE),
        "row2-random": ("optimal learning impossible or problematic", Expected.NONE),
        "row2-shared": ("problematic: A has no error to learn from", Expected.NONE),
        "row3-identity": ("circular autoencoder", Expected.LEARNS),
        "row3-random": ("could be circular with two hidden layers, if the output is C A B I", Expected.OPEN),
        "row3-adaptive": ("circular with two hidden layers: its highest layer learns too", Expected.LEARNS),
        "row4": ("A can be trained but not B", Expected.NONE),
        "row5-transposed": ("backpropagation", Expected.LEARNS),
        "row5-random": ("random backpropagation", Expected.LEARNS),
        "row5-adaptive": ("adaptive case of random backpropagation (B2)", Expected.LEARNS),
        "row6-identity": ("circular autoencoder with error recirculation", Expected.LEARNS),
        "row6-random": ("learning still possible: the hidden layer gets B C (I − O)", Expected.LEARNS),
        "row7-random": ("not clear that it can work with a generic C", Expected.OPEN),
        "row7-transposed": ("mixed recirculation problematic", Expected.OPEN),
        "row7-shared": ("works as ARBP, but something must keep C2 = B", Expected.LEARNS),
        "row8-identity": ("mixed recirculation: B as in a circular autoencoder", Expected.LEARNS),
        "row8-random": ("drawn (Figure 16), not judged", Expected.OPEN),
    }
)


def agreement(expected: Expected | None, errors: np.ndarray, top: np.ndarray) -> Found:
    """Compare final errors with those of training the top layer alone, seed by seed; a diverged seed is not below.

    Parameters
    ----------
    expected : the paper's verdict, or None. errors, top : (seeds,).
    """
    below = int((errors < top).sum())
    counted = f"{below} of {len(errors)}"
    if expected in (None, Expected.OPEN) or not np.isfinite(top).all():  # nothing to compare with
        return Found(counted, Agreement.OPEN.value)
    agrees = below == len(errors) if expected is Expected.LEARNS else below == 0
    return Found(counted, (Agreement.YES if agrees else Agreement.NO).value)


def audited(run: MemberRun) -> dict[str, str]:
    """Return the audit's verdict on each layout; layouts that are one circuit share an audit, in order."""
    audit = json.loads((run.folder / "audit.json").read_text(encoding="utf-8"))
    found, distinct = {}, []
    for layout in run.member.vary["layout"]:
        circuit = described(build(LayoutSettings, {**run.member.values, "layout": layout}))
        if circuit not in distinct:
            distinct.append(circuit)
        found[str(layout)] = _verdict(audit["circuits"][distinct.index(circuit)])
    return found


def _verdict(one: Mapping[str, object]) -> str:
    findings = one["findings"]
    assert isinstance(findings, list)
    return "; ".join(f"{f['kind']} in {f['projection']}" for f in findings) or "local"


def changed(run: MemberRun) -> dict[str, str]:
    """Return the projections of each layout whose weights training has changed."""
    found: dict[str, str] = {}
    before, after = (read_tensors(run.folder / name) for name in (INITIAL, FINAL))
    for place, layout in _replicas(run):
        same = [name for name in before if np.array_equal(before[name][place], after[name][place], equal_nan=True)]
        moved = dict.fromkeys(name.partition(".")[0] for name in sorted(before) if name not in same)
        found[layout] = ", ".join(moved) or "nothing"
    return found


def asymmetry(run: MemberRun) -> dict[str, str]:
    """Return the greatest |A2 - A1^T| of each layout over seeds at the end; in words where both are one weight."""
    after = read_tensors(run.folder / FINAL)
    up, down = after["A1.weight"], after["A2.weight"]
    found: dict[str, list[float]] = {}
    for place, layout in _replicas(run):
        distance = np.abs(down[place] - up[place].T).max()
        found.setdefault(layout, []).append(float(distance))
    return {name: "0 (one weight)" if np.isnan(all_).any() else f"{max(all_):.3g}" for name, all_ in found.items()}


def _replicas(run: MemberRun) -> list[tuple[int, str]]:
    """Return the number and layout of each replica; seeds run fastest."""
    seeds = len(run.member.vary["seed"])
    return [(n * seeds + k, str(layout)) for n, layout in enumerate(run.member.vary["layout"]) for k in range(seeds)]
