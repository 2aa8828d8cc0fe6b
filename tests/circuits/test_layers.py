"""Layers as texts: what they say, what they may not say, and that nothing is allocated for what cannot be."""

from __future__ import annotations

import re
import tracemalloc
from typing import Any

import numpy as np
import pytest

from circuitsim.circuit.connectivity import (
    DENSE,
    Convolution,
    LocallyConnected,
    MaxPool,
    MeanPool,
    OneToOne,
    Upsample,
)
from circuitsim.circuit.parts import Combine
from circuitsim.circuit.weights import Fixed, Own, Transposed
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.circuits.places import Layers, as_layers
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError

IMAGE = (3, 9, 8)


def shapes(*texts: str) -> list[tuple[int, ...]]:
    return [place.shape for place in parse_layers(texts, IMAGE).places[1:]]


def connectivities(*texts: str) -> list[Any]:
    return [place.connectivity for place in parse_layers(texts, IMAGE).places[1:]]


# ------------------------------------------------------------------------------------------------ what they say


def test_each_text_says_its_connectivity_and_its_shape() -> None:
    texts = ("conv 6 5", "conv 4 3/2 valid", "local 5 2/1 same", "local 2 2 valid", "dense 7")
    made = [Convolution(5), Convolution(3, 2, "valid"), LocallyConnected(2), LocallyConnected(2, 1, "valid"), DENSE]
    assert connectivities(*texts) == made
    assert shapes(*texts) == [(6, 9, 8), (4, 4, 3), (5, 4, 3), (2, 3, 2), (7,)]
    texts = ("maxpool 2", "maxpool 3/1 same last", "meanpool 2/1", "maxpool 2/1 all", "upsample 3", "sum", "dense 1")
    assert connectivities(*texts[:5], "upsample 1", *texts[5:]) == [
        MaxPool(2), MaxPool(3, 1, "same", ties="last"), MeanPool(2, 1), MaxPool(2, 1, ties="all"), Upsample(3),
        Upsample(1), OneToOne(), DENSE,
    ]  # fmt: skip
    assert shapes(*texts[:5], "dense 2") == [(3, 4, 4), (3, 4, 4), (3, 3, 3), (3, 2, 2), (3, 6, 6), (2,)]


def test_layers_without_weights_take_no_number() -> None:
    row = parse_layers(
        ["maxpool 2/1 same", "sum", "conv 3 3", "maxpool 2/1 same", "sum", "sum", "drop .25", "dense 4"], IMAGE
    )
    names = [
        "layer0",
        "layer0_maxpool",
        "layer0_sum",
        "layer1",
        "layer1_maxpool",
        "layer1_sum",
        "layer1_sum_2",
        "layer2",
    ]
    assert [place.name for place in row.places] == names
    assert list(row.weighted) == [1, 2] and row.sizes == [216, 216, 4]
    assert row.source(2).name == "layer1_sum_2" and row.source(2).dropout == 0.25
    assert [place.below for place in row.places] == [(), (0,), (1, 0), (2,), (3,), (4, 3), (5, 4), (6,)]
    assert [place.name for place in row.taught] == names[3:]


def test_sums_add_the_two_layers_below_and_their_errors_go_to_both() -> None:
    circuit, _ = layered_classifier(parse_layers(["conv 3 3", "local 3 3", "sum", "dense 4"], (3, 4, 4)), "bp")
    arriving = {q.source: q for q in circuit.incoming["layer2_sum"]}
    assert set(arriving) == {"layer1", "layer2"} and all(q.weights == Fixed(1.0) for q in arriving.values())
    errors = {q.target: q for q in circuit.outgoing["error2_sum"]}
    assert set(errors) == {"error1", "error2"} and all(q.connectivity == OneToOne() for q in errors.values())
    assert circuit.projection("B2").weights == Transposed("W2") and circuit.projection("W2").weights == Own()
    first, _ = layered_classifier(parse_layers(["conv 3 3", "sum", "dense 4"], (3, 4, 4)), "bp")
    assert {q.source for q in first.incoming["layer1_sum"]} == {"layer0", "layer1"}
    assert {q.target for q in first.outgoing["error1_sum"]} == {"error1"}, "the input takes no error"


def test_pools_combine_by_max_and_pass_errors_to_their_winners() -> None:
    circuit, _ = layered_classifier(parse_layers(["conv 3 3", "maxpool 2", "meanpool 2", "dense 4"], IMAGE), "fa")
    assert circuit.population("layer1_maxpool").combine is Combine.MAX
    assert circuit.population("layer1_meanpool").combine is Combine.SUM
    assert circuit.projection("from_error1_maxpool").winners == "layer1_maxpool"
    assert circuit.projection("from_error1_meanpool").winners == ""


def test_a_row_of_numbers_is_dense_layers() -> None:
    assert as_layers([5, 4, 3]) == parse_layers(["dense 4", "dense 3"], (5,))
    row = parse_layers(["dense 4"], IMAGE)
    assert as_layers(row) is row and row.top.shape == (4,)


