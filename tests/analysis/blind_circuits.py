"""Circuits that hide a wire, written blind."""

# mypy: ignore-errors
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from blind import REFUSED, Case, collector

import circuitsim as cs
from circuitsim.circuit.weights import Copied, Fixed, Signs, Tied, Transposed
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.eligibility import eprop_network, rflo_network
from circuitsim.circuits.errors_through_time import through_time
from circuitsim.circuits.recurrent import recurrent_classifier
from circuitsim.rules import delta, three_factor

CASES: list[Case] = []
case = collector(CASES)


def classifier(feedback="fa", **options):
    return layered_classifier([6, 5, 3], feedback, output="logistic", **options)


def audited(circuit, protocol=None, parameters=None, **options):
    return cs.audit(circuit, protocol, parameters, backend="numpy", measure=False, **options)


def presented(circuit, protocol):
    simulator = cs.Simulator(circuit, protocol, batch=2, backend="numpy")
    n = circuit.population(circuit.inputs).size
    simulator.use(np.ones((4, n)), np.zeros(4, int) if circuit.labels else None)
    simulator.present([0, 1])
    return "shown"


@case(REFUSED, "a class of its own", daily=True)
def circuit_without_wires():
    circuit, protocol = classifier("bp")

    class Quiet(cs.Circuit):
        wires = ()

    parts = {field: getattr(circuit, field) for field in circuit.__dataclass_fields__}
    return presented(Quiet(**parts), protocol)


@case(REFUSED, "")
def emptied_cache_of_wires():
    circuit, protocol = classifier("bp")
    vars(circuit)["wires"] = ()
    return presented(circuit, protocol)


@case(REFUSED, "")
def rules_exchanged_after_the_check():
    circuit, protocol = classifier("fa")
    other, _ = classifier("bp")
    _ = circuit.wires
    object.__setattr__(circuit, "projections", other.projections)
    return presented(circuit, protocol)


@case(REFUSED, "")
def parts_in_a_list_that_grows():
    circuit, protocol = classifier("fa")
    parts = list(circuit.projections)
    grown = replace(circuit, projections=parts)
    _ = grown.wires
    parts[-1] = replace(parts[-1], weights=Transposed("W2"))
    return presented(grown, protocol)


@case(REFUSED, "a class of its own", daily=True)
def projection_that_denies_its_transpose():
    @dataclass(frozen=True)
    class Denies(cs.Projection):
        @property
        def transposed_from(self):
            return None

    circuit, protocol = classifier("bp")
    q = circuit.projection("B2")
    fields = {name: getattr(q, name) for name in q.__dataclass_fields__}
    parts = tuple(Denies(**fields) if p.name == "B2" else p for p in circuit.projections)
    return presented(replace(circuit, projections=parts), protocol)


@case(REFUSED, "a class of its own", daily=True)
def population_that_is_everywhere():
    class Everywhere(str):
        __slots__ = ()

        def __eq__(self, other):
            return True

        def __ne__(self, other):
            return False

        __hash__ = str.__hash__

    circuit, protocol = classifier("fa")
    parts = tuple(replace(p, site=Everywhere(p.site)) if p.feedback else p for p in circuit.populations)
    return presented(replace(circuit, populations=parts), protocol)


@case(REFUSED, "a class of its own")
def weights_that_deny_their_source():
    @dataclass(frozen=True)
    class Denies(Transposed):
        pass

    circuit, protocol = classifier("bp")
    parts = tuple(replace(q, weights=Denies("W2")) if q.name == "B2" else q for q in circuit.projections)
    made = replace(circuit, projections=parts, local=True)
    return presented(made, protocol)


@case(REFUSED, "a class of its own", daily=True)
def connectivity_that_denies_sharing():
    class Denies(cs.Convolution):
        def shared(self, *ends):
            return False

    circuit = cs.Circuit(
        "conv", (cs.Population("a", shape=(1, 4, 4)), cs.Population("b", shape=(2, 4, 4))),
        (cs.Projection("W", "a", "b", connectivity=Denies(3)),), plasticity=(cs.Plasticity("W", delta),),
        inputs="a", outputs="b", local=True,
    )  # fmt: skip
    return presented(circuit, cs.Protocol())


@case(REFUSED, "weight-transport", daily=True)
def transposed_declared_local():
    circuit, protocol = classifier("bp")
    return presented(replace(circuit, local=True), protocol)


