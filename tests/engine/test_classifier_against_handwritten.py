"""The engine against `handwritten_classifier.py`: updates on real digits, every feedback, both backends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import handwritten_classifier
import numpy as np
import pytest
from building import Tensors, digits, distance, presentations, read_by, weights_of
from running import nightly
from sklearn.datasets import load_digits

from circuitsim.circuit.parts import Mirror, Noise
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.engine.simulator import Simulator

SIZES = {2: (64, 12, 10), 3: (64, 12, 8, 10), 4: (64, 12, 8, 9, 10)}
RATES = (0.3, 0.2, 0.25, 0.1)
BIAS_RATES = (0.15, 0.1, 0.05, 0.02)
TOLERANCE = {"float64": 1e-10, "float32": 1e-4}
UPDATES = {"numba": 50, "numpy": 10}
ROWS = presentations(50)
FEEDBACK = ("bp", "fa", "dfa", "kp", "wm", "ss", "urfb", "ia", "sa", "aa")
COEFFICIENTS = {
    "five": {"amp": 0.3, "decay": 0.2, "null": 0.1, "sparse": 0.15, "self": 0.25},
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
    five: bool = False  # all primitives, in the place of those of ia
    reads: str = "input"  # what amp, null and sparse take as the layer above
    delay: int = 1

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

    @property
    def coefficients(self) -> dict[str, float]:
        return COEFFICIENTS.get("five" if self.five else self.feedback, {})

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
            for name, c in self.coefficients.items():
                found[f"B{h}", "lr"] = self.rate
                found[f"B{h}", f"{name}.c".replace("self", "self_alignment")] = c
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
        if self.coefficients:
            given["primitives"] = {"rate": self.rate, "reads": self.reads, **self.coefficients}
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
    names = ("loss", "hidden", "output", "bias", "masked", "normalise", "passes", "delay", "reads")
    given = {name: getattr(first, name) for name in names}
    given["bounded"] = any(s.max_norm is not None for s in settings)
    if first.five:
        given["primitives"] = tuple(COEFFICIENTS["five"])
    if first.feedback == "wm":
        given["mirror"] = Mirror("W2", noise=first.noise, block_bias=first.block_bias, centre=first.centre)
    each = [s.parameters() for s in settings]
    circuit, protocol = layered_classifier(SIZES[first.depth], first.feedback, **given)
    made = Simulator(
        circuit,
        protocol,
        batch=16,
        seeds=range(len(settings)),
        dtype=dtype,
        backend=backend,
        parameters=read_by(circuit, {key: [parameters[key] for parameters in each] for key in each[0]}),
        evidence=first.feedback == "wm",
    )
    for name, tensor in made.tensors().items():
        if name.endswith("bias"):
            random = np.random.default_rng(int(name[1]))
            made.load(name, 0.3 * random.normal(size=tensor.shape))
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


def others() -> list[tuple[Setting, ...]]:
    """Half of the synapses missing, with longer wires, for every feedback; the other activations; five primitives."""
    found = []
    for k, feedback in enumerate(FEEDBACK):
        plain = Setting(feedback, depth=3, masked=True, delay=1 + k % 3, normalise=feedback == "wm")
        found.append((plain, replace(plain, momentum=0.6, weight_decay=0.01, step=0.5, max_norm=1.2)))
    plain = Setting("ia", depth=3, slower=10.0)
    pairs = [("identity", "tanh"), ("tanh", "saturated"), ("saturated", "identity"), ("logistic", "relu")]
    for hidden, output in pairs:
        found.append((replace(plain, hidden=hidden, output=output, five=True),))
        found.append((replace(plain, feedback="wm", hidden=hidden, output=output),))
    found += [(replace(plain, loss="hinge", output=output),) for output in ("softmax", "logistic")]
    found += [(replace(plain, reads="activity", five=True),), (replace(plain, reads="activity", feedback="aa"),)]
    return found


def check(compared: Sequence[tuple[Setting, ...]], backend: str, dtype: str) -> None:
    wrong = {}
    for settings in compared:
        for setting, far in zip(settings, apart(settings, backend, dtype), strict=True):
            print(f"{backend} {dtype} {far:.1e} {setting}")
            if not far < TOLERANCE[dtype]:
                wrong[setting] = far
    assert not wrong, "\n".join(f"{far:.1e} {setting}" for setting, far in wrong.items())


@pytest.mark.parametrize("feedback", FEEDBACK)
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_weights_agree(backend: str, feedback: str) -> None:
    check(groups(feedback), backend, "float64")


@pytest.mark.parametrize("feedback", [f if f in ("kp", "wm") else nightly(f) for f in FEEDBACK])
@pytest.mark.parametrize("backend", ["numba", nightly("numpy")])
def test_weights_agree_in_single_precision(backend: str, feedback: str) -> None:
    check(groups(feedback), backend, "float32")


@pytest.mark.parametrize("dtype", ["float64", nightly("float32")])
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_missing_synapses_and_other_activations_agree(backend: str, dtype: str) -> None:
    check(others(), backend, dtype)


@pytest.mark.parametrize("output", ["softmax", "logistic", "tanh"])
@pytest.mark.parametrize("feedback", [f for f in FEEDBACK if f not in ("ia", "aa")])
def test_hinge_is_of_the_summed_input_whatever_the_output_function(feedback: str, output: str) -> None:
    """δ_c = 1 if s_c < 1: the output function has no say, so all of them make what identity makes."""
    check([(Setting(feedback, loss="hinge", output=output),)], "numpy", "float64")


@pytest.mark.parametrize("kind", ["uniform", "batch"])
def test_sign_symmetry_with_loaded_magnitudes(kind: str) -> None:
    """`fixed` is what a circuit starts with; the other kinds are magnitudes that somebody puts there."""
    setting = Setting("ss", depth=3)
    made = simulator([setting], "numba", "float64")
    shapes = {h: made.tensors()[f"B{h}.weight"].shape[1:] for h in (2, 3)}
    random = np.random.default_rng(0)
    drawn: list[dict[int, np.ndarray]] = []
    for k in range(50):
        if k == 0 or kind == "batch":
            magnitudes = {h: np.abs(random.normal(size=shape)) for h, shape in shapes.items()}
            if kind == "uniform":
                magnitudes = {h: np.full(shape, 0.1 * h) for h, shape in shapes.items()}
        drawn.append(magnitudes)
    before = weights_of(made)
    for rows, magnitudes in zip(ROWS, drawn, strict=True):
        for h in shapes:
            made.load(f"B{h}.weight", magnitudes[h])
        made.present(rows)
    end = setting.by_hand(before | {f"B{h}.weight": drawn[0][h] for h in shapes}, 50, magnitudes=drawn)
    forward = [{n: a for n, a in found.items() if n[0] == "W"} for found in (weights_of(made), end)]
    assert distance(*forward) < TOLERANCE["float64"]


@pytest.mark.parametrize("noise", [Noise.GAUSSIAN, Noise.UNIFORM])
def test_mirror_mode_alone_and_its_noise(noise: Noise) -> None:
    """Passes before the first presentation agree; every pass, layer and replica has noise of its own, of its scale."""
    settings = [Setting("wm", depth=3, noise=noise, centre=True, rate=rate) for rate in (0.2, 0.1)]
    made = simulator(settings, "numba", "float64")
    before = [weights_of(made, replica) for replica in range(2)]
    made.mirror(40)
    seen = []
    for replica, setting in enumerate(settings):
        given = fired(made, replica)
        assert len(given) == 40
        assert distance(weights_of(made, replica), setting.by_hand(before[replica], 0, noise_before=given)) < 1e-10
        for h in (2, 3):
            drawn, scale = np.array([one[h] for one in given]), 0.2 + 0.1 * h  # 40 passes, 16 examples
            assert abs(drawn.mean()) < 0.03 * scale
            spread = scale if noise is Noise.GAUSSIAN else scale / np.sqrt(3.0)
            assert drawn.std() == pytest.approx(spread, rel=0.03)
            assert noise is Noise.GAUSSIAN or np.abs(drawn).max() <= scale
            seen.append(drawn.ravel()[:5000])
    assert np.unique(np.concatenate(seen)).size == sum(drawn.size for drawn in seen)


@pytest.mark.parametrize("feedback", FEEDBACK)
def test_every_setting_learns_and_differs_from_its_neighbours(feedback: str) -> None:
    """The comparison above means something: all settings change the weights, and none stands for another."""
    for settings in groups(feedback):
        begin = start(settings)[0]
        random = np.random.default_rng(0)
        shapes = {int(n[1]): (16, a.shape[0]) for n, a in begin.items() if n[0] == "B"}
        noise = [[{h: random.normal(size=shape) for h, shape in shapes.items()}] for _ in range(6)]
        more = {"noise": noise} if feedback == "wm" else {}
        ends = [setting.by_hand(begin, 6, **more) for setting in settings]
        assert all(np.abs(tensor).max() < 10 for end in ends for tensor in end.values()), settings[0]
        assert all(distance(begin, end) > 1e-2 for end in ends), settings[0]
        changes: list[dict[str, Any]] = [{"momentum": 0.1}, {"weight_decay": 1e-3}, {"max_norm": 0.8}, {"slower": 2.0}]
        if settings[0].loss == "hinge":
            changes += [{"hinge_margin": "mu"}, {"loss": "error"}]
        if feedback in ("kp", "urfb"):
            changes += [{"step": 0.9}]
        if feedback == "wm":
            named = ["centre", "normalise"]
            if settings[0].bias and not settings[0].centre:  # a constant answer is gone with the mean
                named.append("block_bias")
            changes += [{name: not getattr(settings[0], name)} for name in named]
        for change in changes:
            changed = replace(settings[0], **change).by_hand(begin, 6, **more)
            assert distance(changed, ends[0]) > 1e-4, (change, settings[0])
