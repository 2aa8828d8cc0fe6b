"""The figures and tables of `random-feedback-networks`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from circuitsim.analysis.averages import MEANING, summary
from circuitsim.analysis.reports.maps import Matrix, draw_matrices
from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.panels import draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit, notes_of, write_portfolio
from circuitsim.runs.scenario import MemberRun
from circuitsim.scenarios.figures import (
    BANDS,
    SPLITS,
    SUMMARY,
    Curves,
    Measured,
    epoch_panel,
    exhibit,
    known_labels,
    measured,
    numbers,
)
from circuitsim.scenarios.random_feedback_networks.members import DESYNCHRONISED, FROZEN, HALF, IN_TURN, UNTIED
from circuitsim.scenarios.random_feedback_networks.pictures import feature_maps, filters, likeness
from circuitsim.scenarios.random_feedback_networks.settings import NAMES
from circuitsim.scenarios.random_feedback_networks.turns import in_turn

TITLE = "random-feedback-networks – feedback weights that begin at random and are updated"
TIED, STEP = "tied", "step"
WORDS = {
    TIED: "all synapses, weights shared by locations",
    HALF: "some synapses missing, drawn apart for forward and feedback",
    UNTIED: "weights of their own at each location",
    FROZEN: "untied above a first layer that is taken from the tied network and does not learn",
    DESYNCHRONISED: "each projection adds up its increments and applies them at random times of its own",
}


@dataclass(frozen=True)
class Trained(Measured):
    """A member: a network, its variant and its rule, as its name says."""

    @cached_property
    def parts(self) -> tuple[str, str, str]:
        """The network, the variant ("tied" for none) and the rule."""
        network, *rest = self.name.split("-")
        variant = TIED
        if rest[0] in (HALF, UNTIED, FROZEN, DESYNCHRONISED, IN_TURN):
            variant = rest.pop(0)
        elif rest[0] == STEP:
            variant, rest = STEP, rest[2:]
        return network, variant, "-".join(rest)

    @property
    def network(self) -> str:
        """The network's name."""
        return self.parts[0]

    @property
    def variant(self) -> str:
        """Tied, half, untied, frozen, desynchronised, turns or step."""
        return self.parts[1]

    @property
    def rule(self) -> str:
        """The rule's name, as in figures."""
        return NAMES[self.parts[2]]

    def final(self) -> np.ndarray:
        """Return the test error after the last epoch, (seed,)."""
        return np.asarray(self.curve("error")[-1])

    def by_layer(self, prefix: str) -> Curves:
        """Return the curves of a metric of several layers, such as `correlation/W`, by layer."""
        found = sorted({m for m in self.metrics["metric"] if m.startswith(prefix)}, key=lambda m: int(m[len(prefix) :]))
        return {f"layer {m[len(prefix) :]}": self.curve(m, "train") for m in found}


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    all_: list[Trained] = measured(folder, runs, Trained)
    ran = [one for one in all_ if one.variant != IN_TURN]
    plain = [one for one in ran if one.variant == TIED]
    exhibits = [_errors(ran), _epochs(plain)]
    exhibits += _variants(ran, HALF, "half", "Some of the synapses missing")
    exhibits += _variants(ran, UNTIED, "untied", "Tied against untied")
    exhibits += _variants(ran, FROZEN, "frozen", "Untied above a fixed first layer")
    exhibits += _variants(ran, DESYNCHRONISED, "desynchronised", "Updates at random times")
    exhibits += in_turn([one for one in all_ if one.variant == IN_TURN])
    exhibits += _steps(ran, plain)
    exhibits += _layers(ran, "correlation/W", ("URFB", "FRFB"), "correlation", *CORRELATION)
    exhibits += _layers(ran, "saturated/layer", ("BP", "BP-H", "URFB", "FRFB"), "saturation", *SATURATION)
    exhibits += [*filters(ran), *likeness(ran), *feature_maps(plain)]
    write_portfolio(folder, TITLE, _lead(plain), exhibits, config, notes=notes_of(runs))


def _errors(ran: Sequence[Trained]) -> Exhibit:
    """Return the test error of each network and variant by rule."""
    chosen = {(_label(one), one.rule): one for one in ran if one.variant != STEP}
    networks, rules = (list(dict.fromkeys(key[k] for key in chosen)) for k in (0, 1))
    cells, rows = np.full((len(networks), len(rules), 2), np.nan), []
    for (label, rule), one in chosen.items():
        found = summary(one.final())
        cells[networks.index(label), rules.index(rule)] = found[:2]
        rows.append((one.network, one.variant, rule, one.values["train_limit"], one.epochs, *found))
    words = [f"{variant}: {text}" for variant, text in WORDS.items() if any(one.variant == variant for one in ran)]
    matrix = Matrix("Test error", "test error (%)", networks, rules, cells[..., 0], cells[..., 1])
    columns = ["network", "variant", "rule", "training images", "epochs", *SUMMARY]
    caption = (
        f"Test error in percent after the last epoch, mean and standard deviation (n − 1) over seeds. {MEANING} "
        "BP: softmax and cross-entropy; all others: hinge loss. URFB: feedback weights begin at random and get the "
        f"forward increments; FRFB: they stay as they began. {'; '.join(words)}."
    )
    return exhibit("errors", "Error by network and rule", caption, columns, rows, draw_matrices([matrix], "rule"))


