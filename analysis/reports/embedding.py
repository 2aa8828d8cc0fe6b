"""Activity in two dimensions by t-SNE: the embedding, its drawing, and the separation of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from circuitsim.analysis.reports.page import Image
from circuitsim.analysis.reports.plots import COLOURS, axes_at, drawing, inline, room
from circuitsim.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.path import Path

SIDE, BETWEEN, HEAD = 3.3, 0.12, 0.3  # inches of a panel, between two, and above them
PERPLEXITY = 30.0
NEAREST = 10


def embedded(x: np.ndarray, seed: int) -> np.ndarray:
    """Embed examples (n, features) in two dimensions by t-SNE from their principal components, (n, 2).

    Source
    ------
    Van der Maaten & Hinton 2008 (scikit-learn). The perplexity is 30, or less for fewer than 91 examples.

    Raises
    ------
    ConfigError : scikit-learn is not installed.
    """
    from threadpoolctl import threadpool_limits

    try:
        from sklearn.manifold import TSNE
    except ImportError:
        got, expected = "an environment without scikit-learn", "scikit-learn, which has t-SNE"
        remedy = "pip install 'circuitsim[embedding]', then: circuitsim resume DIR writes the page anew."
        raise ConfigError("embedding in two dimensions", got=got, expected=expected, remedy=remedy) from None

    perplexity = min(PERPLEXITY, (len(x) - 1) / 3)
    with threadpool_limits(1):  # several threads wait for each other longer than they work
        found: np.ndarray = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(x)
    return found


def neighbours(x: np.ndarray, classes: np.ndarray, nearest: int = NEAREST) -> float:
    """Fraction of an example's nearest neighbours that share its class, averaged over examples.

    >>> neighbours(np.array([[0.0], [0.1], [5.0], [5.1]]), np.array([0, 0, 1, 0]), nearest=1)
    0.5
    """
    x = np.asarray(x, np.float64)
    found = []
    for k, one in enumerate(x):
        far = ((x - one) ** 2).sum(axis=1)
        far[k] = np.inf  # not an example's own neighbour
        found.append(np.argsort(far, kind="stable")[:nearest])
    return float((classes[np.stack(found)] == classes[:, None]).mean())


def _number(value: int) -> Path:
    """Return the outline of a number, centred on the origin."""
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    outline = TextPath((0, 0), str(value), size=1)
    box = outline.get_extents()
    return Affine2D().translate(-(box.x0 + box.x1) / 2, -(box.y0 + box.y1) / 2).transform_path(outline)


def draw_embeddings(maps: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Image:
    """Draw a square panel for each title: points (n, 2), each as the number of its class (n,)."""
    columns = min(len(maps), max(1, int((room() - BETWEEN) / (SIDE + BETWEEN))))
    lines, line = -(-len(maps) // columns), SIDE + HEAD + BETWEEN
    with drawing(columns * (SIDE + BETWEEN) + BETWEEN, lines * line) as figure:
        for index, (title, (points, classes)) in enumerate(maps.items()):
            row, column = divmod(index, columns)
            bottom = (lines - row - 1) * line + BETWEEN
            ax = axes_at(figure, BETWEEN + column * (SIDE + BETWEEN), bottom, SIDE, SIDE)
            for one in map(int, np.unique(classes)):
                chosen = points[classes == one]
                colour = COLOURS[one % len(COLOURS)]
                ax.scatter(chosen[:, 0], chosen[:, 1], s=16, marker=_number(one), color=colour, linewidths=0)
            ax.set(xticks=[], yticks=[], title=title)
        count = ", ".join(f"{title}: {len(points)} points" for title, (points, _) in maps.items())
        return inline(figure, f"Activity in two dimensions by t-SNE, each point the number of its class. {count}.")
