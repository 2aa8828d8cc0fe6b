"""What neurons emit and remember, given as pairs; rates that undo what mixing takes off; what is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import circuitsim

from circuitsim.circuits.autoencoder import VARIANTS, variant_coefficients
from circuitsim.engine.simulator import Simulator
from circuitsim.runs.config import build
from circuitsim.scenarios import autoencoder
from circuitsim.scenarios.autoencoder import AutoencoderSettings

SIZES = [9, 7, 4, 6, 9]


def _learned(presentations: int = 3, **keys: Any) -> dict[str, np.ndarray]:
    """The tensors of a small circuit after some presentations, float64."""
    settings = build(AutoencoderSettings, {"sizes": SIZES, "dtype": "float64", "lr": 0.05, **keys})
    made = autoencoder.design(settings)
    simulator = Simulator(
        made.circuit, made.protocol, batch=5, dtype="float64", backend="numpy", parameters=made.parameters
    )
    simulator.use(np.random.default_rng(1).random((10, SIZES[0])))
    for _ in range(presentations):
        simulator.present(np.arange(5))
    return {name: values[0].copy() for name, values in simulator.tensors().items()}


def _same(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], **tolerance: float) -> bool:
    return all(np.allclose(one[name], other[name], **{"rtol": 0.0, "atol": 0.0, **tolerance}) for name in one)


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_are_pairs_to_the_bit(variant: str) -> None:
    lam = [0.3, 0.6]
    found = variant_coefficients(variant, lam, len(SIZES) - 1)
    pairs = {q: [found["layer0", q], found["layer1", q]] for q in ("emits", "remembers")}
    assert _same(_learned(variant=variant, lam=lam), _learned(**pairs))
    assert variant == "pr" or not _same(_learned(variant=variant, lam=lam), _learned())


@pytest.mark.parametrize("top_rule", ["same", "gradient", "own"])
@pytest.mark.parametrize("mixed", [([0.2, 0.4], [0.1, 0.7]), ([0.0, 0.5], [0.6, 0.0]), ([0.7, 0.0], [0.3, 0.3])])
def test_compensated_mixtures_of_linear_circuits_are_plain(
    mixed: tuple[list[float], list[float]], top_rule: str
) -> None:
    """Where units are linear, what mixing takes off is a factor of each layer's post term, and nothing else."""
    linear = {"hidden": "identity", "output": "identity", "top_rule": top_rule}
    emits, remembers = mixed
    plain = _learned(**linear)
    assert _same(_learned(**linear, emits=emits, remembers=remembers, compensate=True), plain, atol=1e-13)
    assert not _same(_learned(**linear, emits=emits, remembers=remembers), plain, atol=1e-4)


REFUSED_ONE = {
    "emits=[0.5]": r"key emits: got \[0\.5\]; expected none, or a list of two numbers from 0 to 1: .*\. They replace",
    "remembers=[0,2]": r"key remembers: got \[0(\.0)?, 2(\.0)?\]; expected none, or a list of two numbers from 0 to 1",
    "compensate=true emits=[1,0]": r"key compensate: got true; expected mixing that leaves a part of the post terms",
    "compensate=true cycles=2": r"key cycles: got 2; expected 1 with compensate\. Only the",
    "rule=error-rec emits=[0.5,0]": r"key rule: got 'error-rec'; expected variant = pr and cycles = 1 beside error-rec",
    "output=softmax loop_examples=5": r"key loop_examples: got 5; expected none with a softmax output\. Its units",
    "loop_examples=0": r"key loop_examples: got 0; expected none, or a whole number >= 1",
}


@pytest.mark.parametrize("settings", REFUSED_ONE)
def test_refusals_of_an_autoencoder(settings: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    sets = [part for one in settings.split() for part in ("--set", one)]
    assert circuitsim("run", "autoencoder", "--out", tmp_path / "run", *sets) == 2
    assert re.search(REFUSED_ONE[settings], capfd.readouterr().err.replace("\n", " "))
    assert not (tmp_path / "run").exists()
