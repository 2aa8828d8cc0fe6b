"""The engine against `handwritten_classifier.py`: updates on real digits, every feedback, both backends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import handwritten_classifier
import numpy as np
import pytest
from building import Tensors, digits, distance, presentations, weights_of
from sklearn.datasets import load_digits

from circuits.classifier import layered_classifier
from circuitsim.graph import Mirror, Noise
from circuitsim.simulator import Simulator

SIZES = {2: (64, 12, 10), 3: (64, 12, 8, 10), 4: (64, 12, 8, 9, 10)}
RATES = (0.3, 0.2, 0.25, 0.1)
BIAS_RATES = (0.15, 0.1, 0.05, 0.02)
TOLERANCE = {"float64": 1e-10, "float32": 1e-4}
UPDATES = {"numba": 50, "numpy": 12}
ROWS = presentations(50)
FEEDBACK = ("bp", "fa", "dfa", "kp", "wm", "ss", "urfb", "ia", "sa", "aa")
COEFFICIENTS = {
    "ia": {"amp": 0.6, "decay": 0.2, "null": 0.3},
    "sa": {"self": 0.5, "decay": 0.4},
    "aa": {"amp": 0.4, "sparse": 0.3},
}


@cache
def labels() -> np.ndarray:
    return load_digits().target[:200]


@dataclass(frozen=True)
class Setting:
    """One classifier. What can differ between replicas of one circuit comes last."""

    feedback: str = "bp"
    depth: int = 2
    loss: str = "error"
    hidden: str = "tanh"
    output: str = "softmax"
    bias: bool = True
    masked: bool = False
    noise: Noise = Noise.GAUSSIAN
    block_bias: bool = False
    centre: bool = False
    normalise: bool = False
    passes: int = 1

    momentum: float = 0.0
    weight_decay: float = 0.0
    max_norm: float | None = None
    hinge_margin: str = "one"
    step: float = 1.0
    rate: float = 0.2  # of mirrors and primitives
    slower: float = 1.0  # divides every forward rate

    @property
    def lr(self) -> list[float]:
        return [rate / self.slower for rate in RATES[: self.depth]]

    @property
    def lr_bias(self) -> list[float]:
        return [rate / self.slower for rate in BIAS_RATES[: self.depth]]

    def parameters(self) -> dict[Any, Any]:
        L = self.depth
        found: dict[Any, Any] = {"max_norm": self.max_norm or np.inf}
        for h in range(1, L + 1):
            found[f"W{h}", "lr"], found[f"W{h}", "lr_bias"] = self.lr[h - 1], self.lr_bias[h - 1]
            found[f"W{h}", "momentum"], found[f"W{h}", "weight_decay"] = self.momentum, self.weight_decay
            if self.masked:
                found[f"W{h}", "density"] = 0.6
            if h == 1:
                continue
            if self.feedback in ("kp", "urfb"):
                found[f"B{h}", "lr"], found[f"B{h}", "momentum"] = self.step * self.lr[h - 1], self.momentum
            if self.feedback == "kp":
                found[f"B{h}", "weight_decay"] = self.weight_decay
            if self.feedback == "wm":
                found[f"B{h}", "lr"], found[f"B{h}", "weight_decay"] = self.rate, 0.03
                found[f"W{h}", "noise_scale"] = 0.2 + 0.1 * h
            for name, c in COEFFICIENTS.get(self.feedback, {}).items():
                found[f"B{h}", "lr"] = self.rate
                found[f"B{h}", f"{'self_alignment' if name == 'self' else name}.c"] = c
            if self.masked and self.feedback not in ("bp", "dfa"):
                found[f"B{h}", "density"] = 0.5
        if self.masked and self.feedback == "dfa":
            found |= {(f"D{h}", "density"): 0.5 for h in range(1, L)}
        if self.loss == "hinge":
            found[f"error{L}", "margin"] = 1.0 if self.hinge_margin == "one" else 1.0 / 9.0
        return found

    def by_hand(self, weights: Tensors, count: int, **more: Any) -> Tensors:
        names = ("feedback", "loss", "hinge_margin", "hidden", "output", "bias", "lr", "lr_bias", "momentum",
                 "weight_decay", "max_norm")  # fmt: skip
        given = {name: getattr(self, name) for name in names}
        if self.feedback in ("kp", "urfb"):
            given["feedback_step"] = self.step
        if self.feedback in COEFFICIENTS:
            given["primitives"] = {"rate": self.rate, **COEFFICIENTS[self.feedback]}
        if self.feedback == "wm":
            given["mirror"] = {"rate": self.rate, "decay": 0.03} | {
                name: getattr(self, name) for name in ("block_bias", "centre", "normalise")
            }
        if self.masked:
            given["masks"] = {n: (a != 0.0) * 1.0 for n, a in weights.items() if n.endswith("weight")}
        return handwritten_classifier.train(digits(), labels(), weights, rows=ROWS[:count], **given, **more)


def simulator(settings: Sequence[Setting], backend: str, dtype: str) -> Simulator:
    """One replica for each setting, its biases drawn, and the digits in use."""
    first = settings[0]
    names = ("loss", "hidden", "output", "bias", "masked", "normalise", "passes")
    given = {name: getattr(first, name) for name in names}
    given["bounded"] = any(s.max_norm is not None for s in settings)
    if first.feedback == "wm":
        given["mirror"] = Mirror("W2", noise=first.noise, block_bias=first.block_bias, centre=first.centre)
    each = [s.parameters() for s in settings]
    made = Simulator(
        *layered_classifier(SIZES[first.depth], first.feedback, **given),
        batch=16,
        seeds=range(len(settings)),
        dtype=dtype,
        backend=backend,
        parameters={key: [parameters[key] for parameters in each] for key in each[0]},
        evidence=first.feedback == "wm",
    )
    for name, tensor in made.tensors().items():
        if name.endswith("bias"):
            drawn = [np.random.default_rng([seed, int(name[1])]).normal(size=tensor.shape[1]) for seed in range(len(settings))]
            made.load(name, 0.3 * np.array(drawn))
    made.use(digits(), labels())
    return made


def fired(made: Simulator, replica: int) -> list[dict[int, np.ndarray]]:
    """The noise of every mirror pass of the last presentation: for each h what layer h - 1 fired."""
    found: list[dict[int, np.ndarray]] = []
    for record in made.evidence.records:
        if record.phase == "mirror mode" and record.event.detail % 2 == 0:
            h = int(record.subject.removeprefix("layer")) + 1
            if h == 2:
                found.append({})
            found[-1][h] = record.made[record.subject, "O", 0][replica].astype(np.float64)
    return found


@cache
def start(settings: tuple[Setting, ...]) -> list[Tensors]:
    """The weights of every replica before the first presentation, in double precision."""
    made = simulator(settings, "numpy", "float64")
    return [weights_of(made, replica) for replica in range(len(settings))]


@cache
def expected(settings: tuple[Setting, ...], replica: int, count: int) -> Tensors:
    return settings[replica].by_hand(start(settings)[replica], count)


def apart(settings: tuple[Setting, ...], backend: str, dtype: str) -> list[float]:
    """How far the engine ends from the yardstick, for each replica."""
    count = UPDATES[backend]
    made = simulator(settings, backend, dtype)
    heard: list[list[Any]] = [[] for _ in settings]
    for rows in ROWS[:count]:
        made.present(rows)
        for replica in range(len(settings)) if settings[0].feedback == "wm" else ():
            heard[replica].append(fired(made, replica))
    found = []
    for replica, setting in enumerate(settings):
        if setting.feedback == "wm":
            end = setting.by_hand(start(settings)[replica], count, noise=heard[replica])
        else:
            end = expected(settings, replica, count)
        found.append(distance(weights_of(made, replica), end))
    return found


def groups(feedback: str) -> list[tuple[Setting, ...]]:
    """Settings of one feedback: every depth with softmax, logistic units and the hinge loss among them."""
    plain = Setting(feedback)
    cases = [
        replace(plain, depth=2),
        replace(plain, depth=4, hidden="logistic", bias=False, normalise=feedback == "wm", passes=2),
        replace(plain, depth=3, hidden="saturated", output="logistic", block_bias=True, noise=Noise.UNIFORM),
        replace(plain, depth=2, loss="hinge", output="identity", centre=True),
        replace(plain, depth=4, hidden="relu", loss="hinge", output="identity", slower=4.0, normalise=True),
    ]
    return [
        (
            case,
            replace(case, momentum=0.6, weight_decay=0.01, hinge_margin="mu", step=0.5, rate=0.1),
            replace(case, momentum=0.3, max_norm=1.2, hinge_margin="mu"),
        )
        for case in cases
    ]


@pytest.mark.parametrize("feedback", FEEDBACK)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_weights_agree(backend: str, dtype: str, feedback: str) -> None:
    wrong = {}
    for settings in groups(feedback):
        for setting, far in zip(settings, apart(settings, backend, dtype), strict=True):
            print(f"{backend} {dtype} {far:.1e} {setting}")
            if not far < TOLERANCE[dtype]:
                wrong[setting] = far
    assert not wrong, "\n".join(f"{far:.1e} {setting}" for setting, far in wrong.items())
