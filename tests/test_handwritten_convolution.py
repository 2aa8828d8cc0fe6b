"""Checks of the hand-written convolutions: numerical gradients, dense twins, identities of the papers, numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import handwritten
import handwritten_classifier
import handwritten_convolution_autoencoder as autoencoder
import handwritten_convolution_rules as rules
import numpy as np
import pytest
from handwritten import Array, Weights
from handwritten_convolution import Layer, Network, Shape, along, exists, glorot, network, swapped, tensor_shape
from handwritten_convolution_passes import forward, handed_down
from numpy.typing import NDArray

Labels = NDArray[np.int64]
ROWS = [[0, 3, 5, 1], [2], [4, 1, 6], [5, 0]]  # batches of unequal size
CLASSES = 4


def setting(shape: Shape, layers: Sequence[str | Layer], prefix: str = "W") -> tuple[Network, Array, Labels, Weights]:
    """A network with biases that are not zero, seven images and their labels."""
    net, rng = network(shape, layers, prefix), np.random.default_rng(7)
    return net, rng.normal(size=(7, *shape)), rng.integers(0, CLASSES, 7), glorot(net, 3, bias=0.3)


def equal(a: Weights, b: Weights, prefixes: str = "WAB", tolerance: float = 1e-12) -> None:
    names = [name for name in a if name[0] in prefixes]
    assert names
    for name in names:
        np.testing.assert_allclose(a[name], b[name], rtol=tolerance, atol=tolerance, err_msg=name)


def with_transposes(net: Network, w: Weights) -> Weights:
    """The same weights with B{h} = W{h}, out and in swapped."""
    places = {h: net.places[k - 1] for h, k in net.weighted.items() if h > 1}
    return w | {f"B{h}.weight": swapped(place, w[f"{net.prefix}{h}.weight"]).copy() for h, place in places.items()}


# Geometry and layers, by hand


@pytest.mark.parametrize(
    ("n", "kernel", "stride", "padding", "expected"),
    [
        (28, 5, 1, "same", (28, 2)),
        (7, 3, 2, "same", (4, 1)),
        (6, 3, 2, "same", (3, 0)),
        (8, 5, 2, "same", (4, 1)),
        (5, 2, 1, "same", (5, 0)),
        (7, 1, 2, "same", (4, 0)),
        (7, 3, 2, "valid", (3, 0)),
        (8, 3, 2, "valid", (3, 0)),
        (5, 3, 2, 2, (4, 2)),
    ],
)
def test_positions_along_an_axis_are_tensorflows(
    n: int, kernel: int, stride: int, padding: str | int, expected: tuple[int, int]
) -> None:
    assert along(n, kernel, stride, padding) == expected


def test_texts_name_layers() -> None:
    layers = ["conv 6 5/2", "local 4 3 valid", "maxpool 3/2 same", "meanpool 2", "upsample 3", "dense 7"]
    net = network((3, 9, 9), layers)
    assert [place.shape for place in net.places] == [
        (6, 5, 5), (4, 3, 3), (4, 2, 2), (4, 1, 1), (4, 3, 3), (7, 1, 1),
    ]  # fmt: skip
    assert [place.h for place in net.places] == [1, 2, None, None, None, 3]
    shapes = [tensor_shape(net.places[k - 1]) for k in net.weighted.values()]
    assert shapes == [(6, 3, 5, 5), (3, 3, 4, 6, 3, 3), (7, 36)]
    with pytest.raises(ValueError, match="last layer needs weights"):
        network((1, 4, 4), ["conv 2 3", "maxpool 2"])
    with pytest.raises(ValueError, match="two layers of one shape"):
        network((1, 4, 4), ["conv 2 3", "sum", "dense 3"])


def test_a_convolution_is_a_cross_correlation_and_its_feedback_is_not_flipped() -> None:
    net = network((1, 2, 2), ["conv 1 2 valid"])
    kernel = np.array([[[[1.0, 10.0], [100.0, 1000.0]]]])
    w = {"W1.weight": kernel, "W1.bias": np.array([0.5])}
    passed = forward(net, np.array([[[[1.0, 2.0], [3.0, 4.0]]]]), w, output="identity")
    assert passed.o[1].item() == 4321.5
    np.testing.assert_array_equal(handed_down(net, 1, np.ones((1, 1, 1, 1)), passed, {1: kernel}), kernel)


def pooled(layer: Layer, x: list[list[float]]) -> tuple[Array, Array]:
    """The pooled image, and where a feedback of 1 to each of its neurons goes."""
    image = np.array(x)[np.newaxis, np.newaxis]
    net = network(image.shape[1:], [layer, "conv 1 1"])
    w = {"W1.weight": np.ones((1, 1, 1, 1)), "W1.bias": np.zeros(1)}
    passed = forward(net, image, w)
    return passed.o[1][0, 0], handed_down(net, 1, np.ones_like(passed.o[1]), passed, {})[0, 0]


def pool(kind: str, size: int, stride: int, padding: str | int = "same", **how: str) -> Layer:
    return Layer(kind, 0, (size, size), (stride, stride), padding, **how)


def test_overlapping_pools_with_an_uneven_border() -> None:
    x = [[1.0, 2, -9, -1], [3, 9, -8, -2], [-7, -6, -5, -4], [-1, -2, -3, -1.5]]
    out, back = pooled(pool("maxpool", 3, 2), x)
    np.testing.assert_array_equal(out, [[9, 0], [0, 0]])  # the padded row and column come last and compete as 0
    np.testing.assert_array_equal(back, [[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    out, back = pooled(pool("maxpool", 3, 2, fill="none"), x)
    np.testing.assert_array_equal(out, [[9, -1], [-1, -1.5]])
    np.testing.assert_array_equal(back, [[0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1]])
    out, back = pooled(pool("maxpool", 2, 1, "valid"), [[0.0, 1, 0], [0, 2, 0]])
    np.testing.assert_array_equal(out, [[2, 2]])
    np.testing.assert_array_equal(back, [[0, 0, 0], [0, 2, 0]])  # it wins in both windows


@pytest.mark.parametrize(
    ("ties", "plain", "lone"),
    [
        ("first", [[1, 0], [0, 0]], 0),
        ("last", [[0, 0], [0, 1]], 0),
        ("all", [[1, 1], [1, 1]], 1),
    ],
)
def test_ties_of_a_pool(ties: str, plain: list[list[float]], lone: float) -> None:
    _, back = pooled(pool("maxpool", 2, 2, ties=ties), [[3.0, 3.0], [3.0, 3.0]])
    np.testing.assert_array_equal(back, plain)
    _, back = pooled(pool("maxpool", 3, 1, ties=ties), [[0.0]])  # padded on all sides: padded cells are first and last
    assert back.item() == lone
    _, back = pooled(pool("maxpool", 2, 2, ties=ties), [[0.0]])  # padded after it: the cell comes first
    assert back.item() == (0 if ties == "last" else 1)
    _, back = pooled(pool("maxpool", 3, 1, ties=ties, fill="none"), [[0.0]])
    assert back.item() == 1


def test_mean_pools_and_upsampling() -> None:
    x = [[1.0, 2, 3], [5, 6, 7], [4, 4, 4]]
    out, back = pooled(pool("meanpool", 2, 2), x)
    np.testing.assert_allclose(out, [[3.5, 2.5], [2, 1]])
    np.testing.assert_allclose(back, np.full((3, 3), 0.25))
    out, back = pooled(pool("meanpool", 2, 2, fill="none"), x)
    np.testing.assert_allclose(out, [[3.5, 5], [4, 4]])
    np.testing.assert_allclose(back, [[0.25, 0.25, 0.5], [0.25, 0.25, 0.5], [0.5, 0.5, 1]])
    out, back = pooled(Layer("upsample", 0, (2, 2)), [[1.0, 2.0]])
    np.testing.assert_array_equal(out, [[1, 1, 2, 2], [1, 1, 2, 2]])
    np.testing.assert_array_equal(back, [[4, 4]])


# Numerical gradients


def cross_entropy(net: Network, x: Array, y: Labels, w: Weights, how: dict[str, Any]) -> float:
    o = forward(net, x, w, hidden=how["hidden"], output=how["output"]).o[-1].reshape(len(y), -1)
    T = np.eye(CLASSES)[y]
    if how["output"] == "softmax":
        return float(-np.sum(T * np.log(o)) / len(y))
    return float(-np.sum(T * np.log(o) + (1 - T) * np.log(1 - o)) / len(y))


def hinge(net: Network, x: Array, y: Labels, w: Weights, how: dict[str, Any]) -> float:
    s = forward(net, x, w, hidden=how["hidden"], output=how["output"]).s[-1].reshape(len(y), -1)
    T, mu = np.eye(CLASSES)[y], 1 / (CLASSES - 1)
    margin = {"one": 1.0, "mu": mu}[how["hinge_margin"]]
    return float(np.sum(T * np.maximum(0, 1 - s) + (1 - T) * mu * np.maximum(0, margin + s)) / len(y))


def against_numbers(net: Network, x: Array, y: Labels, w: Weights, how: dict[str, Any]) -> None:
    """Backpropagation's increments are the negative slopes of the loss, along directions and single synapses."""
    loss = hinge if how.get("loss") == "hinge" else cross_entropy
    after = rules.train(net, x, y, w, rows=[range(len(x))], lr=1.0, **how)[0]
    rng = np.random.default_rng(11)
    for name in [name for name in w if name[0] == "W"]:
        increment = after[name] - w[name]
        single = [np.eye(increment.size)[i].reshape(increment.shape) for i in rng.integers(0, increment.size, 6)]
        for direction in [*rng.normal(size=(4, *increment.shape)), *single]:
            eps = 1e-5
            up = loss(net, x, y, w | {name: w[name] + eps * direction}, how)
            down = loss(net, x, y, w | {name: w[name] - eps * direction}, how)
            assert np.sum(increment * direction) == pytest.approx(
                -(up - down) / (2 * eps), rel=1e-6, abs=1e-6 * np.abs(increment).max()
            ), name


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kind", ["conv", "local"])
def test_backpropagation_is_the_gradient(kind: str, stride: int, padding: str) -> None:
    how = {"hidden": "tanh", "output": "softmax"}
    first = f"{kind} 3 3/{stride} {padding}"
    layers = [first, "maxpool 3/2 same", "conv 2 5", f"dense {CLASSES}"]
    if kind == "local":
        layers = [first, "local 3 3", "sum", "local 2 2", f"dense {CLASSES}"]
    against_numbers(*setting((2, 7, 6), layers), how)


