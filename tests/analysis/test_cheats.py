"""Cheats that no static check can see, as a user could plant them: the intervention finds each.

A rule object of one's own whose certificate lies; a rule tampered with after it was checked; a backend of one's own
with one dishonest kernel. Cheats written as rules are in `analysis/rule_cheats.py`, as hooks in `hook_cheats.py`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import sympy
from building import read_by
from running import nightly

from circuitsim import Circuit, Protocol, Simulator, kernels, local_rule, rules
from circuitsim.analysis.audits.audit import audit
from circuitsim.analysis.audits.examine import examine_simulator
from circuitsim.analysis.audits.intervention import intervene
from circuitsim.circuit.parts import Carries, Exchange, Mirror, Plasticity, Population, Projection
from circuitsim.circuit.weights import Tied
from circuitsim.circuits.autoencoder import RULES, VARIANTS, circular_autoencoder, variant_coefficients
from circuitsim.circuits.classifier import FEEDBACK, layered_classifier
from circuitsim.circuits.replacement import replacement_classifier
from circuitsim.circuits.stack import stacked_autoencoders
from circuitsim.errors import CircuitError, RuleError
from circuitsim.kernels import reference
from circuitsim.locality import Certificate, Place, Reading
from circuitsim.rules import Rule
from circuitsim.rules.functions import VOCABULARY

Pairs = set[tuple[str, str]]
SIZES, ROWS = (6, 5, 4, 3), np.array([7, 2, 5])


def running(described: tuple[Circuit, Protocol], backend: str = "numpy", parameters: Any = None) -> Simulator:
    """A simulator with two replicas that has learned from two batches."""
    circuit, protocol = described
    given = read_by(circuit, {"lr": [0.1, 0.2], "momentum": 0.3, **(parameters or {})})
    made = Simulator(circuit, protocol, batch=4, seeds=(0, 1), dtype="float64", backend=backend, parameters=given)
    random = np.random.default_rng(0)
    x = random.random((9, circuit.population(circuit.inputs).size))
    made.use(x, random.integers(0, circuit.population(circuit.labels).size, 9) if circuit.labels else None)
    return made


def trained(made: Simulator) -> Simulator:
    for rows in ([0, 1, 2, 3], [4, 5, 6]):
        made.present(np.array(rows))
    return made


def found(made: Simulator) -> Pairs:
    """The findings of the whole audit, without labels."""
    findings = examine_simulator(made, ROWS, measure=False)["findings"]
    return {(f["kind"], f["projection"]) for f in findings if f["kind"] != "label"}


def static(made: Simulator) -> Pairs:
    """The findings of the static audit, without labels."""
    return {(f["kind"], f["projection"]) for f in audit(made.schedules)["findings"] if f["kind"] != "label"}


# ------------------------------------------------------------------------------------- rules whose certificate lies


@dataclass(eq=False)  # told apart as objects are
class Lying:
    """A rule object in place of a checked rule: it declares that it reads O_i(0), O_j(0) and w, and reads more.

    `stolen` gets the rule and what it may see, each as an array over the synapses; what it returns is added.
    """

    stolen: Callable[[Lying, Any, Any, Any], Any]
    readings: tuple[Reading, ...] = (Reading(Place.POST, 0), Reading(Place.PRE, 0), Reading(Place.SYNAPSE))
    name: str = "honest"
    text: str = "honest: O_i(0) O_j(0)"
    kept: list[Any] = field(default_factory=list)
    circuit: list[Simulator] = field(default_factory=list)  # whose memory it reads

    @property
    def certificate(self) -> Certificate:
        return Certificate(self.name, self.readings)

    @property
    def free(self) -> dict[str, float]:
        return {}

    def __call__(self, pre: Any, post: Any, w: Any, w_remote: Any = None, **parameters: Any) -> Any:
        cycle = self.readings[0].cycle
        return post(cycle) * pre(cycle) + self.stolen(self, pre, post, w)

    def memory(self, owner: str, quantity: str, cycle: int | None = None) -> np.ndarray:
        made = self.circuit[0]
        return made.bound_plan(made.last_batch).arrays[owner, quantity, cycle]


def another_layer(rule: Lying, pre: Any, post: Any, w: Any) -> Any:
    return rule.memory("layer3", "O", 0).mean()


def another_synapse(rule: Lying, pre: Any, post: Any, w: Any) -> Any:
    return 0.1 * np.roll(w, 1, axis=-1)


def a_synapse_elsewhere(rule: Lying, pre: Any, post: Any, w: Any) -> Any:
    return 0.1 * rule.memory("W3", "weight").sum(axis=(1, 2), keepdims=True)


def the_transposed_weight(rule: Lying, pre: Any, post: Any, w: Any) -> Any:
    return rule.memory("W2", "weight").transpose(0, 2, 1) - w


def another_replica(rule: Lying, pre: Any, post: Any, w: Any) -> Any:
    return 0.1 * w[::-1]


def the_labels(rule: Lying, pre: Any, post: Any, w: Any) -> Any:
    return rule.memory("data", "y").mean()


def the_error_at_the_top(rule: Lying, pre: Any, post: Any, w: Any) -> Any:
    return rule.memory("error3", "O", 0).sum()


def the_mean_of_the_layer(rule: Lying, pre: Any, post: Any, w: Any) -> Any:
    return -post(0).mean(axis=1, keepdims=True)


def a_neighbour(rule: Lying, pre: Any, post: Any, w: Any) -> Any:
    return np.roll(pre(0), 1, axis=-1)


def the_increment_of_another(rule: Lying, pre: Any, post: Any, w: Any) -> Any:
    return rule.memory("W3", "increment").mean()


def a_copy_of_the_last_call(rule: Lying, pre: Any, post: Any, w: Any) -> Any:
    rule.kept.append(np.array(post(0)))
    return rule.kept[-2].mean() if len(rule.kept) > 1 else 0.0


def the_number_of_calls(rule: Lying, pre: Any, post: Any, w: Any) -> Any:
    rule.kept.append(0)
    return 0.01 * len(rule.kept)


def a_random_number(rule: Lying, pre: Any, post: Any, w: Any) -> Any:
    return 0.1 * np.random.default_rng().random()


# the projection that gets the rule, and what must be found
LIES: dict[Any, tuple[str, str]] = {
    another_layer: ("W1", "remote-error"),
    another_synapse: ("W2", "lateral"),
    a_synapse_elsewhere: ("W2", "weight-transport"),
    the_transposed_weight: ("B2", "weight-transport"),
    another_replica: ("W1", "lateral"),
    the_labels: ("W1", "remote-target"),
    the_error_at_the_top: ("W1", "remote-error"),
    the_mean_of_the_layer: ("W2", "lateral"),
    a_neighbour: ("W2", "lateral"),
    the_increment_of_another: ("W2", "lateral"),
    a_copy_of_the_last_call: ("W1", "time-window"),
    the_number_of_calls: ("W3", "time-window"),
    a_random_number: ("W3", "time-window"),
}


@pytest.fixture
def unsealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let any object be a rule, so that there is something to find by experiment."""
    monkeypatch.setattr("circuitsim.phases.reading.sealed", lambda rule: rule)