@case("weight-transport", "B2")
def copied_once_in_a_thousand():
    circuit, protocol = classifier("bp", copied=True)
    return audited(circuit, protocol, {("B2", "copy_interval"): 1000})


@case("weight-transport", "signs")
def signs_redrawn():
    return audited(*classifier("ss", redrawn=True))


@case("weight-transport", "B2")
def signs_of_the_transpose_as_fixed():
    circuit, protocol = classifier("fa")
    parts = tuple(replace(q, weights=Signs("W2")) if q.name == "B2" else q for q in circuit.projections)
    return audited(replace(circuit, projections=parts), protocol)


@case("weight-transport", "")
def copied_into_kolen_pollack():
    circuit, protocol = classifier("fa")
    parts = tuple(replace(q, weights=Copied("W2")) if q.name == "B2" else q for q in circuit.projections)
    return audited(replace(circuit, projections=parts), protocol, {("B2", "copy_interval"): 50})


@case("weight-sharing", "")
def tied_to_another_site():
    populations = tuple(cs.Population(name, 4, "tanh") for name in "abc")
    projections = (cs.Projection("W1", "a", "b"), cs.Projection("W2", "b", "c", weights=Tied("W1")))
    rules = (cs.Plasticity("W1", delta),)
    return audited(cs.Circuit("tied", populations, projections, plasticity=rules, inputs="a", outputs="c"))


@case("weight-sharing", "")
def table_with_one_slot():
    table = cs.Table(post=(0, 1, 2), pre=(0, 1, 2), slot=(0, 0, 0))
    return audited(
        cs.Circuit(
            "table", (cs.Population("a", 3), cs.Population("b", 3)),
            (cs.Projection("W", "a", "b", connectivity=table),), plasticity=(cs.Plasticity("W", delta),),
            inputs="a", outputs="b",
        )
    )  # fmt: skip


@case("weight-sharing", "")
def convolution_shares():
    return audited(*layered_classifier_of(["conv 2 3", "dense 3"], "fa"))


@case("weight-transport", "")
def untied_layer_with_its_transpose():
    return audited(*layered_classifier_of(["local 2 3", "dense 3"], "bp"))


def layered_classifier_of(texts, feedback):
    from circuitsim.circuits.layers import parse_layers

    return layered_classifier(parse_layers(texts, (1, 4, 4)), feedback, output="logistic")


@case("lateral", "all neurons of layer2")
def softmax_hidden():
    circuit, protocol = layered_classifier([6, 5, 3], "fa", hidden="tanh", output="softmax")
    return audited(circuit, protocol)


@case("lateral", "batch")
def centred_population():
    populations = (cs.Population("a", 4), cs.Population("b", 3, "tanh", centres=True))
    return audited(
        cs.Circuit(
            "centred", populations, (cs.Projection("W", "a", "b"),), plasticity=(cs.Plasticity("W", delta),),
            inputs="a", outputs="b",
        )
    )  # fmt: skip


@case("lateral", "")
def normalised_mirror():
    return audited(*classifier("wm", normalise=True, mirror=cs.Mirror("")))


@case("lateral", "batch")
def centred_mirror():
    return audited(*classifier("wm", mirror=cs.Mirror("", centre=True)))


@case("remote-error", "")
def error_by_no_projection():
    circuit, protocol = classifier("dfa")
    populations = tuple(replace(p, size=3, shape=(3,)) if p.name == "layer1" else p for p in circuit.populations)
    parts = (
        *populations[:1], cs.Population("layer1", 3, "tanh"), cs.Population("layer2", 3, "logistic"),
        cs.Population("labels", 3, site="layer2"), cs.Population("error2", 3, site="layer2", feedback=True),
        cs.Population("error1", 3, site="layer1", feedback=True),
    )  # fmt: skip
    exchanges = (
        cs.Exchange("labels", "error2", cs.Carries.TARGET), cs.Exchange("layer2", "error2", cs.Carries.ACTUAL),
        cs.Exchange("labels", "error1", cs.Carries.TARGET, remote=True),
        cs.Exchange("layer2", "error1", cs.Carries.ACTUAL, remote=True),
    )  # fmt: skip
    made = cs.Circuit(
        "remote", parts, (cs.Projection("W1", "layer0", "layer1"), cs.Projection("W2", "layer1", "layer2")),
        exchanges=exchanges, plasticity=(cs.Plasticity("W1", delta, post="error1"),
                                         cs.Plasticity("W2", delta, post="error2")),
        inputs="layer0", outputs="layer2", labels="labels",
    )  # fmt: skip
    return audited(made, protocol)


