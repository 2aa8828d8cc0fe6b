"""Convolutional and untied classifiers against `handwritten_convolution_rules.py`: 20 updates, after each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import handwritten_convolution as hand
import handwritten_convolution_rules as rules
import numpy as np
import pytest
import standin
from building import read_by
from handwritten_convolution import Layer
from networks import Item, Tensors, draw_biases, furthest, images, layers_of, replica_of
from running import nightly

from circuitsim.circuit.parts import Mirror, Noise
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.engine.simulator import Simulator
from circuitsim.randomness import generator

TOLERANCE = 1e-10
UPDATES, CLASSES, EXAMPLES = 20, 5, 30
FEEDBACK = ("bp", "fa", "dfa", "kp", "urfb", "ss", "wm")
RATES = (0.1, 0.2, 0.15, 0.05)
BIAS_RATES = (0.05, 0.1, 0.02, 0.1)

CIRCUITS: dict[str, tuple[hand.Shape, list[Item]]] = {
    "conv-pool-conv-dense": ((2, 6, 5), ["conv 3 3", "maxpool 3/2 same", "conv 4 2 valid", "dense 5"]),
    "strides": ((2, 7, 6), ["conv 3 3/2", "maxpool 2/1", "conv 3 2/2 valid", "dense 5"]),
    "untied with sums": (
        (2, 5, 4),
        ["local 2 3", "sum", "local 3 3/2", "local 3 3", "sum", "meanpool 2/1 same", "dense 5"],
    ),
    "both, upsampled": (
        (1, 5, 5),
        ["maxpool 2/1", "conv 2 3/2 valid", "upsample 3", "local 2 2/1 valid", "meanpool 2", "dense 5"],
    ),
    "wide borders": (
        (2, 5, 4),
        [
            Layer("conv", 3, (2, 3), (1, 2), 2),
            Layer("maxpool", 0, (3, 2), (2, 1), "same", "none", "last"),
            Layer("local", 2, (3, 2), (2, 1), 1),
            Layer("meanpool", 0, (3, 2), (2, 1), "same", "none"),
            "dense 5",
        ],
    ),
    "kernels beyond their image": ((1, 3, 2), ["conv 2 5", "local 2 5", "conv 3 5/2", "dense 5"]),
}


def rows_of(seed: int = 0) -> list[np.ndarray]:
    """Batches of 7, every third a short one."""
    random = np.random.default_rng(seed)
    return [random.integers(0, EXAMPLES, 3 if t % 3 == 2 else 7) for t in range(UPDATES)]


ROWS = rows_of()
LABELS = np.random.default_rng(1).integers(0, CLASSES, EXAMPLES)


@dataclass(frozen=True)
class Setting:
    """One classifier. What can differ between replicas of one circuit comes last."""

    circuit: str
    feedback: str = "bp"
    loss: str = "error"
    hidden: str = "tanh"
    output: str = "softmax"
    bias: bool = True
    redrawn: bool = False
    noise: Noise = Noise.GAUSSIAN
    block_bias: bool = False
    centre: bool = False
    normalise: bool = False
    passes: int = 1
    delay: int = 1

    momentum: float = 0.0
    weight_decay: float = 0.0
    max_norm: float | None = None
    hinge_margin: str = "one"
    step: float = 1.0
    slower: float = 1.0  # divides every forward rate

    @property
    def net(self) -> hand.Network:
        return network(self.circuit)

    @property
    def rates(self) -> dict[str, list[float]]:
        count = len(self.net.weighted)
        chosen = (("lr", RATES), ("lr_bias", BIAS_RATES))
        return {name: [r / self.slower for r in rates[:count]] for name, rates in chosen}

    @property
    def weighted(self) -> list[tuple[int, int]]:
        return list(self.net.weighted.items())

    def parameters(self) -> dict[Any, Any]:
        found: dict[Any, Any] = {"max_norm": self.max_norm or np.inf}
        top = len(self.net.weighted)
        for h in range(1, top + 1):
            for quantity, values in self.rates.items():
                found[f"W{h}", quantity] = values[h - 1]
            found[f"W{h}", "momentum"], found[f"W{h}", "weight_decay"] = self.momentum, self.weight_decay
            if h > 1 and self.feedback in ("kp", "urfb"):
                found[f"B{h}", "lr"], found[f"B{h}", "momentum"] = self.step * self.rates["lr"][h - 1], self.momentum
            if h > 1 and self.feedback == "kp":
                found[f"B{h}", "weight_decay"] = self.weight_decay
            if h > 1 and self.feedback == "wm":
                found[f"B{h}", "lr"], found[f"B{h}", "weight_decay"] = 0.05, 0.03
                found[f"W{h}", "noise_scale"] = 0.2 + 0.1 * h
        if self.loss == "hinge":
            found[f"error{top}", "margin"] = 1.0 if self.hinge_margin == "one" else 1.0 / (CLASSES - 1)
        return found

    def by_hand(self, weights: Tensors, rows: Sequence[np.ndarray] = ROWS, **more: Any) -> list[Tensors]:
        names = ("feedback", "loss", "hinge_margin", "hidden", "output", "bias", "momentum", "weight_decay", "max_norm")
        given = {name: getattr(self, name) for name in names} | self.rates
        if self.feedback in ("kp", "urfb"):
            given["feedback_step"] = self.step
        if self.feedback == "wm":
            options = {name: getattr(self, name) for name in ("block_bias", "centre", "normalise")}
            given["mirror"] = {"rate": 0.05, "decay": 0.03} | options
        silent = (
            {}
            if self.bias
            else {f"W{h}.bias": np.zeros(hand.bias_shape(self.net.places[k - 1])) for h, k in self.weighted}
        )
        ends = rules.train(self.net, examples(self.circuit), LABELS, weights | silent, rows=rows, **given, **more)
        return [{name: a for name, a in end.items() if name not in silent} for end in ends]


@cache
def network(circuit: str) -> hand.Network:
    return hand.network(*CIRCUITS[circuit])


@cache
def examples(circuit: str) -> np.ndarray:
    return images(network(circuit), EXAMPLES) - 0.3


def simulator(settings: Sequence[Setting], backend: str, dtype: str = "float64") -> Simulator:
    """One replica for each setting, with biases drawn, and the examples in use."""
    first = settings[0]
    names = ("loss", "hidden", "output", "bias", "redrawn", "normalise", "passes", "delay")
    given = {name: getattr(first, name) for name in names}
    given["bounded"] = any(s.max_norm is not None for s in settings)
    if first.feedback == "wm":
        given["mirror"] = Mirror("W2", noise=first.noise, block_bias=first.block_bias, centre=first.centre)
    each = [s.parameters() for s in settings]
    circuit, protocol = layered_classifier(layers_of(first.net), first.feedback, **given)
    made = Simulator(
        circuit,
        protocol,
        batch=7,
        seeds=range(3, 3 + len(settings)),
        dtype=dtype,
        backend=backend,
        parameters=read_by(circuit, {key: [parameters[key] for parameters in each] for key in each[0]}),
    )
    draw_biases(made)
    made.use(examples(first.circuit), LABELS)
    return made


def noise_of(made: Simulator, setting: Setting, seed: int, batch: int, tick: int) -> list[dict[int, np.ndarray]]:
    """The noise of the mirror passes that begin at a tick: for each pass and h what the layer below W{h} fires."""
    found = []
    for _ in range(setting.passes):
        fired = {}
        for schedule in made.schedules[1:]:
            name = schedule.protocol.mirror
            h, drawn = int(name[1:]), generator(seed, f"noise through {name}", tick)
            shape = batch, int(np.prod(setting.net.places[setting.net.weighted[int(name[1:])] - 1].below))
            gaussian = setting.noise is Noise.GAUSSIAN
            values = drawn.standard_normal(shape) if gaussian else drawn.uniform(-1, 1, shape)
            fired[h] = (0.2 + 0.1 * h) * values
            tick += schedule.duration
        found.append(fired)
    return found


def magnitudes_of(setting: Setting, seed: int, tick: int) -> dict[int, np.ndarray]:
    """The magnitudes that sign symmetry draws for the presentation that begins at a tick."""
    found = {}
    for h, k in setting.weighted:
        place = setting.net.places[k - 1]
        shape = hand.swapped(place, np.empty(hand.tensor_shape(place))).shape
        taps = int(np.prod(place.layer.kernel)) if place.layer.kind != "dense" else 1
        into = int(np.prod(place.below)) if place.layer.kind == "dense" else place.below[0]
        limit = np.sqrt(6.0 / (taps * (into + place.shape[0])))
        found[h] = limit * generator(seed, f"magnitudes of B{h}", tick).random(shape)
    return found


def run(settings: Sequence[Setting], backend: str, updates: int) -> tuple[list[list[Tensors]], list[dict[str, Any]]]:
    """Train in the engine; return each replica's weights before and after each update, and what was drawn."""
    made = simulator(settings, backend)
    found = [[replica_of(made, r)] for r in range(len(settings))]
    drawn: list[dict[str, Any]] = [{"noise": [], "magnitudes": []} for _ in settings]
    for rows in ROWS[:updates]:
        start = made.tick
        made.present(rows)
        for r, setting in enumerate(settings):
            found[r].append(replica_of(made, r))
            after = start + made.schedule.duration
            drawn[r]["noise"].append(noise_of(made, setting, 3 + r, len(rows), after))
            drawn[r]["magnitudes"].append(magnitudes_of(setting, 3 + r, start))
    return found, drawn


