"""Tables of `tourbillon-figures`: twins beside backpropagation (table 1), and how far fine-tuning is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from circuitsim.analysis.reports.panels import draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.scenarios.recirculation_figures.curves import BANDS, curves_panel
from circuitsim.scenarios.recirculation_figures.series import Curves, numbers, summary
from circuitsim.scenarios.tourbillon_figures.curves import SPLITS, later_panel
from circuitsim.scenarios.tourbillon_figures.series import Developed, with_mean

PAPERS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("unet", "BP"): ("0.0031 (5.8e-05)", "0.0031 (5.8e-05)"),
    ("unet", "twin"): ("0.0111 (1e-04)", "0.0113 (2e-04)"),
    ("dense", "BP"): ("1.04 (0.20)", "1.18 (0.20)"),
    ("dense", "twin"): ("5.21 (0.40)", "5.82 (0.40)"),
}
FIXED, LEARNING = "decoders", "decoders, learning"
OWN = "faster"
GROWN = {"bp": "backpropagation", "rbp": "random feedback"}
CHANNEL = {
    "decoders": FIXED, "bp": "BP", "random": "random", "none": "none",
}  # fmt: skip


def table_1(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Train and test error of twins, before fine-tuning and after, and of the same circuits by backpropagation."""
    import pandas as pd

    rows = []
    for one in runs:
        kind, metric = ("unet", "mse") if "unet" in one.name else ("dense", "error")
        sizes = "-".join(map(str, one.run.member.values["sizes"]))
        for label, epoch in _stages(one):
            curves = [_of_bp(one, metric, split)[epoch] for split in SPLITS]
            whose = "BP" if label == "BP" else "twin"
            theirs = PAPERS[kind, whose] if "," not in label else ("–", "–")
            rows.append((f"{sizes}, {_UNIT[kind]}", label, *map(with_mean, curves), *theirs))
    columns = ["circuit", "trained", "train", "test", "paper: train", "paper: test"]
    caption = (
        "Mean (standard deviation) over seeds. Output block: whether the layer of the output, too, is a circular "
        "autoencoder beside learning from its error, as Algorithm 1 has it. The paper does not say how many epochs."
    )
    return [Exhibit("table-1", "Table 1: twins beside backpropagation", caption, pd.DataFrame(rows, columns=columns))]


_UNIT = {"unet": "mse per unit", "dense": "error (%)"}


def _stages(one: Developed) -> list[tuple[str, int]]:
    """What a row is called, and the epoch that it is of."""
    if one.run.member.scenario != "twin":
        return [("BP", -1)]
    label = "twin, output block" if one.run.member.values.get("output_block") else "twin"
    before = max((end for name, end in one.ends().items() if name != "fine-tuning"), default=0)
    return [(f"{label}, before fine-tuning", before), (label.replace(",", " with"), -1)]


def _of_bp(one: Developed, metric: str, split: str) -> np.ndarray:
    """(epochs + 1, seeds), of backpropagation alone where the run has other rules too."""
    return one.curves(metric, lambda r: str(r.get("feedback", "bp")), split)["bp"]


def tuning(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Test error against epochs of fine-tuning, from the same start, by channel; then the starts."""
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
    labels = list(dict.fromkeys(label for *_, curves in series for label in curves))
    both = (panel(*one) for panel, one in zip((curves_panel, later_panel), series, strict=True))
    panels = [replace(panel, xlabel="epoch of fine-tuning") for panel in both]
    image = draw_panels(panels, labels, what="Test error against epochs of fine-tuning")
    caption = (
        "Left: from the same start, to the bit; BP by transposed weights, none with the top alone. Faster: the first "
        "encoder has a rate of its own, since decoders have larger weights. Right: without a trained top; without "
        f"anything trained. {BANDS}"
    )
    table = numbers(series, "channel", "epoch of tuning")
    return [
        Exhibit("tuning", "How far fine-tuning is needed", caption, table, image),
        _starts(whole, blocks),
        _ends(series),
    ]


def _tuned(one: Developed) -> np.ndarray:
    """Test error from the start of fine-tuning on, (epochs + 1, seeds)."""
    epochs = one.run.member.values["tuning_epochs"]
    return one.curve("error")[-epochs - 1 :]


def _by_channel(one: Developed) -> Curves:
    epochs = one.run.member.values["tuning_epochs"]
    same = one.run.member.vary.get("tuning_lr", [None])[0]

    def label(replica: Mapping[str, Any]) -> str:
        other = "" if replica.get("tuning_lr", same) == same or replica["channel"] == "none" else f", {OWN}"
        return CHANNEL[replica["channel"]] + other

    found = one.curves("error", label)
    seeds = len(one.run.member.vary["seed"])  # without a channel all rates do the same
    return {label: values[-epochs - 1 :, :seeds] for label, values in found.items()}


def _starts(whole: Developed, blocks: Developed) -> Exhibit:
    """The top alone trained, above blocks that grew by different rules."""
    import pandas as pd

    grown = whole.ends()["top"]
    found = {"recirculation": (whole.curve("error")[grown], whole.curve("mse/2")[grown])}
    errors, images = (blocks.curves(m, lambda r: GROWN[r["block_rule"]]) for m in ("error", "mse/2"))
    found |= {label: (errors[label][-1], images[label][-1]) for label in errors}
    rows = [(label, *summary(error)[:2], *summary(image)[:2]) for label, (error, image) in found.items()]
    columns = ["blocks grew by", "test error (%)", "SD", "mse of block 2", "SD of mse"]
    caption = "The top layer alone trained with labels, above blocks that have grown without any."
    return Exhibit("starts", "Before fine-tuning", caption, pd.DataFrame(rows, columns=columns))


def _ends(series: Sequence[tuple[str, str, Curves]]) -> Exhibit:
    """What is gained in one epoch and in all."""
    import pandas as pd

    curves = {label: values for *_, found in series for label, values in found.items()}
    rows = [
        (label, *(with_mean(values[k]) for k in (0, min(1, len(values) - 1), -1)), float(values[-1].max()))
        for label, values in curves.items()
    ]
    columns = ["channel", "before", "after one epoch", "at the end", "worst seed at the end"]
    return Exhibit("tuning-final", "What fine-tuning brings", "Test error, %: mean (SD) over seeds.",
                   pd.DataFrame(rows, columns=columns))  # fmt: skip