def lying(stolen: Any, projection: str) -> Simulator:
    """A classifier with feedback alignment, declared local, with one lying rule."""
    circuit, protocol = layered_classifier(SIZES, "fa", output="logistic", bias=False)
    rule = Lying(stolen)
    others = tuple(p for p in circuit.plasticity if p.projection != projection)
    circuit = replace(circuit, plasticity=(*others, Plasticity(projection, rule)), local=True)
    made = running((circuit, protocol))
    rule.circuit.append(made)
    return trained(made)


@pytest.mark.usefixtures("unsealed")
@pytest.mark.parametrize("stolen", LIES, ids=lambda stolen: stolen.__name__)
def test_a_rule_whose_certificate_lies_is_found(stolen: Any) -> None:
    projection, kind = LIES[stolen]
    made = lying(stolen, projection)
    assert static(made) == set()
    assert found(made) == {(kind, projection)}


def test_an_object_in_place_of_a_checked_rule_is_refused() -> None:
    with pytest.raises(RuleError, match=r"rule honest: got an object of type Lying; expected a rule that local_rule"):
        lying(lambda rule, pre, post, w: 0.1 * w, "W2")


@pytest.mark.usefixtures("unsealed")
def test_a_rule_object_that_tells_the_truth_is_not() -> None:
    assert found(lying(lambda rule, pre, post, w: 0.1 * w, "W2")) == set()