def test_a_dense_layer_reads_its_image_flattened() -> None:
    """Channel, row, column: the same weights whether the input has a shape or none."""
    ends = []
    for shape in (IMAGE, (216,)):
        made = Simulator(*layered_classifier(parse_layers(["dense 5", "dense 4"], shape), "kp"), batch=6)
        made.use(np.random.default_rng(0).random((6, 216)), np.arange(6) % 4)
        made.present(np.arange(6))
        ends.append({name: tensor.tobytes() for name, tensor in made.tensors().items()})
    assert ends[0] == ends[1]
    circles = []
    for layers in (parse_layers(["dense 5", "dense 216"], IMAGE), [216, 5, 216]):
        made = Simulator(*circular_autoencoder(layers, "rec-symmetric", cycles=2), batch=6)
        made.use(np.random.default_rng(0).random((6, 216)))
        made.present(np.arange(6))
        circles.append({name: tensor.tobytes() for name, tensor in made.tensors().items()})
    assert circles[0] == circles[1]


# ------------------------------------------------------------------------------------------------ what they may not


ONE_OF = (
    'expected one of "conv C K[/S] [valid]", "local C K[/S] [valid]", "maxpool K[/S] [same]", "meanpool K[/S] [same]"'
)
NO_TEXT = [
    "", " ", "conv", "conv 3", "conv 3 ", "conv  3 3", " conv 3 3", "conv 3 3 ", "conv 3 3\n", "Conv 3 3", "conv -3 3",
    "conv 3 -3", "conv 3 3/-1", "conv 3.0 3", "conv 3 3/", "conv 3 3/1/1", "conv 3 3 full", "conv 3 3 valid same",
    "conv 1e3 3", "conv 3 3x3", "conv ٣ 3", "conv ３ 3", "conv ² 3", "conv 1234567 3", "conv 3 12345", "local 3",
    "maxpool", "maxpool -2", "maxpool 2 2", "maxpool 2 all same", "meanpool 2 first", "maxpool 2/", "upsample",
    "upsample 0",
    "upsample 2 2", "upsample -1", "dense", "dense 0", "dense -1", "dense 1_000", "dense ٣", "dense 1234567890",
    "dense 10\n", "sum 2", "drop", "drop 1", "drop 1.5", "drop -.5", "drop .٣", "drop 50%", "drop 1e-1", "drop nan",
    "drop .1234567", "dense 5; conv 3 3", "input 5",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_TEXT)
def test_a_text_that_names_no_layer(text: str) -> None:
    with pytest.raises(CircuitError, match="^" + re.escape(f"layers: got {text!r}; {ONE_OF}")):
        parse_layers(["conv 3 3", text, "dense 4"], IMAGE)


@pytest.mark.parametrize("thing", [None, 5, 5.0, b"dense 5", ["dense 5"], ("conv", 3, 3)])
def test_what_is_no_text(thing: Any) -> None:
    with pytest.raises(CircuitError, match="^" + re.escape(f"layers: got {str(thing)!r}; {ONE_OF}")):
        parse_layers([thing], IMAGE)


WINDOWS = "expected windows that fit into it, and at least one channel. Use a smaller window."
SIDES = "expected a whole number >= 1, or one for rows and one for columns. Correct it."
NO_IMAGE = "above a layer of shape (4,); expected an image (channel, row, column). Put it below the dense layers."
ALIKE = "expected two layers of one shape below. Match the layers."
ONCE = "expected a layer whose neurons can be silent, once. Put it above another layer."
SOME = 'expected at least one layer with weights. Add one, such as "dense 10".'
BITS = "expected at most 63, since a neuron remembers a bit for each. Use first or last."
FITS = [
    (["conv 3 10 valid"], f"layers: got 'conv 3 10 valid' above an image of shape (3, 9, 8); {WINDOWS}"),
    (["local 3 9 valid"], f"layers: got 'local 3 9 valid' above an image of shape (3, 9, 8); {WINDOWS}"),
    (["conv 0 3"], f"layers: got 'conv 0 3' above an image of shape (3, 9, 8); {WINDOWS}"),
    (["maxpool 9"], f"layers: got 'maxpool 9' above an image of shape (3, 9, 8); {WINDOWS}"),
    (["conv 3 0"], f"kernel of Convolution: got 0; {SIDES}"),
    (["local 3 3/0"], f"stride of LocallyConnected: got 0; {SIDES}"),
    (["maxpool 0"], f"size of MaxPool: got 0; {SIDES}"),
    (["meanpool 2/0"], f"stride of MeanPool: got 0; {SIDES}"),
    (["maxpool 8/1 same all"], f"ties of MaxPool: got all of 64 taps; {BITS}"),
    (["dense 4", "conv 3 3"], f"layers: got 'conv 3 3' {NO_IMAGE}"),
    (["dense 4", "maxpool 2"], f"layers: got 'maxpool 2' {NO_IMAGE}"),
    (["dense 4", "upsample 2"], f"layers: got 'upsample 2' {NO_IMAGE}"),
    (["sum"], f'layers: got "sum" above layers of shapes [(3, 9, 8)]; {ALIKE}'),
    (["conv 2 3", "sum"], f'layers: got "sum" above layers of shapes [(3, 9, 8), (2, 9, 8)]; {ALIKE}'),
    (["dense 4", "dense 5", "sum"], f'layers: got "sum" above layers of shapes [(4,), (5,)]; {ALIKE}'),
    (["drop .5", "dense 4"], f"layers: got 'drop .5' above the input; {ONCE}"),
    (["dense 4", "drop .5", "drop .5"], f"layers: got 'drop .5' above another drop; {ONCE}"),
    ([], f"layers: got []; {SOME}"),
    (["maxpool 2", "upsample 2"], f"layers: got ['maxpool 2', 'upsample 2']; {SOME}"),
]


