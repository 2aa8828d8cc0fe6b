"""Learning curves of `tourbillon-figures`: blocks alone (figures 3, 5), whole circuits (figure 4), loops in loops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.scenarios.recirculation_figures.curves import BANDS, curves_panel
from circuitsim.scenarios.recirculation_figures.series import Curves, ends, numbers, summary
from circuitsim.scenarios.tourbillon_figures.series import LABELS, Developed, by_rule, known_labels

SPLITS = ("train", "test")
SPREAD = "variance of images / of inputs"
INNER = "test error of the inner loop (mse)"
UNITS = "{} error per unit (mse)"
PAPER, OURS = "paper's rates", "our rates"
REC, SYMMETRIC = LABELS["rec"], LABELS["rec-symmetric"]


def datasets(runs: Sequence[Developed]) -> list[str]:
    """The data sets of runs, each once."""
    return list(dict.fromkeys(one.dataset for one in runs))


def named(runs: Sequence[Developed], dataset: str, end: str) -> Developed:
    """The run on a data set whose name has this end."""
    return next(one for one in runs if one.dataset == dataset and one.name.endswith(f"-{end}"))


def learning(name: str, title: str, series: Sequence[tuple[str, str, Curves]], caption: str) -> list[Exhibit]:
    """A panel of curves for each (title, what is on the axis, curves); then the ends as a table."""
    labels = known_labels([curves for *_, curves in series])
    panels = [(fitted_panel if one[1] in (SPREAD, INNER) else curves_panel)(*one) for one in series]
    image = draw_panels(panels, labels, what=f"{title}, against the epoch")
    last = "After the last epoch; seeds counts those that have not diverged."
    return [
        Exhibit(name, title, f"{caption} {BANDS}", numbers(series, "label"), image),
        Exhibit(f"{name}-final", f"{title}: at the end", last, ends(series, "label")),
    ]


def later_panel(title: str, ylabel: str, curves: Curves) -> Panel:
    """Curves without the epoch before training, on a logarithmic axis that fits what follows."""
    shown = {label: np.where(np.arange(len(v))[:, None] > 0, v, np.nan) for label, v in curves.items()}
    return fitted_panel(title, ylabel, shown)


def fitted_panel(title: str, ylabel: str, curves: Curves) -> Panel:
    """Curves on a logarithmic axis that holds all of them."""
    found = np.concatenate([values[np.isfinite(values)] for values in curves.values()])
    epochs = np.arange(len(next(iter(curves.values()))))
    margin = float(found.max() / found.min()) ** 0.05
    limits = (float(found.min()) / margin, float(found.max()) * margin)
    return Panel(title, "epoch", ylabel, epochs, curves, logarithmic=True, limits=limits, whole="x")


def figure_3(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Blocks that learn by recirculation, random feedback and backpropagation."""
    series = []
    for dataset in datasets(runs):
        for split in SPLITS:
            curves = {
                f"REC, {said}": named(runs, dataset, whose).curves("mse/1", by_rule, split)[REC]
                for whose, said in (("paper", PAPER), ("ours", OURS))
            }
            others = named(runs, dataset, "others").curves("mse/1", lambda r: _SHORT[r["block_rule"]], split)
            series.append((f"{dataset}, {split}", UNITS.format(split), curves | others))
    title = "Figure 3: a circular autoencoder by recirculation, feedback alignment, backpropagation"
    return learning("figure-3", title, series, "One block with a tanh hinge and a logistic image.")


_SHORT = {"rbp": "FA", "bp": "BP", "fa": "FA"}


