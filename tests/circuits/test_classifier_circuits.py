"""Classifiers: what each feedback path must carry from elsewhere, how old it is, and that it computes what it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from building import Built, Tensors, classes, classifier, digits, distance, presentations, simulator, train, weights_of
from tensors import bits

from circuitsim.circuit.parts import Carries, Exchange, Mirror
from circuitsim.circuits.classifier import FEEDBACK, KNOWN, PRIMITIVES, READS, layered_classifier
from circuitsim.circuits.replacement import FEEDBACK as REPLACED
from circuitsim.circuits.replacement import replacement_classifier
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.locality import is_local
from circuitsim.timetable.schedule import make_schedule, make_schedules

SIZES = [6, 5, 4, 3]
LOCAL = ("fa", "dfa", "kp", "wm", "urfb", "ia")
ROWS = presentations(6)
both = pytest.mark.parametrize("backend", ["numba", "numpy"])


# --------------------------------------------------------------------------------------------------------- the verdict

Found = list[tuple[str, str]]


def findings(feedback: str, sizes: Sequence[int] = SIZES, **options: Any) -> Found:
    """Kind and projection of all findings, of presentations and of mirror mode; labels last."""
    schedules = make_schedules(*layered_classifier(sizes, feedback, **options))
    found = [finding for schedule in schedules for finding in schedule.findings]
    assert is_local(found) is all(f.kind == "label" for f in found)
    return sorted(((f.kind, f.projection) for f in found), key=lambda row: row[0] == "label")


def of_each_feedback(kind: str, top: int) -> Found:
    return [(kind, f"B{h}") for h in range(2, top + 1)]


@pytest.mark.parametrize("top", [1, 2, 3, 5])
@pytest.mark.parametrize("feedback", FEEDBACK)
def test_what_each_feedback_path_brings_from_elsewhere(feedback: str, top: int) -> None:
    """With neurons that look at their own input alone; a softmax adds one lateral wire, and that is all it adds."""
    kinds = {"bp": "weight-transport", "ss": "weight-transport", "sa": "weight-transport", "aa": "lateral"}
    assert kinds.keys() | {*LOCAL} == {*FEEDBACK}
    sizes = [3] * (top + 1)
    expected = of_each_feedback(kinds[feedback], top) if feedback in kinds else []
    label = [("label", f"W{top}")]
    for options in ({"output": "logistic"}, {"output": "identity", "loss": "hinge"}):
        assert findings(feedback, sizes, **options) == expected + label
    softmax = findings(feedback, sizes)
    assert sorted(softmax) == sorted([*expected, ("lateral", f"W{top}"), *label])


@pytest.mark.parametrize("primitive", KNOWN)
def test_primitives_one_by_one(primitive: str) -> None:
    kinds = {"sparse": "lateral", "self": "weight-transport"}
    expected = of_each_feedback(kinds[primitive], 3) if primitive in kinds else []
    assert findings("ia", primitives=[primitive], output="logistic") == [*expected, ("label", "W3")]


def test_a_layer_s_input_costs_no_finding_and_no_window() -> None:
    """W x arrives at the neuron itself, through the synapses that it has, when the neuron fires."""
    for primitive in KNOWN:
        own, fired = (layered_classifier(SIZES, "ia", primitives=[primitive], reads=reads) for reads in READS)
        assert make_schedule(*own).findings == make_schedule(*fired).findings
        assert make_schedule(*own).windows == make_schedule(*fired).windows
        assert (own[0] == fired[0]) == (primitive not in ("amp", "null"))


def test_all_primitives_together_and_the_names_of_sums() -> None:
    found = findings("aa", primitives=KNOWN, output="logistic")
    expected = of_each_feedback("weight-transport", 3) + of_each_feedback("lateral", 3)
    assert found == [*expected, ("label", "W3")]
    for name, sum_ in PRIMITIVES.items():
        named, spelt = (layered_classifier(SIZES, name, primitives=p)[0] for p in (None, sum_))
        assert named.text == spelt.text


def test_norms_and_means_are_lateral() -> None:
    lateral = of_each_feedback("lateral", 3)
    assert findings("wm", normalise=True, output="logistic") == [*lateral, ("label", "W3")]
    assert findings("wm", mirror=Mirror("", centre=True), output="logistic") == [*lateral, ("label", "W3")]
    both = findings("wm", mirror=Mirror("", centre=True), normalise=True, output="logistic")
    assert both == [*lateral, *lateral, ("label", "W3")]
    assert findings("wm", mirror=Mirror("", block_bias=True), output="logistic") == [("label", "W3")]
    assert findings("fa", normalise=True, output="logistic") == [("label", "W3")]  # only weight mirrors use it
    circuit, protocol = layered_classifier(SIZES, "fa", output="logistic")
    centred = replace(circuit, populations=tuple(replace(p, centres=p.name == "layer2") for p in circuit.populations))
    assert [(f.kind, f.projection) for f in make_schedule(centred, protocol).findings] == [
        ("lateral", "W2"), ("label", "W3"),
    ]  # fmt: skip


@pytest.mark.parametrize("feedback", LOCAL)
def test_local_ones_build_as_local(feedback: str) -> None:
    circuit, _ = layered_classifier(SIZES, feedback, output="logistic")
    assert replace(circuit, local=True).wires == circuit.wires
    with pytest.raises(CircuitError, match=r"got 1 finding\(s\), first lateral in W3, which reads all neurons of lay"):
        replace(layered_classifier(SIZES, feedback)[0], local=True)


def test_a_finding_of_mirror_mode_is_reported_once() -> None:
    presentation, *waves = make_schedules(*layered_classifier(SIZES, "wm", mirror=Mirror("", centre=True)))
    assert len(waves) == 2 and all(wave.findings == () for wave in waves)
    assert [f.rule for f in presentation.findings if f.projection[0] == "B"] == ["amp", "amp"]


def test_labels_from_another_site_are_a_remote_target() -> None:
    circuit, protocol = layered_classifier(SIZES, "fa", output="logistic")
    populations = tuple(replace(p, site="there" if p.name == "labels" else p.site) for p in circuit.populations)
    exchanges = tuple(replace(x, remote=x.source == "labels") for x in circuit.exchanges)
    remote = replace(circuit, populations=populations, exchanges=exchanges)
    found = make_schedule(remote, protocol).findings
    assert [(f.kind, f.projection) for f in found] == [("remote-target", "W3"), ("label", "W3")] and not is_local(found)


# --------------------------------------------------------------------------------------------------------- the windows


@pytest.mark.parametrize("delay", [1, 3])
@pytest.mark.parametrize("top", range(1, 7))
def test_windows(top: int, delay: int) -> None:
    """Layer h fires at h d, its error along the way is there at (2L - h) d, straight from the output at (L + 1) d."""
    sizes, every = [2] * (top + 1), range(1, top + 1)
    along = {f"W{h}": 2 * (top - h) + 1 for h in every}
    straight = {f"W{h}": top - h + 2 if h < top else 1 for h in every}
    mirrored = {f"B{h}": 2 * (top - h) + 1 for h in every if h > 1}  # the forward synapse's own two readings
    beside = {f"B{h}": 1 for h in every if h > 1}
    at_once = dict.fromkeys(beside, 0)
    expected: dict[str, dict[str, int]] = {
        **dict.fromkeys(("bp", "fa", "ss", "wm"), along),
        "dfa": straight,
        **dict.fromkeys(("kp", "urfb"), along | mirrored),
        **dict.fromkeys(("ia", "aa"), along | beside),
        "sa": along | at_once,
    }
    assert expected.keys() == {*FEEDBACK}
    for feedback, windows in expected.items():
        for loss in ("error", "hinge"):
            made = make_schedule(*layered_classifier(sizes, feedback, loss=loss, delay=delay))
            assert made.windows == {name: delay * window for name, window in windows.items()}, feedback
    waves = make_schedules(*layered_classifier(sizes, "wm", delay=delay))[1:]
    assert [wave.windows for wave in waves] == [{f"B{h}": delay} for h in every if h > 1]
    for primitive in KNOWN:
        found = make_schedule(*layered_classifier(sizes, "ia", primitives=[primitive], delay=delay)).windows
        assert found == {
            k: delay * w for k, w in (along | (at_once if primitive in ("decay", "self") else beside)).items()
        }


def test_windows_with_a_delay_for_each_projection() -> None:
    """Up d1 + d2 + d3 and down b3 + b2; straight feedback as soon as the output is there."""
    up, down = {"W1": 2, "W2": 5, "W3": 1}, {"B2": 4, "B3": 7, "D1": 3, "D2": 9}

    def windows(feedback: str) -> dict[str, int]:
        circuit, protocol = layered_classifier(SIZES, feedback)
        slower = tuple(replace(q, delay=(up | down)[q.name]) for q in circuit.projections)
        return make_schedule(replace(circuit, projections=slower), protocol).windows

    assert windows("fa") == {"W3": 1, "W2": 5 + 1 + 7, "W1": 2 + 5 + 1 + 7 + 4}
    assert windows("dfa") == {"W3": 1, "W2": 5 + 1 + 9, "W1": 2 + 5 + 1 + 3}
    assert windows("urfb") == windows("fa") | {"B3": 1, "B2": 5 + 1 + 7}


# ------------------------------------------------------------------------------------------------- what it computes

DEEP = (64, 9, 7, 10)
LIVELY = {"momentum": 0.6, "weight_decay": 0.02, ("W1", "lr"): 0.3}


def transposed(made: Simulator, *, layout: bool) -> Simulator:
    """Let each B{h} be the transpose of W{h}; with `layout` its numbers also lie in memory as those of W{h} do."""
    for (name, quantity, _), array in list(made.state.arrays().items()):
        if quantity == "weight" and name[0] == "B":
            turned = made.tensors()[f"W{name[1:]}.weight"].copy().transpose(0, 2, 1)
            if layout:
                made.state._arrays[name, "weight", None] = made.state._made[name, "weight", None] = turned
            else:
                array[...] = turned
    return made


def forward(made: Simulator) -> Tensors:
    return {name: tensor for name, tensor in weights_of(made).items() if name[0] == "W"}


@pytest.mark.parametrize("options", [{}, {"loss": "hinge", "output": "identity"}, {"hidden": "relu", "bias": False}])
@pytest.mark.parametrize("feedback", ["urfb", "kp"])
def test_updated_feedback_that_begins_as_the_transpose_is_backpropagation(
    feedback: str, options: dict[str, Any]
) -> None:
    expected = train(simulator([classifier("bp", DEEP, LIVELY, **options)], backend="numpy"), ROWS)
    made = train(
        transposed(simulator([classifier(feedback, DEEP, LIVELY, **options)], backend="numpy"), layout=True), ROWS
    )
    found = bits(made)
    assert {name: found[name] for name in bits(expected)} == bits(expected)
    assert np.array_equal(made.tensors()["B2.weight"], made.tensors()["W2.weight"].transpose(0, 2, 1))
    for backend in ("numpy", "numba"):
        other = train(
            transposed(simulator([classifier(feedback, DEEP, LIVELY, **options)], backend=backend), layout=False), ROWS
        )
        assert distance(forward(other), forward(expected)) < 1e-12
    never = train(simulator([classifier(feedback, DEEP, LIVELY, **options)]), ROWS)
    assert distance(forward(never), forward(expected)) > 1e-3


def test_feedback_alignment_from_the_transpose_makes_the_first_step_of_backpropagation() -> None:
    expected = simulator([classifier("bp", DEEP, LIVELY)], backend="numpy")
    made = transposed(simulator([classifier("fa", DEEP, LIVELY)], backend="numpy"), layout=True)
    for step, rows in enumerate(ROWS[:2]):
        expected.present(rows)
        made.present(rows)
        assert ({name: bits(made)[name] for name in bits(expected)} == bits(expected)) is (step == 0)


@both
@pytest.mark.parametrize("feedback", ["urfb", "kp", "ia", "sa", "aa"])
def test_feedback_that_does_not_learn_is_feedback_alignment(feedback: str, backend: str) -> None:
    still = {("B2", "lr"): 0.0, ("B3", "lr"): 0.0, ("W2", "momentum"): 0.5}
    expected = train(simulator([classifier("fa", DEEP, {("W2", "momentum"): 0.5})], backend=backend), ROWS)
    found = train(simulator([classifier(feedback, DEEP, still)], backend=backend), ROWS)
    assert bits(found) == bits(expected)


@both
def test_kolen_pollack_brings_the_two_together(backend: str) -> None:
    """W - B^T shrinks by 1 - lambda at each update, whatever is learned; the replicas have a lambda each."""
    settings = [classifier("kp", DEEP, {"weight_decay": decay, "lr": 0.2}) for decay in (0.0, 0.1, 0.5)]
    made = simulator(settings, backend=backend)

    def apart(h: int) -> np.ndarray:
        return made.tensors()[f"W{h}.weight"] - made.tensors()[f"B{h}.weight"].transpose(0, 2, 1)

    for rows in ROWS:
        before = [apart(h).copy() for h in (2, 3)]
        made.present(rows)
        for h, old in zip((2, 3), before, strict=True):
            np.testing.assert_allclose(apart(h), np.array([1, 0.9, 0.5])[:, None, None] * old, atol=1e-14)


PENALTIES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], float]] = {
    "decay": lambda b, w, below, above: 0.5 * (b**2).sum(),
    "amp": lambda b, w, below, above: -np.einsum("ni,ij,nj->n", below, b, above).mean(),
    "null": lambda b, w, below, above: 0.5 * ((above @ b.T) ** 2).sum(axis=1).mean(),
    "sparse": lambda b, w, below, above: 0.5 * ((below @ b) ** 2).sum(axis=1).mean(),
    "self": lambda b, w, below, above: -np.trace(b @ w),
}
"""Of B (below, above), W (above, below) and activities (example, neuron), means over the batch (Kunin et al. 2020)."""


def gradient(penalty: Callable[[np.ndarray], float], b: np.ndarray) -> np.ndarray:
    """Central differences."""
    found, step = np.empty_like(b), 1e-5
    for where in np.ndindex(b.shape):
        moved = np.zeros_like(b)
        moved[where] = step
        found[where] = (penalty(b + moved) - penalty(b - moved)) / (2 * step)
    return found


@both
@pytest.mark.parametrize(
    "chosen", [*((name,) for name in KNOWN), *PRIMITIVES.values(), KNOWN], ids=lambda names: "+".join(names)
)
@pytest.mark.parametrize("reads", READS)
def test_the_update_is_minus_the_gradient_of_the_penalties(chosen: tuple[str, ...], reads: str, backend: str) -> None:
    """The increments of the primitives of one projection add up, each with its own coefficient."""
    assert PENALTIES.keys() == {*KNOWN}
    rules = {name: "self_alignment" if name == "self" else name for name in chosen}
    factors = {name: 0.5 + 0.3 * k for k, name in enumerate(chosen)}
    numbers: dict[Any, float] = {(f"B{h}", f"{rule}.c"): factors[name] for h in (2, 3) for name, rule in rules.items()}
    setting = classifier("ia", DEEP, numbers | {("B2", "lr"): 0.2, ("B3", "lr"): 0.3}, primitives=chosen, reads=reads)
    probes = [(f"layer{h}", "O", 0) for h in (1, 2, 3)]
    made = simulator([setting], backend=backend, probes=probes)
    for rows in ROWS[:3]:
        before = weights_of(made)
        made.present(rows)
        for h, lr in ((2, 0.2), (3, 0.3)):
            below, above = (made.probe(f"layer{k}")[0] for k in (h - 1, h))
            b, w = before[f"B{h}.weight"], before[f"W{h}.weight"]
            above = below @ w.T if reads == "input" else above

            def penalty(
                b: np.ndarray, w: np.ndarray = w, below: np.ndarray = below, above: np.ndarray = above
            ) -> float:
                return sum(factors[name] * PENALTIES[name](b, w, below, above) for name in chosen)

            expected = b - lr * gradient(penalty, b)
            np.testing.assert_allclose(weights_of(made)[f"B{h}.weight"], expected, atol=1e-9)


def angle(made: Simulator, h: int) -> float:
    """Degrees between B{h} and the transpose of W{h}."""
    w, b = made.tensors()[f"W{h}.weight"][0], made.tensors()[f"B{h}.weight"][0]
    cosine = (w.T * b).sum() / np.linalg.norm(w) / np.linalg.norm(b)
    return float(np.degrees(np.arccos(cosine)))


@pytest.mark.parametrize("noise", ["gaussian", "uniform"])
@pytest.mark.parametrize("options", [{}, {"normalise": True}, {"masked": True}], ids=lambda o: "".join(o) or "plain")
def test_the_weight_mirror_aligns_feedback_with_the_transposed_weights(noise: str, options: dict[str, Any]) -> None:
    mirror = Mirror("", noise=noise, block_bias=True)  # type: ignore[arg-type]
    made = simulator(
        [classifier("wm", DEEP, {"lr": 0.1, "weight_decay": 0.05, "noise_scale": 0.7}, mirror=mirror, **options)],
        batch=40,
    )
    before = forward(made)
    assert all(60 < angle(made, h) < 120 for h in (2, 3))
    made.mirror(150)
    assert all(angle(made, h) < 15 for h in (2, 3))
    assert distance(forward(made), before) == 0  # all others rest
    if options.get("normalise"):
        assert np.linalg.norm(made.tensors()["B2.weight"]) == pytest.approx(1)


# ---------------------------------------------------------------------------------------- synapses that do not exist


@both
@pytest.mark.parametrize("feedback", ["fa", "ss", "urfb", "wm", "dfa", "sa"])
def test_absent_synapses_stay_absent(feedback: str, backend: str) -> None:
    numbers = {"density": 0.5, "momentum": 0.5, "weight_decay": 0.1}
    made = simulator([classifier(feedback, DEEP, numbers, masked=True)] * 2, seeds=[1, 2], backend=backend)
    absent = {name: t == 0 for name, t in made.tensors().items() if name.endswith("weight")}
    for name, none in absent.items():
        assert 0.2 < none.mean() < 0.8, name
        assert not np.array_equal(none[0], none[1])
    before = weights_of(made)
    train(made, ROWS)
    for name, none in absent.items():
        assert np.array_equal(made.tensors()[name] == 0, none), name
    assert distance(weights_of(made), before) > 1e-3


def test_masks_of_the_two_ways_are_drawn_apart() -> None:
    made = simulator([classifier("urfb", (64, 30, 30, 10), {"density": 0.5}, masked=True)])
    there = {name: t[0] != 0 for name, t in made.tensors().items() if name.endswith("weight")}
    for h in (2, 3):
        agree = (there[f"W{h}.weight"] == there[f"B{h}.weight"].T).mean()
        assert 0.4 < agree < 0.6
    assert 0.47 < there["W1.weight"].mean() < 0.53


def test_densities() -> None:
    """One for each replica; all are drawn from the same numbers, so a denser circuit has all of a sparser one's."""
    settings = [classifier("fa", DEEP, {"density": d}, masked=True) for d in (1e-300, 0.3, 0.7, 1.0)]
    made = simulator(settings, seeds=[5] * 4)
    w = made.tensors()["W1.weight"]
    assert not w[0].any() and w[3].all()
    assert not (w[1].astype(bool) & ~w[2].astype(bool)).any() and w[1].any()
    plain = simulator([classifier("fa", DEEP)], seeds=[5]).tensors()["W1.weight"]
    assert np.array_equal(w[3], plain[0])
    made.load("W1.weight", np.ones((4, 9, 64)))
    assert np.array_equal(made.tensors()["W1.weight"] != 0, w != 0) and not w[0].any()


