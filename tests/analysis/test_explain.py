"""Explanations list the events behind an update and no others, and their values determine it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import handwritten
import numpy as np
import pytest
from building import Setting, digits, simulator, weights_of
from sample_rules import oja, quotient, soft_bound

from circuitsim.analysis.tracing.explain import ExplainedEvent, Explanation, explain
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Plasticity, Population, Projection
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.replacement import replacement_classifier
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.rules import delta
from circuitsim.timetable.protocol import Protocol

REC = Setting(variant="ccrcc", momentum=0.5)
LEARNING = {
    "rec": (REC, "A1"),
    "rec, top": (REC, "A2"),
    "two cycles": (replace(REC, cycles=2, reference_cycle=1, sizes=(64, 12, 8, 64)), "A2"),
    "symmetric": (replace(REC, rule="rec-symmetric"), "A1"),
    "errors": (replace(REC, rule="error-rec", variant="pr"), "A2"),
    "bp": (replace(REC, rule="bp", sizes=(64, 12, 8, 64)), "A1"),
    "arbp": (replace(REC, rule="arbp"), "B2"),
    "srbp": (replace(REC, rule="srbp", momentum=0.0, sizes=(64, 12, 8, 64)), "A1"),
    "a rule of the weight": (replace(REC, rule=oja), "A1"),
    "a rule that does not separate": (replace(REC, rule=quotient), "A1"),
    "a rule with a maximum": (replace(REC, rule=soft_bound), "A1"),
    "bounded": (replace(REC, max_norm=1.0), "A1"),
}


def shown(setting: Setting, batch: int = 5, seeds: Sequence[int] = (0,), **options: Any) -> Simulator:
    made = simulator([setting] * len(seeds), seeds, evidence=True, **options)
    for rows in (np.arange(batch), np.arange(batch, 2 * batch)):
        made.present(rows)
    return made


class ListedNeuron:
    """One neuron's listed values, as a rule's text reads them."""

    def __init__(self, side: str, values: dict[str, float]) -> None:
        self._side, self._values = side, values

    def at(self, cycle: int) -> float:
        return self._values[f"{self._side}.at({cycle})"]


def recomputed(text: str, values: dict[str, float]) -> float:
    """Evaluate a rule's text in plain Python on listed values."""
    names = {"pre": ListedNeuron("pre", values), "post": ListedNeuron("post", values), "Max": max, "Abs": abs, **values}
    return float(eval(text, {"__builtins__": {}}, names))


def of(found: Explanation, phase: str) -> list[ExplainedEvent]:
    return [event for event in found.events if event.phase == phase]


def closes(found: Explanation, batch: int) -> ExplainedEvent:
    """Recompute every increment and the update from what is listed; return the update."""
    text, synapse, total = "", {}, 0.0
    for event in of(found, "plasticity"):
        if "dw = " in event.what:
            text, synapse = event.what.partition("dw = ")[2], dict(event.values)
        elif event.what.startswith("example "):
            dw = event.values["dw"]
            assert recomputed(text, {**synapse, **event.values}) == pytest.approx(dw, rel=1e-12, abs=1e-15)
            total += dw
        elif event.what.startswith("the other "):
            total += event.values["dw"]
        else:
            assert event.values["increment"] == pytest.approx(total, rel=1e-12, abs=1e-14)
    [update] = of(found, "update")
    u = update.values
    assert u["mean dw"] == pytest.approx(total / batch, rel=1e-12, abs=1e-15)
    assert u["v"] == pytest.approx(u.get("momentum", 0) * u.get("velocity", 0) + u["mean dw"], rel=1e-12, abs=1e-15)
    decay = u.get("weight_decay", 0.0) * u["before"]
    assert u["after"] == pytest.approx(u["before"] + u["lr"] * u["v"] - decay, rel=1e-12)
    return update


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("example", [None, 3])
def test_the_numbers_close(name: str, example: int | None, backend: str) -> None:
    setting, projection = LEARNING[name]
    made = simulator([setting], evidence=True, backend=backend)
    made.present(np.arange(5))
    held = made.tensors()[f"{projection}.weight"][0, 3, 5]
    made.present(np.arange(5, 10))
    found = explain(made, projection, 3, 5, example=example)
    update = closes(found, 5)
    assert update.values["before"] == held
    assert found.events[-1].values["after"] == made.tensors()[f"{projection}.weight"][0, 3, 5]
    assert update.values["v"] != 0
    assert len([e for e in found.events if e.what.startswith("example ")]) == (5 if example is None else 1)


