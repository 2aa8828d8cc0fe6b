"""Known verdicts of every audit, static and interventional."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from building import read_by
from running import nightly

from circuitsim import Carries, Circuit, Exchange, Plasticity, Population, Projection, Protocol, make_schedule
from circuitsim.analysis.audits.audit import Audit, audit
from circuitsim.analysis.audits.examine import examine
from circuitsim.circuit.parts import Mirror
from circuitsim.circuit.weights import Tied
from circuitsim.circuits.autoencoder import circular_autoencoder, variant_coefficients
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.circuits.nest import nested_autoencoder
from circuitsim.circuits.replacement import replacement_classifier
from circuitsim.circuits.stack import stacked_autoencoders
from circuitsim.circuits.tourbillon import tourbillon
from circuitsim.circuits.twin import tourbillonize
from circuitsim.rules import delta
from circuitsim.timetable.schedule import make_schedules

LAYERS = [7, 6, 5, 4, 7]
CLASSES = [8, 6, 5, 3]
LABEL = ("label", "W3")


def autoencoder(rule: str, variant: str = "pr", **more: Any) -> Any:
    parameters = variant_coefficients(variant, 0.4, 4) if rule == "rec" else {}
    return (*circular_autoencoder(LAYERS, rule, **more), parameters)


def classifier(feedback: str, output: str = "logistic", **more: Any) -> Any:
    circuit, protocol = layered_classifier(CLASSES, feedback, output=output, **more)
    return circuit, protocol, read_by(circuit, {"density": 0.7})


def normalising(norm: str) -> Any:
    """A classifier whose hidden neurons normalise and pass a gain and a bias of their own, with random feedback."""
    texts = ["dense 6", f"norm {norm}", "dense 5", f"norm {norm}", "dense 3"]
    return (*layered_classifier(parse_layers(texts, (8,)), "fa", output="logistic"), {})


def grown(channel: str, top: str = "logistic", groups: tuple[str, ...] | None = None, **more: Any) -> Any:
    circuit, protocol = tourbillon(CLASSES, channel=channel, top=top, **more)
    return circuit, replace(protocol, groups=groups), {"max_norm": 0.8} if "bounded" in more else {}


def twin_of(made: Any, **more: Any) -> Any:
    twin = tourbillonize(made[0], **more)
    return twin.circuit, twin.protocol, {}


def standard_autoencoder() -> Any:
    """Input and output at different places: the target has to be brought to the output."""
    circuit = Circuit(
        "standard autoencoder",
        (
            Population("layer0", 6),
            Population("layer1", 4, "tanh"),
            Population("layer2", 6),
            Population("error2", 6, site="layer2", feedback=True),
        ),
        (Projection("A1", "layer0", "layer1"), Projection("A2", "layer1", "layer2", bias=True)),
        inputs="layer0",
        outputs="layer2",
        exchanges=(
            Exchange("layer0", "error2", Carries.TARGET, remote=True),
            Exchange("layer2", "error2", Carries.ACTUAL),
        ),
        plasticity=(Plasticity("A2", delta, post="error2"),),
    )
    return circuit, Protocol(), {}


def broadcast_error() -> Any:
    """The output's error reaches the hidden layer through no projection."""
    circuit = Circuit(
        "broadcast error",
        (
            Population("layer0", 6),
            Population("layer1", 6, "tanh"),
            Population("layer2", 6, site="layer0"),
            Population("error1", 6, site="layer1", feedback=True),
        ),
        (Projection("A1", "layer0", "layer1"), Projection("A2", "layer1", "layer2")),
        inputs="layer0",
        outputs="layer2",
        exchanges=(
            Exchange("layer0", "error1", Carries.TARGET, remote=True),
            Exchange("layer2", "error1", Carries.ACTUAL, remote=True),
        ),
        plasticity=(Plasticity("A1", delta, post="error1"),),
    )
    return circuit, Protocol(), {}


def shared_weights() -> Any:
    """Two projections between different places with one set of weights."""
    circuit = Circuit(
        "shared",
        (Population("layer0", 6), Population("layer1", 6, "tanh"), Population("layer2", 6, site="layer0")),
        (Projection("A1", "layer0", "layer1"), Projection("A2", "layer1", "layer2", weights=Tied("A1"))),
        inputs="layer0",
        outputs="layer2",
        plasticity=(Plasticity("A1", delta),),
    )
    return circuit, Protocol(readouts=(("layer2", "O", 0),)), {}