@both
def test_weights_decay_and_biases_do_not(backend: str) -> None:
    made = simulator([classifier("fa", DEEP, {"lr": 0.0, "weight_decay": 0.1})], backend=backend)
    before = weights_of(train(made, ROWS[:1]))
    after = weights_of(train(made, ROWS[:3]))
    for name in before:
        learns = name[0] == "W" and name.endswith("weight")  # decay is part of an update: fixed feedback has none
        np.testing.assert_allclose(after[name], before[name] * (0.9**3 if learns else 1), rtol=1e-13)


# ---------------------------------------------------------------------------------------------- errors and labels


@both
def test_what_the_top_error_neurons_hold(backend: str) -> None:
    """Target less output; or by the margin, a replica's own."""
    rows, key = ROWS[0], ("error3", "O", 0)
    target = np.eye(10)[classes()[rows]]
    made = simulator([classifier("bp", DEEP)], backend=backend, probes=[key, ("layer3", "O", 0)])
    made.present(rows)
    np.testing.assert_allclose(made.probe("error3"), target - made.probe("layer3"), atol=1e-15)
    settings = [
        classifier("bp", DEEP, {("error3", "margin"): m}, loss="hinge", output="identity") for m in (1.0, 1 / 9)
    ]
    made = simulator(settings, backend=backend, probes=[key, ("layer3", "S", 0)])
    made.present(rows)
    for held, summed, margin in zip(made.probe("error3"), made.probe("layer3", "S"), (1.0, 1 / 9), strict=True):
        expected = np.where(target == 1, summed < 1, np.where(summed > -margin, -1 / 9, 0))
        assert np.array_equal(held, expected) and len(np.unique(held)) == 3


