"""Networks of the sources by name, as lists of layers above an image.

Source: Amit 2019, section 4. Pools are 3/2 with TensorFlow's padding unless the text says otherwise; "drop" is the
fraction that is silent, as in the paper.
"""

from __future__ import annotations

from collections.abc import Mapping

POOL = "maxpool 3/2 same"

NETWORKS: Mapping[str, tuple[str, ...]] = {
    "simpnet": ("conv 32 5", POOL, "drop .8", "dense 500", "drop .3", "dense 10"),
    "deepnet": (
        "conv 32 5", POOL, "conv 32 3", "conv 32 3", POOL, "drop .8", "conv 32 3", "conv 32 3", POOL, "drop .3",
        "dense 500", "dense 10",
    ),
    "deepernet": (
        "conv 16 3", "conv 16 3", "sum", "conv 32 3", "conv 32 3", "sum", POOL, "drop .5", "conv 64 3", "conv 64 3",
        "sum", POOL, "conv 128 3", "conv 128 3", "sum", POOL, "drop .8", "dense 500", "dense 10",
    ),
    "deepnet_s": (
        "conv 16 3", "conv 16 3", "sum", "maxpool 3", "drop .5", "conv 64 3", "conv 64 3", "sum", "maxpool 2",
        "conv 64 2", "conv 64 2", "sum", "maxpool 2", "drop .5", "dense 500", "dense 10",
    ),
}  # fmt: skip
"""Layers by the network's name."""


def untied(texts: tuple[str, ...] | list[str]) -> list[str]:
    """Return the same layers with weights of their own at each location."""
    return [text.replace("conv ", "local ", 1) if text.startswith("conv ") else text for text in texts]
