"""Neurons that keep their own time: the same numbers as the Simulator where time is regular, and by hand where not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from handwritten_asynchrony import Handwritten

from circuitsim.asynchrony import AsynchronousSimulator, Timing
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import Convolution, LocallyConnected, MeanPool, OneToOne, Upsample
from circuitsim.circuit.parts import Carries, Combine, Exchange, Plasticity, Population, Projection
from circuitsim.circuits.autoencoder import VARIANTS, circular_autoencoder, variant_coefficients
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.circuits.stack import stacked_autoencoders
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError, ConfigError, Diverged, ScheduleError
from circuitsim.rules import recirculation
from circuitsim.timetable.protocol import Protocol, Updates

SMALL, DEEP = [12, 5, 12], [12, 7, 4, 7, 12]
IRREGULAR = {
    "jitter": Timing(jitter=5),
    "several cycles late": Timing(jitter=40),
    "delays": Timing(delays=9),
    "patience": Timing(jitter=5, patience=3, delays=2),
    "more ticks": Timing(jitter=5, ticks=3, hold=2),
    "membrane": Timing(membrane=0.6, ticks=2, hold=2),
    "membrane and trace": Timing(membrane={"layer0": 0.5}, trace={"layer1": 0.3}, hold=3, jitter=2),
    "updates": Timing(updates=70),
    "all": Timing(jitter=9, delays=5, patience=1, ticks=2, hold=2, membrane=0.7, trace=0.5, updates=35),
}


def digits(count: int = 40, size: int = 12) -> np.ndarray:
    return np.random.default_rng(7).random((count, size))


def rows(count: int) -> list[int]:
    return [int(row) for row in np.random.default_rng(8).integers(0, 40, count)]


def coefficients(variant: str, sizes: list[int]) -> dict[Any, Any]:
    return variant_coefficients(variant, [0.4, 0.3], len(sizes) - 1)


def make(
    sizes: list[int] = SMALL,
    timing: Timing | None = None,
    parameters: dict[Any, Any] | None = None,
    seed: int = 3,
    **options: Any,
) -> AsynchronousSimulator:
    """A circuit in float64 that has its examples; biases are not nought."""
    circuit, protocol = circular_autoencoder(sizes, **{"delay": 4, **options})
    made = AsynchronousSimulator(
        circuit, protocol, timing, seed=seed, dtype="float64", parameters={"lr": 0.2} | (parameters or {})
    )
    for name, tensor in made.tensors().items():
        if name.endswith("bias"):
            made.load(name, 0.3 * np.random.default_rng(int(name[1])).normal(size=tensor.shape[1]))
    made.use(digits(size=sizes[0]))
    return made


def train(made: AsynchronousSimulator, shown: list[int]) -> AsynchronousSimulator:
    for row in shown:
        made.present(row)
    return made


def synchronous(made: AsynchronousSimulator, parameters: dict[Any, Any]) -> Simulator:
    """The simulator that moves whole layers, in the same state."""
    other = Simulator(made.circuit, made.protocol, batch=1, seeds=[made.seed], dtype="float64", parameters=parameters)
    for name, tensor in made.tensors().items():
        other.load(name, tensor)
    other.use(digits(size=made.circuit.populations[0].size))
    return other


def distance(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    assert one.keys() == other.keys()
    return max(float(np.abs(one[name] - other[name]).max()) for name in one)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("sizes", [SMALL, DEEP], ids=["depth 2", "depth 4"])
def test_regular_time_is_the_simulator_with_a_batch_of_one(sizes: list[int], variant: str) -> None:
    parameters = {"lr": 0.2} | coefficients(variant, sizes)
    made = make(sizes, parameters=parameters)
    other, before = synchronous(made, parameters), made.tensors()
    for row in rows(50):
        made.present(row)
        other.present([row])
    assert distance(made.tensors(), other.tensors()) < 1e-10
    assert distance(made.tensors(), before) > 0.1


@pytest.mark.parametrize(
    "options",
    [
        {"cycles": 3, "reference_cycle": 1, "top_rule": "own"},
        {"cycles": 2, "top_rule": "gradient", "hidden": "relu", "output": "identity"},
        {"rule": "rec-symmetric", "delay": 1, "hidden": "saturated", "output": "tanh"},
        {"rule": lambda pre, post, w: (post.at(0) - post.at(1)) * pre.at(0) - 0.01 * w, "hidden": "logistic"},
        {"bias": False},
    ],
    ids=["cycles", "gradient", "symmetric", "own rule", "no bias"],
)
def test_other_cycles_rules_and_activations(options: dict[str, Any]) -> None:
    parameters = {"lr": 0.05}
    made = make(DEEP, parameters=parameters, **options)
    other, before = synchronous(made, parameters), made.tensors()
    for row in rows(20):
        made.present(row)
        other.present([row])
    assert distance(made.tensors(), other.tensors()) < 1e-10
    assert distance(made.tensors(), before) > 1e-3


def test_projections_with_delays_of_their_own() -> None:
    made = make(DEEP)
    delayed = tuple(replace(q, delay=d) for q, d in zip(made.circuit.projections, (3, 1, 7, 2), strict=True))
    circuit = replace(made.circuit, projections=delayed)
    own = AsynchronousSimulator(circuit, made.protocol, seed=3, dtype="float64", parameters={"lr": 0.2})
    other = Simulator(circuit, made.protocol, batch=1, seeds=[3], dtype="float64", parameters={"lr": 0.2})
    own.use(digits())
    other.use(digits())
    for row in rows(10):
        own.present(row)
        other.present([row])
    assert distance(own.tensors(), other.tensors()) < 1e-12
    assert own.rhythm.due == (0, 3, 4, 11, 13)


@pytest.mark.parametrize("name", IRREGULAR)
@pytest.mark.parametrize("sizes", [SMALL, DEEP], ids=["depth 2", "depth 4"])
def test_irregular_time_is_as_by_hand(name: str, sizes: list[int]) -> None:
    made = make(sizes, IRREGULAR[name])
    hand = Handwritten(sizes, 4, IRREGULAR[name], 3, {n: t[0] for n, t in made.tensors().items()}, 0.2)
    before = made.tensors()
    for row in rows(8):
        made.present(row)
        hand.present(digits()[row])
        for h in hand.layers:
            for cycle in (0, 1):
                np.testing.assert_allclose(made.remembered(f"layer{h}", cycle), hand.memory[h][cycle], atol=1e-12)
    assert distance(made.tensors(), {n: t[None] for n, t in hand.tensors.items()}) < 1e-12
    assert distance(made.tensors(), before) > 1e-2


def test_mixing_neurons_with_jitter_are_as_by_hand() -> None:
    """Coefficients apply from what a neuron remembers of cycle 0, be it right or wrong."""
    made = make(DEEP, Timing(jitter=6), parameters=coefficients("rwcc", DEEP))
    emits, remembers = ({h: 0.4 if (q, h) == ("emits", h) or h == 0 else 0.3 for h in range(4)} for q in ("emits", "r"))
    hand = Handwritten(
        DEEP, 4, Timing(jitter=6), 3, {n: t[0] for n, t in made.tensors().items()}, 0.2, emits, remembers
    )
    for row in rows(8):
        made.present(row)
        hand.present(digits()[row])
    assert distance(made.tensors(), {n: t[None] for n, t in hand.tensors.items()}) < 1e-12


def test_one_unit_a_layer_by_hand() -> None:
    """w1 = 2, w2 = 3, x = 7, linear: O = 7, 14, 42; then 42, 84: dA1 = (14 - 84) 7, dA2 = (7 - 42) 14."""
    circuit, protocol = circular_autoencoder([1, 1, 1], hidden="identity", output="identity", bias=False, delay=4)
    made = AsynchronousSimulator(circuit, protocol, Timing(), dtype="float64", parameters={"lr": 0.5})
    made.load("A1.weight", np.array([[2.0]]))
    made.load("A2.weight", np.array([[3.0]]))
    made.use(np.array([[7.0]]))
    made.present(0)
    assert [float(made.remembered(f"layer{h}", 0)[0]) for h in range(3)] == [7, 14, 42]
    assert [float(made.remembered(f"layer{h}", 1)[0]) for h in range(2)] == [42, 84]
    assert float(made.tensors()["A1.weight"][0, 0, 0]) == 2 - 0.5 * 70 * 7
    assert float(made.tensors()["A2.weight"][0, 0, 0]) == 3 - 0.5 * 35 * 14


def test_two_ways_of_different_lengths_and_two_biases() -> None:
    """Signals come to the top by two ways; its time slice begins when both have."""
    ways = (("X", "x", "a", 2), ("Y", "a", "b", 3), ("Z", "x", "b", 1))
    projections = tuple(Projection(*way, bias=True) for way in ways)
    circuit = Circuit(
        "two ways",
        (Population("x", 12, mixes=True), Population("a", 5, "tanh", mixes=True), Population("b", 12, site="x")),
        projections,
        inputs="x",
        outputs="b",
        exchanges=(Exchange("b", "x", Carries.OUTPUT),),
        plasticity=tuple(Plasticity(q.name, recirculation, post="a" if q.target == "a" else "x") for q in projections),
    )
    parameters = {"lr": 0.05, ("x", "emits"): 0.5, ("a", "remembers"): 0.5}
    protocol = Protocol(cycles=2)
    made = AsynchronousSimulator(circuit, protocol, seed=1, dtype="float64", parameters=parameters)
    other = Simulator(circuit, protocol, batch=1, seeds=[1], dtype="float64", parameters=parameters)
    made.use(digits())
    other.use(digits())
    before = made.tensors()
    for row in rows(20):
        made.present(row)
        other.present([row])
    assert (made.rhythm.due, made.rhythm.cycle) == ((0, 2, 5), 5)
    assert distance(made.tensors(), other.tensors()) < 1e-12
    assert distance(made.tensors(), before) > 1e-2


def test_what_happens_in_one_presentation_can_be_counted() -> None:
    """12 + 5 + 12 neurons: one clamping, one tick in each other time slice; all but the top's change goes out."""
    made = train(make(parameters={"lr": 0.2}), [0])
    events, sent, operations, updates = made.arrays.counts.tolist()
    assert events == 2 * (12 + 5 + 12)
    assert (sent, operations) == (2 * (12 + 5), 2 * (12 * 5 + 5 * 12))
    assert updates == 5 + 12
    assert (made.pending, made.presentations, made.tick) == (0, 1, made.rhythm.duration + 1)