@case("label", "")
def label_population_projects():
    populations = (cs.Population("a", 4), cs.Population("t", 3), cs.Population("b", 3, "tanh"))
    projections = (cs.Projection("W", "a", "b"), cs.Projection("L", "t", "b"))
    rules = (cs.Plasticity("W", delta), cs.Plasticity("L", delta))
    return audited(cs.Circuit("sent", populations, projections, plasticity=rules, inputs="a", outputs="b", labels="t"))


@case("weight-transport", "")
def backpropagation_through_time():
    circuit, _ = recurrent_classifier((1, 4, 4), [2], 3, "simple")
    return audited(through_time(circuit, "bp"), cs.Protocol(clock=cs.Clock(2)))


@case("weight-transport", "")
def signs_through_time():
    circuit, _ = recurrent_classifier((1, 4, 4), [2], 3, "simple")
    return audited(through_time(circuit, "ss"), cs.Protocol(clock=cs.Clock(2)))


@case("weight-transport", "")
def transposed_eligibility():
    return audited(*eprop_network(4, 3, 2, 3, feedback="transposed"))


@case("third-factor", "broadcast")
def third_factor_of_one_neuron():
    circuit, protocol = rflo_network(4, 3, 1, 3)
    rules = tuple(replace(p, third="error_y") if p.rule == three_factor else p for p in circuit.plasticity)
    return audited(replace(circuit, plasticity=rules), protocol)


@case(REFUSED, "window")
def window_shorter_than_the_loop():
    circuit, protocol = classifier("fa")
    return presented(circuit, replace(protocol, window=1))


@case("", "one neuron")
def single_neurons_spell_out_a_matrix():
    names = [f"h{i}" for i in range(3)]
    populations = (
        cs.Population("x", 4), *(cs.Population(n, 1, "tanh") for n in names), cs.Population("y", 1),
        cs.Population("t", 1, site="y"), cs.Population("e", 1, site="y", feedback=True),
        *(cs.Population(f"e{n}", 1, site=n, feedback=True) for n in names),
    )  # fmt: skip
    projections = (
        *(cs.Projection(f"W{n}", "x", n) for n in names), *(cs.Projection(f"V{n}", n, "y") for n in names),
        *(cs.Projection(f"B{n}", "e", f"e{n}", weights=Fixed(0.1 + i)) for i, n in enumerate(names)),
    )  # fmt: skip
    exchanges = (
        cs.Exchange("t", "e", cs.Carries.TARGET), cs.Exchange("y", "e", cs.Carries.ACTUAL),
        *(cs.Exchange(n, f"e{n}", cs.Carries.SLOPE) for n in names),
    )  # fmt: skip
    rules = (
        *(cs.Plasticity(f"W{n}", delta, post=f"e{n}") for n in names),
        *(cs.Plasticity(f"V{n}", delta, post="e") for n in names),
    )
    return audited(
        cs.Circuit(
            "spelled", populations, projections, exchanges=exchanges, plasticity=rules, inputs="x", outputs="y",
            labels="t",
        )
    )  # fmt: skip


@case("", "two signals through the same synapses")
def same_synapses_twice_in_a_tick():
    populations = (
        cs.Population("a", 3), cs.Population("t", 3, site="a"), cs.Population("b", 3, "tanh"),
        cs.Population("b2", 3, "tanh", site="b"),
    )  # fmt: skip
    projections = (cs.Projection("W", "a", "b"), cs.Projection("W_again", "t", "b2", weights=Tied("W")))
    circuit = cs.Circuit(
        "shares",
        populations,
        projections,
        plasticity=(cs.Plasticity("W", delta), cs.Plasticity("W", delta, post="b2")),
        inputs="a",
        outputs="b2",
        labels="t",
    )
    return audited(circuit)


@case("", "Not audited")
def asynchronous_simulator_is_not_audited():
    circuit, protocol = cs.circuits.circular_autoencoder([6, 3, 6], delay=10)
    simulator = cs.AsynchronousSimulator(circuit, protocol, cs.Timing(jitter=3, patience=3))
    return f"local=? {simulator.audit}" if not callable(simulator.audit) else str(simulator.audit())
