"""Networks of the sources by name, as lists of layers above an image.

Sources: Amit 2019, section 4, whose pools are 3/2 with TensorFlow's padding unless the text says otherwise, and where
"drop" is the fraction that is silent; He et al. 2016, "Deep residual learning", at the depths of CIFAR-10 (`chain20` is
resnet20 without the ways around).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from circuitsim.circuit.norms import NORMS

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
    "resnet8": ("conv 16 3", "residual 16 projected", "residual 32/2", "residual 64/2", "meanpool all", "dense 10"),
    "resnet20": (
        "conv 16 3", "residual 16 projected", "residual 16", "residual 16", "residual 32/2", "residual 32",
        "residual 32", "residual 64/2", "residual 64", "residual 64", "meanpool all", "dense 10",
    ),
    "chain20": (
        "conv 16 3", "chain 16", "chain 16", "chain 16", "chain 32/2", "chain 32", "chain 32", "chain 64/2", "chain 64",
        "chain 64", "meanpool all", "dense 10",
    ),
}  # fmt: skip
"""Layers by the network's name."""


def normalised(texts: Sequence[str], norm: str) -> list[str]:
    """Return the same layers with neurons that normalise, in all layers with weights below the top one."""
    found: list[str] = []
    for k, text in enumerate(texts):
        block = text.startswith(("residual ", "chain "))
        found.append(f"{text} {norm}" if block and not text.endswith(tuple(NORMS)) else text)
        if text.startswith(("conv ", "local ", "dense ")) and k < len(texts) - 1:
            found.append(f"norm {norm}")
    return found


def untied(texts: tuple[str, ...] | list[str]) -> list[str]:
    """Return the same layers with weights of their own at each location."""
    return [text.replace("conv ", "local ", 1) if text.startswith("conv ") else text for text in texts]