def transported(*names: str) -> set[tuple[str, str]]:
    return {("weight-transport", name) for name in names}


def lateral(*names: str) -> set[tuple[str, str]]:
    return {("lateral", name) for name in names}


SOFTMAX = lateral("W3")
KNOWN: dict[str, tuple[Any, set[tuple[str, str]]]] = {
    **{f"rec {v}": (autoencoder("rec", v), set()) for v in ("pr", "ccr", "rcc", "ccrcc", "rwcc")},
    "rec, three cycles": (autoencoder("rec", "rwcc", cycles=3, reference_cycle=1), set()),
    "rec, own top rule": (autoencoder("rec", "rcc", cycles=2, top_rule="own"), set()),
    "rec-symmetric": (autoencoder("rec-symmetric"), set()),
    "error-rec": (autoencoder("error-rec"), set()),
    "bound on incoming weights": (autoencoder("rec", bounded=True), set()),
    "bp": (autoencoder("bp"), transported("B2", "B3", "B4")),
    **{rule: (autoencoder(rule), set()) for rule in ("rbp", "srbp", "arbp", "top")},
    "softmax output": (autoencoder("rec", output="softmax"), lateral("A4")),
    "stack": ((*stacked_autoencoders([8, 6, 5, 4]), {}), set()),
    "stack of bp blocks": ((*stacked_autoencoders([8, 6, 5], "bp"), {}), transported("R1", "R2")),
    "tourbillon": (grown("decoders"), {LABEL}),
    "tourbillon, bounded": (grown("decoders", bounded=True), {LABEL}),
    "tourbillon, hinge loss": (grown("decoders", loss="hinge"), {LABEL}),
    "tourbillon, growth": (grown("decoders", groups=("encoder 1", "encoder 2", "decoder 2")), {LABEL}),
    "tourbillon, random channel": (grown("random"), {LABEL}),
    "tourbillon, bp channel": (grown("bp"), {LABEL, *transported("B2", "B3")}),
    "softmax tourbillon": (grown("decoders", "softmax"), {LABEL, *lateral("W3")}),
    "twin": (twin_of(layered_classifier(CLASSES, "bp", output="logistic")), {LABEL}),
    "twin of a U-Net": (twin_of(circular_autoencoder(LAYERS, "bp"), output_block=True), set()),
    "nest": ((*nested_autoencoder([7, 5, 7], [3]), {}), set()),
    "nest of two": ((*nested_autoencoder([7, 5, 4, 7], [3, 2]), {"emits": 0.3, "remembers": 0.6}), set()),
    "classifier bp": (classifier("bp"), {LABEL, *transported("B2", "B3")}),
    "sign symmetry": (classifier("ss"), {LABEL, *transported("B2", "B3")}),
    **{f: (classifier(f), {LABEL}) for f in ("fa", "dfa", "kp", "urfb", "wm")},
    "softmax classifier": (classifier("fa", "softmax"), {LABEL, *SOFTMAX}),
    "hinge": (classifier("fa", loss="hinge"), {LABEL}),
    "masked": (classifier("kp", masked=True), {LABEL}),
    **{p: (classifier("ia", primitives=[p]), {LABEL}) for p in ("decay", "amp", "null")},
    "sparse": (classifier("aa", primitives=["sparse"]), {LABEL, *lateral("B2", "B3")}),
    "self": (classifier("sa", primitives=["self"]), {LABEL, *transported("B2", "B3")}),
    "information alignment": (classifier("ia"), {LABEL}),
    "symmetric alignment": (classifier("sa"), {LABEL, *transported("B2", "B3")}),
    "activation alignment": (classifier("aa"), {LABEL, *lateral("B2", "B3")}),
    "mirror, blocked biases": (classifier("wm", mirror=Mirror("", block_bias=True)), {LABEL}),
    "mirror, centred answers": (classifier("wm", mirror=Mirror("", centre=True)), {LABEL, *lateral("B2", "B3")}),
    "mirror, normalised": (classifier("wm", normalise=True), {LABEL, *lateral("B2", "B3")}),
    "online normalisation": (normalising("online"), {("label", "W5")}),
    "batch normalisation": (normalising("batch"), {("label", "W5"), *lateral("W1", "W3")}),
    "divisive normalisation": (normalising("divisive"), {("label", "W5"), *lateral("W1", "W3")}),
    "feedback replacement": ((*replacement_classifier(CLASSES, output="logistic"), {}), {LABEL}),
    "standard autoencoder": (standard_autoencoder(), {("remote-target", "A2")}),
    "broadcast error": (broadcast_error(), {("remote-target", "A1"), ("remote-error", "A1")}),
    "shared weights": (shared_weights(), {("weight-sharing", "A2")}),
}
each_circuit = pytest.mark.parametrize("name", KNOWN)
# circuits whose kind `test_nothing_is_found_in_what_is_local` examines every day
EXAMINED_ELSEWHERE = {
    "rec ccr", "rec rcc", "rec ccrcc", "rec, three cycles", "rec, own top rule", "rec-symmetric", "error-rec", "rbp",
    "srbp", "arbp", "top", "stack", "dfa", "kp", "urfb", "wm", "hinge", "masked", "information alignment",
}  # fmt: skip
each_experiment = pytest.mark.parametrize("name", [nightly(n) if n in EXAMINED_ELSEWHERE else n for n in KNOWN])


