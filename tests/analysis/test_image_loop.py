"""The gain and the step of a convolutional loop: beside explicit matrices, and beside the loop of dense layers."""

from __future__ import annotations

import numpy as np
import pytest

from circuitsim.analysis.image_loop import image_loop_figures
from circuitsim.analysis.loop import loop_figures
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.layers import parse_layers
from circuitsim.engine.simulator import Simulator


def made(texts: list[str], shape: tuple[int, int, int]) -> tuple[Simulator, np.ndarray]:
    circuit, protocol = circular_autoencoder(parse_layers(texts, shape))
    parameters = {"A1": 0.01, "A2": 0.03}
    rates = {(name, key): [rate, 2 * rate] for name, rate in parameters.items() for key in ("lr", "lr_bias")}
    found = Simulator(circuit, protocol, batch=7, seeds=[0, 1], dtype="float64", parameters=rates)
    return found, np.random.default_rng(0).random((7, int(np.prod(shape))))


def dense_matrix(simulator: Simulator, name: str, replica: int) -> np.ndarray:
    """All synapses of a projection as one matrix (post, pre)."""
    q = simulator.circuit.projection(name)
    sizes = (simulator.circuit.population(p).size for p in (q.target, q.source))
    found, table = np.zeros(tuple(sizes)), simulator.circuit.synapses(name)
    found[table.post, table.pre] = simulator.tensors()[f"{name}.weight"][replica].reshape(-1)[table.slot]
    return found


def test_a_loop_of_dense_layers_is_measured_alike() -> None:
    """With positive weights, so that the power method converges; here each layer's Gram matrix is taken by itself."""
    simulator, x = made(["dense 4", "dense 9"], (1, 3, 3))
    for name in ("A1", "A2"):
        simulator.load(f"{name}.weight", np.abs(simulator.tensors()[f"{name}.weight"]))
    expected, found = loop_figures(simulator, x), image_loop_figures(simulator, x)
    np.testing.assert_allclose(found["loop/gain"], expected["loop/gain"], rtol=1e-9)
    np.testing.assert_allclose(found["loop/step"], expected["loop/step"], rtol=1e-9)


@pytest.mark.parametrize("texts", [["conv 3 3", "conv 2 3"], ["conv 3 3/2", "upsample 2", "conv 2 3"]])
def test_the_gain_is_the_largest_eigenvalue(texts: list[str]) -> None:
    simulator, x = made(texts, (2, 4, 4))
    for name in ("A1", "A2"):
        simulator.load(f"{name}.weight", np.abs(simulator.tensors()[f"{name}.weight"]))
    found = loop_figures(simulator, x)["loop/gain"]
    layers = [p.name for p in simulator.circuit.populations]
    ((_, slopes),) = list(simulator.observe([(name, "slope", 0) for name in layers[1:]], x))
    for replica in (0, 1):
        gains = []
        for example in range(len(x)):
            turn = np.eye(x.shape[1])
            for k, name in enumerate(layers[1:]):
                (q,) = simulator.circuit.incoming[name]
                matrix = _upsampling() if q.constant else dense_matrix(simulator, q.name, replica)
                turn = slopes[k][replica, example][:, None] * (matrix @ turn)
            gains.append(np.abs(np.linalg.eigvals(turn)).max())
        assert found[replica] == pytest.approx(np.mean(gains), rel=1e-6)


def _upsampling() -> np.ndarray:
    """3 maps of 2 by 2 to 4 by 4."""
    return np.kron(np.eye(3), np.kron(np.kron(np.eye(2), np.ones((2, 1))), np.kron(np.eye(2), np.ones((2, 1)))))


def test_the_step_counts_every_position() -> None:
    """Its Gram matrices are those of all windows of all examples, found from the list of synapses."""
    simulator, x = made(["conv 3 3", "conv 2 3"], (2, 4, 4))
    step = loop_figures(simulator, x)["loop/step"]
    ((_, (hidden, slope)),) = list(simulator.observe([("layer1", "O", 0), ("layer2", "slope", 0)], x))
    gain = loop_figures(simulator, x)["loop/gain"]
    for replica, rates in enumerate(((0.01, 0.03), (0.02, 0.06))):
        own = [
            rate * np.linalg.eigvalsh(_gram(simulator, name, activity))[-1]
            for name, activity, rate in zip(("A1", "A2"), (x, hidden[replica]), rates, strict=True)
        ]
        assert step[replica] == pytest.approx(gain[replica] * own[0] + slope[replica].mean() * own[1], rel=1e-9)


def _gram(simulator: Simulator, name: str, activity: np.ndarray) -> np.ndarray:
    """Inner products of the windows of all examples and positions, from the list of synapses of one map."""
    table = simulator.circuit.synapses(name)
    _, post = simulator.circuit.ends(name)
    windows = np.zeros((len(activity), post[1] * post[2], int(table.slot.max()) + 1))
    first = table.post < post[1] * post[2]
    for p, j, s in zip(table.post[first], table.pre[first], table.slot[first], strict=True):
        windows[:, p, s] = activity[:, j]
    flat = windows.reshape(-1, windows.shape[-1])
    return (flat @ flat.T + 1) / len(activity)


def test_a_loop_of_saturated_neurons_has_no_gain() -> None:
    """Every slope is 0, so that no signal comes around: the gain is 0, without a warning."""
    simulator, x = made(["conv 3 3", "conv 2 3"], (2, 4, 4))
    for name in ("A1", "A2"):
        weight = simulator.tensors()[f"{name}.weight"].copy()
        weight[0] = 1e4  # of one replica
        simulator.load(f"{name}.weight", weight)
    found = image_loop_figures(simulator, x)
    assert found["loop/gain"][0] == 0
    assert found["loop/gain"][1] > 0
    assert np.isfinite(found["loop/step"]).all()
