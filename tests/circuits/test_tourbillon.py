"""Tourbillons: stacks, development and fine-tuning against loops written by hand, identities, and what audits say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import handwritten_tourbillon as by_hand
import numpy as np
import pytest
from building import (
    Built,
    Setting,
    Tensors,
    classes,
    classifier,
    digits,
    distance,
    grown,
    presentations,
    simulator,
    stack,
    train,
    weights_of,
)
from handwritten_tourbillon import Stack, Stage, development
from tensors import bits, loaded

from circuitsim import phases
from circuitsim.analysis.audits.audit import audit
from circuitsim.circuits.stack import stacked_autoencoders
from circuitsim.circuits.tourbillon import growing, tourbillon
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import CircuitError, ScheduleError
from circuitsim.timetable.schedule import make_schedule, make_schedules

each_backend = pytest.mark.parametrize("backend", ["numba", "numpy"])
ROWS = presentations(30)
SIZES = (64, 9, 7, 10)
RWCC = {"emits": 0.3, "remembers": 0.6}


def renamed(w: Mapping[str, np.ndarray], names: Mapping[str, str]) -> Tensors:
    """The tensors of some projections, under other names."""
    return {names[n.split(".")[0]] + "." + n.split(".")[1]: v for n, v in w.items() if n.split(".")[0] in names}


# ------------------------------------------------------------------------------- one block, and one block at a time


@each_backend
@pytest.mark.parametrize("rule", ["rec", "rec-symmetric", "bp", "rbp"])
@pytest.mark.parametrize("learning", [("E1", "D1"), ("E1",), ("D1",)])
def test_one_block_is_the_circular_autoencoder(rule: str, learning: Sequence[str], backend: str) -> None:
    """To the bit; of the groups that do not learn nothing moves, as if their rates were zero."""
    names = {"A1": "E1", "A2": "D1", "B2": "R1"}
    rates = [0.1 if names[name] in learning else 0.0 for name in ("A1", "A2")]
    circular = Setting((64, 9, 64), rule=rule, lr=tuple(rates), lr_bias=tuple(rates), momentum=0.5)
    expected = simulator([circular], backend=backend)
    groups = [group for group in growing(1) if (group[0].upper() + "1") in learning]
    made = simulator([stack((64, 9), {"lr": 0.1, "momentum": 0.5}, rule=rule)], backend=backend,
                     protocol={"groups": tuple(groups)})  # fmt: skip
    loaded(made, renamed(expected.tensors(), names))
    train(made, ROWS[:6])
    train(expected, ROWS[:6])
    assert bits(made) == {name: v.tobytes() for name, v in renamed(expected.tensors(), names).items()}


@each_backend
@pytest.mark.parametrize("rule", ["rec", "rec-symmetric", "bp", "rbp"])
def test_a_block_above_is_an_autoencoder_of_stored_hinges(rule: str, backend: str) -> None:
    """Block 2 after block 1 has learned, and a circular autoencoder on what block 1's hinge fires."""
    made = simulator([stack((64, 9, 7), {"lr": 0.2, "momentum": 0.3}, rule=rule)], backend=backend,
                     protocol={"groups": growing(1)})  # fmt: skip
    train(made, ROWS[:10])
    ((_, (hinge,)),) = list(made.observe([("layer1", "O", 0)], digits()))
    stored = hinge[0].copy()
    made.change_protocol(replace(made.protocol, groups=growing(2)))
    one = Setting((9, 7, 9), rule=rule, output="tanh", lr=0.2, lr_bias=0.2, momentum=0.3)
    alone = simulator([one], backend=backend)
    names = {"E2": "A1", "D2": "A2", "R2": "B2"}
    loaded(alone, renamed(made.tensors(), names)).use(stored)
    first = bits(made)
    train(made, ROWS[10:])
    train(alone, ROWS[10:])
    assert distance(renamed(weights_of(made), names), weights_of(alone)) < 1e-10
    assert {n: b for n, b in bits(made).items() if n[1] == "1"} == {n: b for n, b in first.items() if n[1] == "1"}


# ------------------------------------------------------------------------------------------------- backpropagation