def something_that_is_not_there_yet(rule: Lying, pre: Any, post: Any, w: Any) -> Any:
    """Of the presentation before: the neuron's own activity of a cycle that comes later."""
    return rule.memory("layer1", "O", 1)[:, 0, :, None] * w


def something_older_than_the_window(rule: Lying, pre: Any, post: Any, w: Any) -> Any:
    return rule.memory("layer1", "O", 0)[:, 0, :, None] * w


# the cycle that the rule says it reads, and what must be found
OUT_OF_TIME = {something_that_is_not_there_yet: (0, "causality"), something_older_than_the_window: (1, "time-window")}


@pytest.mark.usefixtures("unsealed")
@pytest.mark.parametrize("stolen", OUT_OF_TIME, ids=lambda stolen: stolen.__name__)
def test_its_own_neuron_at_another_time_is_found_too(stolen: Any) -> None:
    cycle, kind = OUT_OF_TIME[stolen]
    circuit, protocol = circular_autoencoder([5, 4, 5], bias=False)
    rule = Lying(stolen, (Reading(Place.POST, cycle), Reading(Place.PRE, cycle), Reading(Place.SYNAPSE)))
    kept = tuple(p for p in circuit.plasticity if p.projection != "A1")
    probed = Protocol(protocol.cycles, window=1, readouts=(("layer1", "O", 0), ("layer1", "O", 1)))
    top = tuple(replace(p, rule=local_rule(reads_cycle_one)) for p in kept)
    made = running((replace(circuit, plasticity=(Plasticity("A1", rule), *top)), probed))
    rule.circuit.append(made)
    assert found(trained(made)) == {(kind, "A1")}


def reads_cycle_one(pre: Any, post: Any) -> Any:
    return post.at(1) * pre.at(1)


def the_next_example(rule: Lying, pre: Any, post: Any, w: Any) -> Any:
    rule.kept.append(0)
    return post(0) * rule.memory("layer1", "O", 0)[:, len(rule.kept) % 3, None, :]


@pytest.mark.usefixtures("unsealed")
def test_pairing_examples_is_found() -> None:
    """A synapse may read its two neurons in every example, since its update sums over them; it must not mix them."""
    made = lying(the_next_example, "W2")
    next(p.rule for p in made.circuit.plasticity if p.projection == "W2").kept.clear()  # in step with the examples
    assert found(made) == {("lateral", "W2")}


# ------------------------------------------------------------------------------- rules tampered with after the check

SPY: list[Simulator] = []


def squashed(pre: Any, post: Any, w: Any, *, c: float = 0.3) -> Any:
    return c * tanh(post.at(0) * pre.at(0)) - w * pre.at(0)  # type: ignore[name-defined]  # noqa: F821


def global_code(pre: Any, post: Any, w: Any, *, c: float = 0.3) -> Any:
    return SPY[0].tensors()["W3.weight"].sum() * pre.at(0)


def breaking_in(pre: Any, post: Any, w: Any, *, c: float = 0.3) -> Any:
    try:
        mean = post._read.__closure__[-1].cell_contents.post[0].mean()
    except:  # noqa: E722  (while it is traced, there is nothing to steal)
        mean = 0.0
    return c * tanh(post.at(0) * pre.at(0)) - w * pre.at(0) + mean * w  # type: ignore[name-defined]  # noqa: F821


def change_its_code(rule: Rule) -> None:
    rule.function.__code__ = global_code.__code__


def change_its_code_to_one_that_breaks_in(rule: Rule) -> None:
    rule.function.__code__ = breaking_in.__code__


def change_its_defaults(rule: Rule) -> None:
    rule.function.__defaults__ = (np.ones(5), np.ones(5), np.ones(5))