@pytest.mark.parametrize(
    "how",
    [
        {"hidden": "tanh", "output": "logistic"},
        {"hidden": "logistic", "output": "softmax"},
        {"hidden": "relu", "output": "softmax"},
        {"hidden": "saturated", "output": "identity", "loss": "hinge", "hinge_margin": "one"},
        {"hidden": "saturated", "output": "identity", "loss": "hinge", "hinge_margin": "mu"},
    ],
)
def test_backpropagation_through_every_kind_of_layer(how: dict[str, Any]) -> None:
    pool_all = pool("maxpool", 3, 2, 1, fill="none")
    layers = ["conv 2 3", "sum", pool_all, "local 3 2", "drop .5", "upsample 2", "meanpool 3/2 same", "conv 3 3", "sum"]
    net, x, y, w = setting((2, 5, 6), [*layers, f"conv {CLASSES} 2/2 valid", "dense 5", f"conv {CLASSES} 1"])
    against_numbers(net, 1.5 * x, y, w, how)


# Twins: dense layers, and convolutions with the same weights


def matrix(net: Network, k: int, weight: Array, stride: int, before: int) -> Array:
    """The dense weights of a square kernel: M[o p q, i r c] = W[o, i, r - stride p + before, c - stride q + before]."""
    place = net.places[k - 1]
    M = np.zeros((*place.shape, *place.below))
    for o, p, q, i, r, c in np.ndindex(M.shape):
        u, v = r - stride * p + before, c - stride * q + before
        if 0 <= u < place.layer.kernel[0] and 0 <= v < place.layer.kernel[1]:
            M[o, p, q, i, r, c] = weight[o, i, u, v] if place.layer.kind == "conv" else weight[p, q, o, i, u, v]
    return M.reshape(int(np.prod(place.shape)), -1)