@each_backend
@pytest.mark.parametrize("loss", ["error", "hinge"])
@pytest.mark.parametrize("channel, updates, limit", [("decoders", 1, 1e-10), ("bp", 30, 1e-12)])
def test_fine_tuning_with_transposed_weights_is_backpropagation(
    channel: str, updates: int, limit: float, loss: str, backend: str
) -> None:
    """Decoders that are the encoders' transposes for one update; the channel that has them always, for many."""
    options = {"loss": loss, "top": "identity" if loss == "hinge" else "softmax"}
    numbers = {"lr": 0.3, "margin": 1.0}
    setting = grown(SIZES, numbers, channel=channel, groups=("top", "tuning"), **options)
    made = simulator([setting], backend=backend)
    if channel == "decoders":
        made.load("D2.weight", made.tensors()["E2.weight"].transpose(0, 2, 1).copy())
        made.load("B3.weight", made.tensors()["W3.weight"].transpose(0, 2, 1).copy())
    names = {"E1": "W1", "E2": "W2", "W3": "W3"}
    true = simulator([classifier("bp", SIZES, numbers, loss=loss, output=options["top"])], backend=backend)
    loaded(true, renamed(made.tensors(), names))
    before = weights_of(true)
    train(made, ROWS[:updates])
    train(true, ROWS[:updates])
    assert distance(renamed(weights_of(made), names), weights_of(true)) < limit
    assert distance(before, weights_of(true)) > 1e-3


@each_backend
@pytest.mark.parametrize("channel, other", [("random", "fa"), ("decoders", "fa")])
def test_other_channels_are_fixed_random_feedback(channel: str, other: str, backend: str) -> None:
    """Decoders that do not learn are fixed feedback, and learn nothing from what they carry."""
    setting = grown((64, 9, 8, 7, 10), {"lr": 0.2}, channel=channel, groups=("top", "tuning"))
    made = simulator([setting], backend=backend)
    names = {"E1": "W1", "E2": "W2", "E3": "W3", "W4": "W4"}
    names |= {"B4": "B4"} | ({"D2": "B2", "D3": "B3"} if channel == "decoders" else {"B2": "B2", "B3": "B3"})
    true = simulator([classifier(other, (64, 9, 8, 7, 10), {"lr": 0.2})], backend=backend)
    weights = {name: v for name, v in renamed(made.tensors(), names).items() if name in true.tensors()}
    loaded(true, weights)
    fixed = {name: b for name, b in bits(made).items() if name[0] in "DB"}
    train(made, ROWS)
    train(true, ROWS)
    found = {name: v for name, v in renamed(weights_of(made), names).items() if name in true.tensors()}
    assert distance(found, weights_of(true)) < 1e-12
    assert fixed == {name: b for name, b in bits(made).items() if name[0] in "DB"}


def test_increments_of_the_top_are_mirrored_by_its_feedback() -> None:
    """B learns as Kolen and Pollack have it: the increments of W and of B are each other's transposes."""
    setting = grown(SIZES, {"lr": 0.2}, groups=("top", "top feedback"))
    made = simulator([setting])
    before = weights_of(made)
    train(made, ROWS)
    moved = {name: values - before[name] for name, values in weights_of(made).items()}
    assert np.abs(moved["W3.weight"]).max() > 1e-2
    np.testing.assert_allclose(moved["B3.weight"], moved["W3.weight"].T, atol=1e-14)
    assert not moved["E1.weight"].any() and not moved["D1.weight"].any()


# --------------------------------------------------------------------------------------------------------- by hand

ENGINE = {f"B{b}": f"F{b}" for b in (2, 3)}  # the channel's own synapses, but for the highest, have another name there
LIMITS = {"float64": 1e-10, "float32": 1e-4}


def handed(made: Simulator) -> Tensors:
    """A simulator's weights as the loops by hand have them."""
    top = made.circuit.outputs.removeprefix("layer")
    names = {n.split(".")[0]: n.split(".")[0] for n in made.tensors()}
    names |= {name: other for name, other in ENGINE.items() if name in names and name != f"B{top}"}
    return renamed(weights_of(made), names)


def rates_of(made: Simulator, stage: Stage) -> dict[tuple[str, str], float]:
    """The rates of projections that are those of a stage's groups, and its bounds."""
    blocks = len([q for q in made.circuit.projections if q.name[0] == "E"])
    own = {f"encoder {b}": f"E{b}" for b in range(1, blocks + 1)} | {
        f"decoder {b}": f"D{b}" for b in range(1, blocks + 1)
    }
    own |= {f"tuning {b}": f"E{b}" for b in range(1, blocks + 1)} | {"top": f"W{blocks + 1}"}
    given = {own[group]: rate for group, rate in stage.rates.items()}
    bounds = {(f"layer{b}", "max_norm"): stage.max_norm.get(b, np.inf) for b in range(1, blocks + 1)}
    return {(name, quantity): rate for name, rate in given.items() for quantity in ("lr", "lr_bias")} | bounds


def developed(made: Simulator, stages: Sequence[Stage], rows: Sequence[np.ndarray]) -> Simulator:
    """The same stages as periods of the engine."""
    left = iter(rows)
    for stage in stages:
        groups = tuple(dict.fromkeys("tuning" if g.startswith("tuning") else g for g in stage.rates))
        made.change_protocol(replace(made.protocol, groups=groups))
        made.set_parameters(rates_of(made, stage))
        for _ in range(stage.presentations):
            made.present(next(left))
    return made


