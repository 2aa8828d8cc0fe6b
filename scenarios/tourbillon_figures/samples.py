"""Images of `tourbillon-figures` from the weights at the end of runs: figures 6, 7 and 9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from circuitsim.analysis.reports.embedding import draw_embeddings, embedded, neighbours
from circuitsim.analysis.reports.images import reconstruction_figure
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.errors import ConfigError
from circuitsim.scenarios.figures import exhibit
from circuitsim.scenarios.tourbillon_figures.curves import OURS, PAPER, REC, SYMMETRIC, WHY, datasets, named
from circuitsim.scenarios.tourbillon_figures.series import Developed, by_rule

EXAMPLES = 10
Weights = Mapping[str, np.ndarray]


def upward(own: Weights, x: np.ndarray) -> list[np.ndarray]:
    """Return the input and each hinge, tanh(E{b} O_{b-1} + bias), of a stack with these weights."""
    found = [np.asarray(x, np.float64)]
    while f"E{len(found)}.weight" in own:
        b = len(found)
        found.append(np.tanh(found[-1] @ own[f"E{b}.weight"].T + own[f"E{b}.bias"]))
    return found


def downward(own: Weights, hinge: np.ndarray, block: int) -> np.ndarray:
    """Return the image that the decoders make of a block's hinge: tanh in each block, logistic in the lowest."""
    activity = hinge
    for b in range(block, 0, -1):
        summed = activity @ own[f"D{b}.weight"].T + own[f"D{b}.bias"]
        activity = np.tanh(summed) if b > 1 else 1 / (1 + np.exp(-summed))
    return activity


def weights(one: Developed, rule: str = "") -> Weights:
    """Return the final weights of a run's first replica, or of the first with this rule."""
    index = next(k for k, replica in enumerate(one.replicas) if not rule or by_rule(replica) == rule)
    return {name: values[index].astype(np.float64) for name, values in one.tensors().items()}


def figure_6(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Draw the reconstructions of recirculation and the symmetric rule, beside the mean image."""
    rows, found = [], []
    for dataset in datasets(runs):
        paper, ours = (named(runs, dataset, end) for end in ("paper", "ours"))
        shown = ours.data()
        x, mean = shown.test.astype(np.float64), shown.train.mean(axis=0, dtype=np.float64)
        made = {
            f"{rule}, {rates}": weights(one, rule)
            for one, rates, rule in ((ours, OURS, REC), (paper, PAPER, SYMMETRIC), (ours, OURS, SYMMETRIC))
        }
        outputs = {label: downward(w, upward(w, x)[1], 1) for label, w in made.items()}
        outputs["the mean of the training images"] = np.broadcast_to(mean, x.shape)
        for label, out in outputs.items():
            spread = float(out.var(axis=0).mean() / x.var(axis=0).mean())
            rows.append((dataset, label, _mse(out, x), _mse(out, mean), spread))
        images = {label: out[:EXAMPLES] for label, out in outputs.items()}
        image = reconstruction_figure(x[:EXAMPLES], images, shown.image_shape)
        title = f"Figure 6: reconstructions, {dataset}"
        own = [row[1:] for row in rows if row[0] == dataset]
        columns = ["rule", "mse", "mean squared distance from the mean image", "variance over inputs / of inputs"]
        caption = f"The first test images; the numbers are of the whole test split, the first seed. {WHY}"
        found.append(exhibit(f"figure-6-{dataset}", title, caption, columns, own, image))
    return found


def _mse(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.square(one - other).mean())


def figure_7(runs: Sequence[Developed], config: Mapping[str, Any]) -> list[Exhibit]:
    """Draw the top hinge in two dimensions, and count the neighbours of one class."""
    drawn, rows, missing = {}, [], ""
    for one in runs:
        shown = one.data()
        assert shown.test_labels is not None
        chosen = np.random.default_rng(config["seed"]).permutation(len(shown.test))[: config["examples"]]
        classes = shown.test_labels[chosen]
        activity = upward(weights(one), shown.test[chosen])
        spaces = {"input": activity[0], **{f"hinge {b}": h for b, h in enumerate(activity[1:], 1)}}
        try:
            spaces["t-SNE"] = embedded(activity[-1], config["seed"])
            drawn[one.dataset] = (spaces["t-SNE"], classes)
        except ConfigError as error:
            missing = f" No picture: {error}"
        rows += [(one.dataset, name, x.shape[1], len(x), 100 * neighbours(x, classes)) for name, x in spaces.items()]
    image = draw_embeddings(drawn) if drawn else None
    caption = (
        "The highest hinge, before fine-tuning, by t-SNE. Colours are the classes of test images, which the circuit "
        "has not seen. The table has the percentage of an image's ten nearest neighbours that are of its own class."
    ) + missing
    columns = ["data", "space", "dimensions", "examples", "neighbours of the same class (%)"]
    return [exhibit("figure-7", "Figure 7: hinges in two dimensions", caption, columns, rows, image)]


def figure_9(runs: Sequence[Developed], _: Any) -> list[Exhibit]:
    """Draw test images passed up one block and down, and up two blocks and down."""
    found = []
    for dataset in datasets(runs):
        one = named(runs, dataset, dataset)
        own, shown = weights(one), one.data()
        activity = upward(own, shown.test)
        outputs = {
            f"up to hinge {b} of {h.shape[1]} units and down": downward(own, h, b)
            for b, h in enumerate(activity[1:], 1)
        }
        images = {label: out[:EXAMPLES] for label, out in outputs.items()}
        variance = float(activity[0].var(axis=0).mean())
        errors = [(label, e := _mse(out, activity[0]), e / variance) for label, out in outputs.items()]
        image = reconstruction_figure(activity[0][:EXAMPLES], images, shown.image_shape)
        caption = "Test images through the stack before fine-tuning. The numbers are of the whole test split."
        columns = ["path", "mse", "mse / variance of the inputs"]
        title = f"Figure 9: through the stack, {dataset}"
        found.append(exhibit(f"figure-9-{dataset}", title, caption, columns, errors, image))
    return found
