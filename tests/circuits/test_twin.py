"""Tourbillonization: what the twin of a feedforward circuit is, what it computes, and what has none."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from building import classes, digits, presentations
from tensors import bits, loaded

from circuitsim import phases
from circuitsim.analysis.audits.audit import audit
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuit.weights import Tied
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.replacement import replacement_classifier
from circuitsim.circuits.tourbillon import tourbillon
from circuitsim.circuits.twin import Twin, tourbillonize
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.rules import delta
from circuitsim.timetable.protocol import Protocol
from circuitsim.timetable.schedule import make_schedule, make_schedules

each_backend = pytest.mark.parametrize("backend", ["numba", "numpy"])
ROWS = presentations(8)
POST = {"P1": "a", "P2": "b", "P3": "c", "P4": "e_out", "P5": "e_out"}


def branched(
    learning: Sequence[str] = ("P1", "P2", "P3", "P4", "P5"), *extra: Projection, merged: bool = False
) -> Circuit:
    """in -> a, which feeds b and c, slowly; both feed the output. Merged: c gets its input from `in`, and feeds b."""
    third = Projection("P3", "in", "c") if merged else Projection("P3", "a", "c", 3, True)
    fifth = Projection("P5", "c", "b") if merged else Projection("P5", "c", "out")
    found = Circuit(
        "branched",
        (
            Population("in", 64),
            Population("a", 7, "tanh"),
            Population("b", 5, "tanh"),
            Population("c", 4, "logistic"),
            Population("out", 10, "logistic"),
            Population("labels", 10, site="out"),
            Population("e_out", 10, site="out", feedback=True),
        ),
        (
            Projection("P1", "in", "a", 1, True),
            Projection("P2", "a", "b", 2, True),
            third,
            Projection("P4", "b", "out", 1, True),
            fifth,
            *extra,
        ),
        inputs="in",
        outputs="out",
        labels="labels",
        exchanges=(Exchange("labels", "e_out", Carries.TARGET), Exchange("out", "e_out", Carries.ACTUAL)),
    )
    post = POST | ({"P5": "b"} if merged else {})
    return replace(found, plasticity=tuple(Plasticity(name, delta, post=post[name]) for name in learning))


def with_side(circuit: Circuit) -> Circuit:
    """With neurons that nothing comes of, and which learn what they get."""
    return replace(
        circuit,
        populations=(*circuit.populations, Population("side", 3, "tanh")),
        projections=(*circuit.projections, Projection("P6", "a", "side")),
        plasticity=(*circuit.plasticity, Plasticity("P6", delta, post="side")),
    )


ORIGINALS: dict[str, tuple[Circuit, dict[str, Any]]] = {
    "dense": (layered_classifier((64, 9, 7, 10))[0], {}),
    "dense, output too": (layered_classifier((64, 9, 7, 10))[0], {"output_block": True}),
    "hinge loss": (layered_classifier((64, 9, 10), "kp", loss="hinge", output="identity")[0], {}),
    "U-Net": (circular_autoencoder((64, 9, 5, 9, 64), "bp")[0], {}),
    "U-Net, output too": (circular_autoencoder((64, 9, 5, 9, 64), "bp")[0], {"output_block": True}),
    "symmetric": (layered_classifier((64, 9, 7, 10))[0], {"rule": "rec-symmetric"}),
    "branched": (branched(), {}),
    "branched, output too": (branched(), {"output_block": True}),
    "merged": (branched(merged=True), {}),
    "fixed first": (branched(("P2", "P3", "P4", "P5")), {}),
    "fixed in between": (branched(("P1", "P3", "P4", "P5")), {}),
    "fixed to the output": (branched(("P1", "P2", "P3", "P5")), {"output_block": True}),
    "top alone": (branched(("P4", "P5")), {}),
    "dead end": (with_side(branched()), {}),
}
each_original = pytest.mark.parametrize("name", ORIGINALS)


def twin_of(name: str) -> Twin:
    circuit, options = ORIGINALS[name]
    return tourbillonize(circuit, **options)


def running(circuit: Circuit, protocol: Protocol, backend: str = "numba", **options: Any) -> Simulator:
    """With biases that are not zero, and the digits in use."""
    made = Simulator(
        circuit, protocol, batch=16, dtype="float64", backend=backend, **{"parameters": {"lr": 0.1}, **options}
    )
    for index, (name, tensor) in enumerate(sorted(made.tensors().items())):
        if name.endswith("bias"):
            made.load(name, 0.3 * np.random.default_rng(index).normal(size=tensor.shape[1]))
    made.use(digits(), classes() if circuit.labels else None)
    return made


def trained(made: Simulator) -> Simulator:
    for rows in ROWS:
        made.present(rows)
    return made


# ------------------------------------------------------------------------------------------------ what it is


EXPLAINED = """\
P1: in -> a
  is     circular autoencoder: in -P1-> a -P1_decoder-> in_image_P1
  learns by recirculation, from the error passed down
  below  nothing
