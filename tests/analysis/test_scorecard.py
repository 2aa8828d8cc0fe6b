"""The scorecard against values worked out by hand; measuring changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from building import read_by

from circuitsim import phases
from circuitsim.analysis.reports.audit_text import scores
from circuitsim.analysis.scores.costs import costs
from circuitsim.analysis.scores.dependencies import modularity
from circuitsim.analysis.scores.experiment import experiment
from circuitsim.analysis.scores.paths import dataflow_graph, distances
from circuitsim.analysis.scores.scorecard import scorecard
from circuitsim.analysis.scores.symmetry import angle, channels, effective, symmetry
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuits.autoencoder import circular_autoencoder, variant_coefficients
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.stack import stacked_autoencoders
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.rules import delta, local_rule
from circuitsim.timetable.protocol import Protocol
from circuitsim.timetable.schedule import make_schedule

SIZES = (9, 7, 5, 7, 9)
ROWS = np.arange(4)
LINE = {"layer0": (0.0, 0.0), "layer1": (1.0, 0.0), "layer2": (2.0, 0.0), "layer3": (3.0, 0.0)}
ERRORS = ("bp", "rbp", "srbp", "arbp", "top")


def running(described: tuple[Any, Any], **options: Any) -> Simulator:
    """A simulator that has learned from one batch, so that nothing in it is zero."""
    options["parameters"] = read_by(described[0], options.get("parameters", {"lr": 0.1, "lr_bias": 0.1}))
    made = Simulator(*described, batch=6, **options)
    random = np.random.default_rng(0)
    x = random.uniform(0.1, 0.9, (12, made.circuit.population(made.circuit.inputs).size))
    classes = made.circuit.population(made.circuit.labels).size if made.circuit.labels else 0
    made.use(x, np.arange(12) % classes) if classes else made.use(x)
    made.present(np.arange(6))
    return made


def autoencoder(rule: Any = "rec", sizes: tuple[int, ...] = SIZES, **options: Any) -> Simulator:
    return running(circular_autoencoder(sizes, rule), **options)


def classifier(feedback: str, **options: Any) -> Simulator:
    return running(layered_classifier([9, 7, 6, 5], feedback), **options)


def bits(made: Simulator) -> dict[str, bytes]:
    """All memory of a simulator, the presentation's and the mirror modes', the data and the evidence included."""
    found = {name: array.tobytes() for name, array in made.snapshot().items()}
    for mirror in (None, *range(len(made.schedules) - 1)):
        part = made.bound_plan(len(ROWS), mirror)
        found |= {f"{mirror} {key}": array.tobytes() for key, array in part.arrays.items()}
        found[f"{mirror} rows"] = part.rows.tobytes()
    if made.evidence:
        found["evidence"] = repr([(r.event, r.began) for r in made.evidence.records]).encode()
        found["written"] = repr(vars(made.evidence)["_written"]).encode()
    return found


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("evidence", [False, True])
@pytest.mark.parametrize("rule", ["rec", "bp", "arbp", "wm"])
def test_a_scorecard_leaves_the_simulator_as_it_was(rule: str, backend: str, evidence: bool) -> None:
    make = classifier if rule == "wm" else autoencoder
    measured, other = (make(rule, backend=backend, evidence=evidence, seeds=(0, 1)) for _ in range(2))
    before = bits(measured)
    json.dumps(scorecard(measured, ROWS))
    assert bits(measured) == before
    for made in (measured, other):
        made.present(ROWS)
    mine, theirs = measured.snapshot(), other.snapshot()
    assert all((mine[name] == theirs[name]).all() for name in theirs)


def test_a_failed_measurement_leaves_the_simulator_as_it_was() -> None:
    made = autoencoder("rbp")
    before = bits(made)
    with pytest.raises(ZeroDivisionError), experiment(made, ROWS) as measured:
        measured.run()
        measured.presentation.arrays["A1", "weight", None][...] = 7
        _ = 1 / 0
    assert bits(made) == before


@pytest.mark.parametrize("rows", [[0, 12], [-1], list(range(7)), [], [0.5], [[0, 1], [2, 12]]])
def test_rows_that_cannot_be_shown_are_refused(rows: Any) -> None:
    with pytest.raises(CircuitError, match="rows shown to circuit circular autoencoder"):
        scorecard(autoencoder(), np.array(rows))


@pytest.mark.parametrize("rule", ["rec", "rbp", "error-rec"])
def test_no_update_of_an_autoencoder_uses_labels(rule: str) -> None:
    card = scorecard(autoencoder(rule), ROWS)
    synapses = 7 * 10 + 5 * 8 + 7 * 6 + 9 * 8
    assert card["labels"] == {"synapses": synapses, "learning": synapses, "using": 0, "fraction": 0.0}
    targets = {"rec": 0, "rbp": synapses, "error-rec": synapses}[rule]
    assert (card["targets"]["using"], card["targets"]["fraction"]) == (targets, targets / synapses)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_all_updates_of_a_classifier_use_labels_but_those_of_mirrors(backend: str) -> None:
    forward, feedback = 7 * 10 + 6 * 8 + 5 * 7, 6 * 7 + 5 * 6
    labels = {f: scorecard(classifier(f, backend=backend), ROWS)["labels"] for f in ("bp", "fa", "wm")}
    assert labels["bp"] == labels["fa"]
    assert (labels["bp"]["using"], labels["bp"]["fraction"]) == (forward, 1.0)
    assert (labels["wm"]["using"], labels["wm"]["learning"]) == (forward, forward + feedback)


def test_a_synapse_that_does_not_learn_from_the_examples_is_not_counted_as_learning() -> None:
    made = classifier("bp")
    dark = np.random.default_rng(0).uniform(0.1, 0.9, (12, 9))
    dark[:, 2] = 0
    made.use(dark, np.arange(12) % 5)
    labels = scorecard(made, ROWS)["labels"]
    assert labels["synapses"] - labels["learning"] == 7
    assert labels["fraction"] == 1.0


def test_findings_are_counted_by_kind() -> None:
    assert scorecard(autoencoder(), ROWS)["locality"] == {"local": True, "findings": {}}
    found = scorecard(autoencoder("bp"), ROWS)["locality"]
    assert found == {"local": False, "findings": {"weight-transport": 3}}
    assert scorecard(classifier("wm"), ROWS)["locality"]["findings"] == {"lateral": 1, "label": 1}


def required(made: Simulator, **options: Any) -> dict[str, Any]:
    with experiment(made, ROWS) as measured:
        return symmetry(measured, **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_backpropagation_requires_an_angle_of_zero(dtype: str) -> None:
    found = required(autoencoder("bp", dtype=dtype))
    assert found["required"] == 0
    assert {tuple(c["feedback"] + c["forward"]): c["largest"] for c in found["channels"]} == {
        ("B4", "A4"): 0,
        ("B3", "A3"): 0,
        ("B2", "A2"): 0,
    }


@pytest.mark.parametrize("rule", ["rec", "rbp", "srbp", "arbp", "top", "error-rec"])
def test_others_require_no_angle(rule: str) -> None:
    found = required(autoencoder(rule, seeds=(0, 1, 2)))
    assert found["required"] is None
    assert len(found["channels"]) == (0 if rule == "top" else 3)
    for channel in found["channels"]:
        assert channel["required"] is None
        assert channel["mean"] == pytest.approx(90, abs=5)
        assert channel["independent"]["mean"] == pytest.approx(90, abs=2)


def test_which_forward_way_lies_beside_a_feedback_way() -> None:
    ways = {c["channel"]: c["forward"] for c in required(autoencoder("srbp"))["channels"]}
    assert ways == {"D1": ["A2", "A3", "A4"], "D2": ["A3", "A4"], "D3": ["A4"]}
    ways = {c["channel"]: (c["feedback"], c["forward"]) for c in required(autoencoder("rec"))["channels"]}
    assert ways["recirculation to layer2"] == (["A1", "A2"], ["A3", "A4"])
    stack = required(running(stacked_autoencoders([9, 7, 5])))["channels"]
    assert [(c["feedback"], c["forward"]) for c in stack] == [(["E1"], ["D1"]), (["E2"], ["D2"])]


def test_equal_signs_require_the_angle_of_uniform_magnitudes() -> None:
    """The cosine of |a| and |b|, both uniform on (0, 1), is E|a| E|b| / E a^2 = (1/4) / (1/3)."""
    described = layered_classifier([40, 40, 40, 40], "ss")
    found = required(running(described), redraws=20)
    for channel in found["channels"]:
        assert channel["required"] == pytest.approx(np.degrees(np.arccos(0.75)), abs=0.7)


def test_an_angle_that_is_there_need_not_be_required() -> None:
    made = autoencoder("rbp")
    for h in (2, 3, 4):
        made.load(f"B{h}.weight", made.tensors()[f"A{h}.weight"].transpose(0, 2, 1).copy())
    found = required(made)
    assert [channel["angle"] for channel in found["channels"]] == [0, 0, 0]
    assert found["required"] is None


@pytest.mark.parametrize("rule", ["rec", "bp"])
def test_one_hot_errors_show_a_delivery_s_matrix(rule: str) -> None:
    """Batches of four through nine neurons: the matrix is put together from several runs of the step."""
    made = autoencoder(rule, seeds=(0, 1))
    weights = {name: tensor.copy() for name, tensor in made.tensors().items()}
    with experiment(made, ROWS) as measured:
        found = {c.name: effective(measured, c.back[0]) for c in channels(measured)}
    if rule == "bp":
        assert (found["B4"] == weights["A4.weight"].transpose(0, 2, 1)).all()
    else:
        assert (found["recirculation to layer1"] == weights["A1.weight"]).all()


def skipping() -> tuple[Circuit, Protocol]:
    """Two ways to the output, one of them straight: its neurons wait for the longer one."""
    populations = [Population(name, size) for name, size in (("in", 5), ("hidden", 4), ("out", 5))]
    return Circuit(
        "skipping",
        (*populations, Population("twin", 5, site="out"), Population("error", 5, site="out", feedback=True)),
        (
            Projection("A", "in", "hidden"),
            Projection("B", "hidden", "out"),
            Projection("C", "in", "out"),
            Projection("T", "in", "twin"),
        ),
        inputs="in",
        outputs="out",
        exchanges=(Exchange("twin", "error", Carries.TARGET), Exchange("out", "error", Carries.ACTUAL)),
        plasticity=(Plasticity("B", delta, post="error"),),
    ), Protocol()


def test_what_arrives_together_is_told_apart() -> None:
    made = running(skipping())
    with experiment(made, ROWS) as measured:
        entries = enumerate(measured.presentation.entries)
        at = {phases.subject(made.circuit, e.event): i for i, e in entries if e.event.phase == phases.DELIVERY}
        assert list(at) == ["A", "C", "T", "B"]
        for name, index in at.items():
            assert (effective(measured, index) == made.tensors()[f"{name}.weight"]).all()
    assert costs(made)["neurons"]["populations"]["out"]["held"] == [["S(0)", 1, 2]]
    assert parts(made)["needs"] == {"B": ["A", "C", "T"]}


def test_a_way_beside_leads_through_blocks() -> None:
    circuit, protocol = stacked_autoencoders([9, 7, 5, 4])
    errors = [Population(f"error{h}", n, site=f"layer{h}", feedback=True) for h, n in ((1, 7), (3, 4))]
    described = replace(
        circuit,
        populations=(*circuit.populations, *errors, Population("twin", 4, site="layer3")),
        projections=(*circuit.projections, Projection("T", "layer2", "twin"), Projection("D", "error3", "error1")),
        exchanges=(
            *circuit.exchanges,
            Exchange("twin", "error3", Carries.TARGET),
            Exchange("layer3", "error3", Carries.ACTUAL),
            Exchange("layer1", "error1", Carries.SLOPE),
        ),
        plasticity=(*circuit.plasticity, Plasticity("E1", delta, post="error1")),
    )
    ways = {c["channel"]: c["forward"] for c in required(running((described, protocol)))["channels"]}
    assert ways["D"] == ["E2", "E3"]


def test_angles_by_hand() -> None:
    assert angle(np.eye(2), 3 * np.eye(2)) == 0
    assert angle(np.eye(2), np.array([[0.0, 1], [-1, 0]])) == pytest.approx(90)
    assert angle(np.array([[1.0, 0]]), np.array([[-1.0, 0]])) == pytest.approx(180)
    assert angle(np.array([[1.0, 0]]), np.array([[1.0, 1e-6]])) == pytest.approx(np.degrees(1e-6), rel=1e-3)


HOPS = {
    "rec": {"A1": 1, "A2": 2, "A3": 3, "A4": 0},
    "bp": {"A1": 3, "A2": 2, "A3": 1, "A4": 0},
    "rbp": {"A1": 3, "A2": 2, "A3": 1, "A4": 0},
    "srbp": {"A1": 1, "A2": 1, "A3": 1, "A4": 0},
    "arbp": {"A1": 3, "A2": 2, "A3": 1, "A4": 0, "B4": 0, "B3": 1, "B2": 2},
    "top": {"A4": 0},
}


@pytest.mark.parametrize("delay", [1, 3])
@pytest.mark.parametrize("rule", sorted(HOPS))
def test_hops_and_ticks_of_errors(rule: str, delay: int) -> None:
    found = distances([make_schedule(*circular_autoencoder(SIZES, rule, delay=delay))])
    ways = found["projections"]
    assert {name: way["hops"] for name, way in ways.items()} == HOPS[rule]
    assert {name: way["ticks"] for name, way in ways.items()} == {name: delay * n for name, n in HOPS[rule].items()}
    assert found["hops"] == max(HOPS[rule].values())
    assert "length" not in found


def test_lengths_of_errors_on_a_line() -> None:
    """The output lies at 0, beside the input: backpropagation carries its error to layer 3 first."""
    lengths = {}
    for rule in ("rec", "bp", "srbp"):
        ways = distances([make_schedule(*circular_autoencoder(SIZES, rule))], LINE)
        lengths[rule] = {name: way["length"] for name, way in ways["projections"].items()}
    assert lengths == {
        "rec": {"A1": 1, "A2": 2, "A3": 3, "A4": 0},
        "bp": {"A1": 5, "A2": 4, "A3": 3, "A4": 0},
        "srbp": {"A1": 1, "A2": 2, "A3": 3, "A4": 0},
    }


def test_an_error_is_formed_in_the_last_cycle_that_is_compared() -> None:
    """The top's rule also reads layer 3's activity after the first return, which is no error in transit."""
    described = circular_autoencoder(SIZES, "rec", cycles=2, reference_cycle=1)
    twice = distances([make_schedule(*described)])["projections"]
    assert {name: way["hops"] for name, way in twice.items()} == HOPS["rec"]
    own = distances([make_schedule(*circular_autoencoder(SIZES, "rec", top_rule="own"))])["projections"]
    assert own["A4"]["path"] == ["A1", "A2", "A3", "A4"]


def test_a_rule_without_an_error_has_no_way_of_errors() -> None:
    @local_rule
    def hebb(pre, post, w):  # type: ignore[no-untyped-def]
        return pre.at(0) * post.at(0)

    ways = distances([make_schedule(*circular_autoencoder([5, 4, 5], hebb))])["projections"]
    assert ways["A1"] is None
    assert ways["A2"]["hops"] == 0


def test_what_arrives_together_does_not_follow_from_each_other() -> None:
    schedule = make_schedule(*skipping())
    names = {
        phases.subject(schedule.circuit, entry.event): index
        for index, entry in enumerate(schedule.entries)
        if entry.event.phase in (phases.DELIVERY, phases.FORWARD)
    }
    graph = dataflow_graph(schedule)
    assert set(graph.predecessors(names["out"])) == {names["B"], names["C"]}
    assert not graph.has_edge(names["C"], names["B"])
    assert graph.edges[names["C"], names["out"]] == {"hops": 0, "ticks": 1, "length": 0.0}


def test_a_stack_of_any_height_has_errors_of_one_hop() -> None:
    for sizes in ([9, 7], [9, 7, 5, 4, 3]):
        assert distances([make_schedule(*stacked_autoencoders(sizes))])["hops"] == 1


def test_positions_must_be_there_for_every_site() -> None:
    schedule = make_schedule(*circular_autoencoder(SIZES, "bp"))
    with pytest.raises(CircuitError, match="got none for layer3"):
        distances([schedule], {site: LINE[site] for site in ("layer0", "layer1", "layer2")})


def parts(made: Simulator) -> dict[str, Any]:
    with experiment(made, ROWS) as measured:
        return modularity(measured)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_recirculation_needs_its_whole_loop(backend: str) -> None:
    found = parts(autoencoder("rec", backend=backend))
    assert all(found["depends"][p][q] for p in found["depends"] for q in ("A1", "A2", "A3", "A4"))
    assert found["mean_fraction"] == 1
    assert found["stages"] == [[["A1", "A2", "A3", "A4"]]]


def test_the_top_needs_what_is_below_it() -> None:
    found = parts(autoencoder("top"))
    assert found["needs"] == {"A4": ["A1", "A2", "A3"]}
    assert found["stages"] == [[["A4"]]]


@pytest.mark.parametrize("rule", ["bp", "rbp"])
def test_errors_need_the_feedback_above(rule: str) -> None:
    found = parts(autoencoder(rule))
    assert found["needs"] == {
        "A1": ["A2", "A3", "A4", "B2", "B3", "B4"],
        "A2": ["A1", "A3", "A4", "B3", "B4"],
        "A3": ["A1", "A2", "A4", "B4"],
        "A4": ["A1", "A2", "A3"],
    }
    assert found["fraction"] == {"A1": 1, "A2": 5 / 6, "A3": 4 / 6, "A4": 3 / 6}


def test_straight_feedback_needs_its_own_wire_alone() -> None:
    needs = parts(autoencoder("srbp"))["needs"]
    assert needs["A1"] == ["A2", "A3", "A4", "D1"]
    assert needs["A3"] == ["A1", "A2", "A4", "D3"]


def test_adaptive_feedback_learns_with_the_rest() -> None:
    found = parts(autoencoder("arbp"))
    assert found["needs"]["B4"] == ["A1", "A2", "A3", "A4"]
    assert found["needs"]["B2"] == ["A1", "A2", "A3", "A4", "B3", "B4"]
    assert found["stages"] == [[["A1", "A2", "A3", "A4", "B2", "B3", "B4"]]]


def test_blocks_of_a_stack_can_be_trained_one_after_the_other() -> None:
    found = parts(running(stacked_autoencoders([9, 7, 5, 4])))
    assert found["stages"] == [[["E1", "D1"]], [["E2", "D2"]], [["E3", "D3"]]]
    assert found["needs"]["D3"] == ["E1", "E2", "E3"]


def test_what_needs_nothing_is_trained_first() -> None:
    @local_rule
    def hebb(pre, post, w):  # type: ignore[no-untyped-def]
        return pre.at(0) * post.at(0)

    found = parts(autoencoder(hebb, (5, 4, 5)))
    assert found["needs"] == {"A1": [], "A2": ["A1"]}
    assert found["stages"] == [[["A1"]], [["A2"]]]


def test_a_rule_that_reads_its_weight_depends_on_it() -> None:
    @local_rule
    def follow(pre, post, w):  # type: ignore[no-untyped-def]
        return pre.at(0) - w

    @local_rule
    def drift(pre, post, w):  # type: ignore[no-untyped-def]
        return pre.at(0)

    own = {rule.name: parts(autoencoder(rule, (5, 4, 5)))["depends"]["A1"] for rule in (follow, drift)}
    assert own == {"follow": {"A1": True, "A2": False}, "drift": {"A1": False, "A2": False}}


def test_mirrored_feedback_needs_only_the_weights_it_mirrors() -> None:
    needs = parts(classifier("wm"))["needs"]
    assert (needs["B2"], needs["B3"]) == (["W2"], ["W3"])
    assert needs["W3"] == ["W1", "W2"]


def test_operations_by_hand() -> None:
    """Recirculation passes every synapse twice but the top's; feedback every one of B2 to B4 once."""
    a = {"A1": 63, "A2": 35, "A3": 35, "A4": 63}
    synapses = 63 + 35 + 35 + 63 + 7 + 5 + 7 + 9
    rec, bp = (costs(autoencoder(rule))["operations"] for rule in ("rec", "bp"))
    assert rec["deliveries"] == {**a, "A1": 126, "A2": 70, "A3": 70}
    assert bp["deliveries"] == {**a, "B4": 63, "B3": 35, "B2": 35}
    assert (rec["total"], rec["rules"], rec["updates"]) == (329, synapses, synapses)


