"""Maps of `recirculation-figures`: mixtures of activities, two coefficients, pairs of cycles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.analysis.reports.maps import Map, draw_maps
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.scenarios.figures import UNITS, Measured, last_numbers, mean

METRIC = "bce"
E, M = "emits", "remembers"
RATES = {
    True: "Rates are divided by the factor by which mixing reduces the post terms, to first order.",
    False: "Rates are the same in every cell, so that mixing also slows learning.",
}


def mixing(measured: Sequence[Measured], config: Mapping[str, Any]) -> list[Exhibit]:
    """Map the coefficients of layer 0, then those of the hidden layers with layer 0 as in PR, CCR and RCC."""
    grid, lam = config["mixing"], config["lam"]
    k = grid.index(lam)
    named: dict[str, dict[tuple[int, int], str]] = {
        "layer-0": {(0, 0): "PR", (k, k): "RCC"},
        "pr": {(0, 0): "PR"},
        "ccr": {(k, 0): "CCR"},
        "rcc": {(0, 0): "RCC", (k, 0): "CCRCC", (k, k): "RWCC"},
    }
    titles = {
        "layer-0": "layer 0, hidden layers plain",
        "pr": "hidden, layer 0 plain",
        "ccr": f"hidden, layer 0 remembers {lam:g}",
        "rcc": f"hidden, layer 0 both {lam:g}",
    }
    maps, series = [], []
    for one in measured:
        name = one.name.removeprefix("mixing-")
        place = 0 if name == "layer-0" else 1
        curves = one.curves(METRIC, lambda r, place=place: f"{E} {r[E][place]:g}, {M} {r[M][place]:g}")  # type: ignore[misc]
        series.append((titles[name], METRIC, curves))
        means = _grid(one, lambda r, place=place: (r[M][place], r[E][place]), grid, grid)
        maps.append(Map(titles[name], E, M, _spelt(grid), _spelt(grid), means, named[name] if lam else {}))
    return [_exhibit("mixing", "Variants as a continuum", _five(lam), maps, series, config["compensate"])]


def _five(lam: float) -> str:
    return (
        "Layers emit e O(0) + (1 − e) O(1) and remember m O(0) + (1 − m) O(1). Cells with a name are the paper's "
        f"variants at λ = {lam:g}; a name in two maps is one circuit."
    )


def lambdas(measured: Sequence[Measured], config: Mapping[str, Any]) -> list[Exhibit]:
    """Map CCRCC and RWCC with two coefficients."""
    grid = config["mixing"]
    maps, series = [], []
    for one in measured:
        for variant in one.run.member.vary["variant"]:
            means = _grid(one, lambda r: (r["lam"][1], r["lam"][0]), grid, grid, {"variant": variant})
            name = variant.upper()
            maps.append(Map(name, "λ₁, emitted", "λ₂, remembered", _spelt(grid), _spelt(grid), means))
        curves = one.curves(METRIC, lambda r: f"{r['variant'].upper()} {r['lam'][0]:g}, {r['lam'][1]:g}")
        series.append(("two lambdas", METRIC, curves))
    caption = "λ₁ holds for what is emitted and what layer 0 remembers, λ₂ for what hidden layers remember."
    return [_exhibit("lambdas", "Two different λ", caption, maps, series, config["compensate"])]


def cycle_pairs(measured: Sequence[Measured], config: Mapping[str, Any]) -> list[Exhibit]:
    """Map the errors of comparing cycle n with cycle m."""
    last = config["cycles"]
    means, series = np.full((last, last), np.nan), []
    for one in measured:
        n = one.values["reference_cycle"]
        curves = one.curves(METRIC, lambda r, n=n: f"n = {n}, m = {r['cycles']}")  # type: ignore[misc]
        series.append((f"n = {n}", METRIC, curves))
        for m, values in zip(one.run.member.vary["cycles"], curves.values(), strict=True):
            means[n, m - 1] = mean(values[-1])
    rows, columns = [str(n) for n in range(last)], [str(m) for m in range(1, last + 1)]
    maps = [Map("cycle n with cycle m", "m", "n", rows, columns, means, {(0, 0): "PR"})]
    caption = (
        "Hidden layers learn by (O(n) − O(m)) times presynaptic O(n); the top by (O(0) − O(1)) and presynaptic O(n)."
    )
    return [_exhibit("cycle-pairs", "Any pair of cycles", caption, maps, series, None)]


def _grid(one: Measured, place: Any, rows: list[float], columns: list[float], only: Any = None) -> np.ndarray:
    """Return means over seeds at the end, (row, column); `place` gives a replica's row and column."""
    found = np.full((len(rows), len(columns)), np.nan)
    kept = only or {}
    curves = one.curves(METRIC, lambda r: repr((place(r), [r[key] for key in kept])))
    for replica in one.replicas:
        if all(replica[key] == value for key, value in kept.items()):
            row, column = place(replica)
            label = repr(((row, column), [replica[key] for key in kept]))
            found[rows.index(row), columns.index(column)] = mean(curves[label][-1])
    return found


def _spelt(grid: list[float]) -> list[str]:
    return [f"{value:g}" for value in grid]


def _exhibit(
    name: str, title: str, caption: str, maps: Sequence[Map], series: Any, compensated: bool | None
) -> Exhibit:
    rates = "" if compensated is None else f" {RATES[compensated]}"
    whole = f"{caption}{rates} Cells are means over seeds after the last epoch; a dash is a circuit that diverged."
    return Exhibit(name, title, whole, last_numbers(series, "circuit"), draw_maps(maps, UNITS[METRIC]))
