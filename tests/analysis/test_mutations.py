"""Audits and contracts notice a broken engine: the expected suites catch each of `mutations.FAULTS`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any
from zlib import crc32

import handwritten_classifier
import numpy as np
import pytest
import test_classifier_circuits
import test_kernel_contract as of_kernels
import test_mirror
import test_phase_contract as of_phases
import test_rule_contract as of_rules
from building import (
    Built,
    Setting,
    Tensors,
    classes,
    classifier,
    digits,
    distance,
    presentations,
    read_by,
    simulator,
    stack,
    together,
    train,
    weights_of,
)
from mutations import FAULTS, OF_RULES, SILENT, Fault
from running import nightly
from sample_rules import covariance, oja, saturating, three_products
from test_classifier_against_handwritten import fired
from test_random_circuits import Recursion

from circuitsim import Circuit, Protocol, Simulator, rules
from circuitsim.analysis.audits.intervention import intervene
from circuitsim.analysis.audits.light_cone import light_cone
from circuitsim.circuit.parts import ACTIVATIONS, Projection
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.replacement import replacement_classifier
from circuitsim.kernels import backend as module_of
from circuitsim.kernels.cpu import backend as cpu
from circuitsim.phases import FIRING

LOOP, CLASSIFIER, SMALL = (64, 5, 5, 64), (64, 5, 5, 10), (3, 3, 3)
ROWS = presentations(3)
SEED = 0
ByHand = Callable[[Any, Tensors, list[Any]], Tensors]  # from a setting, weights and the noise that was heard
FAST = {"momentum": 0.5, "weight_decay": 0.05}


@dataclass(frozen=True)
class Bench:
    """A circuit that shows a fault, with two different replicas and, if any, its hand-written loops."""

    first: Setting | Built
    second: Setting | Built
    by_hand: ByHand | None = None


def looped(**changes: Any) -> Bench:
    """A circular autoencoder and its own loops."""
    first = Setting(LOOP, lam=(0.3, 0.6), momentum=0.5, max_norm=1.1, **{"variant": "rwcc", **changes})
    second = replace(first, lr=0.2, lam=(0.5, 0.2), momentum=0.3, max_norm=0.9)
    return Bench(first, second, lambda setting, weights, heard: setting.by_hand(weights, ROWS))


def fed(feedback: str, numbers: dict[Any, float] | None = None, **options: Any) -> Bench:
    """A classifier and its own loops."""
    first = classifier(feedback, CLASSIFIER, {"lr": 0.3, **(numbers or {})}, **options)
    return Bench(first, second_of(first), lambda setting, weights, heard: trained(setting, weights, heard, feedback))


def second_of(first: Built) -> Built:
    other = {key: 0.6 * value for key, value in first.numbers if key != "density"}
    return first.having(other)


def trained(setting: Built, weights: Tensors, heard: list[Any], feedback: str) -> Tensors:
    """Train a classifier by `handwritten_classifier`."""
    options, numbers = dict(setting.options), dict(setting.numbers)
    given = {name: options[name] for name in ("loss", "hidden", "output") if name in options}
    given["hinge_margin"] = "one" if numbers.get("margin", 1.0) == 1.0 else "mu"
    given |= {name: numbers[name] for name in ("lr", "lr_bias", "momentum", "weight_decay") if name in numbers}
    if options.get("masked"):
        given["masks"] = {n: (a != 0.0) * 1.0 for n, a in weights.items() if n.endswith("weight")}
    if feedback == "wm":
        given |= {"mirror": {"rate": numbers["lr"], "normalise": options.get("normalise", False)}, "noise": heard}
    if "primitives" in options:
        given["primitives"] = {"rate": numbers["lr"], **{n: numbers[f"{n}.c"] for n in options["primitives"]}}
    return handwritten_classifier.train(digits(), classes(), weights, rows=ROWS, feedback=feedback, **given)


def recursive(first: Setting | Built) -> Bench:
    """A circuit without hand-written loops: one presentation is compared with the recursion over its graph."""
    same = {"lr_bias": 0.2} if isinstance(first, Setting) else {}
    return Bench(first, replace(first.with_rate(0.2), **same))


def skipping(sizes: Sequence[int]) -> tuple[Circuit, Protocol]:
    """A loop with a second projection into one of its layers."""
    circuit, protocol = circular_autoencoder(sizes, "rec")
    return replace(circuit, projections=(*circuit.projections, Projection("skip", "layer0", "layer2"))), protocol


def centred(sizes: Sequence[int]) -> tuple[Circuit, Protocol]:
    """A classifier whose first hidden layer subtracts its mean over the batch."""
    circuit, protocol = layered_classifier(sizes, "fa")
    populations = tuple(replace(p, centres=p.name == "layer1") for p in circuit.populations)
    return replace(circuit, populations=populations), protocol


def slow(sizes: Sequence[int]) -> tuple[Circuit, Protocol]:
    """A loop whose projections take two ticks."""
    return circular_autoencoder(sizes, "rec", delay=2)


HALF = {**FAST, "density": 0.6, "momentum": 0.0}
PRIMITIVES = {"decay.c": 0.4, "amp.c": 0.6, "null.c": 0.3}


def hinged() -> Bench:
    """Replicas with the two margins of the literature."""
    bench = fed("fa", {"margin": 1 / 9}, loss="hinge", output="logistic")
    return replace(bench, second=bench.first.having(margin=1.0))


def kept_output(sizes: Sequence[int], **options: Any) -> tuple[Circuit, Protocol]:
    """A classifier whose output is kept as a probe, beside the summed input that its margin reads."""
    circuit, protocol = layered_classifier(sizes, **options)
    return circuit, replace(protocol, readouts=((circuit.outputs, "O", 0),))


def watched() -> Bench:
    """A hinge loss, whose error neurons read S, where O is written as well."""
    bench = hinged()
    first, second = (replace(one, label="watched", make=kept_output) for one in (bench.first, bench.second))
    return replace(bench, first=first, second=second)


def replaced() -> Bench:
    """Single neurons for activity and feedback signal."""
    options = (("feedback", "urfb"), ("hidden", "tanh"))
    first = Built("replaced", replacement_classifier, CLASSIFIER, options, (("lr", 0.3),))
    return Bench(first, first.with_rate(0.2), lambda setting, weights, heard: trained(setting, weights, heard, "urfb"))


BENCHES = {
    "loop": looped(),
    "cycles": looped(cycles=2, reference_cycle=1),
    "error": looped(rule="error-rec", variant="pr"),
    "bp": fed("bp", output="logistic"),
    "fa": fed("fa", HALF, output="logistic", masked=True),
    "fast": fed("fa", FAST, output="logistic"),
    "kp": fed("kp", FAST, output="logistic"),
    "hinge": hinged(),
    "watched": watched(),
    "softmax": fed("fa"),
    "wm": fed("wm", output="logistic"),
    "normalised": fed("wm", normalise=True),
    "ss": fed("ss", output="logistic"),
    "ia": fed("ia", PRIMITIVES, output="logistic", loss="hinge", primitives=("decay", "amp", "null")),
    "replaced": replaced(),
    "oja": recursive(Setting(LOOP, rule=oja, lr_bias=0.1)),
    "every": recursive(Setting(LOOP, rule=saturating, lr_bias=0.1)),
    "stack": recursive(stack((64, 5, 5, 5))),
    "skip": recursive(Built("skip", skipping, LOOP)),
    "slow": recursive(Built("slow", slow, LOOP)),
    "centred": recursive(Built("centred", centred, CLASSIFIER)),
}


# --------------------------------------------------------------------------------------------------------- the suites


def small(bench: Bench, backend: str) -> Simulator:
    """The bench in the smallest size that distinguishes neurons, examples and replicas, after two presentations."""
    settings = [replace(s, sizes=SMALL) for s in (bench.first, bench.second)]
    parameters = together(settings) if bench.by_hand else {**together(settings), "emits": 0.3, "remembers": 0.6}
    circuit, protocol = settings[0].described()
    parameters = read_by(circuit, parameters)
    made = Simulator(circuit, protocol, batch=4, seeds=[0, 1], dtype="float64", backend=backend, parameters=parameters)
    random = np.random.default_rng(0)
    for name, tensor in made.tensors().items():
        if name.endswith("bias"):
            made.load(name, 0.3 * random.normal(size=tensor.shape))
    made.use(random.random((7, 3)), np.arange(7) % 3 if made.circuit.labels else None)
    return train(made, [np.array([6, 5, 4, 3]), np.array([3, 1, 0])])


def intervention(bench: Bench, backend: str) -> None:
    made = small(bench, backend)
    static = [finding for schedule in made.schedules for finding in schedule.findings]
    found = intervene(made, np.array([0, 1, 2]), seed=SEED).undeclared(static)
    assert not found, found


def cones(bench: Bench, backend: str) -> None:
    """The last neuron of every population, in the last example."""
    made = small(bench, backend)
    if any(p.centres for p in made.circuit.populations):
        return  # batch statistics are declared, and no cone
    for entry in made.schedule.entries:
        if entry.event.phase in FIRING and not entry.event.detail:
            name = made.circuit.populations[entry.event.which].name
            cone = light_cone(made, np.array([0, 1, 2]), name, neuron=2, example=2, replica=1)
            assert not cone.violations, cone.violations


def by_hand(bench: Bench, backend: str) -> None:
    """Three presentations on digits."""
    if bench.by_hand is None:
        by_recursion(bench, backend)
        return
    settings = [bench.first, bench.second]
    made = simulator(settings, backend=backend, evidence=bool(simulator(settings).circuit.mirrors))
    before = [weights_of(made, replica) for replica in range(2)]
    heard: list[list[Any]] = [[], []]
    for rows in ROWS:
        made.present(rows)
        for replica in range(2) if made.circuit.mirrors else ():
            heard[replica].append(fired(made, replica))
    for replica, setting in enumerate(settings):
        apart = distance(weights_of(made, replica), bench.by_hand(setting, before[replica], heard[replica]))
        assert apart < 1e-10, apart


def by_recursion(bench: Bench, backend: str) -> None:
    """Two presentations of the small circuit; for batch statistics, which the recursion lacks, a test of their own."""
    made = small(bench, backend)
    if any(p.centres for p in made.circuit.populations):
        test_classifier_circuits.test_centred_neurons_fire_without_mean(backend)
        return
    x, y = (made.bound_plan(3).arrays.get(("data", name, None), np.zeros(7, int)) for name in ("x", "y"))
    rates = made.state.parameter(made.circuit.plasticity[0].projection, "lr")
    for rows in (np.array([3, 1, 4]), np.array([5, 2])):
        before = [weights_of(made, replica) for replica in range(2)]
        made.present(rows)
        for replica, weights in enumerate(before):
            mixing = {
                (p.name, role): made.state.parameter(p.name, role)[replica]
                for p in made.circuit.populations
                for role in ("emits", "remembers")
            }
            expected = Recursion(made.circuit, weights, x[rows], y[rows], mixing).updated()
            learned = {n: weights[n] + rates[replica] / 0.3 * (expected[n] - weights[n]) for n in expected}
            assert distance(weights_of(made, replica), learned) < 1e-10


def phase_contract(bench: Bench, backend: str) -> None:
    of_phases.trained.cache_clear()
    try:
        for test in (
            of_phases.test_what_is_not_declared_is_neither_used_nor_touched,
            of_phases.test_what_is_only_read_is_not_changed,
            of_phases.test_what_is_written_does_not_depend_on_what_was_there,
            of_phases.test_the_first_that_adds_replaces_and_the_others_add,
        ):
            test(bench.first, backend)
        with pytest.MonkeyPatch.context() as patch:
            of_phases.test_a_phase_is_handed_its_declared_views_and_no_others(bench.first, backend, patch)
    finally:
        of_phases.trained.cache_clear()


def kernel_contract(bench: Bench, backend: str) -> None:
    """One draw of each comparison with the other backend, and what is known of this one."""

    def one(test: Any, **drawn: Any) -> None:
        test.hypothesis.inner_test(kernels=cpu, dtype="float64", seed=1, **drawn)

    for shape in ((3, 3), (3, 1)):
        one(of_kernels.test_gather_and_deliver, shape=shape)
        one(of_kernels.test_mixtures, shape=shape)
        one(of_kernels.test_differences_and_gates, shape=shape)
    for name in ACTIVATIONS:
        one(of_kernels.test_activate, name=name, replicas=3, size=1.0)
    one(of_kernels.test_apply, replicas=3, shape=(4, 3))
    one(of_kernels.test_bound, replicas=3, biased=True, several=True)
    one(of_kernels.test_masks_and_norms, replicas=3)
    kernels: ModuleType = module_of(backend)
    of_kernels.test_noise(cpu, "float64", True)
    of_kernels.test_noise_is_keyed(kernels, True)
    for known in (
        of_kernels.test_classes_become_indicators,
        of_kernels.test_signs_of_one_array_and_magnitudes_of_another,
        of_kernels.test_what_a_margin_asks_for,
        of_kernels.test_centred_activity_has_no_mean,
        of_kernels.test_weights_shrink_and_absent_ones_are_zero,
        of_kernels.test_a_replica_that_is_not_alive_is_left_alone,
    ):
        known(kernels)


def rule_contract(bench: Bench, backend: str) -> None:
    for rule in (rules.recirculation, rules.null, oja, saturating, three_products, covariance):
        of_rules.test_slow_mapped_and_lowered_agree(rule, "float64")


def mirror_mode(bench: Bench, backend: str) -> None:
    test_mirror.test_noise_is_keyed_by_presentation_replica_and_projection(backend)


SUITES = {
    "I": intervention,
    "C": cones,
    "K": kernel_contract,
    "P": phase_contract,
    "R": rule_contract,
    "H": by_hand,
    "M": mirror_mode,
}


def suites(fault: Fault) -> str:
    """The suites that run code of the fault's module: not the kernels' for a rule's lowering, nor the reverse."""
    module = fault.name.partition(":")[0]
    if fault in OF_RULES:
        return "ICPRH"
    if module in ("cpu", "reference"):
        return "ICKPHM" if fault.bench == "wm" else "ICKPH"
    return "ICPHM" if fault.bench == "wm" else "ICPH"


