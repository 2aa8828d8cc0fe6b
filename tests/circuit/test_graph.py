"""Circuits: each way to get one wrong has its message; what is right is frozen."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, replace
from typing import Any

import networkx as nx
import pytest
from sample_rules import attracted, oja

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Carries, Exchange, Mirror, Plasticity, Population, Projection
from circuitsim.circuit.weights import Copied, Fixed, Own, Signs, Tied, Transposed
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.errors import CircuitError
from circuitsim.locality import Wire, is_local
from circuitsim.rules import amp, decay, delta, self_alignment, sparse
from circuitsim.timetable.schedule import make_schedule

IN, HID, OUT = Population("in", 3), Population("hid", 2, mixes=True), Population("out", 3, site="in")
UP, ON = Projection("up", "in", "hid", bias=True), Projection("on", "hid", "out")
ERROR = Population("error", 3, site="in", feedback=True)
BESIDE = Population("beside", 2, site="hid", feedback=True)
COMPARED = (Exchange("in", "error", Carries.TARGET), Exchange("out", "error", Carries.ACTUAL))
BACK, GATE = Projection("back", "error", "beside"), Exchange("hid", "beside", Carries.SLOPE)


def circuit(**parts: Any) -> Circuit:
    """Three populations in a chain with error neurons beside the output and the middle, but for `parts`."""
    given: dict[str, Any] = {
        "name": "c",
        "populations": (IN, HID, OUT, ERROR, BESIDE),
        "projections": (UP, ON, BACK),
        "inputs": "in",
        "outputs": "out",
        "exchanges": (*COMPARED, GATE),
        "plasticity": (Plasticity("on", delta, post="error"), Plasticity("up", delta, post="beside")),
    }
    return Circuit(**(given | parts))


def populations(*changed: Population) -> dict[str, Any]:
    """The populations with those of the same name replaced and others added."""
    names = {p.name for p in changed}
    return {"populations": (*(p for p in (IN, HID, OUT, ERROR, BESIDE) if p.name not in names), *changed)}


def projections(*added: Projection) -> dict[str, Any]:
    names = {q.name for q in added}
    return {"projections": (*(q for q in (UP, ON, BACK) if q.name not in names), *added)}


def exchanges(*added: Exchange) -> dict[str, Any]:
    return {"exchanges": (*COMPARED, GATE, *added)}


def plasticity(*only: Plasticity) -> dict[str, Any]:
    return {"plasticity": only}


BOTH = "one target and one actual, or projections and at most one slope. Give it what it compares, or what it gates."
ONE_LOOP = "one such exchange, into mixing neurons without projections. Set mixes=True, keep one."
FEEDBACK = "feedback neurons, which alone use it. Make the target a feedback population."
REFUSED: list[tuple[dict[str, Any], str, str, str]] = [  # parts; what, got, expected and the start of the remedy
    (populations(replace(IN, name="")), "population of circuit c", "''", "a name. Name it."),
    (populations(replace(IN, name=3)), "population of circuit c", "3", "a name. Name it."),
    (projections(replace(UP, name="")), "projection of circuit c", "''", "a name. Name it."),
    (
        populations(replace(HID, name="data")),
        "population data",
        "'data'",
        "another name than data and circuit, which the",
    ),
    ({"populations": (IN, HID, OUT, IN)}, "circuit c", "two parts called 'in'", "unique names. Rename one"),
    (projections(Projection("in", "in", "hid")), "circuit c", "two parts called 'in'", "unique names. Rename"),
    (populations(replace(HID, size=0)), "population hid", "size 0", "a whole number >= 1. Give it at least one"),
    (populations(replace(HID, size=2.0)), "population hid", "size 2.0", "a whole number >= 1."),
    (populations(replace(HID, size=True)), "population hid", "size True", "a whole number >= 1."),
    (
        populations(replace(HID, activation="sin")),
        "population hid",
        "activation 'sin'",
        "identity tanh logistic relu saturated saturated-half elu softmax, or what local_activation makes",
    ),
    ({"inputs": "eye"}, "circuit c", "input or output 'eye'", "one of its populations. Name one."),
    ({"outputs": "up"}, "circuit c", "input or output 'up'", "one of its populations. Name one."),
    (
        projections(Projection("x", "eye", "hid")),
        "projection x",
        "population 'eye'",
        "one of ['beside', 'error', 'hid', 'in', 'out']. Add it",
    ),
    (
        projections(Projection("x", "in", "eye")),
        "projection x",
        "population 'eye'",
        "one of ['beside', 'error', 'hid', 'in', 'out']. Add it or",
    ),
    *(
        (
            projections(replace(UP, delay=delay)),
            "projection up",
            f"delay {delay!r}",
            "a whole number of ticks >= 1. "
            "Use an Exchange between colocated populations for what happens within the tick.",
        )
        for delay in (0, -1, 1.5, True)
    ),
    (
        projections(Projection("x", "in", "hid", weights=Transposed("y"))),
        "projection x",
        "weights from 'y'",
        "a projection with weights of its own. Name one.",
    ),
    (
        projections(replace(BACK, weights=Transposed("on")), Projection("x", "in", "hid", weights=Transposed("back"))),
        "projection x",
        "weights from 'back'",
        "a projection with weights of its own. Name one.",
    ),
    (
        projections(replace(BACK, weights=Transposed("up"))),
        "projection back",
        "shape (2, 3)",
        "(3, 2), up transposed. Match the layers.",
    ),
    (
        projections(replace(BACK, weights=Transposed("on"), bias=True)),
        "projection back",
        "a bias beside the weights of on",
        "no bias. Remove it.",
    ),
    (
        exchanges(Exchange("eye", "in", Carries.OUTPUT)),
        "exchange eye -> in",
        "an unknown population",
        "two of ['beside', 'error', 'hid', 'in', 'out']",
    ),
    (
        exchanges(Exchange("hid", "in", Carries.OUTPUT)),
        "exchange hid -> in",
        "populations at different sites",
        "colocated ones. Give both one site, use a Projection, or declare it with remote=True.",
    ),
    (
        populations(replace(OUT, size=4)),
        "exchange out -> error",
        "populations of different size",
        "equal sizes, neuron by neuron. Match the sizes.",
    ),
    (
        populations(replace(HID, activation="softmax")),
        "exchange hid -> beside",
        "the slope of a softmax",
        "an activation with a slope of its own. Use another activation.",
    ),
    *(
        (
            exchanges(Exchange("beside", "hid", kind)),
            "exchange beside -> hid",
            f"the {kind.value} for hid",
            FEEDBACK,
        )
        for kind in (Carries.TARGET, Carries.ACTUAL, Carries.SLOPE)
    ),
    (
        {"exchanges": (*COMPARED, Exchange("beside", "beside", Carries.SLOPE))},
        "exchange beside -> beside",
        "the slope of beside",
        "neurons that fire by their own activation. Name such a one.",
    ),
    (
        exchanges(Exchange("in", "error", Carries.SLOPE)),
        "exchange in -> error",
        "the slope of in",
        "neurons that fire by their own activation. Name such a one.",
    ),
    (exchanges(Exchange("out", "in", Carries.OUTPUT)), "exchange out -> in", "the output for in", ONE_LOOP),
    (exchanges(Exchange("beside", "hid", Carries.ERROR)), "exchange beside -> hid", "the error for hid", ONE_LOOP),
    (
        populations(replace(IN, mixes=True))
        | exchanges(Exchange("out", "in", Carries.OUTPUT), Exchange("in", "in", Carries.ERROR)),
        "exchange out -> in",
        "the output for in",
        ONE_LOOP,
    ),
    (
        projections(Projection("loop", "out", "in")),
        "projection loop",
        "a way into the input in, which is clamped",
        (
            "inputs that nothing projects to. Close the loop with an Exchange from a population colocated "
            "with the input."
        ),
    ),
    (
        {"exchanges": (COMPARED[0], GATE)},
        "feedback population error",
        "1 target(s) and actual(s), 0 slope(s), 0 projection(s)",
        BOTH,
    ),
    (
        exchanges(COMPARED[1]),
        "feedback population error",
        "3 target(s) and actual(s), 0 slope(s), 0 projection(s)",
        BOTH,
    ),
    (
        projections(Projection("x", "hid", "error")),
        "feedback population error",
        "2 target(s) and actual(s), 0 slope(s), 1 projection(s)",
        BOTH,
    ),
    (
        {"projections": (UP, ON)},
        "feedback population beside",
        "0 target(s) and actual(s), 1 slope(s), 0 projection(s)",
        BOTH,
    ),
    (projections(replace(BACK, bias=True)), "projection back", "a bias of feedback neurons", "no bias. Remove it."),
    (
        plasticity(Plasticity("down", delta)),
        "plasticity of down",
        "an unknown projection or the same rule twice",
        "a projection of the circuit, each rule once for the same neurons. Name one, or sum the rules.",
    ),
    (
        plasticity(Plasticity("on", delta), Plasticity("on", delta)),
        "plasticity of on",
        "an unknown projection or the same rule twice",
        "a projection of the circuit, each rule once for the same neurons. Name one, or sum the rules.",
    ),
    (
        plasticity(Plasticity("up", oja, oja.bind(decay=0.5))),
        "plasticity of up",
        "two rules called oja",
        "other names or equal parameters. Rename one of them.",
    ),
    (
        projections(replace(BACK, weights=Transposed("on"))) | plasticity(Plasticity("back", delta)),
        "plasticity of back",
        "the weights of on",
        "a projection with weights of its own. Remove it.",
    ),
    (
        plasticity(Plasticity("up", delta, pre="hid")),
        "plasticity of up",
        "memory of 'hid'",
        "a population colocated with in. Move it there.",
    ),
    (plasticity(Plasticity("up", delta, post="eye")), "plasticity of up", "memory of 'eye'", "a population coloc"),
    (plasticity(Plasticity("up", delta, post="on")), "plasticity of up", "memory of 'on'", "a population coloc"),
    (
        populations(replace(ERROR, site="hid"), replace(BESIDE, size=2))
        | {"exchanges": (GATE,)}
        | plasticity(Plasticity("up", delta, post="error")),
        "feedback population error",
        "0 target(s) and actual(s), 0 slope(s), 0 projection(s)",
        BOTH,
    ),
    (
        populations(Population("wide", 5, site="hid"))
        | projections(Projection("x", "in", "wide"))
        | plasticity(Plasticity("up", delta, post="wide")),
        "plasticity of up",
        "memory of wide, size 5",
        "size 2. Match",
    ),
    ({"labels": "in"}, "circuit c", "labels in the input in", "another one. Add a population."),
    ({"labels": "class"}, "circuit c", "input or output 'class'", "one of its populations. Name one."),
    (
        {"labels": "out"},
        "projection on",
        "a way into the input out, which is clamped",
        "inputs that nothing projects to. Close the loop with an Exchange from a population colocated with the input.",
    ),
    (
        projections(replace(BACK, weights="on")),
        "projection back",
        "weights='on'",
        "Own, Transposed, Tied, Signs, Copied or Fixed. Import one from circuitsim.circuit.weights.",
    ),
    *(
        (
            projections(replace(BACK, weights=Fixed(value))),
            "projection back",
            f"Fixed({value!r})",
            "a finite number. Give the weight of each synapse.",
        )
        for value in (float("nan"), float("inf"), "1", None)
    ),
    *(
        (
            projections(replace(BACK, masked=True, weights=weights)),
            "projection back",
            f"a mask on the weights of {name}",
            "weights of its own. Mask that projection.",
        )
        for name, weights in (("on", Transposed("on")), ("up", Tied("up")))
    ),
    *(
        (
            projections(replace(BACK, weights=weights)) | plasticity(Plasticity("back", delta, post="beside")),
            "plasticity of back",
            f"weights={weights}",
            "weights that only rules change. Remove it.",
        )
        for weights in (Copied("on"), Signs("on", redrawn=True), Fixed(1.0))
    ),
    (
        projections(replace(BACK, deferred=True)),
        "projection back",
        "deferred updates, and no rule",
        "a rule. Add one, or set deferred=False.",
    ),
    (
        projections(replace(BACK, weights=Copied("up"))),
        "projection back",
        "shape (2, 3)",
        "(3, 2), up transposed. Match the layers.",
    ),
    (
        projections(replace(BACK, weights=Tied("down"))),
        "projection back",
        "weights from 'down'",
        "a projection with weights of its own. Name one.",
    ),
    (
        projections(replace(BACK, weights=Tied("x")), Projection("x", "in", "hid", weights=Tied("up"))),
        "projection back",
        "weights from 'x'",
        "a projection with weights of its own. Name one.",
    ),
    (
        projections(replace(BACK, weights=Tied("on"))),
        "projection back",
        "shape (2, 3)",
        "(3, 2), on. Match the layers.",
    ),
    (
        projections(replace(BACK, weights=Signs("up"))),
        "projection back",
        "shape (2, 3)",
        "(3, 2), up transposed. Match the layers.",
    ),
    (
        projections(Projection("x", "in", "hid", weights=Tied("up"), bias=True)),
        "projection x",
        "a bias beside the weights of up",
        "no bias. Remove it.",
    ),
    (
        projections(replace(BACK, weights=Signs("on"), bias=True)),
        "projection back",
        "a bias of feedback neurons",
        "no bias. Remove it.",
    ),
    (
        projections(Projection("x", "in", "hid", weights=Tied("up"))) | plasticity(Plasticity("x", delta)),
        "plasticity of x",
        "the weights of up",
        "a projection with weights of its own. Remove it.",
    ),
    (
        exchanges(Exchange("out", "in", Carries.OUTPUT, remote=True)),
        "exchange out -> in",
        "populations at one site",
        "different sites for a remote one. Set remote=False.",
    ),
    (
        exchanges(Exchange("hid", "out", Carries.TARGET, remote=True)),
        "exchange hid -> out",
        "populations of different size",
        "equal sizes, neuron by neuron. Match the sizes.",
    ),
    *(
        (
            populations(Population("copy", 3, site="in"), Population("held", 3, site="in")) | exchanges(*added),
            f"exchange {added[0].source} -> {added[0].target}",
            f"an input for {added[0].target}",
            "neurons that nothing else clamps, drives or compares. Keep one of these.",
        )
        for added in (
            [Exchange("in", "out", Carries.INPUT)],
            [Exchange("out", "in", Carries.INPUT)],
            [Exchange("in", "error", Carries.INPUT)],
            [Exchange("in", "copy", Carries.INPUT), Exchange("out", "copy", Carries.INPUT)],
        )
    ),
    (exchanges(Exchange("in", "out", Carries.MARGIN)), "exchange in -> out", "the margin for out", FEEDBACK),
    (
        {"exchanges": (COMPARED[1], GATE, Exchange("in", "error", Carries.MARGIN))},
        "exchange in -> error",
        "the margin of in",
        "two or more neurons that sum their input. Name such a one.",
    ),
    (
        {
            "populations": (
                Population("in", 1),
                Population("out", 1, site="in"),
                Population("e", 1, "identity", "in", feedback=True),
            ),
            "projections": (Projection("up", "in", "out"),),
            "exchanges": (Exchange("in", "e", Carries.TARGET), Exchange("out", "e", Carries.MARGIN)),
            "plasticity": (),
        },
        "exchange out -> e",
        "the margin of out",
        "two or more neurons that sum their input. Name such a one.",
    ),
    (
        exchanges(Exchange("out", "error", Carries.MARGIN)),
        "feedback population error",
        "3 target(s) and actual(s), 0 slope(s), 0 projection(s)",
        BOTH,
    ),
    (
        plasticity(Plasticity("back", self_alignment)),
        "plasticity of back",
        "rule self_alignment, which reads `w_remote`, a synapse elsewhere",
        "transposed_from, the projection whose transposed weights that is. Declare it in "
        "Plasticity(transposed_from=...), or let the rule read pre, post and w alone.",
    ),
    (
        plasticity(Plasticity("back", decay, transposed_from="on")),
        "plasticity of back",
        "transposed_from='on'",
        "a rule that reads `w_remote`. Remove it.",
    ),
    *(
        (
            plasticity(Plasticity("back", attracted, transposed_from=name)),
            "plasticity of back",
            f"weights from '{name}'",
            "a projection with weights of its own. Name one.",
        )
        for name in ("down", "in")
    ),
    (
        plasticity(Plasticity("back", attracted, transposed_from="up")),
        "plasticity of back",
        "shape (2, 3)",
        "(3, 2), up transposed. Match the layers.",
    ),
    *(
        (
            plasticity(learning),
            f"plasticity of {learning.projection}",
            "a bias whose rule reads `w_remote`",
            "one that reads post and w alone. Give it a bias_rule.",
        )
        for learning in (
            Plasticity("up", self_alignment, transposed_from="on"),
            Plasticity("up", self_alignment, attracted, transposed_from="on"),
        )
    ),
    *(
        (
            projections(replace(BACK, weights=Transposed("on"))) | {"mirrors": tuple(map(Mirror, names))},
            f"mirror mode of {names[-1]}",
            "no projection with weights, or the second mirror of one",
            "one mirror each. Name one.",
        )
        for names in (["down"], ["back"], ["on", "on"])
    ),
    *(
        (
            {"mirrors": (Mirror("on"),)} | plasticity(Plasticity("back", amp, **ends, mirror="on")),
            "mirror mode of on",
            f"a rule of back that reads {read}",
            "pre='out' and post='hid': the answer and the noise. Only these fire in mirror mode.",
        )
        for ends, read in (
            ({}, "its own ends"),
            ({"pre": "out"}, "its own ends"),
            ({"pre": "error"}, "error"),
            ({"pre": "out", "post": "beside"}, "beside"),
        )
    ),
    (
        {"mirrors": (Mirror("on"),)} | plasticity(Plasticity("back", amp, pre="out", post="hid", mirror="up")),
        "plasticity of back",
        "mirror 'up'",
        "one of ['on']. Add it to mirrors.",
    ),
    *(
        (
            populations(*changed) | parts,
            f"replaced population {changed[0].name}",
            f"{targets} target(s) and no feedback projection(s)",
            "one target or feedback projections, in neurons that are neither clamped, mixing nor feedback neurons. "
            "Give it what takes the place of its activity.",
        )
        for changed, parts, targets in (
            ([replace(OUT, replaced=True)], {}, 0),
            ([replace(IN, replaced=True)], {}, 0),
            ([replace(ERROR, replaced=True)], {}, 1),
            ([replace(OUT, replaced=True, mixes=True)], exchanges(Exchange("in", "out", Carries.TARGET)), 1),
        )
    ),
    (
        {
            "populations": (
                IN,
                Population("hid", 2, "softmax", replaced=True),
                Population("out", 3, site="in", replaced=True),
            ),
            "projections": (UP, ON, Projection("down", "out", "hid", feedback=True)),
            "exchanges": (Exchange("in", "out", Carries.TARGET),),
            "plasticity": (),
        },
        "replaced population hid",
        "the slope of a softmax",
        "a slope of its own. Use another one.",
    ),
    (
        projections(replace(ON, feedback=True)),
        "projection on",
        "feedback with a bias, or between neurons that are not replaced",
        "replaced neurons at both ends, and no bias. Set replaced=True there, or feedback=False here.",
    ),
    (
        populations(Population("lost", 2)),
        "circuit c",
        "populations that no signal reaches: ['lost']",
        "a path from in to each. Add a projection or remove them.",
    ),
    (
        projections(replace(BACK, weights=Transposed("on"))) | {"local": True},
        "circuit c",
        "1 finding(s), first weight-transport in back, which reads the transposed weights of on",
        (
            "no non-local wire in a circuit declared local. Give the feedback projection weights and rules of its own, "
            "or recirculate; or build it with local=False."
        ),
    ),
    (
        populations(replace(OUT, activation="softmax")) | {"local": True},
        "circuit c",
        "1 finding(s), first lateral in on, which reads all neurons of out",
        "no non-local wire",
    ),
]


@pytest.mark.parametrize("parts, what, got, expected", REFUSED, ids=[f"{row[1]}: {row[2]}" for row in REFUSED])
def test_what_cannot_be_built_is_refused(parts: dict[str, Any], what: str, got: str, expected: str) -> None:
    with pytest.raises(CircuitError, match="^" + re.escape(f"{what}: got {got}; expected {expected}")):
        circuit(**parts)


def test_what_can_be_built_can_be_scheduled() -> None:
    made = circuit()
    assert [e.event.tick for e in make_schedule(made, circular_autoencoder([3, 2, 3], "rbp")[1]).entries][-1] == 3


@pytest.mark.parametrize("sizes", [[4], [4, 3, 5], []])
def test_a_circular_autoencoder_ends_as_it_begins(sizes: list[int]) -> None:
    with pytest.raises(
        CircuitError, match=r"sizes of a circular autoencoder: got \[.*\]; expected at least two layers"
    ):
        circular_autoencoder(sizes)


@pytest.mark.parametrize("cycles, reference", [(1, 1), (0, 0), (2, -1), (2, 3)])
def test_a_circular_autoencoder_compares_an_earlier_cycle_with_a_later_one(cycles: int, reference: int) -> None:
    message = f"got reference_cycle {reference} and cycles {cycles}; expected 0 <= reference_cycle < cycles"
    with pytest.raises(CircuitError, match=message):
        circular_autoencoder([4, 3, 4], cycles=cycles, reference_cycle=reference)


@pytest.mark.parametrize("part, field", [(IN, "size"), (UP, "delay"), (GATE, "carries"), (circuit(), "local"),
                                         (Plasticity("up", delta), "post")])  # fmt: skip
def test_descriptions_are_frozen(part: Any, field: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(part, field, 1)


def test_sites_and_neighbours() -> None:
    made = circuit()
    assert made.population("hid").site == "hid" and made.population("out").site == "in"
    assert made.colocated("in", "out") and made.colocated("hid", "beside") and not made.colocated("in", "hid")
    assert made.index == {"in": 0, "hid": 1, "out": 2, "error": 3, "beside": 4, "up": 0, "on": 1, "back": 2}
    assert made.incoming == {"in": (), "hid": (UP,), "out": (ON,), "error": (), "beside": (BACK,)}
    assert made.outgoing == {"in": (UP,), "hid": (ON,), "out": (), "error": (BACK,), "beside": ()}
    assert made.exchanged("error", Carries.ACTUAL) == (COMPARED[1],) and made.exchanged("hid", *Carries) == ()
    assert made.projection("on") is ON and made.population("error") is ERROR


def test_the_graph_has_every_edge_with_its_delay() -> None:
    made = circuit(**projections(replace(ON, delay=4)))
    assert set(made.graph.edges(keys=True, data="delay")) == {
        ("in", "hid", "up", 1), ("hid", "out", "on", 4), ("error", "beside", "back", 1), ("in", "error", "target", 0),
        ("out", "error", "actual", 0), ("hid", "beside", "slope", 0),
    }  # fmt: skip
    assert nx.get_node_attributes(made.graph, "population")["hid"] is HID


def test_declared_wires() -> None:
    assert circuit().wires == ()
    transported = circuit(**projections(replace(BACK, weights=Transposed("on"))))
    assert transported.wires == (Wire("weight-transport", "back", "the transposed weights of on"),)
    lateral = circuit(**populations(replace(OUT, activation="softmax")))
    assert lateral.wires == (Wire("lateral", "on", "all neurons of out"),)


def test_declared_wires_of_all_kinds() -> None:
    """Each names what it brings, the projection that gets it, and the rule where it is the rule that asks for it."""
    far = Population("far", 3, site="there", feedback=True)
    held = Population("held", 3, site="in")
    rows: list[tuple[dict[str, Any], tuple[Wire, ...]]] = [
        (
            projections(replace(BACK, weights=Signs("on"))),
            (Wire("weight-transport", "back", "the signs of the transposed weights of on"),),
        ),
        (
            plasticity(Plasticity("back", self_alignment, transposed_from="on")),
            (Wire("weight-transport", "back", "the transposed weights of on", "self_alignment"),),
        ),
        (projections(Projection("x", "in", "hid", weights=Tied("up"))), ()),  # the same synapses
        (projections(Projection("x", "out", "hid", weights=Tied("back"))), ()),
        (
            populations(Population("p", 3), Population("q", 2))
            | projections(Projection("x", "in", "p"), Projection("y", "p", "q", weights=Tied("up"))),
            (Wire("weight-sharing", "y", "the weights of up"),),
        ),
        (populations(replace(HID, centres=True)), (Wire("lateral", "up", "the mean of hid over the batch"),)),
        (projections(replace(BACK, weights=Own(normalised=True))), (Wire("lateral", "back", "all synapses of back"),)),
        (
            populations(Population("echo", 3, site="in"))
            | projections(Projection("x", "hid", "echo", weights=Transposed("back")))
            | plasticity(Plasticity("back", sparse, pre="echo", post="hid")),
            (
                Wire(
                    "lateral", "back", "all synapses of back that share its presynaptic neuron, through x", "sparse"
                ),
            ),
        ),
        ({"mirrors": (Mirror("on"),)} | plasticity(Plasticity("back", amp, pre="out", post="hid", mirror="on")), ()),
        (
            {"mirrors": (Mirror("on", centre=True),)}
            | plasticity(Plasticity("back", amp, pre="out", post="hid", mirror="on"), Plasticity("up", delta)),
            (Wire("lateral", "back", "the mean of out over the batch", "amp"),),
        ),
        (
            populations(far)
            | {
                "exchanges": (
                    *COMPARED, GATE, Exchange("in", "far", Carries.TARGET, remote=True),
                    Exchange("out", "far", Carries.ACTUAL, remote=True),
                )
            },
            (
                Wire("remote-target", "far", "in from another site, as target for far"),
                Wire("remote-error", "far", "out from another site, as actual for far"),
            ),
        ),
        (
            populations(replace(ERROR, site="there")) | {"plasticity": (), "exchanges": (
                replace(COMPARED[0], remote=True), replace(COMPARED[1], remote=True), GATE)},
            (
                Wire("remote-target", "error", "in from another site, as target for error"),
                Wire("remote-error", "error", "out from another site, as actual for error"),
            ),
        ),
        (
            populations(held)
            | {"labels": "held", "exchanges": (replace(COMPARED[0], source="held"), COMPARED[1], GATE)},
            (Wire("label", "on", "the labels that held is clamped to"),),
        ),
    ]  # fmt: skip
    for parts, wires in rows:
        assert circuit(**parts).wires == wires, parts


def test_what_is_computed_is_written_out() -> None:
    """The same text for the same circuit, another for any other."""
    plain = circuit()
    assert plain.text == circuit().text == circuit(name="other").text
    others = [
        projections(replace(BACK, weights=Own(normalised=True))),
        projections(replace(ON, delay=2)),
        {"mirrors": (Mirror("on"),)},
        {"mirrors": (Mirror("on", block_bias=True),)},
        plasticity(*plain.plasticity[::-1]),
        plasticity(Plasticity("on", delta, post="error", momentum=False), plain.plasticity[1]),
        plasticity(Plasticity("on", delta, decay, post="error"), plain.plasticity[1]),
        plasticity(Plasticity("on", oja, post="error"), plain.plasticity[1]),
        plasticity(Plasticity("on", oja.bind(decay=0.5), post="error"), plain.plasticity[1]),
        populations(replace(HID, centres=True)),
        {"outputs": "hid"},
    ]
    assert len({plain.text, *(circuit(**parts).text for parts in others)}) == len(others) + 1


def test_several_rules_of_one_projection() -> None:
    made = circuit(**plasticity(Plasticity("up", decay), Plasticity("back", decay), Plasticity("up", delta)))
    assert {name: [p.rule.name for p in rules] for name, rules in made.rules.items()} == {
        "up": ["decay", "delta"], "back": ["decay"],
    }  # fmt: skip
    assert made.clamped == ("in",) and not made.labels


@pytest.mark.parametrize("rule", ["rec", "rec-symmetric", "error-rec", "rbp", "srbp", "arbp", "top"])
def test_all_rules_but_backpropagation_build_as_local(rule: str) -> None:
    made, protocol = circular_autoencoder([4, 3, 2, 4], rule)
    assert made.local and made.wires == () and is_local(make_schedule(made, protocol).findings)


def test_backpropagation_is_not_local() -> None:
    made, protocol = circular_autoencoder([4, 3, 2, 4], "bp")
    assert not made.local and not is_local(make_schedule(made, protocol).findings)
    with pytest.raises(CircuitError, match=r"got 2 finding\(s\), first weight-transport in B2"):
        replace(made, local=True)