def test_a_bound_comes_last() -> None:
    made = shown(replace(REC, max_norm=0.5))
    bound = explain(made, "A1", 3, 5).events[-1]
    assert (bound.phase, bound.subject) == ("bound", "layer1")
    assert abs(bound.values["after"]) < abs(bound.values["before"])
    row = np.append(made.tensors()["A1.weight"][0, 3], made.tensors()["A1.bias"][0, 3])
    assert np.linalg.norm(row) == pytest.approx(bound.values["max_norm"])


@pytest.mark.parametrize("example", [0, 4])
def test_the_activities_are_those_of_the_yardstick(example: int) -> None:
    made = simulator([REC], evidence=True)
    w = weights_of(made)
    made.present(np.arange(5))
    found = explain(made, "A1", 3, 20, example=example)
    x = digits()[:5]
    remembered, _ = handwritten.recirculate(x, w, 1, "ccrcc", 0.5, "tanh", "logistic", True)
    values = {(e.phase, e.subject, e.cycle): e.values for e in found.events if e.what.startswith("neuron ")}
    assert values["forward pass", "layer0", 0] == {"O(0)": x[example, 20]}
    fired = values["forward pass", "layer1", 0]
    assert fired["O(0)"] == pytest.approx(np.tanh(fired["S(0)"] + fired["A1.bias"]), rel=1e-12)
    assert fired["O(0)"] == pytest.approx(remembered[0][1][example, 3], rel=1e-12)
    mixed = values["recirculation cycle", "layer1", 1]
    new = np.tanh(mixed["S(1)"] + mixed["A1.bias"])
    assert mixed["O(1)"] == pytest.approx(0.5 * mixed["O(0)"] + 0.5 * new, rel=1e-12)
    assert mixed["O(1)"] == pytest.approx(remembered[1][1][example, 3], rel=1e-12)
    arrived = next(e.values["arrived"] for e in of(found, "delivery") if e.what == "64 synapses into neuron 3")
    assert arrived == pytest.approx(w["A1.weight"][3] @ x[example], rel=1e-12)


def listed(found: Explanation) -> list[tuple[int, str, str, int | None]]:
    """The events of the slice, once each."""
    return list(dict.fromkeys((e.tick, e.phase, e.subject, e.cycle) for e in found.events))


def test_recirculation_s_events() -> None:
    assert listed(explain(shown(REC), "A1", 3, 20)) == [
        (0, "forward pass", "layer0", 0),
        (1, "delivery", "A1", 0),
        (1, "forward pass", "layer1", 0),
        (2, "delivery", "A2", 0),
        (2, "forward pass", "layer2", 0),
        (2, "recirculation cycle", "layer0", 1),
        (3, "delivery", "A1", 1),
        (3, "recirculation cycle", "layer1", 1),
        (3, "plasticity", "A1", None),
        (3, "update", "A1", None),
    ]


def test_only_what_led_to_the_update_is_listed() -> None:
    """The top of a deep circuit does not learn from the second time around."""
    found = explain(shown(replace(REC, sizes=(64, 12, 8, 64))), "A3", 3, 5)
    assert {e.cycle for e in found.events if e.phase == "delivery"} == {0}
    assert {e.subject for e in of(found, "plasticity")} == {"A3"}
    bp = listed(explain(shown(replace(REC, rule="bp", sizes=(64, 12, 8, 64))), "A2", 3, 5))
    assert [subject for _, phase, subject, _ in bp if phase == "delivery"] == ["A1", "A2", "A3", "B3"]
    assert [subject for _, phase, subject, _ in bp if phase == "feedback"] == ["error3", "error2"]


def test_what_arrives_over_transposed_weights() -> None:
    made = simulator([replace(REC, rule="bp")], evidence=True)
    weight = made.tensors()["A2.weight"][0].copy()
    made.present(np.arange(5))
    found = explain(made, "A1", 3, 5, example=2)
    [arrived] = [e for e in of(found, "delivery") if e.subject == "B2"]
    error = next(r for r in made.evidence.records if r.subject == "error2").made["error2", "O", 0][0, 2]
    assert arrived.what == "64 synapses into neuron 3"
    assert arrived.values["arrived"] == pytest.approx(weight[:, 3] @ error, rel=1e-12)


