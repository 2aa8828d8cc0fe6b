"""Cases in which the engine is compared with values that PyTorch made.

`benchmarks/feedback_autograd.py` makes and stores these values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuitsim.engine.simulator import Simulator
from circuitsim.runs.lookup import load_scenario

Array = NDArray[Any]
Tensors = dict[str, Array]
STORED = Path(__file__).parent / "engine" / "feedback_autograd.npz"
BATCH, EXAMPLES, UPDATES = 8, 30, (1, 10)
CLASSIFIER, AUTOENCODER = (9, 7, 6, 4), (9, 7, 6, 9)
RATES, BIAS_RATES = [0.3, 0.2, 0.1], [0.1, 0.2, 0.3]


@dataclass(frozen=True)
class Case:
    """One kind of feedback: a scenario's keys beside the rates, which are those above."""

    scenario: str
    keys: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sizes(self) -> Sequence[int]:
        return CLASSIFIER if self.scenario == "classifier" else AUTOENCODER

    @property
    def prefix(self) -> str:
        return "W" if self.scenario == "classifier" else "A"


def _classifier(feedback: str, **keys: Any) -> Case:
    return Case("classifier", {"feedback": feedback, **keys})


CASES = {
    "bp": _classifier("bp", momentum=0.8, weight_decay=0.01),
    "fa": _classifier("fa", momentum=0.8),
    "dfa": _classifier("dfa", momentum=0.8),
    "ss": _classifier("ss", momentum=0.8),
    "kp": _classifier("kp", momentum=0.8, weight_decay=0.01),
    "urfb": _classifier("urfb", feedback_step=0.5),
    "ia": _classifier("ia", primitives={"amp": 0.6, "decay": 0.2, "null": 0.3, "rate": 0.2}),
    "sa": _classifier("sa", primitives={"self": 0.5, "decay": 0.4, "rate": 0.2}),
    "aa": _classifier("aa", primitives={"amp": 0.4, "sparse": 0.3, "rate": 0.2}),
    "fa, hinge": _classifier("fa", loss="hinge", output="identity"),
    "fa, logistic": _classifier("fa", hidden="logistic", output="logistic"),
    "autoencoder, bp": Case("autoencoder", {"rule": "bp", "momentum": 0.8}),
    "autoencoder, rbp": Case("autoencoder", {"rule": "rbp"}),
    "autoencoder, srbp": Case("autoencoder", {"rule": "srbp"}),
    "autoencoder, arbp": Case("autoencoder", {"rule": "arbp"}),
}


def shown() -> tuple[Array, Array, list[Array]]:
    """Return the examples, their classes, and the rows of each update; the batches differ in size."""
    random = np.random.default_rng(16)
    x, y = random.random((EXAMPLES, CLASSIFIER[0])), random.integers(0, CLASSIFIER[-1], EXAMPLES)
    sizes = [BATCH if k % 4 else BATCH - 3 for k in range(1, max(UPDATES) + 1)]
    return x, y, [random.choice(EXAMPLES, size, replace=False) for size in sizes]


def first_tensors(case: Case) -> Tensors:
    """Return weights, biases that are not zero, and feedback weights, in the circuit's names and shapes."""
    n, random = case.sizes, np.random.default_rng(61)
    found: Tensors = {}
    for h in range(1, len(n)):
        found[f"{case.prefix}{h}.weight"] = random.normal(0, 0.6, (n[h], n[h - 1]))
        found[f"{case.prefix}{h}.bias"] = random.normal(0, 0.3, n[h])
        found[f"B{h}.weight"] = random.normal(0, 0.6, (n[h - 1], n[h]))
        found[f"D{h}.weight"] = random.normal(0, 0.6, (n[h], n[-1]))
    if case.keys.get("feedback") == "ss":
        found |= {name: np.full_like(a, 0.4) for name, a in found.items() if name[0] == "B"}
    return found


def by_engine(case: Case, backend: str) -> list[Tensors]:
    """Return the engine's tensors after each of the numbers of updates that are compared, in double precision."""
    scenario = load_scenario(case.scenario)
    keys = {"sizes": list(case.sizes), "lr": RATES, "lr_bias": BIAS_RATES, "batch": BATCH, "dtype": "float64"}
    design = scenario.design(scenario.settings(**keys, **case.keys))
    made = Simulator(
        design.circuit, design.protocol, batch=BATCH, dtype="float64", backend=backend, parameters=design.parameters
    )
    for name, values in first_tensors(case).items():
        if name in made.tensors():
            made.load(name, values)
    x, y, rows = shown()
    made.use(x, y if case.scenario == "classifier" else None)
    found = []
    for update, chosen in enumerate(rows, 1):
        made.present(chosen)
        if update in UPDATES:
            found.append({name: tensor[0].copy() for name, tensor in made.tensors().items()})
    return found


@cache
def stored(name: str) -> list[Tensors]:
    """Return what PyTorch has after each of these numbers of updates."""
    with np.load(STORED) as file:
        return [
            {key.rpartition("/")[2]: file[key] for key in file if key.startswith(f"{name}/{updates}/")}
            for updates in UPDATES
        ]


def furthest(found: Sequence[Tensors], expected: Sequence[Tensors]) -> list[float]:
    """Return the largest difference of any tensor that PyTorch has, after each number of updates."""
    return [
        max(float(np.abs(here[name] - there[name]).max()) for name in there)
        for here, there in zip(found, expected, strict=True)
    ]
