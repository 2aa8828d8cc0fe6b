"""Circular autoencoders of convolutions and untied layers against their hand-written loops: 20 updates, after each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from typing import Any

import handwritten_convolution as hand
import handwritten_convolution_autoencoder as loops
import numpy as np
import pytest
import standin
from building import read_by
from handwritten_convolution import Layer
from networks import Item, Tensors, draw_biases, furthest, images, layers_of, replica_of
from running import nightly

from circuitsim.circuits.autoencoder import (
    ERROR_DRIVEN,
    TOP_RULES,
    VARIANTS,
    circular_autoencoder,
    variant_coefficients,
)
from circuitsim.engine.simulator import Simulator

TOLERANCE = 1e-10
UPDATES, EXAMPLES = 20, 30
RATES = (0.05, 0.1, 0.02, 0.08)
BIAS_RATES = (0.02, 0.05, 0.1, 0.01)
ROWS = [np.random.default_rng(4).integers(0, EXAMPLES, 3 if t % 3 == 2 else 7) for t in range(UPDATES)]

CIRCUITS: dict[str, tuple[hand.Shape, list[Item]]] = {
    "two convolutions": ((2, 5, 4), ["conv 3 3", "conv 2 3"]),
    "pooled and upsampled": ((1, 6, 4), ["conv 3 3", "maxpool 2", "conv 2 2", "upsample 2", "conv 1 3"]),
    "untied with sums": ((2, 4, 4), ["local 2 3", "sum", "local 2 2", "sum", "local 2 3"]),
    "strides": (
        (2, 6, 4),
        ["conv 3 3/2", Layer("meanpool", 0, (2, 2), (1, 1), "same", "none"), "local 4 2", "upsample 2", "conv 2 3"],
    ),
    "overlapping pools": (
        (1, 5, 4),
        [
            Layer("conv", 2, (2, 3), (1, 1), 1),
            Layer("maxpool", 0, (3, 2), (1, 1), "same", "none", "all"),
            Layer("local", 1, (2, 1), (1, 1), "valid"),
        ],
    ),
}


@cache
def network(circuit: str) -> hand.Network:
    return hand.network(*CIRCUITS[circuit], "A")


@cache
def examples(circuit: str) -> np.ndarray:
    return images(network(circuit), EXAMPLES)


@dataclass(frozen=True)
class Setting:
    """One autoencoder. What can differ between replicas of one circuit comes last."""

    circuit: str
    rule: str = "rec"
    cycles: int = 1
    reference_cycle: int = 0
    top_rule: str = "same"
    hidden: str = "tanh"
    output: str = "logistic"
    bias: bool = True
    delay: int = 1

    variant: str = "pr"
    lam: float | tuple[float, float] = 0.3
    momentum: float = 0.0
    max_norm: float | None = None
    slower: float = 1.0

    @property
    def top(self) -> int:
        return len(network(self.circuit).weighted)

    @property
    def rates(self) -> dict[str, list[float]]:
        chosen = (("lr", RATES), ("lr_bias", BIAS_RATES))
        return {name: [r / self.slower for r in rates[: self.top]] for name, rates in chosen}

    def parameters(self) -> dict[Any, Any]:
        found: dict[Any, Any] = {"momentum": self.momentum, "max_norm": self.max_norm or np.inf}
        for h in range(1, self.top + 1):
            for quantity, values in self.rates.items():
                found[f"A{h}", quantity] = values[h - 1]
            if self.rule == "arbp" and h > 1:
                found[f"B{h}", "lr"] = self.rates["lr"][h - 1]
        if self.rule not in ERROR_DRIVEN:
            found |= variant_coefficients(self.variant, self.lam, self.top)
        return found

    def by_hand(self, weights: Tensors, rows: Sequence[np.ndarray] = ROWS) -> list[Tensors]:
        names = ("rule", "variant", "lam", "cycles", "reference_cycle", "top_rule", "hidden", "output", "bias",
                 "momentum", "max_norm")  # fmt: skip
        given = {name: getattr(self, name) for name in names} | self.rates
        net = network(self.circuit)
        silent = (
            {}
            if self.bias
            else {f"A{h}.bias": np.zeros(hand.bias_shape(net.places[k - 1])) for h, k in net.weighted.items()}
        )
        ends = loops.train(net, examples(self.circuit), weights | silent, rows=rows, mixing="weighted", **given)
        return [{name: a for name, a in end.items() if name not in silent} for end in ends]


def simulator(settings: Sequence[Setting], backend: str) -> Simulator:
    """One replica for each setting, with biases drawn, and the examples in use."""
    first = settings[0]
    names = ("hidden", "output", "bias", "cycles", "reference_cycle", "top_rule", "delay")
    each = [s.parameters() for s in settings]
    circuit, protocol = circular_autoencoder(
        layers_of(network(first.circuit)),
        first.rule,
        bounded=any(s.max_norm is not None for s in settings),
        **{name: getattr(first, name) for name in names},
    )
    made = Simulator(
        circuit,
        protocol,
        batch=7,
        seeds=range(3, 3 + len(settings)),
        dtype="float64",
        backend=backend,
        parameters=read_by(circuit, {key: [parameters[key] for parameters in each] for key in each[0]}),
    )
    draw_biases(made)
    made.use(examples(first.circuit))
    return made


@cache
def expected(setting: Setting, replica: int) -> list[Tensors]:
    """All updates by hand, from the weights that the engine draws for this replica."""
    return setting.by_hand(replica_of(simulator([setting] * (replica + 1), "numpy"), replica))


def check(settings: Sequence[Setting], backend: str, updates: int = UPDATES) -> None:
    made = simulator(settings, backend)
    begin = [replica_of(made, r) for r in range(len(settings))]
    found: list[list[Tensors]] = [[] for _ in settings]
    for rows in ROWS[:updates]:
        made.present(rows)
        for r in range(len(settings)):
            found[r].append(replica_of(made, r))
    for r, setting in enumerate(settings):
        wanted = expected(setting, r)[:updates]
        far = furthest(found[r], wanted)
        assert far < TOLERANCE, f"{far:.1e} {setting}"
        still = [name for name in wanted[-1] if np.abs(wanted[-1][name] - begin[r][name]).max() < 1e-6]
        learning = {"top": {f"A{setting.top}"}, "arbp": {"A", "B"}}.get(setting.rule, {"A"})
        assert not [name for name in still if name.startswith(tuple(learning))], f"{still} in {setting}"


def replicas(setting: Setting) -> tuple[Setting, ...]:
    """The setting, with momentum and other rates, and with a bound and another memory."""
    more = replace(setting, momentum=0.6, slower=2.0, lam=0.6)
    return setting, more, replace(setting, momentum=0.3, max_norm=0.9)


def recirculating(circuit: str) -> list[tuple[Setting, ...]]:
    """All variants as replicas of one circuit, for one cycle and for two; and what depends on the reference cycle."""
    plain = Setting(circuit)
    found = []
    for rule in ("rec", "rec-symmetric"):
        for cycles in (1, 2):
            several = [replace(plain, rule=rule, cycles=cycles, variant=variant) for variant in VARIANTS]
            found.append((*several, replace(several[-1], lam=(0.2, 0.7), momentum=0.5, max_norm=0.9, slower=2.0)))
    return found


def others(circuit: str) -> list[tuple[Setting, ...]]:
    """Rules with errors, top rules, other activations and delays."""
    plain = Setting(circuit)
    driven = [replicas(replace(plain, rule=rule)) for rule in ("error-rec", *ERROR_DRIVEN)]
    later = [
        replicas(replace(plain, cycles=2, reference_cycle=1, top_rule=top_rule, variant="ccrcc"))
        for top_rule in TOP_RULES
    ]
    return [
        *driven,
        *later,
        replicas(replace(plain, hidden="relu", output="identity", delay=2, variant="rwcc")),
        replicas(replace(plain, rule="rec-symmetric", hidden="saturated", output="tanh", bias=False, variant="ccr")),
    ]


RECIRCULATING = [
    (circuit, k) if (n + k) % 3 == 0 else nightly(circuit, k) for n, circuit in enumerate(CIRCUITS) for k in range(4)
]
DAILY = ("pooled and upsampled", "untied with sums")


@pytest.mark.parametrize("circuit,k", RECIRCULATING)
def test_recirculation_agrees(circuit: str, k: int) -> None:
    check(recirculating(circuit)[k], "numba")


@pytest.mark.parametrize("circuit", [c if c == "untied with sums" else nightly(c) for c in CIRCUITS])
def test_other_rules_agree(circuit: str) -> None:
    for settings in others(circuit):
        check(settings, "numba")


@pytest.mark.parametrize("circuit", DAILY)
def test_the_reference_backend_agrees(circuit: str) -> None:
    check(recirculating(circuit)[DAILY.index(circuit)], "numpy", 4)
    check(others(circuit)[4], "numpy", 4)


@pytest.mark.parametrize("circuit", [nightly(c) for c in CIRCUITS])
def test_the_reference_backend_agrees_on_everything(circuit: str) -> None:
    for settings in (*recirculating(circuit), *others(circuit)):
        check(settings, "numpy", 4)


@pytest.mark.parametrize("backend", standin.each("cupy"))
def test_a_device_agrees(backend: str) -> None:
    check(recirculating("pooled and upsampled")[1], backend, 3)
    check(others("untied with sums")[2], backend, 3)


def test_every_setting_differs_from_its_neighbours() -> None:
    """The comparison above means something: none of the options is without effect."""
    setting = Setting("pooled and upsampled", cycles=2, variant="ccr")
    begin = replica_of(simulator([setting], "numpy"))
    changes: list[dict[str, Any]] = [
        {}, {"variant": "rcc"}, {"variant": "ccrcc"}, {"variant": "rwcc"}, {"variant": "pr"}, {"lam": 0.6},
        {"cycles": 1}, {"reference_cycle": 1}, {"top_rule": "own"}, {"momentum": 0.1}, {"max_norm": 0.8},
        {"rule": "rec-symmetric"}, {"rule": "error-rec", "variant": "pr", "cycles": 1}, {"rule": "bp"}, {"rule": "top"},
        {"hidden": "relu"}, {"output": "tanh"}, {"slower": 2.0},
    ]  # fmt: skip
    ends = [replace(setting, **change).by_hand(begin, ROWS[:4])[-1] for change in changes]
    for one, other in combinations(range(len(ends)), 2):
        assert furthest([ends[one]], [ends[other]]) > 1e-5, (changes[one], changes[other])