def test_what_arrives_over_several_projections_adds_up() -> None:
    circuit = Circuit(
        "two ways up",
        (Population("low", 64), Population("high", 6, "tanh")),
        (Projection("quick", "low", "high"), Projection("slow", "low", "high", delay=3, bias=True)),
        inputs="low",
        outputs="high",
        plasticity=(Plasticity("quick", delta),),
    )
    made = Simulator(circuit, Protocol(), batch=4, evidence=True, dtype="float64")
    made.use(digits())
    for _ in range(2):  # the second time the sum's memory is not empty
        made.present(np.arange(4))
    found = explain(made, "quick", 2, 20, example=1)
    first, second = (e.values for e in of(found, "delivery"))
    [fired] = [e.values for e in of(found, "forward pass") if e.subject == "high"]
    assert first["arrived"] == first["S(0) so far"] != 0
    assert second["S(0) so far"] == fired["S(0)"] == pytest.approx(first["arrived"] + second["arrived"], rel=1e-12)
    weight = made.tensors()["slow.weight"][0, 2]
    assert second["arrived"] == pytest.approx(weight @ digits()[1], rel=1e-12)
    assert (fired["slow.bias"], fired["O(0)"]) == (0, pytest.approx(np.tanh(fired["S(0)"]), rel=1e-12))


def test_each_replica_has_its_own_reasons() -> None:
    made = shown(REC, seeds=[0, 1])
    for replica in (0, 1):
        found = explain(made, "A1", 3, 20, replica=replica)
        closes(found, 5)
        assert found.events[-1].values["after"] == made.tensors()["A1.weight"][replica, 3, 20]


def test_a_presentation_through_the_queue() -> None:
    backwards = shown(REC, order=lambda events: events[::-1])
    assert explain(backwards, "A1", 3, 20) == explain(shown(REC), "A1", 3, 20)


# ------------------------------------------------------------------------------------- labels, several rules, mirrors


def classifier(feedback: str, **options: Any) -> Simulator:
    circuit, protocol = layered_classifier([64, 16, 12, 10], feedback, **options)
    parameters = {"lr": 0.1, "weight_decay": 0.01}
    made = Simulator(circuit, protocol, batch=4, parameters=parameters, evidence=True, dtype="float64")
    made.use(digits(), np.arange(200) % 10)
    made.present(np.arange(4))
    made.present(np.arange(4, 8))
    return made


@pytest.mark.parametrize("feedback", ["bp", "ss", "kp", "ia", "sa", "aa", "wm"])
def test_a_classifier_s_numbers_close(feedback: str) -> None:
    made = classifier(feedback)
    for projection in ("W1", "B2") if feedback in ("kp", "ia", "sa", "aa", "wm") else ("W1",):
        found = explain(made, projection, 3, 5)
        assert closes(found, 4).values["v"] != 0
        assert found.events[-1].values["after"] == made.tensors()[f"{projection}.weight"][0, 3, 5]


def test_softmax_neurons_depend_on_their_whole_layer() -> None:
    events = explain(classifier("bp"), "W3", 3, 5).events
    assert "10 neurons: clamped to the label" not in {e.what for e in events}
    assert "neuron 3: clamped to the label" in {e.what for e in events}
    delivered = [e.what for e in events if (e.phase, e.subject) == ("delivery", "W3")]
    assert delivered == ["12 synapses into neuron 3", "120 synapses into 10 neurons"]


def test_feedback_that_takes_the_place_of_activity() -> None:
    """At the top it is target minus output; below it is the arriving error times the slope."""
    made = Simulator(*replacement_classifier([64, 16, 10]), batch=4, evidence=True, dtype="float64")
    made.use(digits(), np.arange(200) % 10)
    made.present(np.arange(4))
    below = explain(made, "W1", 3, 20, example=1)
    closes(below, 4)
    [gated] = [e for e in below.events if e.phase == "feedback replacement" and e.subject == "layer1"]
    assert gated.what == "neuron 3: arriving error times slope"
    assert gated.values["O(1)"] == pytest.approx(gated.values["S(1)"] * gated.values["slope(0)"], rel=1e-12)
    assert not any("so far" in name for e in below.events for name in e.values)
    [held] = [e for e in explain(made, "W2", 1, 5, example=1).events if e.phase == "feedback replacement"]
    assert held.what == "neuron 1: target minus output"
    assert held.values["O(1)"] == pytest.approx(1 - held.values["O(0)"], rel=1e-12)  # its class is 1


def test_a_softmax_answers_noise_with_its_sum() -> None:
    [answer] = [e for e in explain(classifier("wm"), "B3", 3, 5).events if e.subject == "layer3"]
    assert answer.what == "neuron 5: identity(S + bias)"


def test_mirror_mode() -> None:
    made = classifier("wm", passes=2)
    found = explain(made, "B2", 3, 5)
    assert found.title.startswith("B2.weight[3, 5], from neuron 5 of error2 to neuron 3 of error1. Mirror mode of W2")
    assert {e.phase for e in found.events} == {"mirror mode", "delivery", "plasticity", "update"}
    assert found.events[0].tick == sum(schedule.duration for schedule in made.schedules)  # the second pass
    assert explain(made, "W1", 3, 5).events[0].subject == "layer0"


