"""Audits of every connectivity: known answers, and planted faults that read outside a synapse's row of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from running import nightly

from circuitsim.analysis.audits.examine import examine
from circuitsim.analysis.audits.intervention import intervene
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import Convolution, Table
from circuitsim.circuit.parts import Plasticity, Population, Projection
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.kernels import reference
from circuitsim.kernels.links import Links
from circuitsim.lowering.links import links
from circuitsim.phases import delivery, plasticity
from circuitsim.rules import recirculation

SHAPE = (1, 6, 5)
UNTIED = ["local 3 3", "local 3 2 valid", "dense 4"]
POOLED = ["conv 3 3", "maxpool 3/2 same", "conv 2 2", "dense 4"]


def made(texts: list[str], feedback: str = "fa", backend: str = "numpy") -> Simulator:
    circuit, protocol = layered_classifier(parse_layers(texts, SHAPE), feedback, output="logistic")
    found = Simulator(circuit, protocol, batch=4, seeds=(0, 1), backend=backend, parameters={"lr": 0.1})
    rng = np.random.default_rng(0)
    found.use(rng.normal(size=(12, 30)), rng.integers(0, 4, 12))
    return found


def kinds(found: Any) -> set[tuple[str, str]]:
    rows = found["findings"] if isinstance(found, dict) else [f.row() for f in found.findings]
    return {(row["kind"], row["projection"]) for row in rows if row["kind"] != "label"}


ANSWERS = [
    (UNTIED, "fa", set()),
    (UNTIED, "kp", set()),
    (UNTIED, "bp", {("weight-transport", "B2"), ("weight-transport", "B3")}),
    (UNTIED, "ss", {("weight-transport", "B2"), ("weight-transport", "B3")}),
    (POOLED, "fa", {("weight-sharing", "W1"), ("weight-sharing", "W2"), ("weight-sharing", "B2")}),
    (POOLED, "dfa", {("weight-sharing", "W1"), ("weight-sharing", "W2")}),
    (["local 3 3", "local 3 3", "sum", "meanpool 2/1 same", "upsample 2", "dense 4"], "urfb", set()),
    (["conv 3 6 valid", "dense 4"], "fa", set()),
]


@pytest.mark.parametrize("backend", [nightly("numpy"), "numba"])
@pytest.mark.parametrize(
    "texts,feedback,answer",
    [each if each[1] in ("bp", "dfa") else nightly(*each) for each in ANSWERS],
    ids=[f"{t[0]}-{f}" for t, f, _ in ANSWERS],
)
def test_known_answers(texts: list[str], feedback: str, answer: set[tuple[str, str]], backend: str) -> None:
    if texts[0] == "conv 3 6 valid":  # a kernel that covers its input is dense: nothing is shared
        texts = ["conv 3 5 valid", "dense 4"]
        circuit, protocol = layered_classifier(parse_layers(texts, (1, 5, 5)), feedback, output="logistic")
    else:
        circuit, protocol = layered_classifier(parse_layers(texts, SHAPE), feedback, output="logistic")
    assert kinds(examine(circuit, protocol, {"lr": 0.1}, backend=backend, seed=1, measure=False)) == answer


def test_an_untied_circle_with_a_pool_is_local_and_a_convolutional_one_shares() -> None:
    for text, answer in (("local", set()), ("conv", {("weight-sharing", f"A{h}") for h in (1, 2, 3)})):
        texts = [f"{text} 3 3", "maxpool 2", f"{text} 3 3", "upsample 2", f"{text} 1 3"]
        circuit, protocol = circular_autoencoder(parse_layers(texts, (1, 6, 6)), "rec", bias=text == "conv")
        assert kinds(examine(circuit, protocol, {"lr": 0.1}, seed=2, measure=False)) == answer


def test_any_table_is_audited_synapse_by_synapse() -> None:
    """A sparse circle is local; with two synapses at one slot it shares."""
    ends = np.unique(np.random.default_rng(1).integers(0, 8, (30, 2)), axis=0).T
    slots = np.arange(ends.shape[1])
    slots[-1] = 0
    for slot, answer in ((None, set()), (slots, {("weight-sharing", "A1")})):
        populations = (
            Population("layer0", 8, mixes=True),
            Population("layer1", 8, "tanh", mixes=True),
            Population("layer2", 8, "logistic", site="layer0"),
        )
        circuit, protocol = circular_autoencoder([8, 8, 8])
        sparse = Projection("A1", "layer0", "layer1", connectivity=Table(*ends, slot))
        made = replace(
            circuit,
            local=False,
            populations=populations,
            projections=(sparse, circuit.projection("A2")),
            plasticity=(Plasticity("A1", recirculation), *circuit.plasticity[1:]),
        )
        assert kinds(examine(made, protocol, {"lr": 0.1}, seed=3, measure=False)) == answer


def moved(change: Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, ...]], name: str) -> Any:
    """The links of one projection with a changed table; all others as they are."""

    def found(graph: Any, q: Projection) -> Links:
        true = links(graph, q)
        return replace(true, list_synapses=lambda: change(*true.synapses)) if q.name == name else true

    return found


def tap_outside(post: np.ndarray, pre: np.ndarray, slot: np.ndarray) -> tuple[np.ndarray, ...]:
    """The first synapse of neuron 0 takes in the last cell of the image instead of its own."""
    changed = pre.copy()
    changed[np.flatnonzero(post == 0)[0]] = pre.max()
    return post, changed, slot


def neighbours_patch(post: np.ndarray, pre: np.ndarray, slot: np.ndarray) -> tuple[np.ndarray, ...]:
    """Every synapse of neuron 7 looks one row further."""
    changed = pre.copy()
    mine = post == 7
    changed[mine] = (pre[mine] + 10) % 30
    return post, changed, slot


def shared_slots(post: np.ndarray, pre: np.ndarray, slot: np.ndarray) -> tuple[np.ndarray, ...]:
    """The increments of one location's synapse go to another's weight as well."""
    return np.append(post, post[-1]), np.append(pre, pre[-1]), np.append(slot, slot[0])


PLANTED = [
    ("a tap outside the field", tap_outside, delivery),
    ("a neighbour's patch arrives", neighbours_patch, delivery),
    ("a neighbour's patch is learned", neighbours_patch, plasticity),
    ("undeclared sharing", shared_slots, plasticity),
]


@pytest.mark.parametrize("change,where", [row[1:] for row in PLANTED], ids=[row[0] for row in PLANTED])
def test_planted_faults_are_found(change: Any, where: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where, "links", moved(change, "W1"))
    found = kinds(intervene(made(UNTIED), np.arange(4), seed=4))
    assert found and {projection for _, projection in found} <= {"W1", "layer1"}
    monkeypatch.undo()
    assert kinds(intervene(made(UNTIED), np.arange(4), seed=4)) == set()


def test_a_winner_that_the_wrong_neuron_remembers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = reference.largest

    def rolled(links: Links, emitted: Any, weight: Any, arriving: Any, winner: Any) -> Any:
        step = right(links, emitted, weight, arriving, winner)

        def choice() -> None:
            step()
            if winner is not None:
                winner[...] = np.roll(winner, 1, axis=2)

        return choice

    assert kinds(intervene(made(POOLED), np.arange(4), seed=5)) == set()
    monkeypatch.setattr(reference, "largest", rolled)
    found = kinds(intervene(made(POOLED), np.arange(4), seed=5))
    assert found and all("maxpool" in projection for _, projection in found)


def test_a_shared_weight_may_read_all_of_its_synapses_and_no_other_channel() -> None:
    """A convolution's increment sums over its positions: permitted to the slot, and named as sharing by the build."""
    circuit, _ = layered_classifier(parse_layers(POOLED, SHAPE), "fa", output="logistic")
    assert isinstance(circuit.projection("W1").connectivity, Convolution)
    shared = {w.projection for w in circuit.wires if w.kind == "weight-sharing"}
    assert shared == {"W1", "W2", "B2"}
    assert kinds(intervene(made(POOLED, backend="numba"), np.arange(4), seed=6)) == set()


def test_a_circuit_declared_local_refuses_a_convolution() -> None:
    circuit, _ = layered_classifier(parse_layers(POOLED, SHAPE), "fa", output="logistic")
    with pytest.raises(CircuitError, match="weight-sharing in W1, which reads 27 weights, each of several synapses"):
        Circuit(**{**{f: getattr(circuit, f) for f in circuit.__dataclass_fields__}, "local": True})
