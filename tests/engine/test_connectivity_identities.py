"""Identities of connectivities in whole circuits, most of them to the bit, on every backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import standin
from building import read_by
from networks import draw_biases, replica_of
from sample_rules import oja

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import Convolution, LocallyConnected, OneToOne, Table
from circuitsim.circuit.parts import Carries, Combine, Exchange, Mirror, Plasticity, Population, Projection
from circuitsim.circuit.weights import Fixed
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.circuits.places import Layers
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError, Diverged, TensorError
from circuitsim.events import Event
from circuitsim.lowering.links import in_rows
from circuitsim.randomness import generator
from circuitsim.rules import delta
from circuitsim.timetable.protocol import Protocol

Tensors = dict[str, np.ndarray]
SHAPE = (2, 6, 5)
X = np.random.default_rng(0).random((40, 72)) - 0.3
Y = np.random.default_rng(1).integers(0, 5, 40)
ROWS = [np.random.default_rng(2).integers(0, 40, 3 if t % 3 == 2 else 7) for t in range(8)]
MIXED = ["conv 3 3", "maxpool 3/2 same", "local 3 3", "local 3 3", "sum", "drop .3", "meanpool 2/1", "dense 5"]
PLAIN = [text for text in MIXED if not text.startswith("drop")]
CIRCLE = ["conv 3 3/2", "maxpool 2/1 same", "upsample 2", "local 2 3"]
each_backend = pytest.mark.parametrize("backend", standin.each("numba", "numpy", "cupy"))
on_processor = pytest.mark.parametrize("backend", ["numba", "numpy"])


def classifier(
    texts: Sequence[str] = MIXED, feedback: str = "bp", shape: tuple[int, ...] = SHAPE, **options: Any
) -> Any:
    return layered_classifier(parse_layers(texts, shape), feedback, **options)


def learner(
    described: tuple[Circuit, Protocol], backend: str = "numba", *, biases: float = 0.3, **options: Any
) -> Simulator:
    """A simulator of a described circuit with its data in use."""
    chosen = {"batch": 7, "dtype": "float64", "parameters": {"lr": 0.1}, **options}
    chosen["parameters"] = read_by(described[0], chosen["parameters"])
    made = Simulator(*described, backend=backend, **chosen)
    if biases:
        draw_biases(made, biases)
    made.use(X[:, : made.circuit.population(made.circuit.inputs).size], Y if made.circuit.labels else None)
    return made


def shown(made: Simulator, rows: Sequence[np.ndarray] = ROWS) -> Simulator:
    for one in rows:
        made.present(one)
    return made


def bits(made: Simulator) -> dict[str, bytes]:
    return {name: tensor.tobytes() for name, tensor in made.tensors().items()}


def far(one: Tensors, other: Tensors) -> float:
    """The largest difference, relative to the largest number of its tensor."""
    assert one.keys() == other.keys()
    return max(float(np.abs(one[n] - other[n]).max() / (np.abs(other[n]).max() or 1)) for n in other)


@dataclass(frozen=True)
class Member:
    """One circuit of the family that every way of running must give the same bits."""

    label: str
    described: Callable[[], tuple[Circuit, Protocol]]
    parameters: tuple[tuple[Any, Any], ...] = ()

    def made(self, backend: str = "numba", **options: Any) -> Simulator:
        parameters = {"lr": 0.1, "momentum": 0.4, **dict(self.parameters)}
        return learner(self.described(), backend, **{"parameters": parameters, **options})


def recirculating() -> tuple[Circuit, Protocol]:
    circuit, protocol = circular_autoencoder(
        parse_layers(["conv 3 3", "maxpool 3/1 same", "sum", "local 2 3"], SHAPE), cycles=2
    )
    return circuit, protocol


def gated() -> tuple[Circuit, Protocol]:
    """Two convolutions gate each other; the class is learned from their product, the gates by their own outputs."""
    image = (3, 6, 5)
    neurons = (
        Population("x", shape=SHAPE),
        Population("value", shape=image, activation="tanh"),
        Population("gate", shape=image, activation="logistic"),
        Population("product", shape=image, combine=Combine.PRODUCT),
        Population("o", 5, "softmax"),
        Population("t", 5, site="o"),
        Population("e", 5, site="o", feedback=True),
    )
    one = partial(Projection, weights=Fixed(1.0))
    synapses = (
        Projection("W1", "x", "value", bias=True, connectivity=Convolution(3)),
        Projection("W2", "x", "gate", delay=2, bias=True, connectivity=LocallyConnected(3)),
        one("p1", "value", "product", connectivity=OneToOne()),
        one("p2", "gate", "product", delay=3, connectivity=OneToOne()),
        Projection("W3", "product", "o", bias=True),
    )
    return Circuit(
        "gated", neurons, synapses, "x", "o", labels="t",
        exchanges=(Exchange("t", "e", Carries.TARGET), Exchange("o", "e", Carries.ACTUAL)),
        plasticity=(Plasticity("W3", delta, post="e"), Plasticity("W1", oja), Plasticity("W2", oja)),
    ), Protocol()  # fmt: skip


FAMILY = [
    Member("bp through pools, sums and dropout", classifier),
    Member("kp, masked", partial(classifier, PLAIN, "kp", masked=True), (("density", 0.6), ("weight_decay", 0.01))),
    Member("ss, redrawn", partial(classifier, MIXED, "ss", redrawn=True)),
    Member("copies", partial(classifier, PLAIN, "bp", copied=True), (("copy_interval", 3.0),)),
    Member("dfa, bounded", partial(classifier, PLAIN, "dfa", bounded=True), (("max_norm", 0.8),)),
    Member("ia, deferred", partial(classifier, PLAIN, "ia", deferred=True), (("update_probability", 0.5),)),
    Member(
        "wm, normalised", partial(classifier, PLAIN, "wm", mirror=Mirror("", centre=True), normalise=True, passes=2)
    ),
    Member("rec, two cycles", recirculating, (("emits", 0.2), ("remembers", 0.4))),
    Member("srbp", lambda: circular_autoencoder(parse_layers(CIRCLE, (2, 6, 4)), "srbp")),
    Member("gated", gated),
]
each_member = pytest.mark.parametrize("member", FAMILY, ids=[m.label for m in FAMILY])


# ------------------------------------------------------------------------------------------------ one thing, two names


def reshaped(tensor: np.ndarray, name: str, shape: tuple[int, ...], image: tuple[int, ...]) -> np.ndarray:
    """A dense tensor as a convolution of one window has it, or as an untied layer of one place."""
    if tensor.shape == shape or name[0] != "B":
        return tensor.reshape(shape)
    return np.moveaxis(tensor.reshape(*image, -1), -1, 1).reshape(shape)


COVERED: list[tuple[str, Callable[[Layers], tuple[Circuit, Protocol]]]] = [
    *((f, partial(layered_classifier, feedback=f)) for f in ("bp", "fa", "kp", "urfb", "ss", "wm", "sa")),
    ("dfa", partial(layered_classifier, feedback="dfa", loss="hinge", bounded=True)),
    ("copied", partial(layered_classifier, feedback="bp", copied=True, deferred=True)),
]


@pytest.mark.parametrize("kind", ["conv", "local"])
@pytest.mark.parametrize("describe", [row[1] for row in COVERED], ids=[row[0] for row in COVERED])
@each_backend
def test_a_valid_kernel_that_covers_its_input_is_dense(
    backend: str, describe: Callable[[Layers], tuple[Circuit, Protocol]], kind: str
) -> None:
    """To the bit where both are matrix products; the table, which the reference walks, sums in another order."""
    image = (3, 3, 3)
    for dtype in ("float64", "float32") if backend == "numba" else ("float64",):
        parameters = {"lr": 0.1, "momentum": 0.5, "max_norm": 0.9}
        texts = ["conv 3 3", "maxpool 3/2 same", "{}", "dense 5"]
        dense, covering = (
            learner(
                describe(parse_layers([t.format(text) for t in texts], SHAPE)),
                backend,
                dtype=dtype,
                parameters=parameters,
            )
            for text in ("dense 8", f"{kind} 8 3 valid")
        )
        for name, tensor in dense.tensors().items():
            shape = covering.tensors()[name].shape[1:]
            covering.load(name, np.ascontiguousarray(reshaped(tensor[0], name, shape, image)))
        for rows in ROWS:
            dense.present(rows)
            covering.present(rows)
        for name, tensor in dense.tensors().items():
            found = covering.tensors()[name][0]
            wanted = reshaped(tensor[0], name, found.shape, image)
            norms = backend == "cupy" and any(p.bounded for p in dense.circuit.populations)  # summed in another order
            if backend == "numpy" or norms:
                assert np.allclose(found, wanted, rtol=0, atol=1e-12), name
            else:
                assert np.array_equal(found, wanted), f"{name}, {dtype}: {np.abs(found - wanted).max()}"


def test_a_covering_kernel_of_many_neurons_is_dense_to_the_bit() -> None:
    """Large enough that products are cut into pieces."""
    x = np.random.default_rng(0).random((64, 768))
    dense, covering = (
        Simulator(*classifier([text, "dense 10"], "bp", (3, 16, 16)), batch=64, parameters={"lr": 0.1})
        for text in ("dense 96", "conv 96 16 valid")
    )
    for name, tensor in dense.tensors().items():
        covering.load(name, tensor.reshape(covering.tensors()[name].shape))
    for made in (dense, covering):
        made.use(x, np.arange(64) % 10)
        shown(made, [np.arange(64)] * 3)
    assert bits(dense) == bits(covering)


@each_backend
@pytest.mark.parametrize("feedback", ["bp", "kp", "wm"])
def test_untied_places_that_see_copies_of_one_patch_stay_equal(backend: str, feedback: str) -> None:
    """Places begin alike, see copies of one patch, and get the same error, through a mean over all places."""
    patches = np.random.default_rng(3).random((40, 2, 2, 2)) - 0.3
    x = np.tile(patches, (1, 1, 3, 3)).reshape(40, -1)
    described = classifier(["local 3 2/2 valid", "local 4 1", "meanpool 3", "dense 5"], feedback, (2, 6, 6))
    made = learner(described, backend, parameters={"lr": 0.2, "momentum": 0.5, ("W2", "noise_scale"): 0.0})
    for name, tensor in made.tensors().items():
        h = int(name[1])
        if h < 3 and name.endswith("weight"):
            made.load(name, np.broadcast_to(tensor[0, :1, :1], tensor.shape[1:]).copy())
        elif h < 3:
            made.load(name, np.broadcast_to(tensor[0, :, :1, :1], tensor.shape[1:]).copy())
    made.use(x, Y)
    begin = replica_of(made)
    shown(made)
    for name, tensor in replica_of(made).items():
        if int(name[1]) > 2:
            continue
        places = tensor.reshape(9, -1) if name.endswith("weight") else tensor.reshape(len(tensor), 9).T
        assert np.array_equal(places, np.broadcast_to(places[0], places.shape)), name
        assert np.abs(tensor - begin[name]).max() > 1e-3 or name[0] == "B", f"{name} learns"
    other = x.copy()
    other[:, 0] += 0.5  # one place sees something else
    made.use(other, Y)
    shown(made)
    places = made.tensors()["W1.weight"][0].reshape(9, -1)
    assert not np.array_equal(places[0], places[1]) and np.array_equal(places[1], places[2])


def used_slots(layers: Layers, k: int) -> np.ndarray:
    """The slots of layer k that have a synapse, in their order: taps over the border have none."""
    place = layers.places[k]
    return np.unique(place.connectivity.synapses(layers.places[place.below[0]].shape, place.shape).slot)


def tabled(layers: Layers) -> Layers:
    """The same layers with every convolution or untied layer given as a table of its synapses."""
    places = list(layers.places)
    for k, place in enumerate(places):
        if isinstance(place.connectivity, Convolution):
            post, pre, slot = place.connectivity.synapses(layers.places[place.below[0]].shape, place.shape)
            places[k] = replace(place, connectivity=Table(post, pre, np.searchsorted(used_slots(layers, k), slot)))
    return Layers(tuple(places))


def as_tables(layers: Layers, tensors: Tensors) -> Tensors:
    """Tensors of convolutions and untied layers as those tables have them."""
    found = {}
    for name, tensor in tensors.items():
        k = next(k for k, place in enumerate(layers.places) if place.h == int(name[1]))
        made = layers.places[k].connectivity
        if isinstance(made, Convolution) and name.endswith("weight"):
            forwards = tensor.swapaxes(*made.channel_axes) if name[0] == "B" else tensor
            found[name] = forwards.ravel()[used_slots(layers, k)]
        else:
            found[name] = tensor
    return found


@each_backend
@pytest.mark.parametrize(
    "kind,feedback", [("conv", "bp"), ("conv", "kp"), ("conv", "ia"), ("local", "bp"), ("local", "wm")]
)
def test_a_table_with_the_slots_of_a_convolution_is_the_convolution(backend: str, kind: str, feedback: str) -> None:
    """An untied layer whose slots are declared shared, too. Tables have a bias a neuron: shared biases stay out."""
    layers = parse_layers([f"{kind} 3 3", "maxpool 2", f"{kind} 4 2/1", "dense 5"], SHAPE)
    bias, parameters = kind == "local", {"lr": 0.1, "momentum": 0.5}
    made = learner(layered_classifier(layers, feedback, bias=bias), backend, parameters=parameters)
    table = learner(layered_classifier(tabled(layers), feedback, bias=bias), backend, parameters=parameters)
    for name, tensor in as_tables(layers, replica_of(made)).items():
        table.load(name, tensor)
    ends = as_tables(layers, replica_of(shown(made)))
    found = replica_of(shown(table))
    for name, tensor in ends.items():
        assert np.allclose(found[name], tensor, rtol=0, atol=1e-12), name


# ------------------------------------------------------------------------------------------ synapses that do not exist


@each_backend
@pytest.mark.parametrize(
    "feedback,more", [("kp", {}), ("wm", {"normalise": True}), ("ss", {"redrawn": True}), ("bp", {"copied": True})]
)
@pytest.mark.parametrize("kind", ["conv", "local", "table"])
def test_masked_synapses_stay_absent(backend: str, feedback: str, more: dict[str, Any], kind: str) -> None:
    layers = parse_layers(
        [
            f"{kind if kind != 'table' else 'local'} 3 3",
            "maxpool 2",
            f"{kind if kind != 'table' else 'local'} 4 2/1",
            "dense 5",
        ],
        SHAPE,
    )
    layers = tabled(layers) if kind == "table" else layers
    described = layered_classifier(layers, feedback, masked=True, bounded=True, **more)
    parameters = {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.02, "density": [0.5, 0.8], "max_norm": 0.9}
    made = learner(described, backend, parameters=parameters, seeds=(1, 2))
    begin = {name: tensor.copy() for name, tensor in made.tensors().items() if name.endswith("weight")}
    masks = {name: tensor != 0 for name, tensor in begin.items()}
    shown(made)
    for name, mask in masks.items():
        tensor, q = made.tensors()[name], made.circuit.projection(name[:2])
        assert np.array_equal(tensor != 0, mask), name
        assert np.abs(tensor - begin[name]).max() > 1e-4, f"{name} changes"
        for replica, density in enumerate((0.5, 0.8)):
            slots = np.unique(made.circuit.synapses(q.name).slot)
            kept = mask[replica].ravel()[slots].mean()
            both = density**2 if feedback == "bp" and name[0] == "B" else density  # a copy of what is masked itself
            assert abs(kept - both) < 4 * np.sqrt(0.25 / slots.size), (name, kept)


@each_backend
def test_a_masked_untied_layer_is_the_table_of_the_synapses_that_exist(backend: str) -> None:
    layers = parse_layers(["local 3 3", "local 4 3/2", "dense 5"], SHAPE)
    parameters = {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.01, "density": 0.6}
    masked = learner(layered_classifier(layers, "kp", masked=True), backend, parameters=parameters)
    places = list(layers.places)
    kept: dict[int, np.ndarray] = {}
    for h in (1, 2):
        post, pre, slot = masked.circuit.synapses(f"W{h}")
        exists = masked.tensors()[f"W{h}.weight"][0].ravel()[slot] != 0
        kept[h] = slot[exists]
        places[h] = replace(places[h], connectivity=Table(post[exists], pre[exists]))
    described = layered_classifier(Layers(tuple(places)), "kp")
    post, pre, slot = masked.circuit.synapses("B2")
    exists = masked.tensors()["B2.weight"][0].ravel()[slot] != 0
    back = Table(post[exists], pre[exists])
    synapses = tuple(replace(q, connectivity=back) if q.name == "B2" else q for q in described[0].projections)
    dense = tuple(replace(q, masked=q.name in ("W3", "B3")) for q in synapses)
    table = learner((replace(described[0], projections=dense), described[1]), backend, parameters=parameters)

    def listed(tensors: Tensors) -> Tensors:
        names = {"W1.weight": kept[1], "W2.weight": kept[2], "B2.weight": slot[exists]}
        return {name: t.ravel()[names[name]] if name in names else t for name, t in tensors.items()}

    for name, tensor in listed(replica_of(masked)).items():
        table.load(name, tensor)
    shown(masked)
    shown(table)
    assert far(replica_of(table), listed(replica_of(masked))) < 1e-12


# ------------------------------------------------------------------------------------------------- ways of running


@on_processor
@each_member
def test_the_queue_gives_the_bits_of_the_plan_in_every_order(member: Member, backend: str) -> None:
    wanted = bits(shown(member.made(backend)))
    for seed in range(2):
        random = np.random.default_rng(seed)

        def shuffled(events: list[Event], random: np.random.Generator = random) -> list[Event]:
            return [events[k] for k in random.permutation(len(events))]

        assert bits(shown(member.made(backend, order=shuffled))) == wanted


@on_processor
@each_member
def test_evidence_and_probes_change_no_bit(member: Member, backend: str) -> None:
    wanted = bits(shown(member.made(backend)))
    assert bits(shown(member.made(backend, evidence=True))) == wanted
    probes = [(p.name, "O", 0) for p in member.described()[0].populations]
    assert bits(shown(member.made(backend, probes=probes))) == wanted


@pytest.mark.parametrize("backend", standin.each("numba", "numpy", "cupy"))
@each_member
def test_a_sequence_of_batches_is_one_batch_after_the_other(member: Member, backend: str) -> None:
    rows = np.random.default_rng(5).integers(0, 40, (6, 7))
    one, all_at_once = member.made(backend), member.made(backend)
    shown(one, list(rows))
    all_at_once.present_each(rows)
    assert bits(one) == bits(all_at_once)


@on_processor
@each_member
def test_a_snapshot_goes_on_with_the_same_bits(member: Member, backend: str) -> None:
    wanted = shown(member.made(backend))
    first = shown(member.made(backend), ROWS[:4])
    kept = first.snapshot()
    resumed = member.made(backend, biases=0.0)
    resumed.restore(kept)
    shown(resumed, ROWS[4:])
    assert bits(resumed) == bits(wanted)
    assert all(resumed.snapshot()[name].tobytes() == a.tobytes() for name, a in wanted.snapshot().items())
    first.restore(kept)
    assert bits(shown(first, ROWS[4:])) == bits(wanted)


@pytest.mark.parametrize("backend", standin.each("numpy", "cupy"))
@each_member
def test_backends_agree(member: Member, backend: str) -> None:
    wanted = replica_of(shown(member.made("numba")))
    assert far(replica_of(shown(member.made(backend))), wanted) < 1e-11


@each_member
def test_single_precision_is_double_precision_to_rounding(member: Member) -> None:
    double = member.made()
    single = member.made(dtype="float32")
    for name, tensor in double.tensors().items():
        single.load(name, tensor.astype(np.float32))
    begin = replica_of(double)
    ends = replica_of(shown(double))
    assert far(replica_of(shown(single)), ends) < 1e-4
    assert far(begin, ends) > 1e-3


@on_processor
@each_member
def test_replicas_are_single_runs(member: Member, backend: str) -> None:
    """Other seeds, rates and densities, side by side."""
    each = [{"lr": lr, "momentum": m, **dict(member.parameters)} for lr, m in ((0.1, 0.4), (0.05, 0.0), (0.2, 0.1))]
    if "density" in each[0]:
        each[1]["density"] = 0.9
    together = {key: [parameters[key] for parameters in each] for key in each[0]}
    several = shown(member.made(backend, seeds=(3, 3, 8), parameters=together))
    for r, seed in enumerate((3, 3, 8)):
        alone = shown(member.made(backend, seeds=(seed,), parameters=each[r]))
        assert far(replica_of(several, r), replica_of(alone)) < 1e-12


@each_backend
def test_a_dropped_replica_stays_while_the_others_go_on(backend: str) -> None:
    for texts, feedback in ((PLAIN, "kp"), (MIXED, "bp")):
        described = classifier(texts, feedback, hidden="identity", output="identity")
        rates = {"lr": [0.05, 1e200, 0.05]}
        made = learner(described, backend, seeds=(1, 2, 3), parameters=rates, on_divergence="drop")
        shown(made)
        assert made.state.alive.tolist() == [True, False, True]
        assert all(np.isfinite(tensor).all() for tensor in made.tensors().values())
        calm = shown(learner(described, backend, seeds=(1, 2, 3), parameters={"lr": 0.05}))
        for r in (0, 2):
            assert far(replica_of(made, r), replica_of(calm, r)) < 1e-12
        stopping = learner(described, backend, seeds=(1, 2, 3), parameters=rates)
        with pytest.raises(Diverged, match=r"^projection W\d, replica 1: plasticity at tick"):
            shown(stopping)
        assert all(np.isfinite(tensor).all() for tensor in stopping.tensors().values())


@each_backend
def test_updates_that_wait(backend: str) -> None:
    """Certain updates are as if they did not wait; impossible ones gather, and all of what was gathered is applied."""
    plain, certain, never = (
        learner(classifier(PLAIN, "fa", deferred=deferred), backend, parameters={"lr": 0.1, "update_probability": p})
        for deferred, p in ((False, 1.0), (True, 1.0), (True, 1e-12))
    )
    begin = replica_of(never)
    shown(never)
    assert far(replica_of(never), begin) == 0
    assert far(replica_of(shown(plain)), replica_of(shown(certain))) < 1e-12
    pending = never.snapshot()
    by_hand = {name: np.zeros_like(tensor) for name, tensor in begin.items() if name[0] == "W"}
    for rows in ROWS:  # the weights never change: each increment is that of a circuit that begins here
        fresh = learner(classifier(PLAIN, "fa"), backend, parameters={"lr": 1.0})
        fresh.present(rows)
        for name in by_hand:
            by_hand[name] += replica_of(fresh)[name] - begin[name]
    for name, total in by_hand.items():
        kept = pending[f"state/{name.replace('.weight', '.pending').replace('.bias', '.bias_pending')}"][0]
        assert np.allclose(kept, total, rtol=0, atol=1e-12), name


# ---------------------------------------------------------------------------------------------------- overlap


@on_processor
@pytest.mark.parametrize("interval", [None, 6, 20])
def test_presentations_that_overlap(backend: str, interval: int | None) -> None:
    """Pools remember the winners of each example; a table of the same synapses learns the same."""
    layers = parse_layers(["conv 3 3", "maxpool 3/2 same", "conv 4 2/1", "dense 5"], SHAPE)

    def made(chosen: Layers, interval: int | None = interval) -> Simulator:
        circuit, protocol = layered_classifier(chosen, "bp", bias=False)
        return learner((circuit, replace(protocol, interval=interval)), backend)

    direct, listed = made(layers), made(tabled(layers))
    for name, tensor in as_tables(layers, replica_of(direct)).items():
        listed.load(name, tensor)
    for one in (direct, listed):
        shown(one)
        again = made(layers if one is direct else tabled(layers))
        again.restore(one.snapshot())
        for each in (one, again):
            shown(each, ROWS[:3])
            each.drain()
        assert bits(one) == bits(again)
    end = as_tables(layers, replica_of(direct))
    assert far(replica_of(listed), end) < 1e-11
    apart = shown(shown(made(layers, None)), ROWS[:3])
    late = far(end, as_tables(layers, replica_of(apart)))
    together = interval is not None and interval < direct.schedule.length
    assert late > 1e-6 if together else late == 0


# ----------------------------------------------------------------------------------------------- weights that are given


WRONG = [
    ("W1.weight", (3, 2, 9), r"got shape \(3, 2, 9\); expected \(3, 2, 3, 3\), or \(1, 3, 2, 3, 3\) with replicas"),
    ("W1.weight", (2, 3, 3, 3), r"got shape \(2, 3, 3, 3\); expected \(3, 2, 3, 3\)"),
    ("W1.bias", (3, 6, 5), r"got shape \(3, 6, 5\); expected \(3,\), or \(1, 3\) with replicas"),
    ("W2.weight", (3, 3, 3, 3), r"expected \(3, 3, 3, 3, 3, 3\), or"),
    ("W2.bias", (27,), r"got shape \(27,\); expected \(3, 3, 3\)"),
    ("B2.weight", (3, 3, 3, 3, 3), r"got shape \(3, 3, 3, 3, 3\); expected \(3, 3, 3, 3, 3, 3\)"),
    ("B4.weight", (5, 12), r"got shape \(5, 12\); expected \(12, 5\)"),
    ("to_layer1_maxpool.weight", (9,), r"got a name that the circuit lacks; expected one of B2.weight, B3"),
]


@pytest.mark.parametrize("name,shape,text", WRONG)
def test_weights_of_another_shape_are_refused(name: str, shape: tuple[int, ...], text: str) -> None:
    made = learner(classifier(PLAIN, "fa"))
    before = bits(made)
    with pytest.raises(TensorError, match=text):
        made.load(name, np.zeros(shape))
    assert bits(made) == before


# ------------------------------------------------------------------------------------------------------------ copies


@each_backend
@pytest.mark.parametrize("interval", [1, 3])
def test_copied_feedback_is_the_transpose_of_some_time_ago(backend: str, interval: int) -> None:
    """Copied in each presentation it is backpropagation; else it is fixed feedback that is loaded anew."""
    parameters = {"lr": 0.1, "copy_interval": float(interval)}
    copied = learner(classifier(PLAIN, copied=True), backend, parameters=parameters)
    if interval == 1:
        other = shown(learner(classifier(PLAIN), backend))
    else:
        other = learner(classifier(PLAIN, "fa"), backend)
        for number, rows in enumerate(ROWS):
            for h in (2, 3, 4):
                if number % interval == 0:
                    axes = other.circuit.projection(f"B{h}").connectivity.channel_axes
                    assert axes is not None
                    other.load(f"B{h}.weight", other.tensors()[f"W{h}.weight"][0].swapaxes(*axes).copy())
            other.present(rows)
    shown(copied)
    forward = [{n: a for n, a in replica_of(made).items() if n[0] == "W"} for made in (copied, other)]
    assert far(*forward) < 1e-12
    assert far(*forward) == 0 or interval == 1  # the transposed product sums in another order


# ----------------------------------------------------------------------------------------------------------- dropout


def silenced(name: str, seed: int, tick: int, shape: tuple[int, ...], fraction: float) -> np.ndarray:
    """The factor of each neuron of each example: 0, or what makes up for those that are silent."""
    return (generator(seed, f"dropout of {name}", tick).random(shape) >= fraction) / (1 - fraction)


@each_backend
@pytest.mark.parametrize("feedback", ["bp", "dfa"])
def test_dropout_by_hand(backend: str, feedback: str) -> None:
    """tanh, then the mask, in activity and slope; two updates of two replicas with seeds of their own."""
    made = learner(
        classifier(["dense 9", "drop .4", "dense 6", "drop .25", "dense 5"], feedback), backend, seeds=(4, 9)
    )
    ends = [replica_of(made, r) for r in range(2)]
    for rows in ROWS[1:3]:
        tick = made.tick
        made.present(rows)
        for r, seed in enumerate((4, 9)):
            w, x, batch = ends[r], X[rows][:, :60], len(rows)
            masks = [silenced(f"layer{h}", seed, tick, (batch, n), p) for h, n, p in ((1, 9, 0.4), (2, 6, 0.25))]
            s1 = x @ w["W1.weight"].T + w["W1.bias"]
            o1 = np.tanh(s1) * masks[0]
            s2 = o1 @ w["W2.weight"].T + w["W2.bias"]
            o2 = np.tanh(s2) * masks[1]
            s3 = o2 @ w["W3.weight"].T + w["W3.bias"]
            fired = np.exp(s3 - s3.max(axis=1, keepdims=True))
            d3 = (np.arange(5) == Y[rows][:, None]) - fired / fired.sum(axis=1, keepdims=True)
            slopes = [(1 - np.tanh(s) ** 2) * mask for s, mask in zip((s1, s2), masks, strict=True)]
            d2 = slopes[1] * (d3 @ (w["W3.weight"] if feedback == "bp" else w["D2.weight"].T))
            d1 = slopes[0] * (d2 @ w["W2.weight"] if feedback == "bp" else d3 @ w["D1.weight"].T)
            end = dict(w)
            for h, (delta_h, below) in enumerate(((d1, x), (d2, o1), (d3, o2)), start=1):
                end[f"W{h}.weight"] = w[f"W{h}.weight"] + 0.1 * delta_h.T @ below / batch
                end[f"W{h}.bias"] = w[f"W{h}.bias"] + 0.1 * delta_h.mean(axis=0)
            ends[r] = end
            assert far(replica_of(made, r), end) < 1e-12


@each_backend
def test_dropout_silences_a_fraction_and_the_rest_makes_up_for_it(backend: str) -> None:
    layers = parse_layers(["conv 4 3", "drop .3", "meanpool 2/1", "drop .6", "dense 5"], SHAPE)
    probes = [("layer1", "O", 0), ("layer1_meanpool", "O", 0), ("error1", "O", 0)]
    made = learner(layered_classifier(layers, "bp"), backend, batch=40, probes=probes, seeds=(0, 1))
    plain = classifier(["conv 4 3", "meanpool 2/1", "dense 5"])
    whole = learner(plain, backend, batch=40, probes=probes, seeds=(0, 1))
    whole.present(np.arange(40))
    full = whole.probe("layer1")
    seen: list[np.ndarray] = []
    for k in range(3):
        made.present(np.arange(40))
        fired = made.probe("layer1")
        silent = fired == 0
        assert abs(silent.mean() - 0.3) < 4 * np.sqrt(0.21 / silent.size)
        assert k or np.allclose(fired[~silent], full[~silent] / 0.7, rtol=1e-12)
        assert not made.probe("error1")[silent].any(), "silent neurons have no slope"
        pooled = made.probe("layer1_meanpool")
        assert abs((pooled == 0).mean() - 0.6) < 0.05
        assert not np.array_equal(silent[0], silent[1]) and not np.array_equal(silent[0, 0], silent[0, 1])
        assert all(not np.array_equal(silent, other) for other in seen), "every presentation draws anew"
        seen.append(silent)


@each_backend
def test_dropout_is_off_where_nothing_is_learned(backend: str) -> None:
    dropped, plain = (learner(classifier(texts), backend) for texts in (MIXED, PLAIN))
    for made in (dropped, plain):
        found = [fired.copy() for _, fired, _ in made.outputs(X[:, :60])]
        again = [fired.copy() for _, fired, _ in made.outputs(X[:, :60])]
        assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))
        if made is dropped:
            wanted = found
    assert all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))
    errors = [("error1", "O", 0)]
    one, other = (
        np.concatenate([values[0].copy() for _, values in made.observe(errors, X[:, :60], Y)], axis=1)
        for made in (dropped, plain)
    )
    assert np.array_equal(one, other) and one.any()


def test_dropout_of_mirror_mode_leaves_the_noise_whole() -> None:
    """Noise and answers belong to no lesson: all neurons take part."""
    wet, dry = (learner(classifier(["conv 4 3", *drop, "conv 4 3", "dense 5"], "wm")) for drop in (["drop .5"], []))
    for made in (wet, dry):
        made.mirror(3)
    assert bits(wet) == bits(dry)


# ---------------------------------------------------------------------------------------------------------- products


@each_backend
def test_a_product_of_sums_by_hand(backend: str) -> None:
    """Three projections of different delays meet in one neuron; what is above learns from their product."""
    size = {"x": 6, "a": 4, "p": 3}
    neurons = (
        Population("x", 6),
        Population("a", 4, "tanh"),
        Population("p", 3, "tanh", combine=Combine.PRODUCT),
        Population("o", 5, "softmax"),
        Population("t", 5, site="o"),
        Population("e", 5, site="o", feedback=True),
    )
    synapses = (
        Projection("W1", "x", "a", bias=True),
        Projection("W2", "x", "p", delay=4),
        Projection("W3", "a", "p"),
        Projection("W4", "a", "p", delay=2),
        Projection("W5", "p", "o", bias=True),
    )
    errors = (Exchange("t", "e", Carries.TARGET), Exchange("o", "e", Carries.ACTUAL))
    learning = (Plasticity("W5", delta, post="e"), Plasticity("W2", oja))
    circuit = Circuit("product", neurons, synapses, "x", "o", errors, learning, labels="t")
    made = learner((circuit, Protocol()), backend, seeds=(1, 2), probes=[("p", "O", 0)])
    ends = [replica_of(made, r) for r in range(2)]
    for rows in ROWS:
        made.present(rows)
        x = X[rows][:, : size["x"]]
        for r, w in enumerate(ends):
            a = np.tanh(x @ w["W1.weight"].T + w["W1.bias"])
            product = (x @ w["W2.weight"].T) * (a @ w["W3.weight"].T) * (a @ w["W4.weight"].T)
            p = np.tanh(product)
            s = p @ w["W5.weight"].T + w["W5.bias"]
            fired = np.exp(s - s.max(axis=1, keepdims=True))
            e = (np.arange(5) == Y[rows][:, None]) - fired / fired.sum(axis=1, keepdims=True)
            assert np.allclose(made.probe("p")[r], p, rtol=0, atol=1e-12)
            end = dict(w)
            end["W5.weight"] = w["W5.weight"] + 0.1 * e.T @ p / len(rows)
            end["W5.bias"] = w["W5.bias"] + 0.1 * e.mean(axis=0)
            grown = (p.T @ x - 0.3 * (p**2).sum(axis=0)[:, None] * w["W2.weight"]) / len(rows)
            end["W2.weight"] = w["W2.weight"] + 0.1 * grown
            ends[r] = end
            assert far(replica_of(made, r), end) < 1e-11
    whole = np.concatenate([fired.copy() for _, fired, _ in made.outputs(X[:, :6])], axis=1)
    assert whole.shape == (2, 40, 5) and np.allclose(whole.sum(axis=2), 1)


# ----------------------------------------------------------------------------------------------------- shapes in memory


def test_tensors_that_lie_alike_are_alike_as_rows() -> None:
    """Also with axes of length one, whose strides say nothing: a weight and its increment are one shape of rows."""
    for texts in (["conv 1 3", "conv 3 3", "conv 1 1", "dense 5"], ["local 1 3", "local 1 5 valid", "dense 5"]):
        made = learner(classifier(texts, "kp"), parameters={"lr": 0.1, "momentum": 0.5})
        arrays = made.state.arrays()
        for q in made.circuit.projections:
            if q.has_tensor:
                found = {
                    in_rows(arrays[q.name, quantity, None]).shape for quantity in ("weight", "increment", "velocity")
                }
                assert len(found) == 1, (q.name, found)


def test_dropout_lasts_through_the_cycles_of_a_presentation() -> None:
    """The same neurons are silent in every cycle; presentations that overlap cannot promise that, and are refused."""
    layers = parse_layers(["conv 3 3", "meanpool 2/1 same", "drop .5", "conv 2 3"], SHAPE)
    circuit, protocol = circular_autoencoder(layers, cycles=2)
    probes = [("layer1_meanpool", "O", cycle) for cycle in (0, 1, 2)]
    made = learner((circuit, protocol), probes=probes)
    made.present(ROWS[0])
    silent = [made.probe("layer1_meanpool", "O", cycle) == 0 for cycle in (0, 1, 2)]
    assert 0.3 < silent[0].mean() < 0.7
    assert all(np.array_equal(silent[0], other) for other in silent[1:])
    with pytest.raises(CircuitError, match=r"got dropout that lasts several cycles; expected presentations alone"):
        learner((circuit, replace(protocol, interval=40)))