def test_synapses_that_a_mask_leaves_out() -> None:
    circuit, protocol = layered_classifier([64, 16, 10], "fa", masked=True)
    made = Simulator(circuit, protocol, batch=4, parameters={"density": 0.5}, evidence=True)
    made.use(digits(), np.arange(200) % 10)
    made.present(np.arange(4))
    mask = made.state.arrays()["W1", "mask", None][0]
    j = int(np.flatnonzero(~mask[3])[0])
    found = explain(made, "W1", 3, j)
    assert found.events[-1].what == "w becomes 0: the mask excludes this synapse"
    assert found.events[-1].values["after"] == 0
    assert f"{np.count_nonzero(mask[3])} synapses into neuron 3" in {e.what for e in found.events}


# -------------------------------------------------------------------------------------------------------------- text


@pytest.mark.parametrize("name", LEARNING)
def test_the_table_fits_and_ends_in_the_update(name: str) -> None:
    setting, projection = LEARNING[name]
    found = explain(shown(setting, batch=16), projection, 3, 5)
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(f"{projection}.weight[3, 5], from neuron 5 of ")
    assert any("(10 more examples: see .events)" in line for line in lines)
    assert f"after = {found.events[-1].values['after']:.6g}" in lines[-1]
    last = max(n for n, line in enumerate(lines) if line[:6].strip())
    assert found.events[-1].phase in lines[last]


def test_a_table_of_one_example() -> None:
    lines = str(explain(shown(REC), "A1", 3, 20, example=2)).splitlines()
    assert "of example 2, row 7." in " ".join(lines[:3])
    assert "   0  forward pass layer0 (0)         neuron 20: clamped to the data" in lines
    assert f"                                        O(0) = {digits()[7, 20]:.6g}" in lines


# ------------------------------------------------------------------------------------------------------------ errors


def test_without_evidence() -> None:
    made = Simulator(*circular_autoencoder([4, 2, 4]), batch=2)
    message = (
        r"explanation of A1: got a simulator without evidence; expected the evidence of a presentation\. "
        r"Make it with Simulator\(\.\.\., evidence=True\), and present\(\) rows\."
    )
    with pytest.raises(CircuitError, match=message):
        explain(made, "A1", 0, 0)


def test_before_any_presentation() -> None:
    made = Simulator(*circular_autoencoder([4, 2, 4]), batch=2, evidence=True)
    message = r"explanation of A1: got a simulator that has presented nothing; .* Call use\(\) with examples, then pres"
    with pytest.raises(CircuitError, match=message):
        explain(made, "A1", 0, 0)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("A9", 0, 0), {}, r"explanation of A9: got no projection of circuit autoencoder with rbp; expected one of A1"),
        (("B2", 0, 0), {}, r"explanation of B2: got a projection that does not learn; expected one of A1, A2\. Name"),
        (("A1", 16, 0), {}, r"i of an explanation: got 16; expected a neuron of layer1, 0 to 15\. Indices count from"),
        (("A1", 0, 64), {}, r"j of an explanation: got 64; expected a neuron of layer0, 0 to 63\. Indices"),
        (("A1", -1, 0), {}, r"i of an explanation: got -1; expected a neuron of layer1, 0 to 15\. Indices"),
        (("A1", 0.5, 0), {}, r"i of an explanation: got 0\.5; expected a neuron of layer1"),
        (("A1", 0, 0), {"replica": 1}, r"replica of an explanation: got 1; expected one of the simulator's, 0 to 0\."),
        (("A1", 0, 0), {"example": 5}, r"example of an explanation: got 5; expected one of the batch, 0 to 4\. Ind"),
    ],
)  # fmt: skip
def test_what_cannot_be_explained(arguments: tuple[Any, ...], options: dict[str, int], message: str) -> None:
    with pytest.raises(CircuitError, match=message):
        explain(shown(replace(REC, rule="rbp")), *arguments, **options)


def test_a_presentation_that_did_not_update_it() -> None:
    circuit, _ = circular_autoencoder([4, 2, 4])
    passive = Protocol(learn=False, readouts=(("layer2", "O", 0),))
    made = Simulator(circuit, passive, batch=2, evidence=True)
    made.use(np.eye(4))
    made.present([0, 1])
    message = (
        r"explanation of A1: got a last presentation that did not update it; expected one that does; A1, A2 have ru"
    )
    with pytest.raises(CircuitError, match=message):
        explain(made, "A1", 0, 0)
