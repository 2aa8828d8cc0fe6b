"""Learning curves of `tourbillon-figures`: single blocks (figures 3, 5), whole circuits (figure 4), nested loops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.analysis.averages import COLUMN, MEANING, summary
from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.scenarios.figures import (
    BANDS,
    SPLITS,
    SUMMARY,
    Curves,
    Series,
    ends,
    epoch_panel,
    exhibit,
    falling_panel,
    fitted_panel,
    known_labels,
    mean,
    numbers,
)
from circuitsim.scenarios.tourbillon_figures.series import LABELS, Developed, by_rule

SPREAD = "variance of images / of inputs"
INNER = "test error of the inner loop (mse)"
UNITS = "{} error per unit (mse)"
PAPER, OURS = "paper's rates", "our rates"
REC, SYMMETRIC = LABELS["rec"], LABELS["rec-symmetric"]


def datasets(runs: Sequence[Developed]) -> list[str]:
    """Return the data sets of runs, each once."""
    return list(dict.fromkeys(one.dataset for one in runs))


def named(runs: Sequence[Developed], dataset: str, end: str) -> Developed:
    """Return the run on a data set whose name ends so."""
    return next(one for one in runs if one.dataset == dataset and one.name.endswith(f"-{end}"))


def learning(name: str, title: str, series: Series, caption: str) -> list[Exhibit]:
    """Return a panel of curves for each title and quantity, then the ends as a table."""
    panels = [(fitted_panel if one[1] in (SPREAD, INNER) else falling_panel)(*one) for one in series]
    image = draw_panels(panels, known_labels(series), what=f"{title}, against the epoch")
    drawn = Exhibit(name, title, f"{caption} {BANDS}", numbers(series, "label"), image)
    return [drawn, ends(name, title, series)]


def later_panel(title: str, ylabel: str, curves: Curves) -> Panel:
    """Return a panel without the epoch before training, with a logarithmic axis that fits the rest."""
    shown = {label: np.where(np.arange(len(v))[:, None] > 0, v, np.nan) for label, v in curves.items()}
    return fitted_panel(title, ylabel, shown)


def figure_3(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Compare blocks that learn by recirculation, random feedback and backpropagation."""
    series = []
    for dataset in datasets(runs):
        for split in SPLITS:
            curves = {
                f"REC, {rates}": named(runs, dataset, end).curves("mse/1", by_rule, split)[REC]
                for end, rates in (("paper", PAPER), ("ours", OURS))
            }
            others = named(runs, dataset, "others").curves("mse/1", lambda r: _SHORT[r["block_rule"]], split)
            series.append((f"{dataset}, {split}", UNITS.format(split), curves | others))
    title = "Figure 3: a circular autoencoder by recirculation, feedback alignment, backpropagation"
    return learning("figure-3", title, series, "One block with a tanh hinge and a logistic image.")


_SHORT = {"rbp": "FA", "bp": "BP", "fa": "FA"}