def _label(one: Trained) -> str:
    return one.network if one.variant == TIED else f"{one.network}, {one.variant}"


def _curves(ran: Sequence[Trained], split: str = "test") -> Curves:
    return {one.rule: one.curve("error", split) for one in ran}


def _drawn(name: str, title: str, caption: str, series: Sequence[tuple[str, str, Curves]], **axes: Any) -> Exhibit:
    panels = [epoch_panel(*one, **axes) for one in series]
    image = draw_panels(panels, known_labels(series), what=f"{title}, against the epoch")
    return Exhibit(name, title, f"{caption} {BANDS}", numbers(series, "label"), image)


def _epochs(plain: Sequence[Trained]) -> Exhibit:
    """Return train and test errors over epochs by network."""
    series = [
        (f"{network}, {split}", f"{split} error (%)", _curves([one for one in plain if one.network == network], split))
        for network in dict.fromkeys(one.network for one in plain)
        for split in SPLITS
    ]
    return _drawn("error-epochs", "Error over epochs", "Networks of shared weights.", series)


def _variants(ran: Sequence[Trained], variant: str, name: str, title: str) -> list[Exhibit]:
    """Return the test error over epochs of networks that have the variant, beside the plain ones."""
    series = []
    for network in dict.fromkeys(one.network for one in ran if one.variant == variant):
        same = [one for one in ran if one.network == network]
        rules = {one.rule for one in same if one.variant == variant}
        plain = _curves([one for one in same if one.variant == TIED and one.rule in rules])
        varied = _curves([one for one in same if one.variant == variant])
        curves = plain | {f"{rule}, {variant}": values for rule, values in varied.items()}
        series.append((network, "test error (%)", curves))
    caption = f"{variant.capitalize()}: {WORDS[variant]}."
    return [_drawn(f"error-{name}", title, caption, series)] if series else []


def _steps(ran: Sequence[Trained], plain: Sequence[Trained]) -> list[Exhibit]:
    """Return the test error and the correlation for steps of the feedback weights from 0 to 1."""
    between = [one for one in ran if one.variant == STEP]
    if not between:
        return []
    ends = {one.rule: one for one in plain if one.network == between[0].network}
    known = {0.0: ends.get("FRFB"), **{float(one.values["feedback_step"]): one for one in between}}
    known |= {1.0: ends.get("URFB")}
    chosen = {f"q = {q:g}": one for q, one in sorted(known.items()) if one is not None}
    network = between[0].network
    series = [(network, "test error (%)", {label: one.curve("error") for label, one in chosen.items()})]
    for layer in between[0].by_layer("correlation/W"):
        curves = {label: one.by_layer("correlation/W")[layer] for label, one in chosen.items()}
        series.append((f"{network}, {layer}", "correlation of W and B", curves))
    caption = "A feedback weight gets q times the forward increment: q = 0 is FRFB, q = 1 is URFB."
    return [_drawn("steps", "Between fixed and updated feedback", caption, series)]


CORRELATION = (
    "Correlation of forward and feedback weights",
    "correlation",
    "Pearson's, between W of a layer and the feedback weights read backwards, over synapses.",
)
SATURATION = (
    "Saturation",
    "fraction saturated",
    "Fraction of a layer's neurons at −1 or 1, where no error passes: a rule whose layers saturate stops learning.",
)


def _layers(
    ran: Sequence[Trained], prefix: str, rules: Sequence[str], name: str, title: str, ylabel: str, caption: str
) -> list[Exhibit]:
    """Return a panel of curves by layer for each network and rule."""
    series = [
        (f"{_label(one)}, {one.rule}", ylabel, curves)
        for one in ran
        if one.rule in rules and one.variant in (TIED, UNTIED)
        for curves in [one.by_layer(prefix)]
        if curves
    ]
    if not series:
        return []
    ends = np.concatenate([values.ravel() for *_, curves in series for values in curves.values()])
    low, high = min(0.0, float(np.nanmin(ends))), max(0.05, float(np.nanmax(ends)))
    limits = (low - 0.05 * (high - low), high + 0.05 * (high - low))
    return [_drawn(name, title, caption, series, limits=limits)]


def _lead(plain: Sequence[Trained]) -> str:
    sentences = []
    for network in dict.fromkeys(one.network for one in plain):
        ends = [f"{one.rule} {number(summary(one.final())[0])}" for one in plain if one.network == network]
        sentences.append(f"{network}: {', '.join(ends)}")
    return f"Test error in percent after the last epoch. {'. '.join(sentences)}."