P2: a -> b
  is     passed through
  learns not
  below  P2_channel (random)
P3: a -> c
  is     circular autoencoder: a_inner_P3 -P3-> c -P3_decoder-> a_image_P3
  learns by recirculation, from the error passed down
  below  P3_decoder
P4: b -> out
  is     supervised layer
  learns from the error of the output
  below  P4_channel (random)
P5: c -> out
  is     supervised layer
  learns from the error of the output
  below  P5_channel (random)"""


def test_the_correspondence_is_explained() -> None:
    assert twin_of("fixed in between").explain() == EXPLAINED
    rows = twin_of("fixed in between").rows()
    assert [row[0] for row in rows] == ["P1: in -> a", "P2: a -> b", "P3: a -> c", "P4: b -> out", "P5: c -> out"]
    both = twin_of("dense, output too").rows()[-1]
    assert both[1:] == (
        "circular autoencoder: layer2_inner_W3 -W3-> layer3 -W3_decoder-> layer2_image_W3",
        "by recirculation, from the error of the output",
        "W3_decoder",
    )


@each_original
def test_layers_that_learn_are_circular_autoencoders_and_others_are_as_they_were(name: str) -> None:
    twin = twin_of(name)
    circuit = twin.original
    learning = {q.name for q in circuit.projections if q.name in circuit.rules and not q.name.startswith("B")}
    closed = {
        q for q in learning if ORIGINALS[name][1].get("output_block") or circuit.projection(q).target != circuit.outputs
    }
    assert {block.encoder.name for block in twin.blocks} == closed
    for q in circuit.projections:
        ends = {circuit.population(q.source).feedback, circuit.population(q.target).feedback}
        if ends == {False}:
            other = twin.circuit.projection(q.name)
            site = twin.circuit.population(other.source).site
            assert (site, other.target, other.delay, other.bias) == (
                circuit.population(q.source).site,
                q.target,
                q.delay,
                q.bias,
            )
            assert (q.name in closed) == (f"{q.name}_decoder" in {p.name for p in twin.circuit.projections})
    findings = {f["kind"] for f in audit(make_schedules(twin.circuit, twin.protocol))["findings"]}
    assert findings <= {"label", "lateral"}
    groups = {group for b in range(1, len(closed) + 1) for group in twin.groups(b)}
    assert groups == {f"{kind} {q}" for q in closed for kind in ("encoder", "decoder")}


# --------------------------------------------------------------------------------------------- what it computes


@each_original
@each_backend
def test_activity_goes_forward_as_in_the_original(name: str, backend: str) -> None:
    twin = twin_of(name)
    before = running(twin.original, Protocol(learn=False, readouts=((twin.original.outputs, "O", 0),)), backend)
    made = loaded(running(twin.circuit, twin.protocol, backend), before.tensors())
    keys = [(p.name, "O", 0) for p in twin.original.populations if not p.feedback and p.name != "labels"]
    ((_, expected),) = [
        (part, [a.copy() for a in each]) for part, each in before.observe(keys, digits()[:16], classes())
    ]
    ((_, found),) = [(part, [a.copy() for a in each]) for part, each in made.observe(keys, digits()[:16], classes())]
    for key, one, other in zip(keys, found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-15, err_msg=str(key))


@each_backend
@pytest.mark.parametrize("groups", ["growth", "tuning", "all"])
def test_the_twin_of_a_chain_is_the_tourbillon(groups: str, backend: str) -> None:
    """To the bit, with its weights under the other names."""
    names = {"W1": "E1", "W2": "E2", "W1_decoder": "D1", "W2_decoder": "D2", "W3": "W3", "W3_channel": "B3"}
    twin = twin_of("dense")
    mine = {"growth": twin.groups(1, 2), "tuning": ("top", "tuning"), "all": None}[groups]
    circuit, protocol = tourbillon((64, 9, 7, 10))
    theirs = {"growth": ("encoder 1", "decoder 1", "encoder 2", "decoder 2")}.get(groups, mine)
    if groups == "all":  # the twin's highest feedback does not learn
        mine = (*twin.groups(1, 2), "top", "tuning")
        theirs = ("encoder 1", "decoder 1", "encoder 2", "decoder 2", "top", "tuning")
    expected = running(circuit, replace(protocol, groups=theirs), backend)
    made = running(twin.circuit, replace(twin.protocol, groups=mine), backend)
    back = {other: name for name, other in names.items()}
    loaded(made, {back[n.split(".")[0]] + "." + n.split(".")[1]: v for n, v in expected.tensors().items()})
    before = bits(made)
    found = bits(trained(made))
    assert {names[n.split(".")[0]] + "." + n.split(".")[1]: b for n, b in found.items()} == bits(trained(expected))
    assert found != before


@each_original
def test_what_is_passed_through_does_not_change(name: str) -> None:
    twin = twin_of(name)
    made = running(twin.circuit, twin.protocol)
    before = bits(made)
    after = bits(trained(made))
    own = {n.split(".")[0] for n in after if after[n] != before[n]}
    assert own == set(twin.circuit.rules)


@each_backend
def test_a_hinge_of_two_encoders_by_hand(backend: str) -> None:
    """Both images come around before it fires again; each encoder learns from its own source's activity."""
    twin = twin_of("merged")
    groups = twin.groups(*range(1, len(twin.blocks) + 1))
    made = running(twin.circuit, replace(twin.protocol, groups=groups), backend)
    w = {name: tensor[0].copy() for name, tensor in made.tensors().items()}

    def sums(name: str, below: np.ndarray) -> np.ndarray:
        return np.asarray(below @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0))

    def logistic(s: np.ndarray) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-s)))

    for rows in ROWS:
        x = digits()[rows]
        a, c = np.tanh(sums("P1", x)), logistic(sums("P3", x))
        b = np.tanh(sums("P2", a) + sums("P5", c))
        from_a, from_c = logistic(sums("P1_decoder", a)), logistic(sums("P3_decoder", c))
        down_a, down_c = np.tanh(sums("P2_decoder", b)), logistic(sums("P5_decoder", b))
        again = np.tanh(sums("P2", down_a) + sums("P5", down_c))
        moves = {
            "P1": (a - np.tanh(sums("P1", from_a)), x),
            "P3": (c - logistic(sums("P3", from_c)), x),
            "P2": (b - again, a),
            "P5": (b - again, c),
            "P1_decoder": (x - from_a, a),
            "P3_decoder": (x - from_c, c),
            "P2_decoder": (a - down_a, b),
            "P5_decoder": (c - down_c, b),
        }
        for name, (post, pre) in moves.items():
            w[f"{name}.weight"] += 0.1 * post.T @ pre / len(x)
            if f"{name}.bias" in w:
                w[f"{name}.bias"] += 0.1 * post.mean(axis=0)
        made.present(rows)
    for name, values in w.items():
        np.testing.assert_allclose(made.tensors()[name][0], values, rtol=0, atol=1e-12, err_msg=name)