@both
def test_centred_neurons_fire_without_mean(backend: str) -> None:
    circuit, protocol = layered_classifier(DEEP, "fa")
    centred = replace(circuit, populations=tuple(replace(p, centres=p.name == "layer1") for p in circuit.populations))
    made = Simulator(centred, protocol, batch=16, backend=backend, dtype="float64", probes=[("layer1", "O", 0)])
    made.use(digits(), classes())
    made.present(ROWS[0])
    plain = Simulator(circuit, protocol, batch=16, backend=backend, dtype="float64", probes=[("layer1", "O", 0)])
    plain.use(digits(), classes())
    plain.present(ROWS[0])
    expected = plain.probe("layer1") - plain.probe("layer1").mean(axis=1, keepdims=True)
    np.testing.assert_allclose(made.probe("layer1"), expected, atol=1e-15)


def test_every_feedback_path_learns() -> None:
    """The right class of digits it was shown; chance is one in ten."""
    rows = presentations(250, largest=16)
    for feedback in FEEDBACK:
        numbers: dict[Any, float] = {"lr": 0.02, "weight_decay": 1e-4} | {(f"W{h}", "lr"): 0.2 for h in (1, 2, 3)}
        made = simulator([classifier(feedback, DEEP, numbers)], dtype="float32")
        train(made, rows)
        right = [fired[0].argmax(axis=1) == classes()[part] for part, fired, _ in made.outputs(digits())]
        assert np.concatenate(right).mean() > 0.6, feedback


