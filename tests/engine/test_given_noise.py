"""Noise from outside: mirror mode fires it row by row, exactly; what does not fit is refused."""

from __future__ import annotations

from typing import Any

import handwritten_classifier
import numpy as np
import pytest
from building import Tensors, digits, presentations, weights_of

from circuitsim.analysis.audits.deciding import of_simulator
from circuitsim.analysis.audits.examine import examine, examine_simulator
from circuitsim.circuit.parts import Mirror, Noise
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.engine.parameters import readable
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError

SIZES, BATCH, PASSES = (64, 8, 6, 10), 16, 9
both = pytest.mark.parametrize("backend", ["numba", "numpy"])


def made(backend: str = "numpy", mirror: Noise = Noise.GIVEN, **options: Any) -> Simulator:
    """A weight mirror whose forward synapses rest, without parameters of its own beyond the authors' rate."""
    circuit, protocol = layered_classifier(SIZES, "wm", mirror=Mirror("", mirror), **options)
    rates = {("B2", "lr"): 0.5, ("B3", "lr"): 0.25, "lr": 0.0}
    found = Simulator(circuit, protocol, batch=BATCH, dtype="float64", backend=backend, parameters=rates)
    found.use(digits(), np.arange(len(digits())) % 10)
    return found


def noise(passes: int = PASSES) -> Tensors:
    """Eighths from -1 to 1: with weights in sixteenths every sum of products is exact, in any order."""
    random = np.random.default_rng(3)
    return {f"layer{h}": random.integers(-8, 9, (passes, BATCH, SIZES[h])) / 8 for h in (1, 2)}


def load_sixteenths(simulator: Simulator) -> None:
    random = np.random.default_rng(4)
    for name, tensor in simulator.tensors().items():
        simulator.load(name, random.integers(-16, 17, tensor.shape[1:]) / 16)


@both
def test_the_authors_update_on_given_noise_is_a_loop_to_the_bit(backend: str) -> None:
    """B ← B + rate · mean(x yᵀ) for linear neurons, over passes before, after, and after a smaller batch."""
    simulator, given = made(backend, hidden="identity", output="identity"), noise()
    load_sixteenths(simulator)
    w = weights_of(simulator)
    simulator.use_noise(given)
    simulator.mirror(3)
    sizes = [BATCH, 8, BATCH]
    for size in sizes:
        simulator.present(np.arange(size))
    for number, size in enumerate([BATCH] * 3 + sizes):
        for h, rate in ((2, 0.5), (3, 0.25)):
            increment = np.zeros((SIZES[h - 1], SIZES[h]))
            for x in given[f"layer{h - 1}"][number, :size]:
                increment += np.outer(x, w[f"W{h}.weight"] @ x + w[f"W{h}.bias"])
            w[f"B{h}.weight"] = w[f"B{h}.weight"] + rate * increment / size
    for name, tensor in weights_of(simulator).items():
        np.testing.assert_array_equal(tensor, w[name], err_msg=name)


@both
def test_learning_with_given_noise_is_the_hand_written_loop(backend: str) -> None:
    simulator, given, rows = made(backend), noise(), presentations(6)
    simulator.set_parameters({(f"W{h}", "lr"): 0.2 for h in (1, 2, 3)} | {("B2", "lr"): 0.5, ("B3", "lr"): 0.5})
    passes = [{h: given[f"layer{h - 1}"][k] for h in (2, 3)} for k in range(PASSES)]
    start = weights_of(simulator)
    simulator.use_noise(given)
    simulator.mirror(2)
    for chosen in rows:
        simulator.present(chosen)
    after = [[{h: x[: len(chosen)] for h, x in passes[k].items()}] for k, chosen in enumerate(rows, 2)]
    wanted = handwritten_classifier.train(
        digits(), np.arange(len(digits())) % 10, start, rows=rows, feedback="wm", lr=0.2, lr_bias=0.0,
        mirror={"rate": 0.5}, noise_before=passes[:2], noise=after,
    )  # fmt: skip
    for name, tensor in weights_of(simulator).items():
        np.testing.assert_allclose(tensor, wanted[name], atol=1e-12, err_msg=name)
    assert np.abs(wanted["B2.weight"] - start["B2.weight"]).max() > 0.1


def test_a_snapshot_goes_on_with_the_next_pass() -> None:
    first, second, given = made(), made(), noise()
    for one in (first, second):
        one.use_noise(given)
    first.mirror(4)
    kept = first.snapshot()
    first.mirror(5)
    second.restore(kept)
    second.mirror(5)
    for name, tensor in first.tensors().items():
        np.testing.assert_array_equal(tensor, second.tensors()[name])