def figure_4(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Accuracy of a Tourbillon, and of what learns from errors from the start, for as many epochs."""
    import pandas as pd

    panels, series, rows = [], [], []
    for dataset in datasets(runs):
        grown, others = (named(runs, dataset, end) for end in ("tourbillon", "others"))
        stages = grown.ends()
        for split in SPLITS:
            curves = {"Tourbillon": 100 - grown.curve("error", split)}
            curves |= {k: 100 - v for k, v in others.curves("error", lambda r: _SHORT[r["feedback"]], split).items()}
            panels.append(_accuracy(f"{dataset}, {split}", split, curves, stages))
            series.append((f"{dataset}, {split}", "accuracy (%)", curves))
            before = stages.get("top")
            if before is not None and "fine-tuning" in stages:
                rows.append((dataset, split, "Tourbillon, before fine-tuning", *summary(curves["Tourbillon"][before])))
            rows += [(dataset, split, label, *summary(values[-1])) for label, values in curves.items()]
    labels = known_labels([curves for *_, curves in series])
    title = "Figure 4: accuracy of a Tourbillon, feedback alignment and backpropagation"
    image = draw_panels(panels, labels, what=title)
    told = ", ".join(f"{name} to epoch {end}" for name, end in stages.items())
    caption = f"A Tourbillon grows in sequence: {told}. Its blocks need no labels; what is below the axis is untrained."
    table = pd.DataFrame(rows, columns=["data", "split", "circuit", "accuracy (%)", "SD", "least", "greatest", "seeds"])
    return [
        Exhibit("figure-4", title, f"{caption} {BANDS}", numbers(series, "label"), image),
        Exhibit("figure-4-final", f"{title}: at the end", "After the last epoch, and where fine-tuning begins.", table),
    ]


def _accuracy(title: str, split: str, curves: Curves, stages: dict[str, int]) -> Panel:
    """The axis begins below what has been trained for an epoch at least."""
    grows = stages.get("block 2", 0)
    trained = [values[grows + 1 if label == "Tourbillon" else 1 :] for label, values in curves.items()]
    low = min(float(np.nanmin(values)) for values in trained)
    high = max(float(np.nanmax(values)) for values in trained)
    margin = 0.05 * (high - low)
    epochs = np.arange(len(curves["Tourbillon"]))
    limits = (low - margin, high + margin)
    return Panel(title, "epoch", f"{split} accuracy (%)", epochs, curves, limits=limits, whole="x")


def figure_5(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """The two rules: what they reconstruct, and how much that varies with the input."""
    series = []
    for dataset in datasets(runs):
        for whose, said in (("paper", PAPER), ("ours", OURS)):
            one = named(runs, dataset, whose)
            for metric, ylabel in (("mse/1", UNITS.format("test")), ("spread/1", SPREAD)):
                series.append((f"{dataset}, {said}", ylabel, one.curves(metric, by_rule)))
    title = "Figure 5: recirculation against the symmetric rule"
    caption = (
        "Left the error, right the variance of the reconstructions over inputs as a share of the inputs' own: 0 where "
        f"every input gives the same image. {WHY}"
    )
    made = learning("figure-5", title, series, caption)
    return [*made, _norms(runs)]


WHY = (
    "Why the symmetric rule collapses: with O(0) - O(1) = f'(S) E (u - r) to first order, it changes the encoder by "
    "-f'(S) E (u - r)(u - r)^T, which lowers |O(0) - O(1)|^2 for given u - r. From the encoder it "
    "takes just those directions in which the decoder does not yet reconstruct; no row of E ever grows, E = 0 is a "
    "minimum. Where this is faster than the decoder, the hinge ends by seeing nothing, and the mean is the best image."
)


def _norms(runs: Sequence[Developed]) -> Exhibit:
    import pandas as pd

    rows = []
    for one in runs:
        start, end = (one.tensors(initial=initial)["E1.weight"] for initial in (True, False))
        length = [np.sqrt(np.square(w.astype(np.float64)).sum(axis=(1, 2))) for w in (start, end)]
        rules = np.array([by_rule(replica) for replica in one.replicas])
        for label, values in one.curves("spread/1", by_rule).items():
            mean, deviation, *_ = summary((length[1] / length[0])[rules == label])
            error = one.curves("mse/1", by_rule)[label]
            rises = float((np.diff(error, axis=0) > 0).sum(axis=0).mean())
            said = PAPER if one.name.endswith("paper") else OURS
            rows.append(
                (one.dataset, said, label, summary(error[-1])[0], summary(values[-1])[0], mean, deviation, rises)
            )
    columns = ["data", "rates", "rule", "mse", "variance of images / of inputs", "norm of E / at start", "SD", "rises"]
    caption = "At the end. In the last column the number of epochs in which the error rose, the mean over seeds."
    return Exhibit("collapse", "The collapse in numbers", caption, pd.DataFrame(rows, columns=columns))


def nest(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Loops in loops beside a plain autoencoder of the same layers."""
    loops, first, plain = runs
    curves = loops.curves("mse", lambda r: f"nest, {NEST[r['learns']]}")
    curves |= {"nest, inner loops first": first.curve("mse")}
    curves |= plain.curves("mse", _plain)
    inner = loops.curves("mse/1", lambda r: f"nest, {NEST[r['learns']]}")
    inner |= {"nest, inner loops first": first.curve("mse/1")}
    sizes = "-".join(map(str, plain.run.member.values["sizes"]))
    series = [
        (f"{plain.dataset}, {sizes}", UNITS.format("test"), curves),
        ("inner loops", INNER, inner),
    ]
    caption = (
        "A hidden layer that is a circular autoencoder itself, which turns twice while the outer loop turns once; "
        "tuned: its synapses learn from the outer loop too. Biases are zero at first, but for those of the output that "
        "start where it is the mean of the data. The paper leaves the training open (sections 5.2, 7)."
    )
    return learning("nest", "A Tourbillon of Tourbillons", series, caption)


def _plain(replica: Mapping[str, Any]) -> str:
    return f"autoencoder, {replica['rule'].upper()}{_BIAS[replica['output_bias']]}"


_BIAS = {"zero": "", "data": ", bias from data"}
NEST = {"both": "all loops", "tuned": "all loops, tuned", "inner": "inner loop alone", "outer": "outer loop alone"}