@cache
def expected(setting: Setting, replica: int) -> list[Tensors]:
    """All updates by hand, from the weights that the engine draws for this replica."""
    return setting.by_hand(replica_of(simulator([setting] * (replica + 1), "numpy"), replica))


def check(settings: Sequence[Setting], backend: str, updates: int = UPDATES) -> None:
    found, drawn = run(settings, backend, updates)
    for r, setting in enumerate(settings):
        if setting.feedback == "wm":
            wanted = setting.by_hand(found[r][0], ROWS[:updates], noise=drawn[r]["noise"])
        elif setting.redrawn:
            wanted = setting.by_hand(found[r][0], ROWS[:updates], magnitudes=drawn[r]["magnitudes"])
            for one in (*found[r], *wanted):  # B{h} holds the magnitudes of the last presentation
                for name in [name for name in one if name[0] == "B"]:
                    del one[name]
        else:
            wanted = expected(setting, r)[:updates]
        far = furthest(found[r][1:], wanted)
        assert far < TOLERANCE, f"{far:.1e} {setting}"
        for name in wanted[-1]:
            if name[0] == "W":
                assert np.abs(wanted[-1][name] - found[r][0][name]).max() > 1e-3, f"{name} learns in {setting}"


def replicas(setting: Setting) -> tuple[Setting, ...]:
    """The setting, with momentum, decay and other rates, and with a bound."""
    return (
        setting,
        replace(setting, momentum=0.6, weight_decay=0.01, hinge_margin="mu", step=0.5, slower=2.0),
        replace(setting, momentum=0.3, max_norm=0.9, hinge_margin="mu"),
    )


