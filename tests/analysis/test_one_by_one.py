"""Group testing of all synapses comes to the verdict of testing them one by one, and names one among 200,704."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from one_by_one import verdict
from test_known_answers import KNOWN

from circuitsim import Simulator
from circuitsim.analysis.audits.cuts import cuts, pair_cuts
from circuitsim.analysis.audits.examine import BATCH, random_examples
from circuitsim.analysis.audits.intervention import intervene
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.kernels.cpu import backend as cpu

DAILY = ("rec rwcc", "bp", "bound on incoming weights", "sparse", "shared weights", "broadcast error")


def built(name: str) -> Simulator:
    circuit, protocol, parameters = KNOWN[name][0]
    made = Simulator(circuit, protocol, batch=BATCH, seeds=(0, 1), dtype="float64", parameters=parameters)
    made.use(*random_examples(circuit, 0))
    return made


@pytest.mark.parametrize(
    "name", [name if name in DAILY else pytest.param(name, marks=pytest.mark.nightly) for name in KNOWN]
)
def test_groups_come_to_the_verdict_of_single_elements(name: str) -> None:
    made, rows = built(name), np.arange(3)
    together = {(f.kind, f.projection) for f in intervene(made, rows, seed=1).findings}
    assert together == verdict(made, rows) == {pair for pair in KNOWN[name][1] if pair[0] != "label"}


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
def test_cuts_part_any_two_things(count: int) -> None:
    masks = list(cuts(count, np.random.default_rng(count)))
    assert len(masks) == 2 * (count - 1).bit_length()
    for held in range(count):
        for changed in range(count):
            assert held == changed or any(mask[held] and not mask[changed] for mask in masks)


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_pair_cuts_part_a_third_thing_from_any_two(count: int) -> None:
    masks = list(pair_cuts(count, np.random.default_rng(count)))
    for first, second, third in np.ndindex(count, count, count):
        if third not in (first, second):
            assert any(mask[first] and mask[second] and not mask[third] for mask in masks)


def planted(place: tuple[int, int], source: tuple[int, int]) -> Any:
    """The kernel that applies increments, with one synapse that also takes another's weight."""
    true = cpu.apply

    def apply(weight: Any, *rest: Any) -> Any:
        step = true(weight, *rest)
        if weight.shape[1:] != (256, 784):
            return step

        def update() -> None:
            taken = 0.01 * weight[0, source[0], source[1]]
            step()
            weight[0, place[0], place[1]] += taken

        return update

    return apply


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(1, 20))])
def test_one_synapse_of_200704_is_named(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(seed)
    place, source = (tuple(int(n) for n in random.integers(0, (256, 784))) for _ in "ab")
    monkeypatch.setattr(cpu, "apply", planted(place, source))
    circuit, protocol = circular_autoencoder([784, 256, 784], bias=False)
    made = Simulator(circuit, protocol, batch=6, parameters={"lr": 0.1})
    made.use(*random_examples(circuit, seed))
    found = intervene(made, np.arange(6), runs=1)
    (finding,) = found.findings
    assert (finding.kind, finding.projection) == ("lateral", "A1")
    assert finding.read == (
        f"A1.weight, replica 0, post {source[0]}, pre {source[1]}, by the update of A1 at tick 3; it changes "
        f"synapse [{place[0]}, {place[1]}] alone"
    )
    assert found.synapses == found.existing == {"A1": 256 * 784, "A2": 256 * 784}