LABELS = "labels for circuit classifier with fa"
REFUSED: list[tuple[Any, str]] = [
    (None, "none"),
    (np.zeros(4, int), "an array of int64 of shape (4,)"),
    (np.zeros((5, 1), int), "an array of int64 of shape (5, 1)"),
    (np.zeros(5), "an array of float64 of shape (5,)"),
    (np.zeros(5, bool), "an array of bool of shape (5,)"),
    (np.array([0, 1, 2, 3, 0]), "an array of int64 of shape (5,), out of range"),
    (np.array([0, 1, -1, 0, 0], np.int8), "an array of int8 of shape (5,), out of range"),
]


@pytest.mark.parametrize("y, got", REFUSED, ids=[got for _, got in REFUSED])
def test_labels_that_do_not_fit(y: Any, got: str) -> None:
    made = Simulator(*layered_classifier([4, 3], "fa"), batch=2)
    expected = (
        f"{LABELS}: got {got}; expected 5 whole numbers from 0 to 2. Give the class of each example, and as many label "
        "neurons as classes."
    )
    with pytest.raises(CircuitError, match="^" + re.escape(expected) + "$"):
        made.use(np.zeros((5, 4)), y)
    made.use(np.zeros((5, 4)), np.array([0, 1, 2, 2, 0], np.uint8))
    made.present([0, 1])


