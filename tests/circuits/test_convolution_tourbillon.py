"""Tourbillons, stacks and twins of convolutions and untied layers against loops written by hand, after each update."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import combinations
from typing import Any

import handwritten_convolution as hand
import handwritten_convolution_tourbillon as loops
import numpy as np
import pytest
from handwritten_convolution import Layer
from networks import Item, Tensors, draw_biases, furthest, images, layers_of, replica_of
from running import nightly

from circuitsim.analysis.audits.audit import audit
from circuitsim.analysis.blocks import find_blocks
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.circuits.nest import nested_autoencoder
from circuitsim.circuits.networks import NETWORKS, untied
from circuitsim.circuits.stack import stacked_autoencoders
from circuitsim.circuits.tourbillon import growing, tourbillon
from circuitsim.circuits.twin import tourbillonize
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError, CircuitWarning
from circuitsim.timetable.schedule import make_schedule

TOLERANCE = 1e-10
EXAMPLES, CLASSES = 20, 4
ROWS = [np.random.default_rng(4).integers(0, EXAMPLES, 3 if t % 3 == 2 else 6) for t in range(8)]
Y = np.random.default_rng(5).integers(0, CLASSES, EXAMPLES)

CIRCUITS: dict[str, tuple[hand.Shape, list[Item]]] = {
    "pooled": ((1, 6, 6), ["conv 3 3", "conv 2 3", "maxpool 2", "dense 4"]),
    "pools cut": ((2, 5, 5), ["conv 3 3", "maxpool 2", "local 2 2", "maxpool 3/2 same", "dense 4"]),
    "untied": ((1, 5, 4), ["local 2 3", "local 3 3/2", "dense 4"]),
    "sums": ((2, 4, 4), ["conv 3 3", "conv 3 3", "sum", "meanpool 2", "conv 2 2", "dense 5", "dense 4"]),
    "two pools": (
        (1, 8, 8),
        ["conv 2 3", Layer("maxpool", 0, (3, 2), (2, 2), "same", "none"), "meanpool 2", "conv 3 2 valid", "dense 4"],
    ),
}


@cache
def network(circuit: str) -> hand.Network:
    return hand.network(*CIRCUITS[circuit], "E")


def blocks(circuit: str) -> range:
    return range(1, max(network(circuit).weighted))


@dataclass(frozen=True)
class Setting:
    """One Tourbillon and the groups that learn, with a rate for each."""

    circuit: str
    groups: tuple[str, ...] = ("block", "top", "tuning")
    made: loops.Made = field(default_factory=loops.Made)
    momentum: float = 0.0
    delay: int = 1

    def rates(self) -> dict[str, float]:
        """A rate for each group by hand: encoder b, decoder b, tuning b, top."""
        found = {}
        for b in blocks(self.circuit):
            if "block" in self.groups:
                found |= {f"encoder {b}": 0.02 * b, f"decoder {b}": 0.03}
            if "tuning" in self.groups:
                found[f"tuning {b}"] = 0.02 * b
        return found | ({"top": 0.2} if "top" in self.groups else {})

    def simulator(self, backend: str) -> Simulator:
        made = self.made
        top = "softmax" if made.loss == "softmax" else "identity"
        circuit, protocol = tourbillon(
            layers_of(network(self.circuit)),
            made.rule,
            channel=made.channel,
            hidden=made.hidden,
            output=made.output,
            unpool=made.unpool,
            top=top,
            loss="error" if made.loss == "softmax" else "hinge",
            delay=self.delay,
        )
        n = max(network(self.circuit).weighted)
        rates: dict[Any, float] = {"momentum": self.momentum, (f"W{n}", "lr"): 0.2, (f"W{n}", "lr_bias"): 0.2}
        for b in blocks(self.circuit):
            rates |= {(f"E{b}", key): 0.02 * b for key in ("lr", "lr_bias")}
            rates |= {(f"D{b}", key): 0.03 for key in ("lr", "lr_bias")}
        if made.loss == "hinge":
            rates[f"error{n}", "margin"] = 1.0
        learn = growing(*blocks(self.circuit)) if "block" in self.groups else ()
        chosen = (*learn, *(group for group in ("top", "tuning") if group in self.groups))
        protocol = replace(protocol, groups=chosen)
        found = Simulator(circuit, protocol, batch=6, seeds=[3], dtype="float64", backend=backend, parameters=rates)
        draw_biases(found)
        found.use(images(network(self.circuit), EXAMPLES), Y)
        return found

    def by_hand(self, begin: Tensors) -> list[Tensors]:
        n = max(network(self.circuit).weighted)
        names = {f"B{b}.weight": f"F{b}.weight" for b in range(2, n)}
        given = {names.get(name, name): a for name, a in begin.items()}
        options = {"rows": ROWS, "rates": self.rates(), "made": self.made, "momentum": self.momentum}
        back = {other: name for name, other in names.items()}
        ends = loops.run(network(self.circuit), images(network(self.circuit), EXAMPLES), Y, given, **options)
        return [{back.get(name, name): a for name, a in end.items()} for end in ends]


def check(setting: Setting, backend: str) -> None:
    made = setting.simulator(backend)
    begin, found = replica_of(made), []
    for rows in ROWS:
        made.present(rows)
        found.append(replica_of(made))
    wanted = setting.by_hand(begin)
    far = furthest(found, wanted)
    assert far < TOLERANCE, f"{far:.1e} {setting}"
    learned = {name for name in begin if np.abs(wanted[-1][name] - begin[name]).max() > 1e-6}
    kinds = ("E", "D", "W") if "block" in setting.groups else ("E", "W")
    assert learned == {name for name in begin if name.startswith(kinds)}, setting


MADE = {
    "rec": loops.Made(),
    "rec, winners": loops.Made(unpool="winners", channel="winners"),
    "symmetric": loops.Made("rec-symmetric", channel="random"),
    "bp": loops.Made("bp", channel="bp"),
    "rbp": loops.Made("rbp", hidden="logistic", channel="random", loss="hinge"),
    "relu": loops.Made(hidden="relu", output="identity", channel="winners"),
}
SLOW = {("pooled", "rec"), ("pools cut", "rec")}  # the same with winners is daily
DAILY = {("pooled", "rec"), ("pools cut", "rec, winners"), ("two pools", "bp"), ("sums", "rec"), ("untied", "rbp")}


@pytest.mark.parametrize("circuit,kind", [nightly(c, k) if (c, k) in SLOW else (c, k) for c in CIRCUITS for k in MADE])
def test_everything_learns_by_hand(circuit: str, kind: str) -> None:
    check(Setting(circuit, made=MADE[kind], momentum=0.4), "numba")


@pytest.mark.parametrize("circuit,kind", [(c, k) if (c, k) in DAILY else nightly(c, k) for c in CIRCUITS for k in MADE])
def test_the_reference_backend_learns_by_hand(circuit: str, kind: str) -> None:
    check(Setting(circuit, made=MADE[kind]), "numpy")


@pytest.mark.parametrize("channel", ["decoders", "winners", "bp", "random"])
@pytest.mark.parametrize("circuit", ["pooled", "sums", "untied"])
def test_fine_tuning_alone_by_hand(circuit: str, channel: str) -> None:
    check(Setting(circuit, ("top", "tuning"), loops.Made(channel=channel), delay=2), "numba")


def test_every_setting_differs_from_its_neighbours() -> None:
    """The comparisons above mean something: none of the choices is without effect."""
    setting = Setting("pools cut")
    begin = setting.simulator("numpy")
    drawn = replica_of(begin) | {"R1.weight": begin.tensors()["E1.weight"][0] * 0.7}
    drawn |= {"R2.weight": begin.tensors()["E2.weight"][0] * 0.7, "F2.weight": begin.tensors()["D2.weight"][0] * 0.7}
    ends = []
    for kind in [*MADE, "own"]:
        own = replace(setting, made=MADE.get(kind, loops.Made(channel="winners")))
        ends.append(own.by_hand(dict(drawn))[-1])
    for one, other in combinations(range(len(ends)), 2):
        assert furthest([ends[one]], [ends[other]]) > 1e-5, (one, other)


# ------------------------------------------------------------------------------------------------------------- stacks


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("rule", ["rec", "bp"])
def test_a_stack_is_the_tourbillon_below_its_top(rule: str, backend: str) -> None:
    """To the bit, with the same groups."""
    whole = replace(Setting("pooled", ("block",)), made=loops.Made(rule))
    below = whole.simulator(backend)
    shape, texts = CIRCUITS["pooled"]
    row = parse_layers([str(text) for text in texts[:-1]], shape)
    circuit, protocol = stacked_autoencoders(row, rule)
    parameters = {(name, key): rate for b in (1, 2) for name, rate in ((f"E{b}", 0.02 * b), (f"D{b}", 0.03))
                  for key in ("lr", "lr_bias")}  # fmt: skip
    made = Simulator(circuit, protocol, batch=6, seeds=[3], dtype="float64", backend=backend, parameters=parameters)
    for name in made.tensors():
        made.load(name, below.tensors()[name])
    made.use(images(network("pooled"), EXAMPLES))
    for rows in ROWS[:4]:
        made.present(rows)
        below.present(rows)
    expected = replica_of(below)
    assert all(np.array_equal(a, expected[name]) for name, a in replica_of(made).items())
    assert not np.array_equal(expected["E2.weight"], whole.simulator(backend).tensors()["E2.weight"][0])


def test_blocks_are_found_through_pools() -> None:
    circuit = Setting("two pools").simulator("numpy").circuit
    found = [(b.source, b.image, b.encoder, b.decoder) for b in find_blocks(circuit)]
    assert found == [("layer0", "image0", "E1", "D1"), ("layer1_meanpool", "image1", "E2", "D2")]


# -------------------------------------------------------------------------------------------------------------- twins


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("tied", [True, False])
def test_named_networks_have_twins(name: str, tied: bool) -> None:
    """All layers with weights but the top become blocks; untied ones share nothing."""
    texts = NETWORKS[name] if tied else untied(NETWORKS[name])
    row = parse_layers(texts, (3, 32, 32))
    twin = tourbillonize(layered_classifier(row, "bp", hidden="saturated")[0])
    assert [block.encoder.name for block in twin.blocks] == [f"W{h}" for h in list(row.weighted)[:-1]]
    kinds = {wire.kind for wire in twin.circuit.wires}
    assert kinds == ({"lateral", "label", "weight-sharing"} if tied else {"lateral", "label"})
    assert make_schedule(twin.circuit, twin.protocol).duration > len(row.weighted)
    assert not any(p.dropout for p in twin.circuit.populations)


@pytest.mark.parametrize("circuit", CIRCUITS)
@pytest.mark.parametrize("channel", ["decoders", "winners"])
def test_the_twin_of_a_classifier_is_the_tourbillon(circuit: str, channel: str) -> None:
    """Of the same layers: it has the same weights after each update."""
    setting = Setting(circuit, made=loops.Made(channel=channel))
    one = setting.simulator("numba")
    twin = tourbillonize(layered_classifier(layers_of(network(circuit)), "bp")[0], channel=channel)
    n = max(network(circuit).weighted)
    names = {f"E{b}": f"W{b}" for b in blocks(circuit)} | {f"D{b}": f"W{b}_decoder" for b in blocks(circuit)}
    names |= {f"W{n}": f"W{n}", f"B{n}": f"W{n}_channel"}
    rates = {(f"{names[name]}", key): rate for (name, key), rate in _rates(setting).items()}
    made = Simulator(twin.circuit, twin.protocol, batch=6, seeds=[3], dtype="float64", parameters=rates)
    for name, tensor in one.tensors().items():
        made.load(f"{names[name.split('.')[0]]}.{name.split('.')[1]}", tensor)
    made.use(images(network(circuit), EXAMPLES), Y)
    begin = replica_of(made)
    for rows in ROWS[:4]:
        one.present(rows)
        made.present(rows)
    expected = {f"{names[n.split('.')[0]]}.{n.split('.')[1]}": a for n, a in replica_of(one).items()}
    assert furthest([replica_of(made)], [expected]) < TOLERANCE
    assert furthest([begin], [expected]) > 1e-3


def _rates(setting: Setting) -> Mapping[tuple[str, str], float]:
    n = max(network(setting.circuit).weighted)
    found = {(f"W{n}", key): 0.2 for key in ("lr", "lr_bias")}
    for b in blocks(setting.circuit):
        found |= {(f"E{b}", key): 0.02 * b for key in ("lr", "lr_bias")}
        found |= {(f"D{b}", key): 0.03 for key in ("lr", "lr_bias")}
    return found


def test_the_twin_of_a_convolutional_autoencoder() -> None:
    row = parse_layers(["conv 6 5", "conv 3 5"], (3, 8, 8))
    twin = tourbillonize(circular_autoencoder(row, "bp")[0])
    text = twin.explain()
    assert "A1: layer0 -> layer1\n  is     circular autoencoder: layer0 -A1-> layer1 -A1_decoder-> layer0_image" in text
    assert "A2: layer1 -> layer2\n  is     supervised layer\n" in text


# -------------------------------------------------------------------------------------------------------------- nests


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_nest_of_one_pixel_images_is_dense(backend: str) -> None:
    """A convolution over one pixel is a dense layer."""
    row = parse_layers(["conv 5 1", "conv 4 1"], (4, 1, 1))
    shaped, _ = nested_autoencoder(row, ["conv 3 1"])
    dense, protocol = nested_autoencoder([4, 5, 4], [3])
    x = np.random.default_rng(0).random((EXAMPLES, 4))
    one, other = (
        Simulator(c, protocol, batch=6, seeds=[0], dtype="float64", backend=backend, parameters={"lr": 0.1})
        for c in (shaped, dense)
    )
    begin = {name: a.copy() for name, a in other.tensors().items()}
    for name, a in one.tensors().items():
        one.load(name, other.tensors()[name].reshape(a.shape))
    one.use(x)
    other.use(x)
    for rows in ROWS[:5]:
        one.present(rows)
        other.present(rows)
    for name, a in one.tensors().items():
        np.testing.assert_allclose(a.reshape(other.tensors()[name].shape), other.tensors()[name], atol=1e-12)
        assert np.abs(other.tensors()[name] - begin[name]).max() > 1e-4


# ------------------------------------------------------------------------------------------------- audits and messages


@pytest.mark.parametrize("kind,shares", [("conv", True), ("local", False)])
def test_the_audit_names_shared_weights_of_convolutions_alone(kind: str, shares: bool) -> None:
    row = parse_layers([f"{kind} 2 3", f"{kind} 2 3", "maxpool 2", "dense 4"], (1, 6, 6))
    circuit, protocol = tourbillon(row, top="identity")
    found = audit([make_schedule(circuit, protocol)])
    sharing = {finding["projection"] for finding in found["findings"] if finding["kind"] == "weight-sharing"}
    assert sharing == ({"E1", "E2", "D1", "D2"} if shares else set())
    assert found["local"] is not shares
    assert circuit.local is not shares


def test_an_image_that_cannot_reach_its_source_is_warned_of() -> None:
    row = parse_layers(["conv 2 3", "conv 2 3", "dense 4"], (1, 6, 6))
    text = (
        "image image1 of block 2: got logistic, which fires from 0 to 1; expected a function that reaches tanh, from "
        "-1 to 1. The rest can never be reconstructed: let the image fire as its source does."
    )
    with pytest.warns(CircuitWarning, match=f"^{text}$"):
        tourbillon(row, images="logistic")
    with pytest.warns(CircuitWarning, match="got saturated.* relu, from 0 to inf"):
        stacked_autoencoders([9, 5, 4], hidden="relu", images="saturated")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for hidden in ("tanh", "relu", "logistic"):
            tourbillon(row, hidden=hidden)
        stacked_autoencoders([9, 5, 4], hidden="logistic", images="tanh")


@pytest.mark.parametrize(
    "texts,options,message",
    [
        (["conv 2 3"], {}, "layers of a tourbillon: got 1 with weights, conv at the top; expected at least two with "
         'weights, the top dense, one neuron for each class. End with "dense N" above a block.'),
        (["conv 2 3", "maxpool 2", "dense 4"], {"unpool": "mean"}, "unpool of a block: got 'mean'; expected one of "
         "upsample, winners. Choose one of these."),
        (["conv 2 3", "maxpool 2", "dense 4"], {"unpool": "winners", "rule": "bp"}, "unpool of a block that learns "
         "from errors: got winners; expected upsample. Only recirculating blocks can undo a pool through its winners."),
        (["conv 2 3", "dense 4"], {"top_weights": "tied"}, "top_weights of a tourbillon: got 'tied'; expected one of "
         "own, transposed. Choose one of these."),
    ],
)  # fmt: skip
def test_refusals(texts: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(CircuitError) as caught:
        tourbillon(parse_layers(texts, (1, 6, 6)), **options)
    assert str(caught.value) == message


def test_a_nest_refuses_layers_without_weights() -> None:
    row = parse_layers(["conv 2 3", "maxpool 2", "upsample 2", "conv 1 3"], (1, 6, 6))
    with pytest.raises(
        CircuitError, match=r"^layers of a nested autoencoder: got input \(1, 6, 6\), conv .*; expected "
    ):
        nested_autoencoder(row, ["conv 2 3"])