def test_what_does_not_change_is_not_sent() -> None:
    made = make()
    made.use(np.zeros((1, 12)))
    for _ in range(3):
        made.present(0, learn=False)
    assert made.arrays.counts[1] < 3 * 2 * (12 + 5)


@pytest.mark.parametrize("name", IRREGULAR)
def test_the_same_seed_gives_the_same_bits(name: str) -> None:
    one, again, other = (train(make(DEEP, IRREGULAR[name], seed=seed), rows(6)) for seed in (3, 3, 4))
    assert distance(one.tensors(), again.tensors()) == 0
    assert one.arrays.counts.tolist() == again.arrays.counts.tolist()
    assert distance(one.tensors(), other.tensors()) > 0


def test_what_is_regular_draws_nothing() -> None:
    """Another source of noise does not shift the first one's numbers."""
    late, delayed = (train(make(timing=timing), [0]) for timing in (Timing(jitter=3), Timing(jitter=3, delays=2)))
    ticks = [one.clock.presentation(one.tick)[0] for one in (late, delayed)]
    assert np.array_equal(*ticks)


@pytest.mark.parametrize("name", IRREGULAR)
def test_when_all_has_settled_the_input_is_the_weights_times_the_activity(name: str) -> None:
    """S = W O, to rounding, whatever the order of events was and whenever weights changed."""
    made = train(make(DEEP, IRREGULAR[name]), rows(12))
    made.settle()
    assert made.pending == 0
    for q in made.circuit.projections:
        first, last = (made.arrays.neurons["emitted"][made.neurons(name)] for name in (q.source, q.target))
        assert len(last) == len(made.arrays.summed[made.neurons(q.target)])
        expected = made.tensors()[f"{q.name}.weight"][0] @ first
        np.testing.assert_allclose(made.arrays.summed[made.neurons(q.target)], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("seed", range(4))
def test_a_constant_input_held_long_enough_gives_the_forward_pass_by_any_order(seed: int) -> None:
    """Neurons that tick often enough compute the same forward pass, however late each of them and its signals are."""
    timing = Timing(jitter=11, delays=13, ticks=8, hold=6, membrane=0.9)
    circuit, _ = circular_autoencoder(DEEP, delay=4)
    made = AsynchronousSimulator(circuit, Protocol(cycles=1, learn=False), timing, seed=seed, dtype="float64")
    regular = AsynchronousSimulator(circuit, Protocol(cycles=1, learn=False), seed=seed, dtype="float64")
    for one in (made, regular):
        one.use(digits())
        one.present(5)
    for h in range(len(DEEP)):
        np.testing.assert_allclose(made.remembered(f"layer{h}", 0), regular.remembered(f"layer{h}", 0), atol=1e-9)


def test_patience_outlasts_jitter_and_delays() -> None:
    """Neurons that wait as long as signals can be late compute what they would if nothing were."""
    regular = train(make(DEEP), rows(10)).tensors()
    for timing in (Timing(jitter=6, patience=6), Timing(delays=6, patience=6), Timing(jitter=3, delays=3, patience=6)):
        assert distance(train(make(DEEP, timing), rows(10)).tensors(), regular) < 1e-13
    assert distance(train(make(DEEP, Timing(jitter=6, patience=5)), rows(10)).tensors(), regular) > 1e-6


@pytest.mark.parametrize(("variant", "quantity"), [("rwcc", "membrane"), ("ccr", "trace"), ("rcc", "input")])
@pytest.mark.parametrize("ticks", [1, 3])
def test_slow_neurons_are_variants(variant: str, quantity: str, ticks: int) -> None:
    """With one tick in a cycle exactly; with more the emission of lower layers moves while a layer follows."""
    fraction = 0.6 if ticks == 1 else 1 - 0.4 ** (1 / 3)
    slow = {
        "membrane": {"membrane": fraction},
        "trace": {"trace": fraction},
        "input": {"membrane": {"layer0": fraction}},
    }
    made = make(DEEP, Timing(hold=30, ticks=ticks, **slow[quantity]))  # type: ignore[arg-type]
    parameters = {"lr": 0.2} | variant_coefficients(variant, 0.4, 4)
    other = synchronous(make(DEEP), parameters)
    for row in rows(10):
        made.present(row)
        other.present([row])
    exact = ticks == 1 or quantity != "membrane"
    assert (distance(made.tensors(), other.tensors()) < 1e-8) == exact


def test_updates_that_wait_are_applied_once_and_whole() -> None:
    """Nothing is lost: at a rate at which the order hardly matters, late updates add up to the same."""
    small = {"lr": 1e-7}
    prompt = train(make(parameters=small), rows(20))
    late = make(timing=Timing(updates=100), parameters=small)
    before = late.tensors()
    train(late, rows(20))
    assert late.pending > 0
    late.settle()
    moved, expected = ({n: t - before[n] for n, t in one.tensors().items()} for one in (late, prompt))
    for name in moved:
        np.testing.assert_allclose(moved[name], expected[name], rtol=0, atol=1e-4 * np.abs(expected[name]).max())


@pytest.mark.nightly
def test_float32_is_close_to_float64() -> None:
    circuit, protocol = circular_autoencoder(DEEP, delay=4)
    found = []
    for dtype in ("float32", "float64"):
        made = AsynchronousSimulator(circuit, protocol, IRREGULAR["all"], dtype=dtype, parameters={"lr": 0.2})
        made.use(digits())
        found.append(train(made, rows(20)).tensors())
    assert found[0]["A1.weight"].dtype == np.float32
    assert 0 < distance(*found) < 1e-4


def test_weights_that_are_loaded_are_heard_at_once() -> None:
    made = train(make(DEEP, Timing(jitter=9)), rows(3))
    made.load("A2.weight", np.ones((4, 7)))
    made.settle()
    first = made.arrays.neurons["emitted"][made.neurons("layer1")]
    np.testing.assert_allclose(made.arrays.summed[made.neurons("layer2")], np.ones((4, 7)) @ first, atol=1e-13)
    assert (made.tensors()["A2.weight"] == 1).all()


def test_a_rate_that_is_too_high_diverges_with_a_message() -> None:
    made = make(hidden="identity", output="identity", parameters={"lr": 50.0})
    with pytest.raises(
        Diverged, match=r"projection A\d: plasticity in presentation \d+ gave values that are not finite"
    ):
        train(made, rows(40))
    assert all(np.isfinite(tensor).all() for tensor in made.tensors().values()) or made.presentations > 1


PLAIN, PROTOCOL = circular_autoencoder(SMALL)


def _part(where: str, index: int, **changes: Any) -> Circuit:
    parts = list(getattr(PLAIN, where))
    parts[index] = replace(parts[index], **changes)
    return replace(PLAIN, **{where: tuple(parts)})


def _of_image(*texts: str) -> tuple[Circuit, Protocol]:
    return circular_autoencoder(parse_layers(texts, (1, 4, 3)))


def _product() -> Circuit:
    plain, _ = circular_autoencoder(SMALL, bias=False)
    neurons = tuple(replace(p, combine=Combine.PRODUCT) if p.name == "layer2" else p for p in plain.populations)
    return replace(plain, populations=neurons)


OWN = "where neurons keep their own time. Run it on a Simulator."
FIRES = f"expected neurons that fire f(S + b) and recirculate, {OWN}"
WEIGHTS = f"expected dense synapses with weights of their own, {OWN}"
REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "softmax": (
        lambda: circular_autoencoder(SMALL, output="softmax"),
        f"population layer2: got softmax, for which a neuron needs its whole layer; {FIRES}",
    ),
    "feedback": (
        lambda: circular_autoencoder(SMALL, "rbp"),
        f"population error1: got feedback neurons; {FIRES}",
    ),
    "labels": (
        lambda: layered_classifier(SMALL, "fa", output="logistic"),
        f"population labels: got labels; {FIRES}",
    ),
    "bound": (
        lambda: circular_autoencoder(SMALL, bounded=True),
        f"population layer1: got a bound on incoming weights; {FIRES}",
    ),
    "error": (
        lambda: circular_autoencoder(SMALL, "error-rec"),
        f"exchange layer2 -> layer0: got error; expected the activity, recirculated, {OWN}",
    ),
    "input of another": (
        lambda: stacked_autoencoders([12, 6, 3]),
        f"exchange layer1 -> inner1: got input; expected the activity, recirculated, {OWN}",
    ),
    "masked": (
        lambda: (_part("projections", 0, masked=True), PROTOCOL),
        f"projection A1: got masked=True; {WEIGHTS}",
    ),
    **{
        f"{', '.join(texts)}": (partial(_of_image, *texts), f"projection {name}: got connectivity={made}; {WEIGHTS}")
        for texts, name, made in (
            (("conv 2 3", "conv 1 3"), "A1", Convolution(3)),
            (("local 2 3", "conv 1 3"), "A1", LocallyConnected(3)),
            (("dense 12", "dense 12", "sum", "dense 12"), "to_layer2_sum", OneToOne()),
            (("meanpool 2", "dense 12"), "to_layer0_meanpool", MeanPool(2)),
            (("upsample 2", "dense 12"), "to_layer0_upsample", Upsample(2)),
        )
    },
    "pool": (
        lambda: _of_image("maxpool 2", "dense 12"),
        f"population layer0_maxpool: got a max of what arrives; {FIRES}",
    ),
    "dropout": (
        lambda: _of_image("meanpool 2", "drop .5", "dense 12"),
        f"population layer0_meanpool: got dropout; {FIRES}",
    ),
    "product": (
        lambda: (_product(), PROTOCOL),
        f"population layer2: got a product of what arrives; {FIRES}",
    ),
    "updates": (
        lambda: (PLAIN, replace(PROTOCOL, updates=Updates.AT_ONCE)),
        "protocol of circuit circular autoencoder: got mirror mode or updates at other times; "
        f"expected presentations alone, {OWN}",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_covered_is_refused(name: str) -> None:
    described, message = REFUSED[name]
    with pytest.raises(CircuitError) as refused:
        AsynchronousSimulator(*described())  # type: ignore[misc]
    assert str(refused.value) == message


def test_dense_neurons_of_an_image_are_those_of_a_row() -> None:
    """A shape is no event: the same numbers, to the bit."""
    ends = []
    for layers in ([12, 6, 12], parse_layers(["dense 6", "dense 12"], (3, 2, 2))):
        made = AsynchronousSimulator(*circular_autoencoder(layers), Timing(delays=3), parameters={"lr": 0.1})
        made.use(digits())
        train(made, rows(10))
        ends.append({name: tensor.tobytes() for name, tensor in made.tensors().items()})
    assert ends[0] == ends[1]


@pytest.mark.parametrize("quantity", ["momentum", "weight_decay"])
def test_parameters_that_are_not_covered_are_refused(quantity: str) -> None:
    with pytest.raises(CircuitError) as refused:
        AsynchronousSimulator(PLAIN, PROTOCOL, parameters={quantity: 0.5})
    assert str(refused.value) == f"parameter {quantity} of A1: got 0.5; expected 0, {OWN}"


def test_slow_neurons_that_also_mix_are_refused() -> None:
    with pytest.raises(CircuitError) as refused:
        AsynchronousSimulator(PLAIN, PROTOCOL, Timing(trace=0.5), parameters=coefficients("rcc", SMALL))
    assert str(refused.value) == (
        "population layer0: got a coefficient of 0.4 in a circuit with slow neurons; expected emits and remembers "
        "of 0. Slow neurons mix by themselves: use the plain variant."
    )


@pytest.mark.parametrize("name", ["layer2", "layer9"])
def test_fractions_of_populations_that_do_not_mix_are_refused(name: str) -> None:
    with pytest.raises(CircuitError) as refused:
        AsynchronousSimulator(PLAIN, PROTOCOL, Timing(membrane={name: 0.5}))
    assert str(refused.value) == (
        f"membrane of population {name}: got a population that does not mix, or that the circuit lacks; "
        "expected one of layer0, layer1. Correct the name."
    )


COUNTED = "Times are counted in ticks, of which a projection's delay has several."
SLOW = "1 follows at once; give small numbers for slow neurons."


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("jitter", -1, f"got -1; expected a whole number from 0 to 10^9. {COUNTED}"),
        ("delays", 0.5, f"got 0.5; expected a whole number from 0 to 10^9. {COUNTED}"),
        ("ticks", 0, f"got 0; expected a whole number from 1 to 10^9. {COUNTED}"),
        ("hold", True, f"got True; expected a whole number from 1 to 10^9. {COUNTED}"),
        ("updates", 10**10, f"got 10000000000; expected a whole number from 0 to 10^9. {COUNTED}"),
        ("membrane", 0, f"got 0; expected a number above 0 and at most 1. {SLOW}"),
        ("trace", {"layer1": 2.0}, f"got 2.0; expected a number above 0 and at most 1. {SLOW}"),
    ],
)
def test_bad_timing(key: str, value: Any, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Timing(**{key: value})
    assert str(refused.value) == f"{key} of a timing: {expected}"


def test_a_window_that_is_too_short() -> None:
    circuit, protocol = circular_autoencoder(SMALL, delay=4, window=20)
    AsynchronousSimulator(circuit, protocol)
    with pytest.raises(ScheduleError) as refused:
        AsynchronousSimulator(circuit, protocol, Timing(patience=20))
    assert str(refused.value) == (
        "rule recirculation of projection A1: got pre.at(0), stored 116 ticks before it is read; expected nothing "
        "older than the window of 20 ticks of circuit circular autoencoder. Set the window to 116 or more, or shorten "
        "the delays."
    )


@pytest.mark.parametrize("row", [-1, 40, 0.5, None])
def test_rows_that_do_not_exist(row: Any) -> None:
    with pytest.raises(CircuitError) as refused:
        make().present(row)
    assert str(refused.value) == (
        f"row shown to circuit circular autoencoder: got {row}, of 40 examples in use; expected the index of an "
        "existing example. Call use() with the examples first."
    )


def test_data_that_do_not_fit() -> None:
    with pytest.raises(CircuitError) as refused:
        make().use(np.zeros((3, 5)))
    assert str(refused.value) == (
        "data for circuit circular autoencoder: got an array of shape (3, 5); expected (examples, 12). "
        "Match the data's features to the input population."
    )


@pytest.mark.parametrize(("population", "cycle"), [("layer7", 0), ("layer1", 2), ("layer1", -1), ("A1", 0)])
def test_notes_that_there_are_not(population: str, cycle: int) -> None:
    with pytest.raises(CircuitError) as refused:
        make().remembered(population, cycle)
    assert str(refused.value) == (
        f"memory of {population} of cycle {cycle}: got an unknown population or cycle; expected one of "
        "layer0, layer1, layer2, and a cycle from 0 to 1. Correct it, or recirculate more often."
    )