def figure_4(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Compare the accuracy of a Tourbillon with circuits that learn from errors from the start, for as many epochs."""
    panels, series, rows = [], [], []
    for dataset in datasets(runs):
        grown, others = (named(runs, dataset, end) for end in ("tourbillon", "others"))
        stages = grown.ends()
        for split in SPLITS:
            curves = {"Tourbillon": 100 - grown.curve("error", split)}
            curves |= {k: 100 - v for k, v in others.curves("error", lambda r: _SHORT[r["feedback"]], split).items()}
            panels.append(_accuracy(f"{dataset}, {split}", split, curves, grown))
            series.append((f"{dataset}, {split}", "accuracy (%)", curves))
            before = stages.get("top")
            if before is not None and "fine-tuning" in stages:
                rows.append((dataset, split, "Tourbillon, before fine-tuning", *summary(curves["Tourbillon"][before])))
            rows += [(dataset, split, label, *summary(values[-1])) for label, values in curves.items()]
    title = "Figure 4: accuracy of a Tourbillon, feedback alignment and backpropagation"
    image = draw_panels(panels, known_labels(series), what=title)
    until = ", ".join(f"{name} to epoch {end}" for name, end in stages.items())
    caption = (
        f"A Tourbillon grows in sequence: {until}, as marked. Its blocks need no labels. Below the axis it is "
        "untrained."
    )
    columns = ["data", "split", "circuit", "accuracy (%)", *SUMMARY[1:]]
    last = f"After the last epoch, and where fine-tuning begins. {MEANING}"
    return [
        Exhibit("figure-4", title, f"{caption} {BANDS}", numbers(series, "label"), image),
        exhibit("figure-4-final", f"{title}: at the end", last, columns, rows),
    ]


def _accuracy(title: str, split: str, curves: Curves, grown: Developed) -> Panel:
    """Return a panel whose axis begins below what has been trained for at least one epoch."""
    grows = grown.ends().get("block 2", 0)
    trained = [values[grows + 1 if label == "Tourbillon" else 1 :] for label, values in curves.items()]
    low = min(float(np.nanmin(values)) for values in trained)
    high = max(float(np.nanmax(values)) for values in trained)
    margin = 0.05 * (high - low)
    limits = (low - margin, high + margin)
    return epoch_panel(title, f"{split} accuracy (%)", curves, limits=limits, periods=grown.periods)


def figure_5(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Compare the two rules: the error, and the variance of the reconstructions over inputs."""
    series = []
    for dataset in datasets(runs):
        for end, rates in (("paper", PAPER), ("ours", OURS)):
            one = named(runs, dataset, end)
            for metric, ylabel in (("mse/1", UNITS.format("test")), ("spread/1", SPREAD)):
                series.append((f"{dataset}, {rates}", ylabel, one.curves(metric, by_rule)))
    title = "Figure 5: recirculation against the symmetric rule"
    caption = (
        "Left the error, right the variance of the reconstructions over inputs as a share of the inputs' own: 0 where "
        f"every input gives the same image. {WHY}"
    )
    return [*learning("figure-5", title, series, caption), _norms(runs)]


WHY = (
    "Why the symmetric rule collapses: with O(0) - O(1) = f'(S) E (u - r) to first order, it changes the encoder by "
    "-f'(S) E (u - r)(u - r)^T, which lowers |O(0) - O(1)|^2 for given u - r. It removes from the encoder those "
    "directions in which the decoder does not yet reconstruct; no row of E ever grows, and E = 0 is a minimum. Where "
    "this is faster than the decoder learns, the hinge loses the input, and the mean is the best image."
)


def _norms(runs: Sequence[Developed]) -> Exhibit:
    """Return the error, the variance and the growth of the encoder by rule."""
    rows = []
    for one in runs:
        start, end = (_lengths(one.tensors(initial=initial)["E1.weight"]) for initial in (True, False))
        rules = np.array([by_rule(replica) for replica in one.replicas])
        rates = PAPER if one.name.endswith("paper") else OURS
        errors = one.curves("mse/1", by_rule)
        for label, values in one.curves("spread/1", by_rule).items():
            norm = summary((end / start)[rules == label])[:3]
            rises = float((np.diff(errors[label], axis=0) > 0).sum(axis=0).mean())
            rows.append((one.dataset, rates, label, mean(errors[label][-1]), mean(values[-1]), *norm, rises))
    columns = ["data", "rates", "rule", "mse", SPREAD, "norm of E / at start", "SD", COLUMN, "rises"]
    caption = "At the end. The last column has the number of epochs in which the error rose, a mean over seeds."
    return exhibit("collapse", "The symmetric rule collapses, in numbers", caption, columns, rows)


def _lengths(weights: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(np.square(weights.astype(np.float64)).sum(axis=(1, 2))))


def nest(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Compare nested loops with a plain autoencoder of the same layers."""
    loops, first, plain = runs
    outer, inner = (
        loops.curves(metric, lambda r: f"nest, {NEST[r['learns']]}") | {"nest, inner loops first": first.curve(metric)}
        for metric in ("mse", "mse/1")
    )
    curves = outer | plain.curves("mse", _plain)
    series = [
        (f"{plain.dataset}, {plain.circuit}", UNITS.format("test"), curves),
        ("inner loops", INNER, inner),
    ]
    caption = (
        "The hidden layer is a circular autoencoder itself, which turns twice while the outer loop turns once. Tuned: "
        "its synapses learn from the outer loop too. Biases start at zero, or, for the output where so marked, at the "
        "mean of the data. The paper leaves the training open (sections 5.2, 7)."
    )
    return learning("nest", "A Tourbillon of Tourbillons", series, caption)


def _plain(replica: Mapping[str, Any]) -> str:
    return f"autoencoder, {replica['rule'].upper()}{_BIAS[replica['output_bias']]}"


_BIAS = {"zero": "", "data": ", bias from data"}
NEST = {"both": "all loops", "tuned": "all loops, tuned", "inner": "inner loop alone", "outer": "outer loop alone"}