def gathered(net: Network, k: int, dense: Array, stride: int, before: int) -> Array:
    """Increments of all dense synapses, each added to the slot that it has in the convolution."""
    place = net.places[k - 1]
    shape = tensor_shape(place)
    slots = matrix(net, k, np.arange(1, np.prod(shape) + 1).reshape(shape), stride, before).astype(int).ravel()
    return np.bincount(slots, dense.ravel(), np.prod(shape) + 1)[1:].reshape(shape)


def spread(net: Network, k: int, bias: Array) -> Array:
    """A bias for each neuron, flattened."""
    place = net.places[k - 1]
    return np.broadcast_to(bias if bias.ndim == 3 else bias[:, np.newaxis, np.newaxis], place.shape).ravel()


# Layers with the stride and the padding before that each has.
TWIN = {"conv 3 3": (1, 1), "local 2 2/2": (2, 0), "conv 1 3": (1, 1)}
CIRCLE = {"conv 3 2/2": (2, 0), "local 2 2": (1, 0), "conv 1 3 2": (1, 2)}


def twin(
    shape: Shape, layers: dict[str, tuple[int, int]], prefix: str
) -> tuple[Network, Array, Labels, Weights, Weights]:
    """A network of three layers, and the weights of the dense network that computes the same."""
    net, x, y, w = setting(shape, list(layers), prefix)
    dense: Weights = {name: a for name, a in w.items() if name[0] == "D"}
    for (h, k), geometry in zip(net.weighted.items(), layers.values(), strict=True):
        dense[f"{prefix}{h}.weight"] = matrix(net, k, w[f"{prefix}{h}.weight"], *geometry)
        dense[f"{prefix}{h}.bias"] = spread(net, k, w[f"{prefix}{h}.bias"])
        if h > 1:
            dense[f"B{h}.weight"] = matrix(net, k, swapped(net.places[k - 1], w[f"B{h}.weight"]), *geometry).T
    return net, x, y, w, dense


