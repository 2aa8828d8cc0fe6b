"""Sections of the report on results. Each function returns HTML, empty if there is nothing to show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from circuitsim.analysis.averages import COLUMN, MEANING
from circuitsim.analysis.reports.groups import Group, Results
from circuitsim.analysis.reports.images import Shape, reconstruction_figure
from circuitsim.analysis.reports.learning_curves import MOST_GROUPS, MOST_OTHERS, file_of, seconds_curve
from circuitsim.analysis.reports.page import (
    Image,
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

MOST_TEXT = 2000  # characters of one setting


def headline(results: Results, verdict: str) -> str:
    """State the result and the verdict on locality in one paragraph."""
    metric = results.ranked_by
    if metric is None or not results.groups:
        return paragraph(f"No metric of the data was measured. {verdict}", "lead")
    first, last = results.groups[0], int(results.epochs[-1])
    if not first.final("test", metric).n:
        return paragraph(f"No replica has a finite test {metric} at epoch {last}. {verdict}", "lead")
    several = len(results.groups) > 1
    claim = f"{first.label} has the lowest test {metric}," if several else f"the test {metric} is"
    text = f"After {plural(last, 'epoch')}, {claim} {_spread(first, metric)}"
    best, at = first.best("test", metric)
    if at >= 0 and results.epochs[at] != last:
        text += f" (minimum {number(best)} at epoch {results.epochs[at]})"
    named = MOST_GROUPS if len(results.groups) <= MOST_GROUPS else 3
    rest = [f"{g.label} ({_spread(g, metric)})" for g in results.groups[1:named]]
    if rest:
        more = len(results.groups) - 1 - len(rest)
        text += f". {'It is followed by' if more else 'The others:'} {', '.join(rest)}"
        text += f"; the table lists {plural(more, 'more group')}" if more else ""
    return paragraph(f"{text}. {_replicas(results)}{verdict}", "lead")


def _spread(group: Group, metric: str) -> str:
    """Final value of a group as mean ± SD, with the number of finite replicas if some are lost."""
    final = group.final("test", metric)
    spread = f" ± {two_digits(final.sd)}" if final.n > 1 else ""
    lost = "" if final.n == group.replicas else f", n = {final.n} of {group.replicas}"
    return f"{number(final.mean)}{spread}{lost}"


def _replicas(results: Results) -> str:
    """State the number of replicas behind each value."""
    counts = sorted({g.replicas for g in results.groups})
    if counts[-1] == 1:
        return "Each value is from one replica. " if len(results.groups) > 1 else ""
    many = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
    return f"Values are means ± SD of {many} replicas. "


def curves(results: Results, drawn: Mapping[str, Image]) -> str:
    """Learning curves of the metrics of the data, then of the circuit.

    Parameters
    ----------
    drawn : the panels, as `all_curves` names them.
    """
    if not results.measured:
        return ""
    parts = []
    for metric in results.data_metrics:
        panels = [drawn[name] for split in ("test", "train") if (name := file_of(metric, split)) in drawn]
        parts.append(side_by_side(*map(figure, panels)))
    if results.other_metrics:
        own = [drawn[name] for m in results.drawn_metrics if (name := file_of(m)) in drawn]
        parts += [heading("Metrics of the circuit"), side_by_side(*map(figure, own)) if own else ""]
        left = results.drawn_metrics[MOST_OTHERS:]
        parts += [paragraph(f"Not drawn, but in metrics.parquet: {', '.join(left)}.")] if left else []
        same = ", ".join(f"{name} {number(round(value, 4))}" for name, value in results.constants.items())
        parts += [paragraph(f"Constant but for rounding: {same}.")] if same else []
    caption = "Epoch 0 is before training."
    if any(g.replicas > 1 for g in results.groups):
        caption = (
            "Lines are means over the replicas of a group, which differ only in their seeds; bands span "
            f"the least to the greatest replica. {caption}"
        )
    if len(results.groups) > MOST_GROUPS:
        caption += (
            f" Only the best {MOST_GROUPS} of {len(results.groups)} groups by final test {results.ranked_by} are "
            "drawn; the table below lists all."
        )
    return section("Learning curves", *parts, paragraph(caption, "caption"))


def finals(results: Results) -> str:
    """Table of the final values of every group."""
    columns = [(s, m) for m in results.data_metrics for s in ("test", "train") if (s, m) in results.measured]
    columns += [("train", m) for m in results.other_metrics]
    if not columns:
        return ""
    header = ["group", "n"]
    for split, metric in columns:
        header += [f"{split} {metric}" if metric in results.data_metrics else metric, "SD", COLUMN]
    if results.ranked_by:
        header += [f"lowest test {results.ranked_by}", "at epoch"]
    rows = [_row(results, group, columns) for group in results.groups]
    caption = (
        f"Means at epoch {results.epochs[-1]} and sample standard deviations over replicas. {MEANING} "
        "The column n has the number of replicas with a finite value."
    )
    return section("Final values", table(header, rows, caption=caption, numbers=range(1, len(header))))


def _row(results: Results, group: Group, columns: list[tuple[str, str]]) -> list[str]:
    metric = results.ranked_by
    found = [group.final(*column) for column in columns]
    n = group.final("test", metric).n if metric else max(f.n for f in found)
    row = [group.label, str(n) if n == group.replicas else f"{n} of {group.replicas}"]
    for final in found:
        row += [number(final.mean), two_digits(final.sd), two_digits(final.half)]
    if metric:
        best, at = group.best("test", metric)
        row += [number(best), str(results.epochs[at]) if at >= 0 else "–"]
    return row


def samples(originals: np.ndarray, outputs: Mapping[str, np.ndarray], shape: Shape | None) -> str:
    """Reconstructions of a few examples."""
    if not len(originals) or not outputs:
        return ""
    caption = f"The first {len(originals)} test examples and their reconstructions by the first replica of each group."
    return section("Sample reconstructions", figure(reconstruction_figure(originals, outputs, shape), caption))


def seconds(results: Results) -> str:
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
    return section("Seconds per epoch", figure(drawn, caption))


def settings(config: Mapping[str, Any]) -> str:
    """Tables of every key with its value, those first that are varied or not the default, and of package versions."""
    varied: Mapping[str, Any] = config.get("vary") or {}
    defaults = defaults_of(config)
    changed: list[tuple[str, str, str]] = []
    rest: list[tuple[str, str, str]] = []
    for key, value in _flat({key: value for key, value in config.items() if key not in ("vary", "versions")}):
        own = key.split(".")[0]
        if own in varied:
            changed.append((key, _cut(", ".join(map(_spell, varied[own]))), "varied"))
        elif own in defaults and config[own] != defaults[own]:
            changed.append((key, _spell(value), f"default {_spell(defaults[own])}"))
        else:
            rest.append((key, _spell(value), ""))
    rows = [*changed, *rest]
    versions = [(name, _spell(value)) for name, value in dict(config.get("versions") or {}).items()]
    return section("Settings", table(("key", "value used", ""), rows) if rows else "") + section(
        "Versions", table(("package", "version"), versions) if versions else ""
    )


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