def compared(setting: Built, stages: Sequence[Stage], by: Stack, backend: str, dtype: str) -> None:
    """Thirty updates of both; the loops begin with the engine's weights and are in double precision."""
    made = simulator([setting], backend=backend, dtype=dtype)
    before = handed(made)
    expected = by_hand.run(digits(), classes(), before, rows=ROWS, stages=stages, stack=by)
    developed(made, stages, ROWS)
    assert distance(handed(made), expected) < LIMITS[dtype]
    learned = {name for name in expected if not np.array_equal(expected[name], before[name])}
    assert learned and all(distance({n: expected[n]}, {n: before[n]}) > 1e-3 for n in learned if "weight" in n)


GROWTH = [{f"encoder {b}": 0.2, f"decoder {b}": 0.1} for b in (1, 2)]
TOP = {"top": 0.3}
FINE = {"top": 0.1, "tuning 1": 0.05, "tuning 2": 0.2}
SCHEDULES = {
    "sequential": development([(0, 10, GROWTH[0]), (10, 10, GROWTH[1]), (20, 10, TOP)]),
    "asynchronous": development([(0, 30, GROWTH[0]), (0, 30, GROWTH[1]), (0, 30, TOP)]),
    "lag": development([(0, 16, GROWTH[0]), (7, 16, GROWTH[1]), (14, 16, TOP)]),
    "fine-tuning": development([(0, 8, GROWTH[0]), (4, 8, GROWTH[1]), (8, 8, TOP), (16, 14, FINE)]),
}
both_kinds = pytest.mark.parametrize("dtype", LIMITS)


@each_backend
@both_kinds
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("rule", ["rec", "rec-symmetric", "bp", "rbp"])
def test_development_by_hand(rule: str, schedule: str, backend: str, dtype: str) -> None:
    setting = grown(SIZES, rule=rule)
    compared(setting, SCHEDULES[schedule], Stack([rule, rule]), backend, dtype)


TUNED: dict[str, tuple[dict[str, Any], list[Stage], Stack]] = {
    **{
        f"{channel}, {loss}": (
            {"channel": channel, "loss": loss, **({"top": "identity"} if loss == "hinge" else {})},
            [Stage(30, FINE)],
            Stack(["rec", "rec"], loss="hinge" if loss == "hinge" else "softmax", channel=channel),
        )
        for channel in ("decoders", "bp", "random")
        for loss in ("error", "hinge")
    },
    "decoders that learn on": ({}, [Stage(30, FINE | {"decoder 1": 0.1, "decoder 2": 0.1})], Stack(["rec", "rec"])),
    "everything at once": (
        {},
        [Stage(30, TOP | {g: 0.1 for b in (1, 2) for g in (f"encoder {b}", f"decoder {b}", f"tuning {b}")})],
        Stack(["rec", "rec"]),
    ),
    "momentum": ({"momentum": 0.6}, [Stage(30, FINE | {"decoder 2": 0.1}, momentum=0.6)], Stack(["rec", "rec"])),
    "bounds": (
        {"bounded": True},
        [Stage(20, GROWTH[0] | GROWTH[1], max_norm={1: 0.5, 2: 0.3}), Stage(10, FINE, max_norm={2: 0.4})],
        Stack(["rec", "rec"]),
    ),
    "logistic hinges": (
        {"hidden": "logistic", "output": "identity"},
        [Stage(10, GROWTH[0]), Stage(20, FINE)],
        Stack(["rec", "rec"], hinge="logistic", image="identity"),
    ),
}


@each_backend
@both_kinds
@pytest.mark.parametrize("name", TUNED)
def test_fine_tuning_by_hand(name: str, backend: str, dtype: str) -> None:
    options, stages, by = TUNED[name]
    numbers: dict[Any, float] = {key: options[key] for key in ("momentum",) if key in options}
    circuit = {key: value for key, value in options.items() if key != "momentum"}
    compared(grown(SIZES, numbers, **circuit), stages, by, backend, dtype)


@each_backend
def test_increments_of_any_order_of_events(backend: str) -> None:
    """Through the queue, simultaneous events shuffled: the same bits."""
    random = np.random.default_rng(0)
    setting = grown(SIZES, {"lr": 0.1, **RWCC})
    planned = train(simulator([setting] * 2, backend=backend), ROWS[:6])
    for order in (lambda e: e[::-1], lambda e: [e[i] for i in random.permutation(len(e))]):
        assert bits(train(simulator([setting] * 2, backend=backend, order=order), ROWS[:6])) == bits(planned)


