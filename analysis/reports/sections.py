"""Sections of the report on results. Each function returns HTML, empty if there is nothing to show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.analysis.reports.figure_files import FigureFiles
from circuitsim.analysis.reports.groups import Group, Results
from circuitsim.analysis.reports.images import Shape, reconstruction_figure, reconstruction_numbers
from circuitsim.analysis.reports.learning_curves import (
    MOST_GROUPS,
    MOST_OTHERS,
    constant,
    curve_numbers,
    learning_curves,
    other_curves,
    seconds_curve,
    seconds_numbers,
    without_noise,
)
from circuitsim.analysis.reports.page import (
    Image,
    details,
    figure,
    heading,
    number,
    paragraph,
    plural,
    section,
    side_by_side,
    table,
    two_digits,
)
from circuitsim.runs.lookup import defaults_of
from circuitsim.runs.periods import Period, periods_until

MOST_TEXT = 2000  # characters of one setting
MOST_COLUMNS = 6  # of the table of final values before it is turned
NOT_SETTINGS = ("vary", "versions", "given", "members")  # of config.json


def headline(results: Results, verdict: str) -> str:
    """State the result and the verdict on locality in one paragraph."""
    metric = results.ranked_by
    if metric is None or not results.groups:
        return paragraph(f"No metric of the data was measured. {verdict}", "lead")
    first, last = results.groups[0], int(results.epochs[-1])
    if not first.final("test", metric).n:
        return paragraph(f"No replica has a finite test {metric} at epoch {last}. {verdict}", "lead")
    least = first.final("test", metric).mean
    best = [g for g in results.groups if g.final("test", metric).mean == least]
    named = ", ".join(g.label for g in best[:MOST_GROUPS])
    claim = f"{named} {'have' if len(best) > 1 else 'has'} the lowest test {metric},"
    text = f"After {plural(last, 'epoch')}, {claim if len(results.groups) > 1 else f'the test {metric} is'} "
    text += _spread(first, metric)
    lowest, at = first.best("test", metric)
    if at >= 0 and results.epochs[at] != last and len(best) == 1:
        text += f" (minimum {number(lowest)} at epoch {results.epochs[at]})"
    shown = results.groups[len(best) : MOST_GROUPS if len(results.groups) <= MOST_GROUPS else 3]
    rest = [f"{g.label} ({_spread(g, metric)})" for g in shown]
    if rest:
        more = len(results.groups) - len(best) - len(rest)
        text += f". {'It is followed by' if more else 'The others:'} {', '.join(rest)}"
        text += f"; the table lists {plural(more, 'more group')}" if more else ""
    return paragraph(f"{text}. {_replicas(results)}{verdict}", "lead")


def _spread(group: Group, metric: str) -> str:
    """Final value of a group as mean ± SD, with the number of finite replicas if some are lost."""
    final = group.final("test", metric)
    sd = f" ± {two_digits(final.sd)}" if final.n > 1 else ""
    lost = "" if final.n == group.replicas else f", n = {final.n} of {group.replicas}"
    return f"{number(final.mean)}{sd}{lost}"


def _replicas(results: Results) -> str:
    """State the number of replicas behind each value."""
    counts = sorted({g.replicas for g in results.groups})
    if counts[-1] == 1:
        return "Each value is from one replica. " if len(results.groups) > 1 else ""
    many = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
    return f"Values are means ± SD of {many} replicas. "


def curves(results: Results, periods: Sequence[Period], files: FigureFiles) -> str:
    """Learning curves of the metrics of the data, then of the circuit."""
    if not results.measured:
        return ""
    parts = []
    marked = periods_until(periods, int(results.epochs[-1]))
    alone: dict[tuple[str, str], Image] = {}
    for metric in results.data_metrics:
        both = {(split, metric): image for split, image in learning_curves(results, metric, marked).items()}
        if len(both) > 1:
            parts.append(_kept(results, both, files))
        else:
            alone |= both
    if alone:
        parts.append(_kept(results, alone, files))
    fixed = {metric: constant(results, metric) for metric in results.other_metrics}
    moving = [metric for metric, value in fixed.items() if value is None]
    if moving:
        drawn = other_curves(results, moving[:MOST_OTHERS], marked)
        shown = {("train", metric): image for metric, image in drawn.items()}
        parts += [heading("Metrics of the circuit"), _kept(results, shown, files)]
    parts += _undrawn(fixed, moving[MOST_OTHERS:])
    if len(periods) > 1:
        parts.append(paragraph(f"Periods: {', '.join(map(str, periods))}.", "caption"))
    return section("Learning curves", *parts, paragraph(_averaged(results), "caption"))


def _kept(results: Results, drawn: Mapping[tuple[str, str], Image], files: FigureFiles) -> str:
    """Keep panels and their numbers as files, and show them side by side."""
    for (split, metric), image in drawn.items():
        files.keep(f"{split}-{metric}", image, curve_numbers(results, split, metric))
    return side_by_side(*map(figure, drawn.values()))


def _undrawn(fixed: Mapping[str, float | None], left: Sequence[str]) -> list[str]:
    """State the metrics of the circuit that are not drawn."""
    same = [f"{metric} {number(value)}" for metric, value in fixed.items() if value is not None]
    parts = [paragraph(f"The same in all epochs, but for rounding, and not drawn: {', '.join(same)}.")] if same else []
    return parts + ([paragraph(f"Not drawn, but in metrics.parquet: {', '.join(left)}.")] if left else [])


def _averaged(results: Results) -> str:
    """State what lines and bands show."""
    caption = "Epoch 0 is before training."
    if any(g.replicas > 1 for g in results.groups):
        counts = sorted({g.replicas for g in results.groups})
        caption = (
            f"Lines are arithmetic means over the {' or '.join(map(str, counts))} replicas of a group, which differ "
            f"only in their seeds; bands span the least to the greatest replica. {caption}"
        )
    if len(results.groups) > MOST_GROUPS:
        caption += (
            f" Only the best {MOST_GROUPS} of {len(results.groups)} groups by final test {results.ranked_by} are "
            "drawn; the table below lists all."
        )
    return caption


def finals(results: Results) -> str:
    """Table of the final values of every group, the shorter way across."""
    columns = [(s, m) for m in results.data_metrics for s in ("test", "train") if (s, m) in results.measured]
    columns += [("train", m) for m in results.other_metrics]
    if not columns:
        return ""
    header = ["group", "replicas", *(f"{s} {m}" if m in results.data_metrics else m for s, m in columns)]
    if results.ranked_by:
        header += [f"lowest test {results.ranked_by}", "at epoch"]
    rows = [_row(results, group, columns) for group in results.groups]
    if len(rows) + 1 < len(header) and len(header) > MOST_COLUMNS:
        header, *rows = (list(one) for one in zip(header, *rows, strict=True))
        header[0] = ""
    caption = f"Means at epoch {results.epochs[-1]}."
    if any(g.replicas > 1 for g in results.groups):
        caption = (
            f"Arithmetic means over replicas at epoch {results.epochs[-1]} ± half of the 95 % confidence interval "
            "(Student's t), and in brackets the sample standard deviation. Lowest: of the curve of means."
        )
    return section("Final values", table(header, rows, caption=caption, numbers=range(1, len(header))))


def _row(results: Results, group: Group, columns: list[tuple[str, str]]) -> list[str]:
    metric = results.ranked_by
    found = [group.final(*column) for column in columns]
    n = group.final("test", metric).n if metric else max(f.n for f in found)
    row = [group.label, str(n) if n == group.replicas else f"{n} of {group.replicas}"]
    for (_, name), final in zip(columns, found, strict=True):
        more = f" ± {two_digits(final.half)} ({two_digits(final.sd)})" if final.n > 1 else ""
        row.append(number(without_noise(name, final.mean)) + more)
    if metric:
        best, at = group.best("test", metric)
        row += [number(best), str(results.epochs[at]) if at >= 0 else "–"]
    return row


def samples(originals: np.ndarray, outputs: Mapping[str, np.ndarray], shape: Shape | None, files: FigureFiles) -> str:
    """Reconstructions of a few examples."""
    if not len(originals) or not outputs:
        return ""
    caption = f"The first {len(originals)} test examples and their reconstructions by the first replica of each group."
    image = reconstruction_figure(originals, outputs, shape)
    files.keep("reconstructions", image, reconstruction_numbers(originals, outputs))
    return section("Sample reconstructions", figure(image, caption))


def seconds(results: Results, files: FigureFiles) -> str:
    """Training time of each epoch."""
    drawn = seconds_curve(results)
    if drawn is None:
        return ""
    known = results.seconds[np.isfinite(results.seconds)]
    replicas = plural(sum(g.replicas for g in results.groups), "replica")
    caption = (
        f"Training time of each epoch for the whole run ({replicas}): median {number(float(np.median(known)))} s, "
        f"total {number(float(known.sum()))} s."
    )
    files.keep("seconds", drawn, seconds_numbers(results))
    return section("Seconds per epoch", figure(drawn, caption))


def settings(config: Mapping[str, Any]) -> str:
    """Tables of the keys that were varied or set, of all others, and of package versions."""
    varied: Mapping[str, Any] = config.get("vary") or {}
    given = tuple(dict(config.get("given") or {}).get("keys", ()))
    defaults = defaults_of(config)
    changed, others = [], []
    for key, value in _flat({key: value for key, value in config.items() if key not in NOT_SETTINGS}):
        own = key.split(".")[0]
        if key in varied:
            changed.append((key, _cut(", ".join(map(_spell, varied[key]))), "varied"))
        elif own in given:
            usual = f"set; default {_spell(defaults[own])}" if own in defaults else "set"
            changed.append((key, _spell(value), usual))
        else:
            others.append((key, _spell(value)))
    changed.sort(key=lambda row: row[2] != "varied")
    versions = [(name, _spell(value)) for name, value in dict(config.get("versions") or {}).items()]
    rest = table(("key", "value used"), others) if others else ""
    return section(
        "Settings",
        table(("key", "value used", ""), changed, caption="Changed for this run.") if changed else "",
        details(f"{'All other' if changed else 'All'} settings: {len(others)}", rest, opened=not changed),
    ) + section("Versions", details("Packages", table(("package", "version"), versions)) if versions else "")


def _flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in config.items():
        nested = isinstance(value, Mapping) and value
        found += _flat(value, f"{prefix}{key}.") if nested else [(f"{prefix}{key}", value)]
    return found


def _spell(value: Any) -> str:
    """Write a value on one line; shorten a long list to its distinct values, and very long text."""
    if isinstance(value, (list, tuple)) and len(value) > 8:
        distinct = list(dict.fromkeys(_spell(one) for one in value))
        if len(distinct) < len(value):
            return _cut(f"{', '.join(distinct)} (of {len(value)} replicas)")
    if value is None:
        return "none"
    return _cut(value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]} … ({len(text)} characters)"