def catching(bench: str, backend: str, letters: str) -> str:
    """The suites among these that fail, by an assertion or any other exception."""
    found = ""
    for letter in letters:
        try:
            SUITES[letter](BENCHES[bench], backend)
        except Exception:  # an assertion, or what a broken engine runs into
            found += letter
    return found


def kept() -> set[Fault]:
    """One fault of each module and one that each suite catches, for each backend, chosen by a hash of the name."""
    groups: dict[tuple[str, str], list[Fault]] = {}
    for fault in FAULTS:
        for key in (fault.name.partition(":")[0], *fault.caught):
            groups.setdefault((fault.backend, key), []).append(fault)
    return {min(group, key=lambda fault: crc32(fault.name.encode())) for group in groups.values()}


def planted() -> list[Any]:
    """All faults as parameters; those that are not kept are planted nightly."""
    always = kept()
    return [
        pytest.param(f, id=f"{f.backend}-{f.name}", marks=() if f in always else pytest.mark.nightly) for f in FAULTS
    ]


def benches() -> list[Any]:
    """Return all benches with their backends; those of which no fault is kept run nightly."""
    always = {(f.bench, f.backend) for f in kept()}
    every = sorted({(f.bench, f.backend) for f in FAULTS})
    return [run if run in always else nightly(*run) for run in every]