# --------------------------------------------------------------------------------------------------------- audits


def findings(*sizes: int, **options: Any) -> set[tuple[str, str]]:
    found = audit(make_schedules(*tourbillon(sizes, **options)))
    assert found["local"] is all(f["kind"] == "label" for f in found["findings"])
    return {(f["kind"], f["projection"]) for f in found["findings"]}


def test_what_audits_find() -> None:
    label = {("label", "W3")}
    for channel in ("decoders", "random", "none"):
        assert findings(8, 5, 4, 3, channel=channel, top="logistic") == label
        assert findings(8, 5, 4, 3, channel=channel, loss="hinge", top="identity") == label
        assert findings(8, 5, 4, 3, channel=channel) == label | {("lateral", "W3")}
    for rule in ("rec-symmetric", "rbp"):
        assert findings(8, 5, 4, 3, rule=rule, top="logistic") == label
    transported = {("weight-transport", f"B{b}") for b in (2, 3)}
    assert findings(8, 5, 4, 3, channel="bp", top="logistic") == label | transported
    assert findings(8, 5, 4, 3, rule="bp", top="logistic") == label | {("weight-transport", f"R{b}") for b in (1, 2)}
    assert tourbillon((8, 5, 4, 3), top="logistic")[0].local and not tourbillon((8, 5, 4, 3))[0].local


@pytest.mark.parametrize("delay", [1, 3])
@pytest.mark.parametrize("blocks", range(1, 7))
def test_windows_of_growth_do_not_depend_on_the_number_of_blocks(blocks: int, delay: int) -> None:
    """L + 1 and L ticks with L = 2; it is fine-tuning that needs 2 (n - b) + 1 ticks."""
    circuit, protocol = tourbillon([3] * (blocks + 1) + [2], delay=delay)
    growth = make_schedule(circuit, replace(protocol, groups=(*growing(*range(1, blocks + 1)), "top")))
    wanted = {f"{kind}{b}": delay * ticks for b in range(1, blocks + 1) for kind, ticks in (("E", 3), ("D", 2))}
    assert growth.windows == wanted | {f"W{blocks + 1}": delay} and growth.window == 3 * delay
    fine = make_schedule(circuit, replace(protocol, groups=("top", "tuning")))
    assert fine.windows == {
        **{f"E{b}": delay * (2 * (blocks + 1 - b) + 1) for b in range(1, blocks + 1)},
        f"W{blocks + 1}": delay,
    }


def test_what_does_not_learn_takes_no_time() -> None:
    """Of a high stack of which the first block grows, nothing above its hinge is computed."""
    circuit, protocol = tourbillon([3] * 6 + [2])
    first = make_schedule(circuit, replace(protocol, groups=growing(1)))
    names = {
        circuit.populations[e.event.which].name
        for e in first.entries
        if e.event.phase in (phases.FORWARD, phases.RECIRCULATION)
    }
    assert names == {"layer0", "layer1", "image0"} and first.length == 4


# ------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "sizes, options, message",
    [
        (
            (5, 3),
            {},
            "sizes of a tourbillon: got [5, 3]; expected at least three layers. Give the size of the input and of "
            "each hinge, and the number of classes.",
        ),
        (
            (5, 3, 2),
            {"channel": "air"},
            "channel of a tourbillon: got 'air'; expected one of decoders, winners, bp, random, none. "
            "Choose one of these.",
        ),
        (
            (5, 3, 2),
            {"loss": "mse"},
            "loss of a tourbillon: got 'mse'; expected one of error, hinge. Choose one of these.",
        ),
        (
            (5, 3, 2),
            {"rule": "hebb"},
            "rule of a block: got 'hebb'; expected one of rec, rec-symmetric, bp, rbp. Choose one of these.",
        ),
    ],
)
def test_what_is_no_tourbillon_is_refused(sizes: tuple[int, ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises(CircuitError, match="^" + re.escape(message) + "$"):
        tourbillon(sizes, **options)


def test_groups_that_do_not_exist_are_refused() -> None:
    circuit, protocol = stacked_autoencoders([5, 3])
    message = (
        "group 'encoder 2' of rules: got no rule of circuit stack of circular autoencoders in it; expected one of "
        "'decoder 1', 'encoder 1'. Correct Protocol.groups, or put a Plasticity into the group."
    )
    with pytest.raises(ScheduleError, match="^" + re.escape(message) + "$"):
        make_schedule(circuit, replace(protocol, groups=growing(1, 2)))


def test_without_any_group_nothing_changes() -> None:
    made = simulator([grown(SIZES, groups=())])
    before = bits(made)
    assert bits(train(made, ROWS[:3])) == before