def test_what_is_shown_without_learning_needs_no_labels() -> None:
    made = simulator([classifier("bp", DEEP)])
    ((part, fired, summed),) = list(made.outputs(digits()[:7]))
    assert part == slice(0, 7) and fired.shape == summed.shape == (1, 7, 10)
    np.testing.assert_allclose(fired.sum(axis=2), 1)


# -------------------------------------------------------------------------------------------- feedback replacement


@both
@pytest.mark.parametrize("feedback", REPLACED)
def test_a_signal_that_replaces_activity_teaches_what_feedback_neurons_teach(feedback: str, backend: str) -> None:
    for options in ({"hidden": "tanh"}, {"hidden": "saturated", "bias": False, "output": "logistic"}):
        expected = train(simulator([classifier(feedback, DEEP, LIVELY, **options)], backend=backend), ROWS)
        described = Built("replaced", replacement_classifier, DEEP, (("feedback", feedback), *options.items()))
        made = train(simulator([described.having(LIVELY)], backend=backend), ROWS)
        assert distance(weights_of(made), weights_of(expected)) < 1e-12
        assert made.schedule.windows == expected.schedule.windows
        kinds = [[(f.kind, f.projection) for f in m.schedule.findings if f.kind != "label"] for m in (made, expected)]
        assert kinds[0] == kinds[1]