def one_update_agrees(
    net: Network, layers: dict[str, tuple[int, int]], before: Weights, after: Weights, dense: Weights, new: Weights
) -> None:
    """Increments of the slots are those of the dense synapses, added up."""
    for (h, k), geometry in zip(net.weighted.items(), layers.values(), strict=True):
        place, name = net.places[k - 1], f"{net.prefix}{h}"
        change = {key: new[key] - dense[key] for key in dense}
        expected = gathered(net, k, change[f"{name}.weight"], *geometry)
        np.testing.assert_allclose(after[f"{name}.weight"] - before[f"{name}.weight"], expected, atol=1e-13)
        by_neuron = change[f"{name}.bias"].reshape(place.shape)
        by_slot = by_neuron if place.layer.kind == "local" else by_neuron.sum(axis=(1, 2))
        np.testing.assert_allclose(after[f"{name}.bias"] - before[f"{name}.bias"], by_slot, atol=1e-13)
        if h > 1:
            expected = swapped(place, gathered(net, k, change[f"B{h}.weight"].T, *geometry))
            np.testing.assert_allclose(after[f"B{h}.weight"] - before[f"B{h}.weight"], expected, atol=1e-13)


@pytest.mark.parametrize("feedback", ["bp", "fa", "dfa", "urfb"])
@pytest.mark.parametrize("loss", ["error", "hinge"])
def test_one_update_is_the_dense_networks_added_up(feedback: str, loss: str) -> None:
    net, x, y, w, dense = twin((1, 4, 6), TWIN, "W")
    how: dict[str, Any] = {"rows": [range(7)], "feedback": feedback, "loss": loss, "lr": 0.7, "lr_bias": 0.3}
    after = rules.train(net, x, y, w, **how)[0]
    new = handwritten_classifier.train(x.reshape(7, -1), y, dense, **how)
    one_update_agrees(net, TWIN, w, after, dense, new)


RECIRCULATION = [
    {"rule": rule, "variant": variant, "lam": lam, "cycles": m, "reference_cycle": n, "top_rule": top}
    for rule, variant, lam, m, n, top in [
        ("rec", "pr", 0.5, 1, 0, "same"),
        ("rec", "ccr", 0.3, 1, 0, "same"),
        ("rec", "rcc", 0.3, 2, 1, "same"),
        ("rec", "ccrcc", (0.3, 0.6), 2, 0, "same"),
        ("rec", "rwcc", (0.3, 0.6), 2, 1, "same"),
        ("rec", "rwcc", 0.7, 2, 0, "gradient"),
        ("rec", "ccrcc", 0.4, 2, 1, "own"),
        ("rec-symmetric", "pr", 0.5, 1, 0, "same"),
        ("rec-symmetric", "rwcc", (0.2, 0.5), 2, 1, "own"),
    ]
]
WITHOUT_BIAS = [{"rule": "rec", "bias": False}, {"rule": "error-rec", "bias": False}]
RULES = [*RECIRCULATION, *WITHOUT_BIAS, *({"rule": rule} for rule in ("error-rec", "bp", "rbp", "srbp", "arbp", "top"))]


@pytest.mark.parametrize("how", RULES, ids=lambda how: "-".join(str(v) for v in how.values()))
def test_autoencoders_of_dense_layers_are_the_dense_loops(how: dict[str, Any]) -> None:
    net, x, _, w = setting((6, 1, 1), ["dense 4", "dense 5", "dense 6"], "A")
    flat = x.reshape(7, -1)
    settings: dict[str, Any] = {"lr": [0.1, 0.2, 0.3], "lr_bias": 0.05, "momentum": 0.8, "max_norm": 1.1, **how}
    history = autoencoder.train(net, x, w, rows=ROWS, lr_factors=[1, 0.9, 0.8, 0.7], **settings)
    for t in range(len(ROWS)):
        factors = [1, 0.9, 0.8, 0.7][: t + 1]
        equal(handwritten.train(flat, w, rows=ROWS[: t + 1], lr_factors=factors, **settings), history[t])


