"""Activity in two dimensions: t-SNE, how it is drawn, and how well classes are kept apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from circuitsim.analysis.reports.page import Image
from circuitsim.analysis.reports.plots import COLOURS, drawing, inline

if TYPE_CHECKING:
    from matplotlib.path import Path

SIDE, BETWEEN, HEAD = 3.6, 0.12, 0.3  # inches of a map, between two, and above them
PERPLEXITY = 30.0
NEAREST = 10


def embedded(x: np.ndarray, seed: int) -> np.ndarray:
    """t-SNE of examples (n, features) from their principal components, (n, 2).

    Source
    ------
    Van der Maaten & Hinton 2008, as scikit-learn has it; its perplexity is 30, or less for fewer than 91 examples.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(PERPLEXITY, (len(x) - 1) / 3)
    with threadpool_limits(1):  # several threads wait for each other longer than they work
        found: np.ndarray = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(x)
    return found


def neighbours(x: np.ndarray, classes: np.ndarray, nearest: int = NEAREST) -> float:
    """The share of an example's nearest others that are of its own class, the mean over examples.

    >>> neighbours(np.array([[0.0], [0.1], [5.0], [5.1]]), np.array([0, 0, 1, 0]), nearest=1)
    0.5
    """
    from sklearn.neighbors import NearestNeighbors

    places = NearestNeighbors(n_neighbors=nearest + 1).fit(x).kneighbors(x, return_distance=False)
    own = np.arange(len(x))[:, None]
    others = np.stack([row[row != k][:nearest] for row, (k,) in zip(places, own, strict=True)])
    return float((classes[others] == classes[:, None]).mean())


def _number(value: int) -> Path:
    """A number's outline around the origin."""
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    outline = TextPath((0, 0), str(value), size=1)
    box = outline.get_extents()
    return Affine2D().translate(-(box.x0 + box.x1) / 2, -(box.y0 + box.y1) / 2).transform_path(outline)


def draw_embeddings(maps: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Image:
    """A square for each title, (n, 2) points and their classes (n,), each point drawn as its class's number."""
    width = len(maps) * (SIDE + BETWEEN) + BETWEEN
    with drawing(width, SIDE + HEAD + BETWEEN) as figure:
        for index, (title, (points, classes)) in enumerate(maps.items()):
            left = (BETWEEN + index * (SIDE + BETWEEN)) / width
            ax = figure.add_axes(
                (left, BETWEEN / (SIDE + HEAD + BETWEEN), SIDE / width, SIDE / (SIDE + HEAD + BETWEEN))
            )
            for one in map(int, np.unique(classes)):
                chosen = points[classes == one]
                colour = COLOURS[one % len(COLOURS)]
                ax.scatter(chosen[:, 0], chosen[:, 1], s=16, marker=_number(one), color=colour, linewidths=0)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.set_title(title, loc="left", fontsize=9.5, fontweight="bold")
        count = ", ".join(f"{title}: {len(points)} points" for title, (points, _) in maps.items())
        return inline(figure, f"Activity in two dimensions by t-SNE, each point the number of its class. {count}.")