# ------------------------------------------------------------------------------------------------------- refusals

CHOOSE = "Choose one of these."


@pytest.mark.parametrize(
    "sizes, feedback, options, message",
    [
        ([4], "fa", {}, "sizes of a classifier: got [4]; expected at least two layers. Add the classes."),
        (SIZES, "rec", {}, f"feedback of a classifier: got 'rec'; expected one of {', '.join(FEEDBACK)}. {CHOOSE}"),
        (SIZES, "fa", {"loss": "mse"}, f"loss of a classifier: got 'mse'; expected one of error, hinge. {CHOOSE}"),
        (
            SIZES,
            "ia",
            {"primitives": ["amp", "grow"]},
            f"primitives of a classifier: got 'grow'; expected one of {', '.join(KNOWN)}. {CHOOSE}",
        ),
        (
            SIZES,
            "wm",
            {"primitives": ["amp", "decay"]},
            "primitives of a classifier: got amp, decay with feedback wm; expected feedback one of ia, sa, aa. "
            "Leave primitives out, or choose one of these.",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(
    sizes: list[int], feedback: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(CircuitError, match="^" + re.escape(message) + "$"):
        layered_classifier(sizes, feedback, **options)


def test_a_classifier_without_hidden_layers_has_no_feedback_path() -> None:
    for feedback in FEEDBACK:
        made = simulator([classifier(feedback, (64, 10))])
        train(made, ROWS[:2])
        assert sorted(made.tensors()) == ["W1.bias", "W1.weight"]


def test_labels_may_drive_neurons_of_their_own() -> None:
    """A population that takes over the labels' activity fires at once, and may project."""
    circuit, protocol = layered_classifier([64, 5, 10], "fa")
    copied = Exchange("labels", "seen", Carries.INPUT)
    population = replace(circuit.population("labels"), name="seen")
    made = replace(circuit, populations=(*circuit.populations, population), exchanges=(*circuit.exchanges, copied))
    simulated = Simulator(made, protocol, batch=16, probes=[("seen", "O", 0), ("labels", "O", 0)])
    simulated.use(digits(), classes())
    simulated.present(ROWS[0])
    assert np.array_equal(simulated.probe("seen"), simulated.probe("labels"))
    assert np.array_equal(simulated.probe("seen")[0].argmax(axis=1), classes()[ROWS[0]])