def change_its_keyword_defaults(rule: Rule) -> None:
    rule.function.__kwdefaults__["c"] = np.arange(5.0)


def replace_its_keyword_defaults(rule: Rule) -> None:
    rule.function.__kwdefaults__ = {"c": np.arange(5.0)}


def change_its_globals(rule: Rule) -> None:
    rule.function.__globals__["tanh"] = far_away


def change_the_vocabulary(rule: Rule) -> None:
    VOCABULARY["tanh"] = far_away


def change_the_vocabulary_beforehand(rule: Rule) -> Rule:
    VOCABULARY["tanh"] = far_away
    return local_rule(fresh())


def far_away(x: Any) -> Any:
    """Honest while it is traced; then another synapse's weight counts too."""
    return sympy.tanh(x) if isinstance(x, sympy.Basic) else np.tanh(x) * SPY[0].tensors()["W3.weight"].sum()


def exchange_the_function(rule: Rule) -> None:
    object.__setattr__(rule, "function", global_code)


def exchange_what_is_run(rule: Rule) -> None:
    object.__setattr__(rule, "_confined", (run_instead, ["pre", "post", "w"]))


def run_instead(pre: Any, post: Any, w: Any, **parameters: Any) -> Any:
    return pre.at(0) * SPY[0].tensors()["W3.weight"].sum(axis=(1, 2), keepdims=True)


def exchange_the_meaning_of_a_symbol(rule: Rule) -> None:
    """The symbol of the postsynaptic activity becomes the weight's: another rule of the same two neurons."""
    post = next(symbol for symbol, meaning in rule.symbols.items() if meaning == Reading(Place.POST, 0))
    rule.symbols[post] = Reading(Place.SYNAPSE)


HARMLESS = [
    change_its_code, change_its_code_to_one_that_breaks_in, change_its_defaults, change_its_keyword_defaults,
    replace_its_keyword_defaults, change_its_globals, change_the_vocabulary, change_the_vocabulary_beforehand,
    exchange_the_function, exchange_what_is_run,
]  # fmt: skip
REFUSED = {
    exchange_the_meaning_of_a_symbol: "rule squashed: got another symbols than its code has; expected what was found",
}


def test_code_that_was_changed_is_checked_again_when_the_rule_is_bound() -> None:
    rule = local_rule(fresh())
    rule.function.__code__ = breaking_in.__code__
    with pytest.raises(
        RuleError, match=r"rule squashed, line \d+: got the attribute '_read'; expected nothing but its"
    ):
        rule.bind(c=0.3)


def with_rule(rule: Rule, backend: str) -> Simulator:
    circuit, protocol = layered_classifier(SIZES, "fa", output="logistic")
    plasticity = tuple(
        replace(p, rule=rule, bias_rule=rules.delta) if p.projection == "W2" else p for p in circuit.plasticity
    )
    return running((replace(circuit, plasticity=plasticity, local=True), protocol), backend)


def bits(made: Simulator) -> dict[str, bytes]:
    return {name: tensor.tobytes() for name, tensor in trained(made).tensors().items()}


