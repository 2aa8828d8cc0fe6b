"""Tables of `tourbillon-figures`: twins beside backpropagation (Table 1), and the gain of fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from circuitsim.analysis.averages import COLUMN, MEANING, summary
from circuitsim.analysis.reports.panels import draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.scenarios.figures import (
    BANDS,
    MEANS,
    SPLITS,
    Curves,
    Series,
    exhibit,
    falling_panel,
    known_labels,
    mean_and_sd,
    numbers,
)
from circuitsim.scenarios.tourbillon_figures.curves import later_panel
from circuitsim.scenarios.tourbillon_figures.series import Developed

PAPERS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("unet", "BP"): ("0.0031 (5.8e-05)", "0.0031 (5.8e-05)"),
    ("unet", "twin"): ("0.0111 (1e-04)", "0.0113 (2e-04)"),
    ("dense", "BP"): ("1.04 (0.20)", "1.18 (0.20)"),
    ("dense", "twin"): ("5.21 (0.40)", "5.82 (0.40)"),
}
FIXED, LEARNING = "decoders", "decoders, learning"
FASTER = "faster"
GROWN = {"bp": "backpropagation", "rbp": "random feedback"}
CHANNEL = {"decoders": FIXED, "bp": "BP", "random": "random", "none": "none"}


def table_1(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Compare errors of twins, before and after fine-tuning, with the same circuits by backpropagation."""
    rows = []
    for one in runs:
        kind, metric = ("unet", "mse") if "unet" in one.name else ("dense", "error")
        for label, epoch in _stages(one):
            curves = [_of_bp(one, metric, split)[epoch] for split in SPLITS]
            paper = PAPERS[kind, "BP" if label == "BP" else "twin"] if "," not in label else ("–", "–")
            rows.append((f"{one.circuit}, {_UNIT[kind]}", label, *map(mean_and_sd, curves), *paper))
    columns = ["circuit", "trained", "train", "test", "paper: train", "paper: test"]
    caption = (
        f"{MEANS.capitalize()}. With output block: the output layer, too, is a circular autoencoder "
        "besides learning from its error, as in Algorithm 1. The paper does not give the number of epochs."
    )
    return [exhibit("table-1", "Table 1: twins beside backpropagation", caption, columns, rows)]


_UNIT = {"unet": "mse per unit", "dense": "error (%)"}


def _stages(one: Developed) -> list[tuple[str, int]]:
    """Return the label and the epoch of each row."""
    if one.run.member.scenario != "twin":
        return [("BP", -1)]
    label = "twin, output block" if one.values.get("output_block") else "twin"
    before = max((end for name, end in one.ends().items() if name != "fine-tuning"), default=0)
    return [(f"{label}, before fine-tuning", before), (label.replace(",", " with"), -1)]


def _of_bp(one: Developed, metric: str, split: str) -> np.ndarray:
    """Return the curve, (epochs + 1, seeds), of backpropagation where the run has other rules too."""
    return one.curves(metric, lambda r: str(r.get("feedback", "bp")), split)["bp"]


def tuning(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Compare test errors against epochs of fine-tuning by channel; then the starts."""
    whole, learning, others, fresh, ungrown, blocks = runs
    trained = {FIXED: _tuned(whole), LEARNING: _tuned(learning)} | _by_channel(others)
    from_fresh = {f"{label}, new top": v for label, v in _by_channel(fresh).items()}
    from_nothing = {f"{label}, all new": v for label, v in _by_channel(ungrown).items()}
    start = f"{whole.dataset}, blocks and top have grown"
    series = [
        (start, "test error (%)", trained),
        (
            f"{whole.dataset}, some untrained",
            "test error (%)",
            {FIXED: _tuned(whole)} | from_fresh | from_nothing,
        ),
    ]
    both = (panel(*one) for panel, one in zip((falling_panel, later_panel), series, strict=True))
    panels = [replace(panel, xlabel="epoch of fine-tuning") for panel in both]
    image = draw_panels(panels, known_labels(series), what="Test error against epochs of fine-tuning")
    caption = (
        "Left: all from the same start, to the bit. BP has transposed weights; with none the top learns alone. Faster: "
        "the first encoder has a greater rate, since decoders have larger weights. Right: the top, or everything, is "
        f"untrained at the start. {BANDS}"
    )
    table = numbers(series, "channel", "epoch of tuning")
    return [
        Exhibit("tuning", "Fine-tuning by channel", caption, table, image),
        _starts(whole, blocks),
        _ends(series),
    ]


def _tuned(one: Developed) -> np.ndarray:
    """Return the test error from the start of fine-tuning on, (epochs + 1, seeds)."""
    epochs = one.values["tuning_epochs"]
    return one.curve("error")[-epochs - 1 :]


def _by_channel(one: Developed) -> Curves:
    epochs = one.values["tuning_epochs"]
    same = one.run.member.vary.get("tuning_lr", [None])[0]

    def label(replica: Mapping[str, Any]) -> str:
        other = "" if replica.get("tuning_lr", same) == same or replica["channel"] == "none" else f", {FASTER}"
        return CHANNEL[replica["channel"]] + other

    found = one.curves("error", label)
    seeds = len(one.run.member.vary["seed"])  # without a channel all rates do the same
    return {label: values[-epochs - 1 :, :seeds] for label, values in found.items()}


def _starts(whole: Developed, blocks: Developed) -> Exhibit:
    """Compare tops trained alone, above blocks that grew by different rules."""
    grown = whole.ends()["top"]
    found = {"recirculation": (whole.curve("error")[grown], whole.curve("mse/2")[grown])}
    errors, images = (blocks.curves(m, lambda r: GROWN[r["block_rule"]]) for m in ("error", "mse/2"))
    found |= {label: (errors[label][-1], images[label][-1]) for label in errors}
    rows = [(label, *summary(error)[:3], *summary(image)[:3]) for label, (error, image) in found.items()]
    columns = ["blocks grew by", "test error (%)", "SD", COLUMN, "mse of block 2", "SD of mse", f"{COLUMN} of mse"]
    caption = f"The top layer alone trained with labels, above blocks that have grown without any. {MEANING}"
    return exhibit("starts", "Before fine-tuning", caption, columns, rows)


def _ends(series: Series) -> Exhibit:
    """Return the test errors before, after one epoch and at the end of fine-tuning."""
    curves = {label: values for *_, found in series for label, values in found.items()}
    rows = [
        (label, *(mean_and_sd(values[k]) for k in (0, min(1, len(values) - 1), -1)), float(values[-1].max()))
        for label, values in curves.items()
    ]
    columns = ["channel", "before", "after one epoch", "at the end", "worst seed at the end"]
    return exhibit("tuning-final", "Gain of fine-tuning", f"Test error, %: {MEANS}.", columns, rows)
