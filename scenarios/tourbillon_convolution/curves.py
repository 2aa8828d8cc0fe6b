"""Learning curves of `tourbillon-convolution`: blocks and stacks (figure 8), fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.analysis.averages import summary
from circuitsim.analysis.reports.panels import draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.scenarios.figures import (
    BANDS,
    MEANS,
    SPLITS,
    SUMMARY,
    Curves,
    exhibit,
    fitted_panel,
    known_labels,
    mean_and_sd,
    numbers,
)
from circuitsim.scenarios.tourbillon_figures.series import Developed

SHORT = {"rec": "REC", "rbp": "FA", "fa": "FA", "bp": "BP", "top": "top alone", "rec-symmetric": "symmetric"}
INDEPENDENT: Mapping[str, Mapping[str, str]] = {
    "mnist": {"REC": ".00104–.00118", "BP": ".00097–.00111", "FA": ".00130–.00136", "top alone": ".00144–.00163"},
    "cifar10": {"REC": ".00255–.00274", "BP": ".00254–.00599", "FA": ".00306–.00365", "top alone": ".0082–.0123"},
}
"""Test errors of loops that share no code with the engine: 10,000 images, 5 epochs, batch 64, three seeds."""
WAYS = {
    "decoders": "decoders, encoder 1 slow",
    "learning": "decoders, learned top feedback",
    "equal": "decoders, equal rates",
    "frozen": "encoder 1 frozen",
    "winners": "winners only",
    "random": "fixed random",
    "bp": "true backpropagation",
}

NOISE = 1e-3  # degrees: smaller angles come from rounding


def by_rule(replica: Mapping[str, Any]) -> str:
    """Return the short name of a rule or of a classifier's feedback."""
    key = next(key for key in ("block_rule", "feedback", "rule") if key in replica)
    return SHORT[replica[key]]


def blocks(runs: Sequence[Developed], config: Mapping[str, Any]) -> list[Exhibit]:
    """Compare convolutional blocks by rule: the first row of figure 8."""
    series = [
        (f"{one.dataset}, {split}", f"{split} error per unit (mse)", _trained(one.curves("mse", by_rule, split)))
        for one in runs
        for split in SPLITS
    ]
    title = "Figure 8, first row: a convolutional circular autoencoder by rule"
    image = draw_panels([fitted_panel(*one) for one in series], known_labels(series), what=title)
    caption = (
        f"Kernels of side {config['kernel']}, {config['maps']} maps, tanh hinge, logistic image. Seeds see the same "
        "batches in the same order: what all of them do in one epoch may come from the last of its batches. Lines are "
        "means over seeds; bands reach from the least to the greatest seed."
    )
    rows = [
        (
            one.dataset,
            label,
            mean_and_sd(values[1]),
            *summary(values[-1]),
            INDEPENDENT.get(one.dataset, {}).get(label, "–"),
        )
        for one in runs
        for label, values in one.curves("mse", by_rule).items()
    ]
    columns = [
        "data",
        "rule",
        "after epoch 1",
        *SUMMARY,
        "independent loops, epoch 5",
    ]
    last = "Test error per unit after the last epoch. The last column is comparable with the standard level alone."
    table = exhibit("blocks-final", "Blocks by rule", last, columns, rows)
    return [Exhibit("figure-8-blocks", title, caption, numbers(series, "rule"), image), table]


def _trained(curves: Curves) -> Curves:
    """Return curves without the epoch before training."""
    return {k: np.where(np.arange(len(v))[:, None] > 0, v, np.nan) for k, v in curves.items()}


def stack(runs: Sequence[Developed], config: Mapping[str, Any]) -> list[Exhibit]:
    """Compare stacks below a top layer that learns alone, and circuits that learn from errors from the start."""
    series, rows = [], []
    for dataset in dict.fromkeys(one.dataset for one in runs):
        own = {one.name.removesuffix(f"-{dataset}"): one for one in runs if one.dataset == dataset}
        for split in SPLITS:
            curves = {f"stack by {k}": v for k, v in own["stack"].curves("error", by_rule, split).items()}
            curves |= {f"{k} from the start": v for k, v in own["start"].curves("error", by_rule, split).items()}
            accuracy = {k: 100 - v for k, v in curves.items()}
            series.append((f"{dataset}, {split}", f"{split} accuracy (%)", accuracy))
        labels = {"together": "stack by REC, asynchronous", "untrained": "untrained stack", "pixels": "pixels"}
        others = {label: own[name].curve("error") for name, label in labels.items()}
        ended = curves | others
        rows += [(dataset, label, *summary(values[-1])) for label, values in ended.items()]
    title = "Figure 8, second row: classes from a stack of two blocks"
    periods = next(one for one in runs if one.name.startswith("stack-")).periods
    image = draw_panels([fitted_panel(*one, periods=periods) for one in series], known_labels(series), what=title)
    stages = ", ".join(f"{name} to epoch {end}" for name, end in runs[0].ends().items())
    caption = f"Stacks grow in sequence, without labels: {stages}; a softmax learns above them. {BANDS}"
    columns = ["data", "circuit", *SUMMARY]
    last = (
        f"Test error (%). Blocks are frozen while the top layer learns for {config['top_epochs']} epochs; where the "
        "stack is asynchronous, both blocks and the top learn from the first epoch, for the same number each."
    )
    return [
        Exhibit("figure-8-stack", title, caption, numbers(series, "circuit"), image),
        exhibit("stack-final", "A frozen stack below a softmax", last, columns, rows),
    ]


def tuning(runs: Sequence[Developed], config: Mapping[str, Any]) -> list[Exhibit]:
    """Compare channels of fine-tuning, with the angle of their errors to backpropagation's at each hinge."""
    epochs, rows, curves = config["tuning_epochs"], [], Curves()
    for one in runs:
        label = WAYS[one.name.removeprefix("tuning-")]
        curves[label] = one.curve("error")[-epochs - 1 :]
        measures = [one.curve(f"{kind}/error{b}", "train") for b in (1, 2) for kind in ("angle", "norm_ratio")]
        measures = [np.where(np.abs(values) < NOISE, 0.0, values) for values in measures]
        begins = [mean_and_sd(values[-epochs - 1]) for values in measures]
        rates = ", ".join(f"{rate:g}" for rate in one.values["tuning_lr"])
        rows.append((label, rates, mean_and_sd(curves[label][0]), mean_and_sd(curves[label][-1]), *begins))
    series = [(runs[0].dataset, "test error (%)", curves)]
    title = "Fine-tuning through the decoders"
    image = draw_panels([fitted_panel(*series[0])], known_labels(series), what=title)
    caption = (
        "All from the same start. Errors come from the output through the transposed weights of the top layer, except "
        f"where its feedback is learned (the paper leaves this step open), then hinge by hinge. {BANDS}"
    )
    columns = ["channel", "rates", "error before (%)", "error after (%)"]
    columns += [f"{what} at hinge {b}" for b in (1, 2) for what in ("angle to BP (degrees)", "norm / BP's")]
    last = f"{MEANS.capitalize()}. Angles and norms are those where fine-tuning begins."
    return [
        Exhibit("tuning", title, caption, numbers(series, "channel", "epoch of tuning"), image),
        exhibit("tuning-final", f"{title}: errors and angles", last, columns, rows),
    ]