@pytest.mark.parametrize(("bench", "backend"), benches())
def test_the_engine_as_it_is_passes(bench: str, backend: str) -> None:
    for letter in "ICPH":
        SUITES[letter](BENCHES[bench], backend)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_the_contracts_that_need_no_bench_pass(backend: str) -> None:
    for letter in "KRM":
        SUITES[letter](BENCHES["loop"], backend)


@pytest.mark.parametrize("fault", planted())
def test_a_broken_engine_is_caught_by_what_must(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    fault.plant(monkeypatch)
    assert catching(fault.bench, fault.backend, suites(fault)) == fault.caught


def test_no_fault_survives_and_both_backends_have_their_share() -> None:
    assert all(fault.caught for fault in FAULTS)
    assert len({(fault.name, fault.backend) for fault in FAULTS}) == len(FAULTS) > 100
    assert min(Counter(fault.backend for fault in FAULTS).values()) > 40


def test_what_is_local_but_wrong_is_left_to_the_contracts() -> None:
    """Where the intervention misses a non-local fault, the table gives the reason."""
    assert SILENT.keys() <= {fault.name for fault in FAULTS if "I" not in fault.caught}
    for fault in FAULTS:
        if "I" not in fault.caught:
            assert set(fault.caught) & set("KPRHMC"), fault
    assert sum(fault.local for fault in FAULTS) > 30