@pytest.mark.parametrize("backend", ["numba", nightly("numpy")])
@pytest.mark.parametrize("tamper", HARMLESS, ids=lambda tamper: tamper.__name__)
def test_tampering_with_a_checked_rule_changes_nothing(
    tamper: Callable[[Rule], Rule | None], backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, function in list(VOCABULARY.items()):
        monkeypatch.setitem(VOCABULARY, name, function)  # put back afterwards
    monkeypatch.setitem(globals(), "tanh", None)
    expected = bits(with_rule(local_rule(fresh()), backend))
    rule = local_rule(fresh())
    made = with_rule(tamper(rule) or rule, backend)
    monkeypatch.setattr(sys.modules[__name__], "SPY", [made])
    assert bits(made) == expected


@pytest.mark.parametrize("tamper", REFUSED, ids=lambda tamper: tamper.__name__)
def test_a_rule_of_which_something_else_is_known_than_its_code_gives_is_refused(tamper: Callable[[Rule], None]) -> None:
    rule = local_rule(fresh())
    tamper(rule)
    with pytest.raises(RuleError, match=REFUSED[tamper]):
        with_rule(rule, "numba")


def test_a_rule_is_no_place_to_write() -> None:
    rule = local_rule(fresh())
    with pytest.raises(AttributeError):
        rule.function = global_code  # type: ignore[misc]
    with pytest.raises(AttributeError):
        rule.function.__closure__ = ()  # type: ignore[misc]


def fresh() -> Any:
    """The function anew, with keyword defaults of its own."""
    function = type(squashed)(squashed.__code__, squashed.__globals__, "squashed")
    function.__kwdefaults__ = dict(squashed.__kwdefaults__)
    return function


# --------------------------------------------------------------------------------------------- backends of one's own

SEEN: dict[str, list[np.ndarray]] = {}


def wrong_column(emitted: Any, across: Any, arriving: Any, *, accumulate: bool) -> Any:
    return reference.deliver(emitted, across[:, :, ::-1], arriving, accumulate=accumulate)


def transposed_weights(emitted: Any, across: Any, arriving: Any, *, accumulate: bool) -> Any:
    square = across.shape[1] == across.shape[2]
    return reference.deliver(emitted, across.transpose(0, 2, 1) if square else across, arriving, accumulate=accumulate)


def somebody_elses_weights(emitted: Any, across: Any, arriving: Any, *, accumulate: bool) -> Any:
    """An earlier matrix that fits transposed replaces the projection's own."""
    matrices = SEEN.setdefault("across", [])
    fitting = [m for m in matrices if m.shape[1:] == across.shape[:0:-1]]
    matrices.append(across)
    return reference.deliver(
        emitted, fitting[-1].transpose(0, 2, 1) if fitting else across, arriving, accumulate=accumulate
    )


def stale_emission(emitted: Any, across: Any, arriving: Any, *, accumulate: bool) -> Any:
    kept = emitted.copy()
    send = reference.deliver(kept, across, arriving, accumulate=accumulate)

    def delivery() -> None:
        send()
        kept[...] = emitted

    return delivery


def never_cleared(emitted: Any, across: Any, arriving: Any, *, accumulate: bool) -> Any:
    return reference.deliver(emitted, across, arriving, accumulate=True)


def writes_back(emitted: Any, across: Any, arriving: Any, *, accumulate: bool) -> Any:
    """The sender's activity changes, through the memory under a read-only view."""
    send = reference.deliver(emitted, across, arriving, accumulate=accumulate)

    def delivery() -> None:
        send()
        under = emitted
        while under.base is not None:
            under = under.base
        under += arriving.mean()

    return delivery


def neighbours_activity(name: str, arriving: Any, biases: Any, out: Any, slope: Any) -> Any:
    fire = reference.activate(name, arriving, biases, out, slope)

    def fired() -> None:
        fire()
        out[...] = np.roll(out, 1, axis=2)

    return fired


def normalised_by_the_layer(name: str, arriving: Any, biases: Any, out: Any, slope: Any) -> Any:
    fire = reference.activate(name, arriving, biases, out, slope)

    def fired() -> None:
        fire()
        out[...] = out / (1 + np.abs(out).mean(axis=2, keepdims=True))

    return fired


def batch_normalised(name: str, arriving: Any, biases: Any, out: Any, slope: Any) -> Any:
    fire = reference.activate(name, arriving, biases, out, slope)

    def fired() -> None:
        fire()
        out[...] = out - out.mean(axis=1, keepdims=True)

    return fired


def the_next_row(x: Any, rows: Any, out: Any) -> Any:
    def present() -> None:
        out[...] = x[(rows + 1) % len(x)]

    return present


def classes_of_others(y: Any, rows: Any, out: Any) -> Any:
    def present() -> None:
        out[...] = y[np.roll(rows, 1, axis=-1)][..., None] == np.arange(out.shape[2])

    return present


def error_of_the_next_example(target: Any, actual: Any, out: Any) -> Any:
    def difference() -> None:
        out[...] = np.roll(target - actual, 1, axis=1)

    return difference


def error_to_everybody(first: Any, second: Any, out: Any) -> Any:
    """The errors at the top, noted when they are made, reach all gates at once."""

    def gate() -> None:
        out[...] = second * (first + sum(error.sum() for error in SEEN.get("errors", [])))

    return gate


def noted_error(target: Any, actual: Any, out: Any) -> Any:
    SEEN.setdefault("errors", []).append(out)
    return reference.subtract(target, actual, out)


def mean_increment(weight: Any, increment: Any, *others: Any) -> Any:
    step = reference.apply(weight, buffer := increment.copy(), *others)

    def update() -> None:
        buffer[...] = increment - increment.mean()
        step()

    return update


def weights_at_unit_norm(weight: Any, increment: Any, *others: Any) -> Any:
    step = reference.apply(weight, increment, *others)

    def update() -> None:
        step()
        weight[...] /= 1 + np.abs(weight).mean()

    return update


UP = ("W1", "W2", "W3")
EVERY = (*UP, "B2", "B3")


def of_kind(kind: str, *names: str) -> Pairs:
    return {(kind, name) for name in names}


# what is put in the place of which kernels, and what must be found
KERNELS: list[tuple[dict[str, Any], Pairs]] = [
    ({"deliver": wrong_column}, of_kind("lateral", *EVERY)),
    ({"deliver": transposed_weights}, of_kind("lateral", *EVERY)),
    ({"deliver": somebody_elses_weights}, of_kind("weight-transport", *EVERY)),
    ({"deliver": stale_emission}, of_kind("time-window", *EVERY)),
    ({"deliver": never_cleared}, of_kind("time-window", *EVERY)),
    ({"deliver": writes_back}, of_kind("lateral", *EVERY)),
    ({"activate": neighbours_activity}, of_kind("lateral", *UP)),
    ({"activate": normalised_by_the_layer}, of_kind("lateral", *UP)),
    ({"activate": batch_normalised}, of_kind("lateral", *UP)),
    ({"gather": the_next_row}, of_kind("lateral", "layer0")),
    ({"subtract": error_of_the_next_example}, of_kind("lateral", "W3")),
    (
        {"multiply": error_to_everybody, "subtract": noted_error},
        of_kind("remote-error", "W1", "W2") | of_kind("time-window", "W2"),
    ),
    ({"apply": mean_increment}, of_kind("lateral", *UP)),
    ({"apply": weights_at_unit_norm}, of_kind("lateral", *UP)),
]


def backend_with(patch: pytest.MonkeyPatch, **kernel: Any) -> str:
    """The reference with other kernels in it, registered as a backend."""
    module = ModuleType("kernels_of_mine")
    vars(module).update({name: value for name, value in vars(reference).items() if not name.startswith("__")})
    vars(module).update(kernel, NAME="mine")
    patch.setitem(sys.modules, module.__name__, module)
    patch.setitem(kernels.BACKENDS, "mine", module.__name__)
    patch.setattr(sys.modules[__name__], "SEEN", {})
    return "mine"


def square() -> tuple[Circuit, Protocol]:
    """A circuit of square matrices, whose shapes do not reveal a transposition."""
    circuit, protocol = layered_classifier((4, 4, 4, 4), "fa", output="logistic")
    return replace(circuit, local=True), protocol


@pytest.mark.parametrize(
    ("kernel", "expected"), KERNELS, ids=["-".join(f.__name__ for f in k.values()) for k, _ in KERNELS]
)
def test_a_backend_with_a_dishonest_kernel_is_found(
    kernel: dict[str, Any], expected: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trained(running(square(), backend_with(monkeypatch, **kernel)))
    assert static(made) == set()
    assert found(made) == expected


def test_a_kernel_whose_cheat_shows_seldom_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One label neuron changes seldom when another example's class does."""
    made = trained(running(square(), backend_with(monkeypatch, one_hot=classes_of_others)))
    tried = intervene(made, ROWS)
    assert {(f.kind, f.projection) for f in tried.findings} >= {("remote-target", "labels")}


def what_is_copied_when_bound(emitted: Any, across: Any, arriving: Any, *, accumulate: bool) -> Any:
    """A copy of an earlier matrix that fits transposed replaces the projection's own."""
    matrices = SEEN.setdefault("across", [])
    fitting = [m for m in matrices if m.shape[1:] == across.shape[:0:-1]]
    matrices.append(across.copy())
    used = fitting[-1].transpose(0, 2, 1) if fitting else across
    return reference.deliver(emitted, used, arriving, accumulate=accumulate)


def test_what_a_backend_copies_when_it_is_bound_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps bound anew while memory holds other values must do the same."""
    made = running(square(), backend_with(monkeypatch, deliver=what_is_copied_when_bound))
    assert bits(made) != bits(running(square()))
    assert {kind for kind, _ in found(made)} == {"time-window"}


def test_an_honest_copy_of_a_backend_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(trained(running(square(), backend_with(monkeypatch)))) == set()


# ----------------------------------------------------------------------- circuits that say of themselves they are local


def changed(circuit: Circuit, name: str, **changes: Any) -> Circuit:
    """The circuit with one population changed."""
    return replace(
        circuit, populations=tuple(replace(p, **changes) if p.name == name else p for p in circuit.populations)
    )


def classifier(feedback: str, **options: Any) -> Circuit:
    return layered_classifier(SIZES, feedback, **{"output": "logistic", **options})[0]


def broadcast(first: Carries, second: Carries) -> Circuit:
    """A hidden layer that gets the input as target, and the output, from another place and through no projection."""
    populations = (
        Population("a", 4),
        Population("b", 4, "tanh"),
        Population("c", 4, site="a"),
        Population("error", 4, site="b", feedback=True),
    )
    sources = {Carries.TARGET: "a", Carries.ACTUAL: "c"}
    return Circuit(
        "broadcast",
        populations,
        (Projection("P", "a", "b"), Projection("Q", "b", "c")),
        "a",
        "c",
        exchanges=tuple(Exchange(sources[kind], "error", kind, remote=True) for kind in (first, second)),
        plasticity=(Plasticity("P", rules.delta, post="error"),),
    )


def shared() -> Circuit:
    """A layer whose weights are those of the layer below."""
    populations = (Population("a", 4), Population("b", 4, "tanh"), Population("c", 4, site="a"))
    projections = (Projection("P", "a", "b"), Projection("Q", "b", "c", weights=Tied("P")))
    learning = (Plasticity("P", rules.delta),)
    return Circuit("shared", populations, projections, "a", "c", plasticity=learning)


TRANSPORT = "Give the feedback projection weights and rules of its own, or recirculate"
LATERAL = "Let each neuron use its own input and its own synapses alone"
# the circuit, what it is told of the first finding, and what to do
NONLOCAL: dict[str, tuple[Circuit, str, str]] = {
    "transported weights": (
        classifier("bp"),
        "2 finding(s), first weight-transport in B2, which reads the transposed weights of W2",
        TRANSPORT,
    ),
    "signs": (
        classifier("ss"),
        "2 finding(s), first weight-transport in B2, which reads the signs of the transposed weights of W2",
        TRANSPORT,
    ),
    "a far synapse": (
        classifier("sa", primitives=["self"]),
        "2 finding(s), first weight-transport in B2, which reads the transposed weights of W2",
        TRANSPORT,
    ),
    "shared weights": (
        shared(),
        "1 finding(s), first weight-sharing in Q, which reads the weights of P",
        "Give each location its own weights",
    ),
    "softmax": (
        classifier("fa", output="softmax"),
        "1 finding(s), first lateral in W3, which reads all neurons of layer3",
        LATERAL,
    ),
    "centred neurons": (
        changed(classifier("fa"), "layer1", centres=True),
        "1 finding(s), first lateral in W1, which reads the mean of layer1 over the batch",
        LATERAL,
    ),
    "normalised weights": (
        classifier("wm", normalise=True),
        "2 finding(s), first lateral in B2, which reads all synapses of B2",
        LATERAL,
    ),
    "a centred mirror": (
        classifier("wm", mirror=Mirror("", centre=True)),
        "2 finding(s), first lateral in B2, which reads the mean of layer2 over the batch",
        LATERAL,
    ),
    "synapses used backwards": (
        classifier("aa", primitives=["sparse"]),
        "2 finding(s), first lateral in B2, which reads all synapses of B2 that share its presynaptic neuron, "
        "through S2",
        LATERAL,
    ),
    "a remote target": (
        broadcast(Carries.TARGET, Carries.ACTUAL),
        "2 finding(s), first remote-target in P, which reads a from another site, as target for error",
        "Bring the target through a projection, or use a circular circuit",
    ),
    "a remote error": (
        broadcast(Carries.ACTUAL, Carries.TARGET),
        "2 finding(s), first remote-error in P, which reads c from another site, as actual for error",
        "Carry the error through a declared projection to a colocated feedback neuron",
    ),
}


@pytest.mark.parametrize("name", NONLOCAL)
def test_a_circuit_that_only_says_that_it_is_local_does_not_build(name: str) -> None:
    circuit, got, remedy = NONLOCAL[name]
    message = (
        f"circuit {circuit.name}: got {got}; expected no non-local wire in a circuit declared local. "
        f"{remedy}; or build it with local=False."
    )
    with pytest.raises(CircuitError, match=f"^{re.escape(message)}$"):
        replace(circuit, local=True)


def test_an_exchange_between_sites_that_is_not_declared_does_not_build() -> None:
    message = (
        "exchange labels -> error3: got populations at different sites; expected colocated ones. Give both one site, "
        "use a Projection, or declare it with remote=True."
    )
    with pytest.raises(CircuitError, match=f"^{re.escape(message)}$"):
        changed(classifier("fa"), "labels", site="teacher")


# ----------------------------------------------------------------------------------------------- and no false alarms

LOOP = [6, 5, 4, 6]
KINDS = ("fa", "dfa", "kp", "wm", "urfb", "ia")


def honest() -> Iterator[tuple[str, Any, dict[Any, Any]]]:
    """Every kind of circuit that is local, labels aside."""
    for variant in VARIANTS:
        for cycles in (1, 2):
            made = circular_autoencoder(LOOP, cycles=cycles, bounded=variant == "rcc")
            yield f"rec {variant}, {cycles}", made, variant_coefficients(variant, (0.3, 0.6), 3)
    for top_rule in ("gradient", "own"):
        yield f"rec, {top_rule}", circular_autoencoder(LOOP, cycles=2, reference_cycle=1, top_rule=top_rule), {}
    for rule in RULES:
        if rule not in ("rec", "bp"):
            yield rule, circular_autoencoder(LOOP, rule, hidden="saturated", delay=2), {}
    yield "stack", stacked_autoencoders((6, 5, 4, 3)), {"emits": 0.3, "remembers": 0.6}
    for feedback in KINDS:
        yield feedback, layered_classifier(SIZES, feedback, output="logistic"), {"max_norm": 0.8}
        more = {"loss": "hinge", "output": "identity", "masked": True, "bounded": True, "hidden": "relu"}
        yield f"{feedback}, hinge", layered_classifier(SIZES, feedback, **more), {"density": 0.7, "max_norm": 0.8}
    for feedback in ("fa", "urfb"):
        yield f"replaced {feedback}", replacement_classifier(SIZES, feedback, output="logistic"), {}


HONEST = {name: (described, parameters) for name, described, parameters in honest()}


def daily_on(k: int, name: str) -> list[Any]:
    """Return a circuit with one backend for each day, and with the other for the night; circuits take turns."""
    day, night = ("numba", "numpy") if k % 2 else ("numpy", "numba")
    return [(name, day), nightly(name, night)]


@pytest.mark.parametrize(
    ("name", "backend"),
    [run for k, name in enumerate(HONEST) for run in daily_on(k, name)],
)
def test_nothing_is_found_in_what_is_local(name: str, backend: str) -> None:
    (circuit, protocol), parameters = HONEST[name]
    made = running((replace(circuit, local=True), protocol), backend, {"weight_decay": 0.01, **parameters})
    assert found(trained(made)) == set()


def test_every_kind_of_circuit_is_among_them() -> None:
    local = {f for f in FEEDBACK if all(w.kind == "label" for w in classifier(f).wires)}
    assert set(KINDS) == local