@pytest.mark.parametrize("texts,message", FITS, ids=[" + ".join(row[0]) for row in FITS])
def test_a_layer_that_does_not_fit(texts: list[str], message: str) -> None:
    with pytest.raises(CircuitError, match="^" + re.escape(message)):
        parse_layers(texts, IMAGE)


def test_one_text_is_no_list() -> None:
    with pytest.raises(
        CircuitError, match=r"^layers: got 'dense 5', one text; expected a list of texts\. Put it into a list\.$"
    ):
        parse_layers("dense 5", IMAGE)


def test_the_top_of_a_classifier_and_of_an_autoencoder() -> None:
    dense = 'expected dense neurons, one for each class, none of them dropped out. End with "dense N".$'
    for texts, kind in (
        (["conv 3 3"], "conv"),
        (["dense 4", "drop .5"], "dense"),
        (["conv 3 3", "maxpool 2"], "maxpool"),
    ):
        with pytest.raises(CircuitError, match=f"^layers of a classifier: got {kind} at the top; {dense}"):
            layered_classifier(parse_layers(texts, IMAGE))
    decoder = r"expected a layer with weights and the input's shape, \(3, 9, 8\). List the decoder too.$"
    for texts, got in (
        (["conv 6 5"], r"conv of shape \(6, 9, 8\)"),
        (["conv 3 3", "sum"], r"sum of shape \(3, 9, 8\)"),
    ):
        with pytest.raises(CircuitError, match=f"^layers of a circular autoencoder: got {got} at the top; {decoder}"):
            circular_autoencoder(parse_layers(texts, IMAGE))
    silent = "expected an output of which no neuron is silent. Put it below the last layer.$"
    with pytest.raises(CircuitError, match=f"^layers of a circular autoencoder: got a drop at the top; {silent}"):
        circular_autoencoder(parse_layers(["conv 3 3", "drop .5"], IMAGE), "bp")


def test_neurons_that_mix_cannot_be_dropped_out() -> None:
    layers = parse_layers(["conv 4 3", "drop .5", "conv 3 3"], IMAGE)
    assert circular_autoencoder(layers, "bp")[0].population("layer1").dropout == 0.5
    with pytest.raises(
        CircuitError, match=r"^dropout of population layer1: got neurons of another kind; expected neurons"
    ):
        circular_autoencoder(layers, "rec")


HUGE = [
    ["dense 999999999", "dense 10"],
    ["conv 999999 9999", "dense 10"],
    ["conv 1 9999", "dense 10"],
    ["local 999999 4", "dense 10"],
    ["maxpool 9999/1 same", "dense 10"],
    ["meanpool 9999/1 same", "dense 10"],
    ["upsample 999999999", "dense 10"],
    ["upsample 9999", "upsample 9999", "upsample 9999", "dense 10"],
    ["upsample 999", "conv 99 3", "dense 10"],
    ["conv 999999 1", "conv 999999 1", "dense 10"],
]


@pytest.mark.parametrize("texts", HUGE, ids=[" + ".join(texts) for texts in HUGE])
def test_what_would_not_fit_into_memory_is_refused_before_anything_is_allocated(texts: list[str]) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CircuitError, match=r"; expected at most 2,147,483,647( in one array)?\. Use fewer neurons"):
            layered_classifier(parse_layers(texts, IMAGE), "fa")
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 4), (-3, 4, 4), (3, 4), (2, 3, 4, 5)])
def test_an_input_of_another_shape(shape: tuple[int, ...]) -> None:
    """Dense layers take any; windows need an image; no neurons are refused where the circuit is made."""
    with pytest.raises(CircuitError):
        layered_classifier(parse_layers(["conv 3 1", "dense 2"], shape))
    if min(shape, default=1) < 1:
        with pytest.raises(CircuitError, match=r"population layer0: got (size|shape)"):
            layered_classifier(parse_layers(["dense 2"], shape))
    else:
        assert isinstance(parse_layers(["dense 2"], shape), Layers)