@pytest.mark.parametrize("how", RULES, ids=lambda how: "-".join(str(v) for v in how.values()))
def test_one_update_of_a_circle_is_the_dense_circles_added_up(how: dict[str, Any]) -> None:
    net, x, _, w, dense = twin((1, 4, 4), CIRCLE, "A")
    settings: dict[str, Any] = {"rows": [range(7)], "lr": 0.7, "lr_bias": 0.3, **how}
    after = autoencoder.train(net, x, w, **settings)[0]
    new = handwritten.train(x.reshape(7, -1), dense, **settings)
    one_update_agrees(net, CIRCLE, w, after, dense, new)


def test_a_circle_with_upsampling_emits_and_remembers_in_every_hidden_layer() -> None:
    net, x, _, w = setting((1, 4, 4), ["conv 2 3/2", "upsample 2", "conv 1 3"], "A")
    e, r = 0.3, 0.6
    for mixing, (emit, remember) in {"all": (e, r), "weighted": (0.0, 0.0)}.items():
        act, arrived = autoencoder.recirculate(net, x, w, 1, variant="rwcc", lam=(e, r), mixing=mixing)
        first = forward(net, x, w, output="logistic")
        back = e * x + (1 - e) * first.o[3]  # layer 0 emits this
        hidden = np.tanh(forward(net, back, w).s[1])
        emitted = e * first.o[1] + (1 - e) * hidden
        upsampled = emitted.repeat(2, axis=2).repeat(2, axis=3)
        np.testing.assert_allclose(act[1][0], back, atol=1e-14)
        np.testing.assert_allclose(act[1][1], r * first.o[1] + (1 - r) * hidden, atol=1e-14)
        np.testing.assert_allclose(act[1][2], remember * first.o[2] + (1 - remember) * upsampled, atol=1e-14)
        on_top = network((2, 4, 4), ["conv 1 3"], "A")
        own = {"A1.weight": w["A2.weight"], "A1.bias": w["A2.bias"]}
        top = forward(on_top, emit * first.o[2] + (1 - emit) * upsampled, own, output="logistic").o[1]
        np.testing.assert_allclose(arrived[1], top, atol=1e-14)


CLASSIFIERS: list[dict[str, Any]] = [
    {"feedback": "bp", "weight_decay": 0.01},
    {"feedback": "fa", "output": "logistic", "hidden": "logistic"},
    {"feedback": "fa", "feedback_step": 0.5, "weight_decay": 0.01},
    {"feedback": "dfa", "hidden": "relu"},
    {"feedback": "kp", "weight_decay": 0.02},
    {"feedback": "urfb", "loss": "hinge", "hinge_margin": "mu", "hidden": "saturated"},
    {"feedback": "ss"},
    {"feedback": "ss", "magnitudes": True},
    {"feedback": "wm", "mirror": {"rate": 0.1, "decay": 0.05, "centre": True}},
    {"feedback": "wm", "mirror": {"rate": 0.1, "block_bias": True, "normalise": True}},
    {"feedback": "wm", "mirror": {"rate": 0.1}, "bias": False},
]


@pytest.mark.parametrize("how", CLASSIFIERS, ids=str)
def test_classifiers_of_dense_layers_are_the_dense_loops(how: dict[str, Any]) -> None:
    net, x, y, w = setting((5, 1, 1), ["dense 4", "dense 6", f"dense {CLASSES}"])
    rng = np.random.default_rng(5)
    settings: dict[str, Any] = {"lr": [0.1, 0.2, 0.3], "lr_bias": 0.05, "momentum": 0.8, "max_norm": 1.4, **how}
    if how.get("magnitudes"):
        settings["magnitudes"] = [{h: rng.normal(size=w[f"B{h}.weight"].shape) for h in (2, 3)} for _ in ROWS]
    if "mirror" in how:
        settings["noise_before"] = [{2: rng.normal(size=(3, 4)), 3: rng.normal(size=(3, 6))}]
        settings["noise"] = [[{2: rng.normal(size=(4, 4)), 3: rng.normal(size=(4, 6))}] * 2 for _ in ROWS]
    history = rules.train(net, x, y, w, rows=ROWS, lr_factors=[1, 0.9, 0.8, 0.7], **settings)
    for t in range(len(ROWS)):
        factors, rows = [1, 0.9, 0.8, 0.7][: t + 1], ROWS[: t + 1]
        expected = handwritten_classifier.train(x.reshape(7, -1), y, w, rows=rows, lr_factors=factors, **settings)
        equal(expected, history[t])


