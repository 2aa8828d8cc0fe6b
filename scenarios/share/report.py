"""The figures and tables of `share`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from circuitsim.analysis.averages import summary
from circuitsim.analysis.filters import RADII
from circuitsim.analysis.reports.mosaics import Strip, draw_strips, filter_images
from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit, notes_of, write_portfolio
from circuitsim.runs.scenario import MemberRun
from circuitsim.scenarios.figures import (
    BANDS,
    SUMMARY,
    Curves,
    Measured,
    by,
    epoch_panel,
    exhibit,
    known_labels,
    measured,
    numbers,
)

TITLE = "share – shared against untied weights"
ERRORS = {"error": "test images", "error_shifted": "translated test images"}
SHOWN, PLACES = 5, 5  # filters, and locations of each
MASKED = "masked"
PATTERNS = {
    "synapse": "drawn for each synapse",
    "location": "one pattern of the filter for all locations",
    "source": "one set of source neurons for all",
}


class Trained(Measured):
    """A member: a data set, a kind of weights, and a translation or missing connections, as its name says."""

    @property
    def kind(self) -> str:
        """Shared or untied."""
        return self.name.split("-")[-2]

    @property
    def masked(self) -> bool:
        """True if connections are missing."""
        return self.name.endswith(MASKED)

    @property
    def shift(self) -> float:
        """The translation of training images, a fraction of their size."""
        return float(self.values["augment_shift"])


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    ran: list[Trained] = measured(folder, runs, Trained)
    moved = [one for one in ran if not one.masked]
    exhibits = [_errors(moved, config), _epochs(moved), *_distances(moved), *_missing(ran, config), *_filters(moved)]
    write_portfolio(folder, TITLE, _lead(moved), exhibits, config, notes=notes_of(runs))


def _datasets(ran: Sequence[Trained]) -> list[str]:
    return list(dict.fromkeys(one.dataset for one in ran))


def _errors(moved: Sequence[Trained], config: Mapping[str, Any]) -> Exhibit:
    """Return the errors on both test sets against the translation of training images."""
    panels, rows = [], []
    for dataset in _datasets(moved):
        own = [one for one in moved if one.dataset == dataset]
        x = np.array([100 * s for s in sorted({one.shift for one in own})])
        for metric, words in ERRORS.items():
            curves: Curves = {}
            for kind in dict.fromkeys(one.kind for one in own):
                ordered = sorted((one for one in own if one.kind == kind), key=lambda one: one.shift)
                curves[kind] = np.stack([one.curve(metric)[-1] for one in ordered])
                rows += [
                    (dataset, words, kind, one.shift, *summary(v)) for one, v in zip(ordered, curves[kind], strict=True)
                ]
            ticks = {float(value): f"{value:g}" for value in x}
            panels.append(
                Panel(f"{dataset}, {words}", "translation in training (%)", "error (%)", x, curves, ticks=ticks)
            )
    columns = ["data", "tested on", "weights", "translation in training", *SUMMARY]
    caption = (
        "Training images are translated anew in each epoch, by up to so many percent of their size along each axis. "
        f"Translated test images: by up to {100 * config['translated']:g} percent, the same ones for all. After the "
        "last epoch; bands reach from the least to the greatest seed."
    )
    title = "Error by translation of the training images"
    return exhibit("errors", title, caption, columns, rows, draw_panels(panels, ["shared", "untied"], what=title))


def _epochs(moved: Sequence[Trained]) -> Exhibit:
    """Return the test error over epochs, a curve for each translation."""
    series = [
        (f"{dataset}, {kind}", "test error (%)", _by_shift(moved, dataset, kind, "error", "test"))
        for dataset in _datasets(moved)
        for kind in dict.fromkeys(one.kind for one in moved)
    ]
    return _over_epochs("error-epochs", "Error over epochs", "Test images are not translated.", series)


def _by_shift(moved: Sequence[Trained], dataset: str, kind: str, metric: str, split: str) -> Curves:
    chosen = [one for one in moved if (one.dataset, one.kind) == (dataset, kind)]
    return {f"translated by {100 * one.shift:g} %": one.curve(metric, split) for one in chosen}


def _over_epochs(name: str, title: str, caption: str, series: Sequence[tuple[str, str, Curves]]) -> Exhibit:
    image = draw_panels([epoch_panel(*one) for one in series], known_labels(series), what=f"{title}, by epoch")
    return Exhibit(name, title, f"{caption} {BANDS}", numbers(series, "label"), image)


def _distances(moved: Sequence[Trained]) -> list[Exhibit]:
    """Return the distances of neighbouring kernels of untied first layers over epochs."""
    series = []
    for dataset in _datasets(moved):
        for radius in RADII:
            curves = _by_shift(moved, dataset, "untied", f"kernel_distance/W1/{radius}", "train")
            if any(np.isfinite(values).any() for values in curves.values()):
                series.append((f"{dataset}, {radius} apart", "relative distance", curves))
    caption = (
        "Mean Euclidean distance between first-layer kernels of one map whose locations are 1 or 4 apart, over the "
        "root mean square norm of the layer's kernels: 0 for equal kernels, about 1.41 for independent ones."
    )
    return [_over_epochs("distances", "Distance of neighbouring kernels", caption, series)] if series else []


def _missing(ran: Sequence[Trained], config: Mapping[str, Any]) -> list[Exhibit]:
    """Return the errors with missing connections, beside those with all."""
    rows = []
    for one in ran:
        if one.masked:
            label = by("masks")
            found = {f"{PATTERNS[k]}": v[-1] for k, v in one.curves("error", label).items()}
            moved = {f"{PATTERNS[k]}": v[-1] for k, v in one.curves("error_shifted", label).items()}
        elif one.shift == 0:
            found, moved = ({"all there": one.curve(metric)[-1]} for metric in ERRORS)
        else:
            continue
        rows += [(one.dataset, one.kind, k, *summary(v), *summary(moved[k])[:3]) for k, v in found.items()]
    if not any(one.masked for one in ran):
        return []
    columns = ["data", "weights", "connections", *SUMMARY, *(f"translated test: {what}" for what in SUMMARY[:3])]
    caption = (
        f"Test error in percent after the last epoch, without translations in training; {100 * config['density']:g} "
        "percent of the connections exist. The source's text drops connections within each neuron's filter, its code "
        "drops inputs of a layer for all of its neurons; one pattern for all locations is what shared weights have."
    )
    return [exhibit("missing", "Missing connections", caption, columns, rows)]


def _filters(moved: Sequence[Trained]) -> list[Exhibit]:
    """Draw filters of untied first layers at locations along the diagonal, for the least and the greatest shift."""
    found = []
    for dataset in _datasets(moved):
        own = sorted((m for m in moved if m.dataset == dataset and m.kind == "untied"), key=lambda m: m.shift)
        ends = {100 * m.shift: m.tensors()["W1.weight"][0] for m in (own[0], own[-1])}
        side, _, maps = own[0].tensors()["W1.weight"].shape[1:4]
        places = sorted({round((k + 1) / (PLACES + 1) * (side - 1)) for k in range(PLACES)})
        kernels = {(shift, o): np.stack([w[p, p, o] for p in places]) for shift, w in ends.items() for o in range(maps)}
        words = ", then ".join(f"translated by {shift:g} %" for shift in ends)
        strips = [
            Strip(f"filter {o}: {words}", [image for shift in ends for image in filter_images(kernels[shift, o])])
            for o in range(min(SHOWN, maps))
        ]
        rows = [
            (shift, o, p, float(np.linalg.norm(kernel)))
            for (shift, o), same in kernels.items()
            for p, kernel in zip(places, same, strict=True)
        ]
        title = f"Untied filters along the diagonal, {dataset}"
        columns = ["translation in training (%)", "filter", "row and column", "norm"]
        caption = (
            f"First seed, after training, at rows and columns {', '.join(map(str, places))}. Grey is zero, each filter "
            "on its own scale. Filters begin at random, independent of each other."
        )
        found.append(exhibit(f"filters-{dataset}", title, caption, columns, rows, draw_strips(strips, title)))
    return found


def _lead(moved: Sequence[Trained]) -> str:
    sentences = []
    for dataset in _datasets(moved):
        own = [one for one in moved if one.dataset == dataset]
        ends = {(one.kind, one.shift): summary(one.curve("error")[-1])[0] for one in own}
        for shift in sorted({one.shift for one in own}):
            pair = ", ".join(f"{kind} {number(ends[kind, shift])}" for kind in ("shared", "untied"))
            sentences.append(f"{dataset} translated by {100 * shift:g} %: {pair}")
    return f"Test error in percent after the last epoch. {'; '.join(sentences)}."