def test_a_twin_can_be_bounded() -> None:
    twin = tourbillonize(branched(), bounded=True)
    assert {p.name for p in twin.circuit.populations if p.bounded} == {"a", "b", "c"}
    assert make_schedule(twin.circuit, twin.protocol).entries[-1].event.phase == phases.BOUND


# ------------------------------------------------------------------------------------------------------- refusals

REFUSED: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: tourbillonize(branched(("P1", "P2", "P3", "P4", "P5"), Projection("P7", "b", "a"))),
        "twin of circuit branched: got a loop through a; expected a feedforward circuit. Open the loop.",
    ),
    (
        lambda: tourbillonize(
            branched(("P1",), Projection("P7", "in", "b"), Projection("P8", "in", "b", weights=Tied("P7")))
        ),
        "twin of circuit branched: got P8 with the weights of P7; expected weights of its own. Give it some.",
    ),
    (
        lambda: tourbillonize(replacement_classifier((8, 5, 3), "urfb")[0]),
        "twin of circuit classifier with feedback replacement, urfb: got layer1, whose activity feedback replaces; "
        "expected neurons that only fire. Use an fa circuit.",
    ),
    (
        lambda: tourbillonize(branched(("P2", "P4"), Projection("P7", "in", "b"))),
        "twin of circuit branched: got b, which also receives P7, whose source fires only once; expected "
        "hinges that fire twice. Let P7 learn too, or let nothing into b learn.",
    ),
    (
        lambda: tourbillonize(branched(), rule="bp"),
        "rule of a twin: got 'bp'; expected rec or rec-symmetric. Choose one.",
    ),
]


@pytest.mark.parametrize("made, message", REFUSED, ids=[message[:60] for _, message in REFUSED])
def test_what_has_no_twin_is_refused(made: Callable[[], Any], message: str) -> None:
    with pytest.raises(CircuitError, match="^" + re.escape(message) + "$"):
        made()