def settings_of(feedback: str) -> list[tuple[Setting, ...]]:
    """One setting of a feedback for each circuit."""
    names, plain = list(CIRCUITS), Setting("", feedback)
    return [
        replicas(replace(plain, circuit=names[0], normalise=feedback == "wm", passes=2)),
        replicas(replace(plain, circuit=names[1], hidden="logistic", bias=False, redrawn=feedback == "ss")),
        replicas(replace(plain, circuit=names[2], loss="hinge", output="identity", centre=True)),
        replicas(replace(plain, circuit=names[3], hidden="saturated", output="logistic", block_bias=True, delay=2)),
        replicas(replace(plain, circuit=names[4], hidden="tanh", noise=Noise.UNIFORM)),
        replicas(replace(plain, circuit=names[5], hidden="relu", redrawn=feedback == "ss")),
    ]


PAIRS = [(feedback, k) for feedback in FEEDBACK for k in range(len(CIRCUITS))]


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_texts_and_the_loops_name_the_same_layers(circuit: str) -> None:
    shape, items = CIRCUITS[circuit]
    if all(isinstance(item, str) for item in items):
        assert parse_layers(items, shape) == layers_of(network(circuit))


@pytest.mark.parametrize("feedback,k", PAIRS, ids=[f"{f}-{list(CIRCUITS)[k]}" for f, k in PAIRS])
def test_weights_agree(feedback: str, k: int) -> None:
    check(settings_of(feedback)[k], "numba")


@pytest.mark.parametrize(
    "feedback,k", [pair if (k + FEEDBACK.index(f)) % 3 == 0 else nightly(*pair) for pair in PAIRS for f, k in [pair]]
)
def test_weights_agree_on_the_reference_backend(feedback: str, k: int) -> None:
    check(settings_of(feedback)[k], "numpy", 5)


@pytest.mark.parametrize("backend", standin.each("cupy"))
@pytest.mark.parametrize("feedback,k", [("bp", 0), ("kp", 2), ("wm", 3), ("urfb", 4)])
def test_weights_agree_on_a_device(backend: str, feedback: str, k: int) -> None:
    check(settings_of(feedback)[k], backend, 3)


@pytest.mark.parametrize("feedback", ["bp", "kp"])
def test_single_precision_agrees_to_rounding(feedback: str) -> None:
    for k in (0, 2):
        settings = settings_of(feedback)[k]
        single = simulator(settings, "numba", "float32")
        begin = [replica_of(single, r) for r in range(len(settings))]
        for rows in ROWS:
            single.present(rows)
        for r, setting in enumerate(settings):
            assert furthest([replica_of(single, r)], setting.by_hand(begin[r])[-1:]) < 1e-4, setting