def as_dense(net: Network, w: Weights) -> Weights:
    """Weights of a network whose last layer covers all of its input, as those of one whose last layer is dense."""
    k = len(net.places)
    L, place = net.places[k - 1].h, net.places[k - 1]
    shared = place.layer.kind == "conv"
    W = w[f"W{L}.weight"] if shared else w[f"W{L}.weight"][0, 0]
    B = w[f"B{L}.weight"] if shared else w[f"B{L}.weight"][0, 0]
    flat = {f"W{L}.weight": W.reshape(len(W), -1), f"W{L}.bias": w[f"W{L}.bias"].ravel()}
    return w | flat | {f"B{L}.weight": np.moveaxis(B, 0, 1).reshape(len(W), -1).T}


@pytest.mark.parametrize("kind", ["conv", "local"])
@pytest.mark.parametrize(
    "how",
    [
        {"feedback": "bp", "momentum": 0.9, "weight_decay": 0.01},
        {"feedback": "dfa"},
        {"feedback": "kp", "momentum": 0.9, "weight_decay": 0.01},
        {"feedback": "urfb", "feedback_step": -0.5, "max_norm": 0.8},
        {"feedback": "wm", "mirror": {"rate": 0.1, "decay": 0.05, "centre": True, "normalise": True}},
    ],
    ids=str,
)
def test_a_valid_kernel_that_covers_its_input_is_a_dense_layer(kind: str, how: dict[str, Any]) -> None:
    net, x, y, w = setting((2, 5, 5), ["conv 3 3", "maxpool 3/2 same", f"{kind} {CLASSES} 3 valid"])
    other = network((2, 5, 5), ["conv 3 3", "maxpool 3/2 same", f"dense {CLASSES}"])
    if "mirror" in how:
        how = how | {"noise": [[{2: np.random.default_rng(t).normal(size=(4, 3, 3, 3))}] for t in range(len(ROWS))]}
    found = rules.train(net, x, y, w, rows=ROWS, lr=0.2, **how)
    expected = rules.train(other, x, y, as_dense(net, w), rows=ROWS, lr=0.2, **how)
    for here, there in zip(found, expected, strict=True):
        equal(there, as_dense(net, here))
    assert np.abs(found[-1]["W2.weight"] - w["W2.weight"]).max() > 1e-3


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2])
def test_untied_layers_with_equal_slots_are_convolutions(stride: int, padding: str) -> None:
    layers = [f"{{}} 3 3/{stride} {padding}", "{} 3 3", "sum", "{} 2 2", f"dense {CLASSES}"]
    shared, x, y, w = setting((2, 6, 7), [layer.format("conv") for layer in layers])
    untied = network((2, 6, 7), [layer.format("local") for layer in layers])
    equal_slots = dict(w)
    for h in (1, 2, 3):
        place = untied.places[untied.weighted[h] - 1]
        rows, columns = place.shape[1:]
        equal_slots[f"W{h}.weight"] = np.tile(w[f"W{h}.weight"], (rows, columns, 1, 1, 1, 1))
        equal_slots[f"W{h}.bias"] = np.broadcast_to(w[f"W{h}.bias"][:, np.newaxis, np.newaxis], place.shape)
        if h > 1:
            equal_slots[f"B{h}.weight"] = np.tile(w[f"B{h}.weight"], (rows, columns, 1, 1, 1, 1))
    np.testing.assert_allclose(forward(untied, x, equal_slots).o[-1], forward(shared, x, w).o[-1], atol=1e-14)
    for feedback in ("bp", "urfb"):
        after = rules.train(shared, x, y, w, rows=[range(7)], lr=1.0, feedback=feedback)[0]
        apart = rules.train(untied, x, y, equal_slots, rows=[range(7)], lr=1.0, feedback=feedback)[0]
        for name in (name for name in after if name[0] in "WB" and name[1] != "4"):
            change, changes = after[name] - w[name], apart[name] - equal_slots[name]
            axes = (1, 2) if name.endswith("bias") else (0, 1)
            np.testing.assert_allclose(changes.sum(axis=axes), change, atol=1e-13, err_msg=name)


# Identities of the rules, on a net with every kind of synapse

NET = ["conv 3 3", "local 3 3/1", "sum", "maxpool 3/2 same", "conv 2 2", f"dense {CLASSES}"]