def test_memory_of_neurons_by_hand() -> None:
    """Held until layer 1 has compared (rec, tick 5), or until the error is back at layer 1 (bp, tick 7)."""
    rec, bp = (costs(autoencoder(rule))["neurons"] for rule in ("rec", "bp"))
    assert rec["populations"]["layer0"] == {"snapshots": 1, "ticks": 5, "held": [["O(0)", 0, 5]]}
    assert rec["populations"]["layer3"]["held"] == [["O(0)", 3, 7]]
    assert (rec["snapshots"], rec["ticks"], rec["numbers"]) == (1, 5, 9 + 7 + 5 + 7)
    assert bp["populations"]["layer0"]["held"] == [["O(0)", 0, 7]]
    assert bp["populations"]["layer1"] == {"snapshots": 2, "ticks": 6, "held": [["O(0)", 1, 6], ["slope(0)", 1, 7]]}
    assert bp["numbers"] == 9 + 2 * (7 + 5 + 7)


@pytest.mark.parametrize(("variant", "held"), [("pr", [["O(1)", 3, 5]]), ("rwcc", [["O(0)", 1, 5], ["O(1)", 3, 5]])])
def test_mixing_has_to_hold_what_no_rule_reads(variant: str, held: list[Any]) -> None:
    """Comparing cycles 1 and 2, a hidden neuron remembers cycle 0 only to mix it in."""
    described = circular_autoencoder([9, 7, 9], "rec", cycles=2, reference_cycle=1)
    made = running(described, parameters={"lr": 0.1, **variant_coefficients(variant, 0.5, 2)})
    layer = costs(made)["neurons"]["populations"]["layer1"]
    assert layer == {"snapshots": len(held), "ticks": 5 - held[0][1], "held": held}