def test_all_replicas_hear_the_same() -> None:
    """And rows of other numbers are never read: replicas that are shown rows of their own take the noise's alike."""
    circuit, protocol = layered_classifier(SIZES, "wm", mirror=Mirror("", Noise.GIVEN))
    rates = {("B2", "lr"): 0.5, ("B3", "lr"): 0.25, "lr": 0.0}
    several = Simulator(
        circuit, protocol, batch=BATCH, seeds=[0, 1], dtype="float64", backend="numpy", parameters=rates, shared=False
    )
    several.use(digits(), np.arange(len(digits())) % 10)
    several.use_noise(noise())
    several.mirror(2)
    several.present(np.array([np.arange(90, 90 + BATCH), np.arange(BATCH)]))
    alone = made()
    alone.use_noise(noise())
    alone.mirror(2)
    alone.present(np.arange(90, 90 + BATCH))
    for name, tensor in alone.tensors().items():
        np.testing.assert_allclose(several.tensors()[name][0], tensor[0], atol=1e-12)
    second = several.mirror_plans[0].activity.array(("layer1", "O", 0), BATCH)
    np.testing.assert_array_equal(second[1], noise()["layer1"][2])


def test_waves_of_another_protocol_hear_the_noise_too() -> None:
    simulator, given = made(), noise()
    simulator.use_noise(given)
    before = simulator.record("layer3")  # another timetable, and other waves
    simulator.bound_plan(BATCH, 0)
    simulator.mirror(2)
    other = made()
    other.use_noise(given)
    other.mirror(2)
    np.testing.assert_array_equal(simulator.tensors()["B2.weight"], other.tensors()["B2.weight"])
    assert not before.presentations


def test_an_experiment_leaves_the_noise_as_it_was() -> None:
    simulator, given = made(), noise()
    simulator.use_noise(given)
    found = examine_simulator(simulator, np.arange(4), seed=1, runs=1, measure=False)
    assert {one["kind"] for one in found["findings"]} == {"label", "lateral"}
    simulator.mirror(PASSES)
    other = made()
    other.use_noise(given)
    other.mirror(PASSES)
    for name, tensor in other.tensors().items():
        np.testing.assert_array_equal(simulator.tensors()[name], tensor, err_msg=name)


def test_the_hash_of_what_decides_a_result_knows_the_noise() -> None:
    one, other, none = made(), made(), made()
    one.use_noise(noise())
    other.use_noise({name: values + 1e-9 for name, values in noise().items()})
    assert len({of_simulator(simulator)["seeds"] for simulator in (one, other, none)}) == 3


def test_an_audit_examines_circuits_that_take_noise() -> None:
    kinds = (Mirror("", noise) for noise in (Noise.GIVEN, Noise.GAUSSIAN))
    built = (layered_classifier((6, 5, 4), "wm", mirror=mirror) for mirror in kinds)
    found, drawn = (examine(*parts, seed=1, runs=1, measure=False) for parts in built)
    assert found["findings"] == drawn["findings"] and found["window"] == drawn["window"]


REFUSED = {
    "name": ({"layer0": 0}, "got arrays named layer0; expected one for each population that fires noise from outside: "
             "layer1, layer2. Name each array after its population."),
    "shape": ({"layer1": np.zeros((9, 16, 7)), "layer2": np.zeros((9, 16, 6))},
              "got layer1 of shape (9, 16, 7); expected (passes, 16, 8), as many passes as the others: rows of a batch"
              ", neurons. Match the batch and the population."),
    "count": ({"layer1": np.zeros((9, 16, 8)), "layer2": np.zeros((8, 16, 6))},
              "got layer1 of shape (9, 16, 8); expected (passes, 16, 8), as many passes as the others"),
    "value": ({"layer1": np.full((1, 16, 8), np.inf), "layer2": np.zeros((1, 16, 6))},
              "got layer1 with a value in row 0 that is infinite or not a number; expected finite values. "
              "Correct the values."),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_noise_that_does_not_fit(fault: str) -> None:
    arrays, text = REFUSED[fault]
    simulator = made()
    with pytest.raises(CircuitError) as error:
        simulator.use_noise(arrays)
    assert f"noise given to circuit classifier with wm: {text}" in str(error.value)
    with pytest.raises(CircuitError, match=r"got none; expected arrays .* for layer1, layer2. Call use_noise"):
        simulator.mirror()


def test_noise_that_nothing_fires_or_that_ends() -> None:
    with pytest.raises(CircuitError, match=r"expected .* from outside: none does. Give its mirrors Noise.GIVEN."):
        made(mirror=Noise.UNIFORM).use_noise(noise())
    simulator = made()
    simulator.use_noise(noise(2))
    simulator.mirror(2)
    expected = "got 2 passes; expected one more for each pass of mirror mode, of which this is number 3. Give more"
    with pytest.raises(CircuitError, match=expected):
        simulator.mirror()
    assert "noise_scale" not in readable(simulator.circuit)["W2"]
    assert "noise_scale" in readable(made(mirror=Noise.UNIFORM).circuit)["W2"]
