"""Connectivities in circuits: each way to get one wrong has its message; slots, sizes and shapes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from connectivities import LEARNING, Row

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import (
    Connectivity,
    Convolution,
    Dense,
    LocallyConnected,
    MaxPool,
    MeanPool,
    OneToOne,
    Resize,
    Reverse,
    Table,
    Upsample,
)
from circuitsim.circuit.parts import Carries, Combine, Exchange, Plasticity, Population, Projection
from circuitsim.circuit.weights import OWN, Copied, Fixed, Signs, Tied, Transposed
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError
from circuitsim.rules import delta
from circuitsim.timetable.protocol import Protocol

IMAGE = (2, 6, 5)
X = Population("x", shape=IMAGE)


def circuit(*parts: Any, outputs: str = "y", **more: Any) -> Circuit:
    """Populations and projections beside the input x."""
    populations = tuple(p for p in parts if isinstance(p, Population))
    projections = tuple(q for q in parts if isinstance(q, Projection))
    given: dict[str, Any] = {"exchanges": tuple(e for e in parts if isinstance(e, Exchange))}
    return Circuit("c", (X, *populations), projections, "x", outputs, **(given | more))


def join(connectivity: Any, post: tuple[int, ...], **more: Any) -> Circuit:
    """One projection from x to y."""
    combine = more.pop("combine", Combine.SUM)
    return circuit(
        Population("y", shape=post, combine=combine), Projection("q", "x", "y", connectivity=connectivity, **more)
    )


def refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(CircuitError, match="^" + re.escape(message) + "$"):
        make()


CONV = Convolution(3)
TURNED = ", read from target to source"
FIT: list[tuple[Connectivity, tuple[int, ...], str]] = [
    (CONV, (3, 6, 4), "expected a target of shape (3, 6, 5)"),
    (CONV, (30,), "expected images (channel, row, column) at both ends"),
    (Convolution(3, 2), (3, 6, 5), "expected a target of shape (3, 3, 3)"),
    (Convolution(7, 1, "valid"), (3, 1, 1), "expected an image of at least (7, 7) cells"),
    (Convolution((1, 6), 1, 0), (3, 6, 1), "expected an image of at least (1, 6) cells"),
    (LocallyConnected(3), (3, 5, 6), "expected a target of shape (3, 6, 5)"),
    (MeanPool(2), (3, 3, 2), "expected a target of shape (2, 3, 2)"),
    (MeanPool(7), (2, 1, 1), "expected an image of at least (7, 7) cells"),
    (MeanPool(2), (12,), "expected images (channel, row, column) at both ends"),
    (Upsample(2), (2, 6, 5), "expected a target of shape (2, 12, 10), or with the last block cut"),
    (Upsample(2), (2, 12, 8), "expected a target of shape (2, 12, 10), or with the last block cut"),
    (Upsample(2), (3, 12, 10), "expected a target of shape (2, 12, 10), or with the last block cut"),
    (Upsample(2), (240,), "expected images (channel, row, column) at both ends"),
    (OneToOne(), (2, 6, 6), "expected populations of one size"),
    (Table([0, 3], [59, 1]), (3,), "expected at least 60 presynaptic and 4 postsynaptic neurons"),
    (Table([0, 3], [60, 1]), (4,), "expected at least 61 presynaptic and 4 postsynaptic neurons"),
    (Convolution(3).transposed(), (3, 6, 4), "expected a target of shape (2, 6, 4), read from target to source"),
    (Upsample(2).transposed(), (2, 3, 2), f"expected a target of shape (2, 6, 4), or with the last block cut{TURNED}"),
    (Convolution(7, 1, "valid").transposed(), (3, 6, 5), f"expected an image of at least (7, 7) cells{TURNED}"),
]


@pytest.mark.parametrize("made,post,expected", FIT, ids=[f"{row[0]} to {row[1]}" for row in FIT])
def test_a_connectivity_must_fit_its_ends(made: Connectivity, post: tuple[int, ...], expected: str) -> None:
    got = f"projection q: got {made} from x of shape (2, 6, 5) to y of shape {post}"
    refused(lambda: join(made, post), f"{got}; {expected}. Match the shapes.")


@pytest.mark.parametrize("thing", [None, "conv", 3, Convolution, Dense, (CONV,), lambda pre, post: None])
def test_what_is_no_connectivity(thing: Any) -> None:
    message = f"projection q: got connectivity {thing!r}; expected Dense(), Convolution(...) or another connectivity."
    refused(lambda: join(thing, IMAGE), f"{message} Import one from circuitsim.")


SHAPES = [
    ((2, 0, 3), "size 0; expected a whole number >= 1. Give it at least one neuron."),
    (
        (-2, -3, 4),
        "shape (-2, -3, 4); expected whole numbers >= 1 whose product is the size, 24. Leave out size or shape.",
    ),
    ((2, 3.0), "shape (2, 3.0); expected whole numbers, such as (channel, row, column). Correct it."),
    ((True, 3), "shape (True, 3); expected whole numbers, such as (channel, row, column). Correct it."),
    (("2", 3), "shape ('2', 3); expected whole numbers, such as (channel, row, column). Correct it."),
    ("23", "shape '23'; expected whole numbers, such as (channel, row, column). Correct it."),
    (6, "shape 6; expected whole numbers, such as (channel, row, column). Correct it."),
    (None, "shape None; expected whole numbers, such as (channel, row, column). Correct it."),
    ((10**5, 10**5), "10,000,000,000 neurons; expected at most 2,147,483,647. Use fewer neurons."),
]


@pytest.mark.parametrize("shape,message", SHAPES, ids=[str(row[0]) for row in SHAPES])
def test_a_shape_is_whole_numbers(shape: Any, message: str) -> None:
    refused(lambda: circuit(Population("y", shape=shape), Projection("q", "x", "y")), f"population y: got {message}")


def test_a_size_that_contradicts_its_shape() -> None:
    message = "population y: got shape (2, 3); expected whole numbers >= 1 whose product is the size, 7."
    refused(
        lambda: circuit(Population("y", 7, shape=(2, 3)), Projection("q", "x", "y")),
        f"{message} Leave out size or shape.",
    )
    assert Population("y", 6, shape=[2, 3]).shape == (2, 3), "a list will do"  # type: ignore[arg-type]
    assert replace(Population("y", 6), size=7).shape == (7,)


TOO_LARGE = [
    (Dense(), (10**8,), "6,000,000,000"),
    (Convolution(30000), (1, 6, 5), "54,000,000,000"),
    (Convolution(1), (10**8 // 3, 6, 5), None),
    (LocallyConnected(1000, 1, "same"), (100, 6, 5), "6,000,000,000"),
    (MeanPool(9999, 1, "same"), (2, 6, 5), "5,998,800,060"),
    (Convolution(30000).transposed(), (2, 6, 5), "54,000,000,000"),
]


@pytest.mark.parametrize("made,post,numbers", TOO_LARGE, ids=[f"{row[0]}" for row in TOO_LARGE])
def test_arrays_have_their_bound(made: Connectivity, post: tuple[int, ...], numbers: str | None) -> None:
    got = f"projection q: got {made} from x of shape (2, 6, 5) to y of shape {post}: {numbers} numbers"
    if numbers is None:
        assert join(made, post).tensor_shape("q") == (post[0], 2, 1, 1)
    else:
        end = "expected at most 2,147,483,647 in one array. Use fewer neurons or smaller windows."
        refused(lambda: join(made, post), f"{got}; {end}")


# ---------------------------------------------------------------------------------------------- neurons that combine


def combined(
    combine: Any = Combine.MAX, *, inputs: int = 1, population: dict[str, Any] | None = None, **more: Any
) -> Circuit:
    given: dict[str, Any] = {"connectivity": MaxPool(2), "weights": Fixed(1.0)} | more
    neurons = Population("y", shape=(2, 3, 2), combine=combine, **(population or {}))
    return circuit(neurons, *(Projection(f"q{k}", "x", "y", **given) for k in range(inputs)))


BY_MAX = "population y, which combines by max: got"
ONE_POOL = "expected one projection with fixed weights, such as MaxPool. Pool in a population of its own."
PLAIN = "got neurons that mix, are replaced or carry errors; expected plain neurons. Set combine=Combine.SUM."
NO_BIAS = "got q0 with a bias; expected no bias. Give the biases to neurons before it."
KNOWN = "Combine.SUM, Combine.PRODUCT, Combine.MAX. Choose one of these."
COMBINED: list[tuple[str, Callable[[], object], str]] = [
    ("two pools", lambda: combined(inputs=2), f"{BY_MAX} 2 projections, 2 of them pooling; {ONE_POOL}"),
    ("dense", lambda: combined(connectivity=Dense()), f"{BY_MAX} 1 projections, 0 of them pooling; {ONE_POOL}"),
    ("bias", lambda: combined(bias=True), f"population y, which combines by max: {NO_BIAS}"),
    ("mixing", lambda: combined(population={"mixes": True}), f"population y, which combines by max: {PLAIN}"),
    (
        "product, mixing",
        lambda: combined(Combine.PRODUCT, connectivity=MeanPool(2), population={"mixes": True}),
        f"population y, which combines by product: {PLAIN}",
    ),
    (
        "product, bias",
        lambda: combined(Combine.PRODUCT, connectivity=Dense(), weights=OWN, bias=True),
        f"population y, which combines by product: {NO_BIAS}",
    ),
    ("no word", lambda: combined("most"), f"population y: got combine 'most'; expected {KNOWN}"),
    (
        "summed",
        lambda: combined(Combine.SUM),
        f"projection q0: got {MaxPool(2)} to y, which does not; expected a target that combines by max. "
        "Set combine there.",
    ),
]


@pytest.mark.parametrize("make,message", [row[1:] for row in COMBINED], ids=[row[0] for row in COMBINED])
def test_neurons_that_cannot_combine(make: Callable[[], object], message: str) -> None:
    refused(make, message)


def test_a_table_with_fixed_weights_can_be_pooled() -> None:
    """The largest input of any neurons: the table says which compete."""
    x = np.random.default_rng(0).normal(size=(9, 60))
    table = Table([0, 0, 0, 1, 1, 2], [5, 59, 7, 0, 1, 30])
    made = circuit(
        Population("y", 3, combine=Combine.MAX), Projection("q", "x", "y", connectivity=table, weights=Fixed(2.0))
    )
    for backend in ("numba", "numpy"):
        simulator = Simulator(made, Protocol(), batch=9, dtype="float64", backend=backend)
        ((_, fired, _),) = simulator.outputs(x)
        wanted = [2 * x[:, [5, 59, 7]].max(axis=1), 2 * x[:, [0, 1]].max(axis=1), 2 * x[:, 30]]
        assert np.array_equal(fired[0], np.stack(wanted, axis=1))


# ------------------------------------------------------------------------------------------------------------ winners


def winning(**more: Any) -> Circuit:
    """A pool, feedback neurons beside it and beside the image, and the projection between them."""
    pool = more.pop("pool", MaxPool(2))
    given = {"connectivity": MaxPool(2).transposed(), "weights": Fixed(1.0), "winners": "y"} | more
    neurons = (
        Population("h", shape=IMAGE),
        Population("y", shape=(2, 3, 2), combine=Combine.MAX),
        Population("ey", shape=(2, 3, 2), site="y", feedback=True),
        Population("eh", shape=IMAGE, site="h", feedback=True),
        Population("z", shape=(2, 3, 2)),
        Population("t", shape=(2, 3, 2), site="y"),
    )
    synapses = (
        Projection("w", "x", "h", connectivity=Convolution(3)),
        Projection("q", "h", "y", connectivity=pool, weights=Fixed(1.0)),
        Projection("u", "y", "z", connectivity=OneToOne()),
        Projection("v", "z", "t", connectivity=OneToOne()),
        Projection("b", "ey", "eh", **given),
    )
    exchanges = (
        Exchange("t", "ey", Carries.TARGET),
        Exchange("y", "ey", Carries.ACTUAL),
        Exchange("h", "eh", Carries.SLOPE),
    )
    return Circuit("c", (X, *neurons), synapses, "x", "z", exchanges, (Plasticity("w", delta, post="eh"),))


NAME_ONE = "expected a population that combines by max, colocated with the source. Name one."
LAST = MaxPool(2, ties="last").transposed()
WINNERS: list[tuple[str, dict[str, Any], str]] = [
    ("unknown", {"winners": "nobody"}, f"projection b: got winners 'nobody'; {NAME_ONE}"),
    ("no pool", {"winners": "h"}, f"projection b: got winners 'h'; {NAME_ONE}"),
    ("elsewhere", {"winners": "z"}, f"projection b: got winners 'z'; {NAME_ONE}"),
    (
        "another pool",
        {"pool": MaxPool(2, ties="last")},
        f"projection b: got connectivity {MaxPool(2).transposed()}; expected {LAST}, the synapses of q read backwards. "
        "Copy it from there.",
    ),
]


@pytest.mark.parametrize("more,message", [row[1:] for row in WINNERS], ids=[row[0] for row in WINNERS])
def test_winners_that_nobody_chose(more: dict[str, Any], message: str) -> None:
    assert winning().projection("b").winners == "y"
    refused(lambda: winning(**more), message)


# ------------------------------------------------------------------------------------------------------------ dropout


FRACTION = "expected a fraction from 0 to below 1. Correct it."
OTHER = "got neurons of another kind; expected neurons that are neither clamped, mixing, replaced nor feedback neurons."
OTHER += " Drop out neurons of another layer."


@pytest.mark.parametrize("fraction", [1, 1.0, -0.1, float("nan"), float("inf"), "half", True, (0.5,)])
def test_a_fraction_that_is_none(fraction: Any) -> None:
    make = lambda: circuit(Population("y", 3, dropout=fraction), Projection("q", "x", "y"))  # noqa: E731
    refused(make, f"dropout of population y: got {fraction!r}; {FRACTION}")


def test_neurons_that_cannot_be_dropped_out() -> None:
    mixing = Population("y", 3, mixes=True, dropout=0.5)
    refused(lambda: circuit(mixing, Projection("q", "x", "y")), f"dropout of population y: {OTHER}")
    found = winning()
    for name in ("x", "ey", "eh"):
        neurons = tuple(replace(p, dropout=0.5) if p.name == name else p for p in found.populations)
        refused(partial(replace, found, populations=neurons), f"dropout of population {name}: {OTHER}")
    taken = Population("y", 60, site="x", dropout=0.5), Exchange("x", "y", Carries.INPUT)
    refused(lambda: circuit(*taken), f"dropout of population y: {OTHER}")


# ---------------------------------------------------------------------------------------- weights of other projections


@pytest.mark.parametrize("weights", [Transposed("w"), Signs("w"), Copied("w"), Tied("w")])
def test_weights_of_another_connectivity(weights: Any) -> None:
    conv, neurons = Convolution(3), (Population("h", shape=(3, 6, 5)), Population("y", shape=IMAGE))
    origin = Projection("w", "x", "h", connectivity=conv)
    wanted = conv if isinstance(weights, Tied) else conv.transposed()
    for other in (Dense(), Convolution(3, 1, 1).transposed(), LocallyConnected(3).transposed(), Convolution(5)):
        q = Projection("q", "h", "y", connectivity=other, weights=weights)
        end = f"got connectivity {other}; expected {wanted}, that of w. Set connectivity={wanted}."
        refused(partial(circuit, *neurons, origin, q), f"projection q: {end}")


def test_weights_of_images_of_another_shape() -> None:
    """The same connectivity, between other images."""
    neurons = Population("h", shape=(3, 6, 5)), Population("g", shape=(3, 5, 6)), Population("y", shape=(2, 5, 6))
    synapses = (
        Projection("w", "x", "h", connectivity=Convolution(3)),
        Projection("v", "x", "g"),
        Projection("q", "g", "y", connectivity=Convolution(3).transposed(), weights=Transposed("w")),
    )
    end = "got shape ((2, 5, 6), (3, 5, 6)); expected ((2, 6, 5), (3, 6, 5)), w transposed. Match the layers."
    refused(lambda: circuit(*neurons, *synapses), f"projection q: {end}")


def test_fixed_synapses_do_not_learn() -> None:
    message = "plasticity of q: got weights=Fixed(value=1.0); expected weights that only rules change. Remove it."
    refused(lambda: circuit(
        Population("y", shape=(2, 3, 2)), Projection("q", "x", "y", connectivity=MeanPool(2), weights=Fixed(1.0)),
        plasticity=(Plasticity("q", delta),),
    ), message)  # fmt: skip


def test_a_bound_on_neurons_that_share_some_of_their_weights() -> None:
    neurons = Population("y", shape=(3, 6, 5), bounded=True)
    end = "expected filters of convolutions alone, or no shared weights. Do not bound it."
    message = f"bounded population y: got q, whose weights are shared, and 1 other projection(s); {end}"
    shared, dense = Projection("q", "x", "y", connectivity=Convolution(3)), Projection("r", "x", "y")
    refused(lambda: circuit(neurons, shared, dense), message)
    refused(lambda: circuit(neurons, shared, replace(dense, connectivity=LocallyConnected(3))), message)
    other = replace(dense, connectivity=Convolution(5))
    assert circuit(neurons, shared, other).population("y").bounded
    table = Projection("q", "x", "y", connectivity=Table([0, 1], [0, 1], [0, 0]))
    refused(lambda: circuit(neurons, table), message.replace("1 other", "0 other"))


# ---------------------------------------------------------------------------------------------------- slots and words


@pytest.mark.parametrize("row", LEARNING, ids=[row.label for row in LEARNING])
def test_used_slots_are_those_of_the_table(row: Row) -> None:
    if isinstance(row.connectivity, Convolution):
        slots = row.connectivity.synapses(row.pre, row.post).slot
        found = row.connectivity.used(row.pre, row.post)
        assert np.array_equal(np.flatnonzero(found), np.unique(slots))


def test_shared_weights_are_a_wire_and_untied_ones_are_not() -> None:
    kinds = {}
    for texts in (
        ["conv 3 3", "dense 4"],
        ["local 3 3", "dense 4"],
        ["maxpool 2", "local 3 3", "upsample 2", "dense 4"],
    ):
        made, _ = layered_classifier(parse_layers(texts, IMAGE), "fa", output="logistic")
        kinds[texts[0]] = [(wire.kind, wire.projection) for wire in made.wires if wire.kind != "label"]
    assert kinds == {"conv 3 3": [("weight-sharing", "W1")], "local 3 3": [], "maxpool 2": []}
    covering = circuit(
        Population("y", shape=(4, 1, 1)), Projection("q", "x", "y", connectivity=Convolution((6, 5), 1, "valid"))
    )
    assert not covering.wires, "one window shares nothing"


def test_reverse_returns_and_is_written_out() -> None:
    assert Reverse(CONV).transposed() == CONV and CONV.transposed().transposed() is CONV
    assert repr(Convolution(3, 2)) == "Convolution(kernel=(3, 3), stride=(2, 2), padding='same')"
    assert Convolution(3, padding=(0, 1)).padding == (0, 1) and Convolution(3, padding=1) == Convolution(
        (3, 3), (1, 1), (1, 1)
    )


@pytest.mark.parametrize(("small", "large"), [((3, 2), (7, 5)), ((6, 5), (3, 9)), ((1, 4), (3, 1)), ((4, 4), (4, 4))])
def test_resizing_is_bilinear_with_aligned_corners(small: tuple[int, int], large: tuple[int, int]) -> None:
    """Against SciPy's interpolation on a grid whose corners are those of the image."""
    from scipy.interpolate import RegularGridInterpolator

    image = np.random.default_rng(0).random((2, *small))
    post, pre, slot = Resize().synapses((2, *small), (2, *large))
    weights = Resize().constants((2, *small), (2, *large))
    found = np.bincount(post, image.reshape(-1)[pre] * weights[slot], 2 * large[0] * large[1]).reshape(2, *large)
    places = [np.linspace(0, n - 1, m) if m > 1 else np.zeros(1) for n, m in zip(small, large, strict=True)]
    grid = [np.arange(max(n, 2)) for n in small]
    for channel in (0, 1):
        padded = np.pad(image[channel], [(0, max(0, 2 - n)) for n in small], mode="edge")
        expected = RegularGridInterpolator(grid, padded)(np.stack(np.meshgrid(*places, indexing="ij"), axis=-1))
        np.testing.assert_allclose(found[channel], expected, atol=1e-12)


def test_a_resize_between_other_channels_is_refused() -> None:
    assert Resize().problem((2, 3, 3), (3, 3, 3)) == "images (channel, row, column) of as many channels at both ends"
    assert Resize().problem((2, 3, 3), (2, 9, 1)) == ""
