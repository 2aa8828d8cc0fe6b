"""Pictures of the gallery: every matplotlib figure that an example makes, by pyplot or without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def figures(block: Any, block_vars: Mapping[str, Any], gallery_conf: Mapping[str, Any]) -> str:
    """Save the figures that a block has made, and return their reStructuredText.

    `Run.plot` and its kind return figures that pyplot does not know.
    """
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure
    from sphinx_gallery.scrapers import figure_rst

    known = [plt.figure(number) for number in plt.get_fignums()]
    named = [value for value in block_vars["example_globals"].values() if isinstance(value, Figure)]
    paths = []
    for figure in {id(one): one for one in (*named, *known)}.values():
        if not hasattr(figure, "_in_gallery"):
            path = next(block_vars["image_path_iterator"])
            figure.savefig(path, dpi=110, bbox_inches="tight", facecolor="white")
            figure._in_gallery = True
            paths.append(path)
    plt.close("all")
    return figure_rst(paths, gallery_conf["src_dir"])