@cache
def examined(name: str, backend: str) -> Audit:
    return examine(*KNOWN[name][0], backend=backend, dtype="float64")


@each_circuit
def test_the_static_verdict(name: str) -> None:
    (circuit, protocol, _), expected = KNOWN[name]
    found = audit(make_schedules(circuit, protocol))
    pairs = [(f["kind"], f["projection"]) for f in found["findings"]]
    assert set(pairs) == expected and len(pairs) == len(expected)
    assert found["local"] is all(kind == "label" for kind, _ in expected)
    assert all(f["remedy"] and f["read"] for f in found["findings"])


@each_experiment
@pytest.mark.parametrize("backend", ["numba", nightly("numpy")])
def test_no_experiment_finds_anything_else(name: str, backend: str) -> None:
    found = examined(name, backend)
    assert {(f["kind"], f["projection"]) for f in found["findings"]} == KNOWN[name][1]
    assert found["intervention"]["backend"] == backend and sum(found["intervention"]["synapses"].values()) > 0


@each_experiment
def test_the_experiments_alone_find_what_is_declared(name: str) -> None:
    """Interventions find non-local wires without their declarations. Labels are local by definition."""
    summary = examined(name, "numba")["intervention"]["summary"]
    expected = {finding for finding in KNOWN[name][1] if finding[0] != "label"}
    for kind, projection in expected:
        assert f"{kind} in {projection}" in summary
    assert expected or "no forbidden value changed a bit" in summary


def test_a_bound_reads_its_own_neuron_and_is_no_finding() -> None:
    certificates = examined("bound on incoming weights", "numba")["certificates"]
    bounds = [c["reads"] for c in certificates if c["rule"] == "bound"]
    assert len(bounds) == 4 and all(reads[0]["place"] == "neuron" for reads in bounds)


@pytest.mark.parametrize("top", range(2, 7))
def test_windows_of_a_loop(top: int) -> None:
    """L + 1 ticks for hidden synapses, L for the top."""
    sizes = [5] * (top + 1)
    windows = make_schedule(*circular_autoencoder(sizes)).windows
    assert windows == {f"A{h}": top + 1 for h in range(1, top)} | {f"A{top}": top}


@pytest.mark.parametrize("top", range(2, 7))
def test_windows_of_feedback(top: int) -> None:
    """2 (L - h) + 1 ticks at layer h."""
    expected = {f"W{h}": 2 * (top - h) + 1 for h in range(1, top + 1)}
    for made in (layered_classifier([5] * (top + 1), "fa"), replacement_classifier([5] * (top + 1), "fa")):
        assert make_schedule(*made).windows == expected


def test_windows_of_a_stack_do_not_grow() -> None:
    for blocks in range(1, 7):
        windows = make_schedule(*stacked_autoencoders([4] * (blocks + 1))).windows
        assert set(windows.values()) == {2, 3} and max(windows.values()) == 3


def test_an_audit_says_what_it_covers() -> None:
    names = ("rec pr", "rec, three cycles", "bp", "rbp", "fa", "rec rwcc")
    covers = {name: audit(make_schedules(*KNOWN[name][0][:2]))["covers"] for name in names}
    assert len({one["sha256"] for one in covers.values()}) == 5
    assert covers["rec pr"] == covers["rec rwcc"]  # coefficients are no parts
    assert examined("fa", "numba")["covers"] == covers["fa"]