def test_memory_of_synapses() -> None:
    plain = costs(autoencoder("rbp"))["synapses"]
    assert (plain["A1"], plain["B2"]) == (["weight", "increment"], ["weight"])
    fast = costs(autoencoder("arbp", parameters={"momentum": 0.5}))["synapses"]
    assert fast["A1"] == ["weight", "increment", "velocity"]
    assert fast["B2"] == ["weight", "increment"]
    assert "B2" not in costs(autoencoder("bp"))["synapses"]


def test_wires_by_hand() -> None:
    """Lines: layer L to layer 0; or target and actual of the error neurons, and a slope for each hidden neuron."""
    found = {rule: costs(autoencoder(rule))["wires"] for rule in ("rec", *ERRORS)}
    assert found["rec"] == {"synapses": 196, "lines": 9, "nonlocal": {}, "learning_channels": 0}
    assert found["bp"] == {
        "synapses": 196,
        "lines": 18 + 19,
        "nonlocal": {"weight-transport": 3},
        "learning_channels": 3,
    }
    assert found["rbp"] == {"synapses": 196 + 133, "lines": 37, "nonlocal": {}, "learning_channels": 3}
    assert found["srbp"]["synapses"] == 196 + 9 * (7 + 5 + 7)
    assert found["top"] == {"synapses": 196, "lines": 18, "nonlocal": {}, "learning_channels": 0}


def test_a_wave_of_mirror_mode_has_costs_of_its_own() -> None:
    found = costs(classifier("wm"))["mirror"]
    assert found["W2"]["operations"]["deliveries"] == {"W2": 42}
    assert found["W3"]["neurons"]["populations"]["layer2"]["held"] == [["O(0)", 0, 1]]


def test_a_scorecard_that_is_not_complete_is_told_as_far_as_it_goes() -> None:
    """As of a run with a replica that has diverged."""
    made = classifier("fa")
    card = {"locality": {"local": True, "findings": {}}, "costs": costs(made), "left": "run it again"}
    found = scores(card)
    assert [problem for problem, _ in found] == ["locality", "operations", "memory", "wires", "not measured"]
    assert found[-1] == ("not measured", "run it again")