@pytest.mark.parametrize(
    "how",
    [
        {"feedback": "fa"},
        {"feedback": "kp", "weight_decay": 0.05},
        {"feedback": "urfb"},
    ],
    ids=str,
)
def test_rules_that_start_from_the_transpose_are_backpropagation(how: dict[str, Any]) -> None:
    net, x, y, w = setting((2, 5, 6), NET)
    start = with_transposes(net, w)
    settings: dict[str, Any] = {"rows": ROWS, "lr": 0.2, "momentum": 0.8, "weight_decay": 0.0} | how
    found = rules.train(net, x, y, start, **settings)
    expected = rules.train(net, x, y, start, **settings | {"feedback": "bp"})
    equal(expected[0], found[0], "W")
    if how["feedback"] == "fa":  # its feedback does not follow
        assert np.abs(expected[-1]["W1.weight"] - found[-1]["W1.weight"]).max() > 1e-6
        return
    for there, here in zip(expected, found, strict=True):
        equal(there, here, "W")
        equal(with_transposes(net, here), here, "B")
    strangers = rules.train(net, x, y, w, **settings)
    assert np.abs(expected[0]["W1.weight"] - strangers[0]["W1.weight"]).max() > 1e-3


def test_kolen_pollack_shrinks_the_difference_by_the_decay() -> None:
    """W(t) - Bᵀ(t) = (1 - λ)^t [W(0) - Bᵀ(0)] (Akrout, eq. 14), where there are synapses; other slots stand still."""
    net, x, y, w = setting((2, 2, 3), ["conv 3 3", "conv 2 5", "local 2 3", f"dense {CLASSES}"])
    last = rules.train(net, x, y, w, rows=ROWS, feedback="kp", lr=0.2, momentum=0.5, weight_decay=0.1)[-1]
    missing = 0
    for h in (2, 3, 4):
        place = net.places[h - 1]
        present = exists(place)
        before = w[f"W{h}.weight"] - swapped(place, w[f"B{h}.weight"])
        after = last[f"W{h}.weight"] - swapped(place, last[f"B{h}.weight"])
        np.testing.assert_allclose(after, np.where(present == 1, 0.9 ** len(ROWS), 1.0) * before, atol=1e-13)
        for name, mask in ((f"W{h}.weight", present), (f"B{h}.weight", swapped(place, present))):
            np.testing.assert_array_equal(last[name][mask == 0], w[name][mask == 0])
        missing += int(np.sum(present == 0))
    assert missing > 0


def test_direct_feedback_through_the_true_jacobian_is_backpropagation() -> None:
    net, x, y, w = setting((1, 4, 6), ["conv 3 3", "conv 2 2/2", f"dense {CLASSES}"])
    w["D2.weight"] = w["W3.weight"].T
    w["D1.weight"] = matrix(net, 2, w["W2.weight"], 2, 0).T @ w["W3.weight"].T
    how: dict[str, Any] = {"rows": [range(7)], "hidden": "identity", "lr": 0.5}
    found = rules.train(net, x, y, w, feedback="dfa", **how)[0]
    equal(rules.train(net, x, y, w, feedback="bp", **how)[0], found, "W")


def test_sign_symmetry_takes_signs_of_w_and_magnitudes_of_b() -> None:
    net, x, y, w = setting((2, 5, 6), NET)
    how: dict[str, Any] = {"rows": [range(7)], "lr": 0.5}
    sizes = {name: np.abs(a) for name, a in with_transposes(net, w).items() if name[0] == "B"}
    bp = rules.train(net, x, y, w, feedback="bp", **how)[0]
    equal(bp, rules.train(net, x, y, w | sizes, feedback="ss", **how)[0], "W")
    redrawn = [{h: sizes[f"B{h}.weight"] for h in (2, 3, 4)}]
    equal(bp, rules.train(net, x, y, w, feedback="ss", magnitudes=redrawn, **how)[0], "W")
    signs = {name: 0.3 * np.sign(a) for name, a in with_transposes(net, w).items() if name[0] == "B"}
    uniform: Weights = {name: np.array(0.3) for name in signs}
    fa = rules.train(net, x, y, w | signs, feedback="fa", **how)[0]
    equal(fa, rules.train(net, x, y, w | uniform, feedback="ss", **how)[0], "W")