TIED: list[Item] = ["conv 3 2", Layer("maxpool", 0, (3, 3), (2, 2), "same"), "local 2 2", "dense 5"]


@pytest.mark.parametrize("backend", ["numba", "numpy", *standin.each("cupy")])
def test_ties_and_borders_send_errors_where_the_loops_send_them(backend: str) -> None:
    """Whole numbers below the pool: many neurons of a window are largest together, some of them with the border's 0."""
    x = images(hand.network((2, 5, 5), TIED), EXAMPLES, levels=2)
    ends = {}
    for fill, ties in ((f, t) for f in ("zero", "none") for t in ("first", "last", "all")):
        net = hand.network((2, 5, 5), [TIED[0], replace(TIED[1], fill=fill, ties=ties), *TIED[2:]])  # type: ignore[type-var]
        made = Simulator(
            *layered_classifier(layers_of(net), "fa", hidden="identity"),
            batch=7,
            dtype="float64",
            backend=backend,
            parameters={"lr": 0.3},
        )
        shape = made.tensors()["W1.weight"].shape[1:]
        made.load("W1.weight", np.random.default_rng(0).integers(-1, 2, shape).astype(float))
        made.use(x, LABELS)
        begin = replica_of(made)
        made.present(ROWS[0])
        wanted = rules.train(net, x, LABELS, begin, rows=ROWS[:1], feedback="fa", hidden="identity", lr=0.3)
        assert furthest([replica_of(made)], wanted) < TOLERANCE, (fill, ties)
        ends[fill, ties] = wanted[0]["W1.weight"]
    for a in ends:
        for b in ends:
            assert a == b or np.abs(ends[a] - ends[b]).max() > 1e-3, f"{a} and {b} differ"


def test_sign_symmetry_with_one_magnitude_a_layer() -> None:
    setting = Setting("untied with sums", "ss", output="logistic")
    made = simulator([setting], "numba")
    for h, _ in setting.weighted[1:]:
        made.load(f"B{h}.weight", np.full(made.tensors()[f"B{h}.weight"].shape[1:], 0.1 * h))
    begin = replica_of(made)
    for rows in ROWS:
        made.present(rows)
    numbers = begin | {f"B{h}.weight": np.array(0.1 * h) for h, _ in setting.weighted[1:]}
    end = setting.by_hand(numbers)[-1]
    forward = [{n: a for n, a in found.items() if n[0] == "W"} for found in (replica_of(made), end)]
    assert furthest(forward[:1], forward[1:]) < TOLERANCE


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_mirror_mode_alone(backend: str) -> None:
    """Passes before the first presentation, through convolutions, pools and untied layers."""
    for k in (0, 3):
        setting = Setting(list(CIRCUITS)[k], "wm", centre=True, normalise=k == 3, passes=4)
        made = simulator([setting], backend)
        end = replica_of(made)
        made.mirror(4)
        options = {"rate": 0.05, "decay": 0.03, "centre": True, "normalise": setting.normalise}
        for given in noise_of(made, setting, 3, 7, 0):
            rules.mirror_pass(setting.net, end, given, options, setting.hidden, setting.output, True)
        assert furthest([replica_of(made)], [end]) < TOLERANCE


@pytest.mark.parametrize("feedback", FEEDBACK)
def test_every_setting_differs_from_its_neighbours(feedback: str) -> None:
    """The comparison above means something: none of the options is without effect."""
    setting = settings_of(feedback)[0][0]
    begin = replica_of(simulator([setting], "numpy"))
    random = np.random.default_rng(0)
    below = {h: setting.net.places[k - 1].below for h, k in setting.weighted if h > 1}
    noise = [[{h: random.normal(size=(7, int(np.prod(s)))) for h, s in below.items()}] for _ in range(4)]
    more = {"noise": noise} if feedback == "wm" else {}
    ends = {"plain": setting.by_hand(begin, ROWS[:4], **more)[-1]}
    changes: list[dict[str, Any]] = [
        {"momentum": 0.1}, {"weight_decay": 1e-3}, {"max_norm": 0.8}, {"slower": 2.0}, {"hidden": "relu"},
        {"loss": "hinge"}, {"loss": "hinge", "hinge_margin": "mu"},
    ]  # fmt: skip
    if feedback in ("kp", "urfb"):
        changes.append({"step": 0.9})
    if feedback == "wm":
        changes += [{"centre": True}, {"normalise": False}, {"block_bias": True}]
    for change in changes:
        ends[str(change)] = replace(setting, **change).by_hand(begin, ROWS[:4], **more)[-1]
    for name, end in ends.items():
        for other, there in ends.items():
            assert name == other or furthest([end], [there]) > 1e-4, (name, other)
