"""Normalisation on the host: the reference's kernels between those of the device."""

from __future__ import annotations

from typing import Any

import numpy as np

from circuitsim.kernels import normalisation
from circuitsim.kernels.gpu.launch import OnHost
from circuitsim.kernels.steps import Step

Array = np.ndarray


def normalise_online(
    arriving: Array, running: tuple[Array, Array], numbers: tuple[float, float, float], made: tuple[Array, ...],
    *, learns: bool,
) -> Step:  # fmt: skip
    """Normalise each neuron by its own running mean and variance, example after example."""
    step = normalisation.normalise_online(arriving, running, numbers, made, learns=learns)
    return _on_host(step, arriving, *running, *made)


def through_online(
    error: Array, kept: tuple[Array, Array], running: tuple[Array, Array], numbers: tuple[float, float], out: Array,
    *, learns: bool,
) -> Step:  # fmt: skip
    """Pass errors back through online normalisation, example after example."""
    step = normalisation.through_online(error, kept, running, numbers, out, learns=learns)
    return _on_host(step, error, *kept, *running, out)


def normalise_batch(
    arriving: Array, running: tuple[Array, Array], numbers: tuple[float, float], made: tuple[Array, ...],
    *, learns: bool,
) -> Step:  # fmt: skip
    """Normalise units by mean and variance over the batch, or by running ones if the presentation does not teach."""
    step = normalisation.normalise_batch(arriving, running, numbers, made, learns=learns)
    return _on_host(step, arriving, *running, *made)


def through_batch(error: Array, kept: tuple[Array, Array], units: int, out: Array, *, learns: bool) -> Step:
    """Pass errors back through batch normalisation: dx = (d - mean d - y mean(d y)) / sqrt(variance + epsilon)."""
    return _on_host(normalisation.through_batch(error, kept, units, out, learns=learns), error, *kept, out)


def normalise_groups(arriving: Array, numbers: tuple[int, float, float], made: tuple[Array, ...]) -> Step:
    """Normalise groups of successive neurons: (S - m) / ((delta + sum (S - m)^2) / n)^power."""
    return _on_host(normalisation.normalise_groups(arriving, numbers, made), arriving, *made)


def through_groups(error: Array, kept: tuple[Array, Array], numbers: tuple[int, float, float], out: Array) -> Step:
    """Pass errors back through the normalisation of groups."""
    return _on_host(normalisation.through_groups(error, kept, numbers, out), error, *kept, out)


def _on_host(step: Step, *arrays: Any) -> Step:
    return OnHost(step, arrays)