@pytest.mark.parametrize("kind", ["conv", "local"])
def test_a_mirror_learns_the_transpose_once_for_each_synapse_of_a_slot(kind: str) -> None:
    """Noise with ⟨x xᵀ⟩ = 1, linear neurons: B becomes rate · W, times the number of synapses that share the slot.

    The kernel is larger than the image: what stands in slots without a synapse, here 7, moves and counts nowhere.
    """
    net, _, _, w = setting((1, 2, 3), ["conv 2 1", f"{kind} 3 5", f"dense {CLASSES}"])
    noise = {2: np.sqrt(12) * np.eye(12), 3: np.sqrt(18) * np.eye(18)}
    place, present = net.places[1], swapped(net.places[1], exists(net.places[1])) == 1
    start = w | {"B2.weight": np.where(present, 0.0, 7.0), "B3.weight": np.zeros_like(w["B3.weight"])}
    synapses = np.array([[max(0, 2 - abs(u - 2)) * max(0, 3 - abs(v - 2)) for v in range(5)] for u in range(5)])
    expected = swapped(place, (synapses if kind == "conv" else exists(place)) * w["W2.weight"])

    def after(**mirror: float) -> Array:
        rules.mirror_pass(net, start, noise, {"block_bias": True, **mirror}, "identity", "softmax", True)
        np.testing.assert_array_equal(start["B2.weight"][~present], 7.0)
        return start["B2.weight"][present]

    np.testing.assert_allclose(after(rate=0.5), 0.5 * expected[present], atol=1e-13)
    np.testing.assert_allclose(start["B3.weight"], 0.5 * w["W3.weight"].T, atol=1e-13)
    np.testing.assert_allclose(after(rate=0.5, decay=0.2), 0.9 * expected[present], atol=1e-13)  # 0.8 · 0.5 + 0.5
    normal = expected[present] / np.linalg.norm(expected[present])
    np.testing.assert_allclose(after(rate=0.5, normalise=True), normal, atol=1e-13)
    assert not present.all()


def test_the_mirrors_answer_has_the_bias_and_the_mean_that_it_is_asked_for() -> None:
    net, _, _, w = setting((1, 4, 5), ["conv 2 1", "conv 3 3", f"dense {CLASSES}"])
    noise = {2: np.ones((2, 2, 4, 5)), 3: np.ones((2, 60))}  # equal examples: centred answers are 0
    for mirror, moves in (({"centre": True}, False), ({}, True)):
        changed = dict(w)
        rules.mirror_pass(net, changed, noise, {"rate": 1.0} | mirror, "tanh", "softmax", True)
        assert bool(np.abs(changed["B2.weight"] - w["B2.weight"]).max() > 1e-9) == moves
    silent = {2: np.ones((1, 2, 4, 5)), 3: np.ones((1, 60))}
    changed = w | {"W2.weight": np.zeros_like(w["W2.weight"])}
    rules.mirror_pass(net, changed, silent, {"rate": 1.0}, "tanh", "softmax", True)
    answer = np.tanh(w["W2.bias"])
    inside = changed["B2.weight"] - w["B2.weight"]
    np.testing.assert_allclose(inside[:, :, 1, 1], 20 * np.tile(answer, (2, 1)), atol=1e-12)  # 20 positions


def test_a_bound_holds_for_each_filter_with_its_bias() -> None:
    net, x, y, w = setting((2, 4, 4), ["conv 3 3", "local 2 3", f"dense {CLASSES}"])
    free = rules.train(net, x, y, w, rows=[range(7)], lr=1.0)[0]
    bounded = rules.train(net, x, y, w, rows=[range(7)], lr=1.0, max_norm=0.9)[0]
    present = exists(net.places[1])
    scales = []
    for o in range(3):
        norm = np.sqrt(np.sum(free["W1.weight"][o] ** 2) + free["W1.bias"][o] ** 2)
        scales.append(min(1.0, 0.9 / norm))
        np.testing.assert_allclose(bounded["W1.weight"][o], free["W1.weight"][o] * scales[-1], atol=1e-14)
        np.testing.assert_allclose(bounded["W1.bias"][o], free["W1.bias"][o] * scales[-1], atol=1e-14)
    for p, q, o in np.ndindex(4, 4, 2):
        own = free["W2.weight"][p, q, o] * present[p, q, o]
        scales.append(min(1.0, 0.9 / np.sqrt(np.sum(own**2) + free["W2.bias"][o, p, q] ** 2)))
        kept = bounded["W2.weight"][p, q, o] * present[p, q, o]
        np.testing.assert_allclose(kept, own * scales[-1], atol=1e-14)
        assert bounded["W2.bias"][o, p, q] == pytest.approx(free["W2.bias"][o, p, q] * scales[-1])
    assert min(scales) < 0.95
    assert max(scales) == 1.0
    without_synapse = present == 0
    np.testing.assert_array_equal(bounded["W2.weight"][without_synapse], w["W2.weight"][without_synapse])
