"""Measures, traces and explanations of circuits that are not dense, against the hand-written loops and the table."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import handwritten_convolution as hand
import handwritten_convolution_passes as passes
import handwritten_convolution_rules as rules
import numpy as np
import pytest
from handwritten_convolution import Layer
from networks import draw_biases, images, layers_of, replica_of
from test_explain import closes

from circuitsim.analysis.alignment import degrees_between, delta_alignment, weight_alignment
from circuitsim.analysis.scores import symmetry as symmetry_module
from circuitsim.analysis.scores.costs import costs
from circuitsim.analysis.scores.dependencies import modularity
from circuitsim.analysis.scores.experiment import experiment
from circuitsim.analysis.scores.scorecard import scorecard
from circuitsim.analysis.scores.symmetry import symmetry
from circuitsim.analysis.tracing.chrome_trace import chrome_trace
from circuitsim.analysis.tracing.explain import explain
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError

SHAPE = (2, 6, 5)
NET = hand.network(
    SHAPE,
    [
        "conv 3 3",
        Layer("maxpool", 0, (3, 3), (2, 2), "same", "zero", "first"),
        "local 3 3",
        "sum",
        "conv 2 5",
        "meanpool 2/1",
        "dense 5",
    ],
)
Y = np.random.default_rng(1).integers(0, 5, 12)
X = images(NET, 12) - 0.3


def made(feedback: str, net: hand.Network = NET, **options: Any) -> Simulator:
    given = {name: options.pop(name) for name in ("redrawn", "masked", "hidden") if name in options}
    simulator = Simulator(
        *layered_classifier(layers_of(net), feedback, **given),
        batch=6,
        **{"dtype": "float64", "parameters": {"lr": 0.1, "momentum": 0.5}, **options},
    )
    draw_biases(simulator)
    simulator.use(X[:, : int(np.prod(net.shape))], Y)
    return simulator


# ------------------------------------------------------------------------------------------------------------ angles


def slots_with_synapses(h: int) -> np.ndarray:
    place = NET.places[NET.weighted[h] - 1]
    return np.asarray(hand.swapped(place, hand.exists(place))).ravel() == 1


@pytest.mark.parametrize("feedback", ["bp", "fa", "kp", "ss"])
def test_angles_of_weights_are_those_of_their_slots(feedback: str) -> None:
    simulator = made(feedback, seeds=(3, 4))
    simulator.present(np.arange(6))
    found = weight_alignment(simulator)
    for h in (2, 3, 4):
        place, exists = NET.places[NET.weighted[h] - 1], slots_with_synapses(h)
        for r in range(2):
            tensors = replica_of(simulator, r)
            w = hand.swapped(place, tensors[f"W{h}.weight"]).ravel()[exists]
            b = w if feedback == "bp" else tensors[f"B{h}.weight"].ravel()[exists]
            b = np.abs(b) * np.sign(w) if feedback == "ss" else b
            cosine = w @ b / np.linalg.norm(w) / np.linalg.norm(b)
            assert found[f"angle/W{h}"][r] == pytest.approx(np.degrees(np.arccos(min(1, cosine))), abs=1e-5)
            assert found[f"norm_ratio/W{h}"][r] == pytest.approx(np.linalg.norm(b) / np.linalg.norm(w))
            assert found[f"correlation/W{h}"][r] == pytest.approx(np.corrcoef(w, b)[0, 1], abs=1e-9)


@pytest.mark.parametrize("feedback", ["bp", "fa", "dfa", "ss"])
def test_angles_of_errors_are_those_of_the_loops(feedback: str) -> None:
    """Against backpropagation by hand through pools, sums and untied layers."""
    simulator = made(feedback)
    simulator.present(np.arange(6))
    found = delta_alignment(simulator, X, Y)
    w = replica_of(simulator)
    passed = passes.forward(NET, X, w)
    top = rules.errors_at_top(passed, Y, "error", "one")
    wanted = passes.backward(NET, passed, top, rules.returning(NET, w, "bp"), "tanh")
    if feedback == "dfa":
        arrived = rules.direct(NET, passed, top, w, "tanh")
    else:
        arrived = passes.backward(NET, passed, top, rules.returning(NET, w, feedback), "tanh")
    for h in (1, 2, 3):
        angles = degrees_between(*(d[h].reshape(len(X), -1) for d in (arrived, wanted)))
        assert found[f"angle/delta{h}"][0] == pytest.approx(angles.mean(), abs=1e-6)
        assert found[f"angle_spread/delta{h}"][0] == pytest.approx(angles.std(), abs=1e-6)


# ------------------------------------------------------------------------------------------------------------- scores


def test_costs_count_the_synapses_that_exist_and_the_weights_that_are_stored() -> None:
    simulator = made("kp")
    found, circuit = costs(simulator), simulator.circuit
    for name, count in found["operations"]["deliveries"].items():
        assert count == len(circuit.synapses(name).slot)
    learning = list(circuit.rules)
    rules_of = sum(len(circuit.synapses(n).slot) for n in learning)
    biases = [q for q in circuit.projections if q.bias]
    assert found["operations"]["rules"] == rules_of + sum(circuit.population(q.target).size for q in biases)
    stored = sum(len(np.unique(circuit.synapses(n).slot)) for n in learning)
    assert found["operations"]["updates"] == stored + sum(int(np.prod(circuit.bias_shape(q.name))) for q in biases)
    assert [row[0] for row in found["neurons"]["populations"]["layer1_maxpool"]["held"] if "winner" in row[0]] == [
        "winner(0)"
    ]


def test_a_scorecard_of_shared_and_untied_weights() -> None:
    for feedback, required in (("bp", 0.0), ("fa", None)):
        card = scorecard(made(feedback), np.arange(4))
        json.dumps(card)
        angle = card["symmetry"]["required"]
        assert (angle is None) == (required is None) and (angle is None or angle < 1e-4)
        names = {row["channel"] for row in card["symmetry"]["channels"]}
        assert names == {"B2", "B3", "B4"}, "fixed synapses require nothing"
        assert card["labels"]["fraction"] == 1.0
        assert "weight-sharing" in card["locality"]["findings"]


def test_dependences_on_what_lies_below_and_above() -> None:
    with experiment(made("fa"), np.arange(6)) as measured:
        depends = modularity(measured)["depends"]
    assert depends["W1"]["B2"] and depends["W1"]["from_error1_maxpool"] and not depends["W4"]["B4"]
    assert depends["W3"]["W1"] and depends["W3"]["to_layer1_maxpool"] and depends["W2"]["skip_error2_sum"] is False


@pytest.mark.parametrize("feedback", ["bp", "fa", "dfa", "ss"])
def test_a_sample_of_all_neurons_is_the_whole_matrix(feedback: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {}
    for most in (symmetry_module.MOST_NUMBERS, 0):
        monkeypatch.setattr(symmetry_module, "MOST_NUMBERS", most)
        with experiment(made(feedback), np.arange(6)) as measured:
            rows[most] = symmetry(measured, redraws=3)
    whole, sampled = (found["channels"] for found in rows.values())
    for one, other in zip(whole, sampled, strict=True):
        assert one["channel"] == other["channel"]
        assert other["angle"] == pytest.approx(one["angle"], abs=1e-5)
        assert other["mean"] == pytest.approx(one["mean"], abs=1e-5)


@pytest.mark.nightly
def test_a_large_image_is_measured_between_some_of_its_neurons() -> None:
    """Whole matrices of 3072 by 8192 neurons would take 200 MB each."""
    layers = parse_layers(["conv 8 5", "conv 8 3/4", "dense 10"], (3, 32, 32))
    for feedback in ("bp", "fa"):
        simulator = Simulator(*layered_classifier(layers, feedback), batch=16, parameters={"lr": 0.1})
        simulator.use(np.random.default_rng(0).random((16, 3072)), np.arange(16) % 10)
        with experiment(simulator, np.arange(16)) as measured:
            required = symmetry(measured, redraws=2)["required"]
        assert required == pytest.approx(0, abs=1e-4) if feedback == "bp" else required is None


# ------------------------------------------------------------------------------------------------- single synapses


def neuron(shape: tuple[int, ...], *place: int) -> int:
    return int(np.ravel_multi_index(place, shape))


BELOW, FIRST, POOLED = SHAPE, (3, 6, 5), (3, 3, 3)
SYNAPSES = {
    "W1": (neuron(FIRST, 1, 2, 3), neuron(BELOW, 0, 1, 3), (1, 0, 0, 1)),
    "W2": (neuron(POOLED, 2, 0, 1), neuron(POOLED, 1, 1, 1), (0, 1, 2, 1, 2, 1)),
    "W4": (3, 2, (3, 2)),
    "B3": (neuron(POOLED, 2, 1, 1), neuron((2, 3, 3), 1, 1, 2), (2, 1, 2, 1)),
}


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("name", SYNAPSES)
@pytest.mark.parametrize("example", [None, 2])
def test_the_numbers_of_an_explanation_close(name: str, example: int | None, backend: str) -> None:
    i, j, at = SYNAPSES[name]
    simulator = made("kp", evidence=True, backend=backend)
    simulator.present(np.arange(6))
    held = simulator.tensors()[f"{name}.weight"][(0, *at)]
    simulator.present(np.arange(6, 12))
    found = explain(simulator, name, i, j, example=example)
    update = closes(found, 6)
    assert update.values["before"] == held
    assert update.values["after"] == simulator.tensors()[f"{name}.weight"][(0, *at)]
    place = ", ".join(map(str, at))
    assert found.title.startswith(f"{name}.weight[{place}], from neuron {j} of ")
    shared = sum(slot == np.ravel_multi_index(at, simulator.circuit.tensor_shape(name))
                 for slot in simulator.circuit.synapses(name).slot)  # fmt: skip
    assert (f", one of {shared} synapses of this weight" in found.title) == (shared > 1)
    others = [event for event in found.events if event.what == f"the other {shared - 1} synapses of this weight"]
    assert len(others) == (shared > 1)
    text = str(found)
    assert "synapses into" in text


def test_an_explanation_through_a_pool_names_its_choice() -> None:
    simulator = made("bp", evidence=True)
    simulator.present(np.arange(6))
    found = explain(simulator, "W1", *SYNAPSES["W1"][:2], example=1)
    said = [event.what for event in found.events if event.subject == "to_layer1_maxpool"]
    assert said and all(what.startswith("largest of ") for what in said)


def test_a_synapse_that_does_not_exist_is_refused() -> None:
    simulator = made("fa", evidence=True)
    simulator.present(np.arange(6))
    remedy = r"circuit\.synapses\(name\) lists them all\.$"
    end = rf"expected one that exists: neuron 0 has synapses from 0, 1, 5, 6, 30\. {remedy}"
    message = rf"^synapse of W1: got none from neuron 59 of layer0 to neuron 0 of layer1; {end}"
    with pytest.raises(CircuitError, match=message):
        explain(simulator, "W1", 0, 59)


@pytest.mark.parametrize("describe", [
    partial(layered_classifier, layers_of(NET), "bp"),
    partial(layered_classifier, layers_of(NET), "wm"),
    partial(layered_classifier, parse_layers(["conv 3 3", "drop .5", "maxpool 2", "dense 5"], SHAPE), "fa"),
    partial(circular_autoencoder, parse_layers(["conv 3 3", "maxpool 3/1 same", "conv 2 3"], SHAPE), cycles=2),
])  # fmt: skip
def test_a_trace_draws_every_event(describe: Any) -> None:
    circuit, protocol = describe()
    simulator = Simulator(circuit, protocol, batch=6, evidence=True, parameters={"lr": 0.1})
    simulator.use(X, Y if circuit.labels else None)
    simulator.present(np.arange(6))
    trace = chrome_trace(simulator)
    json.dumps(trace)
    drawn = [event for event in trace["traceEvents"] if event["ph"] == "X" and event["pid"] == 1]
    assert len(drawn) == len(simulator.evidence.records)  # type: ignore[union-attr]
