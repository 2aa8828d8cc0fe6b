"""Activations of users' own: a scalar function of the summed input, its derivative, and what is refused."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import standin
from running import circuitsim, outcome, stopped_after

import circuitsim as cs
from circuitsim.analysis.reports.layout import lines_of
from circuitsim.errors import CircuitError, RuleError
from circuitsim.kernels import backend as backend_module
from circuitsim.lowering.activations import lower_activation
from circuitsim.rules.activation import sealed_activation

each_backend = pytest.mark.parametrize("backend", standin.each("numba", "numpy", "cupy"))


@cs.local_activation
def swish(s: Any, *, steepness: float = 1.0) -> Any:
    return s * (1 + tanh(steepness * s / 2)) / 2  # type: ignore[name-defined]  # noqa: F821


@cs.local_activation
def leaky(s: Any, *, below: float = 0.1) -> Any:
    return where(s > 0, s, below * s)  # type: ignore[name-defined]  # noqa: F821


@cs.local_activation
def clipped(s: Any) -> Any:
    return minimum(maximum(s, -1), 1)  # type: ignore[name-defined]  # noqa: F821


@cs.local_activation
def softplus(s: Any) -> Any:
    return maximum(s, 0) + log(1 + exp(-abs(s)))  # type: ignore[name-defined]  # noqa: F821


@cs.local_activation
def bump(s: Any) -> Any:
    return exp(-(s**2) / 2)  # type: ignore[name-defined]  # noqa: F821


@cs.local_activation
def steps(s: Any) -> Any:
    return sign(s) * sqrt(1 + s * s)  # type: ignore[name-defined]  # noqa: F821


@cs.local_activation
def constant(s: Any) -> Any:
    return 0.25


@cs.local_activation
def tangent(s: Any) -> Any:
    return tanh(s)  # type: ignore[name-defined]  # noqa: F821


OWN = [swish, leaky, clipped, softplus, bump, steps, constant, tangent]


@each_backend
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", OWN, ids=str)
@pytest.mark.parametrize("inside", [True, False])
def test_activity_and_slope_against_loops(activation: cs.Activation, dtype: str, backend: str, inside: bool) -> None:
    """One neuron, one example and one Python float at a time; the slope by differences."""
    random = np.random.default_rng(3)
    replicas, batch, size = 2, 5, 7
    summed = random.uniform(-3, 3, (replicas, batch, size)).astype(dtype)
    biases = [random.uniform(-1, 1, (replicas, size)).astype(dtype) for _ in range(2)]
    kernels = backend_module(backend)
    arriving, slope = summed.copy(), np.empty_like(summed)
    out = arriving if inside else np.empty_like(summed)
    kernels.fuse([lower_activation(sealed_activation(activation), arriving, biases, out, slope, kernels)])()
    kernels.to_host([arriving, out, slope])
    apart = {"float64": 1e-7, "float32": 3e-5}[dtype]
    for r, b, i in np.ndindex(summed.shape):
        s = float(summed[r, b, i]) + sum(float(bias[r, i]) for bias in biases)
        assert out[r, b, i] == pytest.approx(float(activation(s)), abs=apart)
        if min(abs(s), abs(abs(s) - 1)) > 1e-3:  # not at a kink
            difference = (float(activation(s + 1e-6)) - float(activation(s - 1e-6))) / 2e-6
            assert slope[r, b, i] == pytest.approx(difference, abs=max(apart, 1e-6))


def test_slopes_where_pieces_meet() -> None:
    at_zero = np.zeros(1)
    relu = cs.local_activation(written("return maximum(s, 0)"))
    assert relu.slope(at_zero) == 0 and clipped.slope(np.array([-1.0, 1.0])).tolist() == [0.0, 0.0]
    assert cs.local_activation(written("return sign(s)")).slope(np.array([-1.0, 0.0, 2.0])) == 0
    assert cs.local_activation(written("return abs(s)")).slope(np.array([-2.0, 3.0])).tolist() == [-1.0, 1.0]


def learned(rule: str, hidden: Any, backend: str) -> dict[str, np.ndarray]:
    """The weights after six presentations of a small circuit."""
    if rule in ("bp", "fa"):
        circuit, protocol = cs.circuits.layered_classifier([6, 5, 4, 3], rule, hidden=hidden)
    else:
        circuit, protocol = cs.circuits.circular_autoencoder([6, 4, 6], rule, hidden=hidden, output="identity")
    made = cs.Simulator(circuit, protocol, batch=3, dtype="float64", backend=backend, parameters={"lr": 0.2})
    random = np.random.default_rng(0)
    made.use(random.uniform(-1, 1, (12, 6)), random.integers(0, 3, 12) if circuit.labels else None)
    for first in range(0, 12, 2):
        made.present(range(first, first + 2))
    return {name: array[0].copy() for name, array in made.tensors().items()}


@each_backend
@pytest.mark.parametrize("rule", ["rec", "rbp", "bp", "fa"])
def test_a_known_function_of_ones_own_learns_the_same(rule: str, backend: str) -> None:
    own, known = learned(rule, tangent, backend), learned(rule, "tanh", backend)
    assert own.keys() == known.keys()
    for name, array in own.items():
        np.testing.assert_allclose(array, known[name], rtol=1e-9, atol=1e-12, err_msg=name)


@each_backend
def test_learning_against_a_handwritten_loop(backend: str) -> None:
    """Backpropagation through two layers of swish neurons, example by example."""
    found = learned("bp", swish.bind(steepness=1.5), backend)
    circuit, protocol = cs.circuits.layered_classifier([6, 5, 4, 3], "bp", hidden=swish.bind(steepness=1.5))
    start = cs.Simulator(circuit, protocol, batch=3, dtype="float64").tensors()
    w = [start[f"W{h}.weight"][0].copy() for h in (1, 2, 3)]
    c = [start[f"W{h}.bias"][0].copy() for h in (1, 2, 3)]

    def f(s: np.ndarray) -> np.ndarray:
        return s / (1 + np.exp(-1.5 * s))

    def slope(s: np.ndarray) -> np.ndarray:
        g = 1 / (1 + np.exp(-1.5 * s))
        return g + 1.5 * s * g * (1 - g)

    random = np.random.default_rng(0)
    x, y = random.uniform(-1, 1, (12, 6)), random.integers(0, 3, 12)
    for first in range(0, 12, 2):
        dw, dc = [np.zeros_like(a) for a in w], [np.zeros_like(a) for a in c]
        for k in (first, first + 1):
            s1 = w[0] @ x[k] + c[0]
            s2 = w[1] @ f(s1) + c[1]
            s3 = w[2] @ f(s2) + c[2]
            top = np.eye(3)[y[k]] - np.exp(s3) / np.exp(s3).sum()
            second = slope(s2) * (w[2].T @ top)
            errors = [slope(s1) * (w[1].T @ second), second, top]
            for h, (error, below) in enumerate(zip(errors, (x[k], f(s1), f(s2)), strict=True)):
                dw[h] += np.outer(error, below) / 2
                dc[h] += error / 2
        for h in range(3):
            w[h] += 0.2 * dw[h]
            c[h] += 0.2 * dc[h]
    for h in range(3):
        np.testing.assert_allclose(found[f"W{h + 1}.weight"], w[h], rtol=1e-9)
        np.testing.assert_allclose(found[f"W{h + 1}.bias"], c[h], rtol=1e-9, atol=1e-12)


def test_a_weight_mirror_answers_by_it() -> None:
    """In mirror mode neurons answer by it too."""
    found: list[dict[str, np.ndarray]] = []
    for function in (tangent, "tanh"):
        circuit, protocol = cs.circuits.layered_classifier([6, 4, 3], "wm", hidden=function)
        made = cs.Simulator(circuit, protocol, batch=4, dtype="float64", parameters={"lr": 0.1})
        made.use(np.random.default_rng(0).uniform(-1, 1, (4, 6)), np.arange(4) % 3)
        made.present(range(4))
        found.append({name: array.copy() for name, array in made.tensors().items()})
    for name, array in found[0].items():
        np.testing.assert_allclose(array, found[1][name], rtol=1e-9, atol=1e-13)


def test_the_audit_finds_it_local_and_follows_it() -> None:
    circuit, protocol = cs.circuits.circular_autoencoder([6, 3, 6], hidden=swish, output=leaky)
    audit = cs.audit(circuit, protocol, seed=1)
    assert audit.local and not audit["findings"]
    kinds = {finding["kind"] for finding in cs.audit(*cs.circuits.layered_classifier([6, 4, 3], "bp", hidden=swish),
                                                     seed=1, measure=False)["findings"]}  # fmt: skip
    assert kinds == {"weight-transport", "lateral", "label"}


def written(body: str, arguments: str = "s") -> Any:
    names: dict[str, Any] = {}
    exec(f"def f({arguments}):\n    {body}", names)
    return names["f"]


WORDS = "abs, exp, log, maximum, minimum, sign, sqrt, tanh, where"
NEURON = "A neuron sees its own summed input: pass constants as parameters (name=value)."
CODE = f"nothing but its arguments (s), and {WORDS}"
REFUSED = [
    ("return s", "s, others", "activation f, line 1: got parameter 'others' without a value; expected a number as "
     "default. Write others=0.1, or what it should be: a neuron is given its own summed input and nothing else."),
    ("return pre", "pre", "activation f, line 1: got the arguments (pre); expected the argument s, without a default. "
     "Name the summed input s."),
    ("return s", "s=1.0", "activation f, line 1: got the arguments (s); expected the argument s, without a default. "
     "Name the summed input s."),
    ("return s", "s, *more", "activation f, line 1: got the arguments *more; expected s and named parameters. Name "
     "each parameter."),
    ("return s", "s, k='a'", "activation f, line 1: got k='a'; expected a finite number. A parameter is one number, "
     "the same for all neurons."),
    ("return s * RATE", "s", f"activation f, line 2: got the name 'RATE'; expected {CODE}. {NEURON}"),
    ("return s.at(1)", "s", f"activation f, line 2: got the attribute 'at'; expected {CODE}. {NEURON}"),
    ("return s if s > 0 else 0", "s", "activation f, line 2: got a branch (if, while, and, or, not, assert, a < b < c)"
     f"; expected {CODE}. Use where(condition, a, b) with <, <=, > or >=, or minimum or maximum."),
    ("return [s]", "s", f"activation f, line 2: got a list; expected {CODE}. An activation computes with numbers al"),
    ("return s // 2", "s", "activation f, line 1: got f(s) = floor(s/2); expected a function that sympy differentiates."
     " Leave out //, % and functions without a derivative."),
    ("return 1 / (1 + exp(-s))", "s", "activation f, line 1: got f'(s) = nan at s = -100 in single precision; expected "
     "finite numbers for summed inputs from -100 to 100. Limit s by minimum and maximum, or use tanh: 1 / (1 + exp(-s))"
     " is (1 + tanh(s / 2)) / 2."),
    ("return log(s)", "s", "activation f, line 1: got f(s) = nan at s = -100 in single precision; expected finite"),
    ("return None", "s", "activation f, line 1: got a result of type NoneType; expected one number, the activity. "
     "Return an expression of s."),
    ("return s(1)", "s", "activation f, line 2: got TypeError: 'Symbol' object is not callable; expected arithmetic on"
     f" s and parameters, and {WORDS}. Each of these stands for one number."),
    ("return s / 0", "s", "activation f, line 1: got the expression zoo*s; expected a finite real number. Avoid "
     "dividing by zero, and numbers too large for a float."),
]  # fmt: skip


@pytest.mark.parametrize(("body", "arguments", "message"), REFUSED)
def test_what_is_no_function_of_one_summed_input(body: str, arguments: str, message: str) -> None:
    with pytest.raises(RuleError, match=re.escape(message)):
        cs.local_activation(written(body, arguments))


def test_other_refusals() -> None:
    with pytest.raises(RuleError, match=r"^activation sin: got a ufunc; expected a plain Python function\. Write"):
        cs.local_activation(np.sin)
    with pytest.raises(RuleError, match=r"^activation swish: got parameter 'slope'; expected one of \['steepness'\]\."):
        swish.bind(slope=1.0)
    with pytest.raises(CircuitError, match=r"got activation 'swish'; expected identity tanh .* or what local_acti"):
        cs.circuits.circular_autoencoder([6, 3, 6], hidden="swish")
    with pytest.raises(CircuitError, match=r"population layer1: got activation <function"):
        cs.circuits.circular_autoencoder([6, 3, 6], hidden=written("return s"))

    class Disguised:
        name, text = "disguised", "disguised"

    circuit, protocol = cs.circuits.circular_autoencoder([6, 3, 6], hidden=Disguised())  # type: ignore[arg-type]
    made = cs.Simulator(circuit, protocol, batch=1)
    made.use(np.zeros((2, 6)))
    with pytest.raises(RuleError, match=r"got an object of type Disguised; expected an activation\. Write a funct"):
        made.present([0])
    changed = cs.local_activation(written("return s * 2"))
    vars(changed)["expression"] = swish.expression
    with pytest.raises(RuleError, match=r"^activation f: got another expression than its code has; expected what was"):
        sealed_activation(changed)
    circuit, protocol = cs.circuits.circular_autoencoder([6, 3, 6], hidden=swish)
    with pytest.raises(CircuitError, match=r"population layer1: got the activation swish, a function of one's own;"):
        cs.AsynchronousSimulator(circuit, protocol, cs.Timing())


def test_texts_pickles_and_equality() -> None:
    assert str(swish) == "swish" and repr(leaky) == "<Activation leaky: f(s) = Piecewise((s, s > 0), (0.1*s, True))>"
    again = pickle.loads(pickle.dumps(swish.bind(steepness=2.0)))
    assert again == swish.bind(steepness=2.0) != swish and hash(again) == hash(swish.bind(steepness=2.0))
    assert again.derivative == swish.bind(steepness=2.0).derivative
    circuit, _ = cs.circuits.circular_autoencoder([6, 3, 6], hidden=swish)
    other, _ = cs.circuits.circular_autoencoder([6, 3, 6], hidden=swish.bind(steepness=2.0))
    assert pickle.loads(pickle.dumps(circuit)) == circuit != other and circuit.text != other.text
    shown = swish._repr_html_()
    assert shown is not None and "f&#x27;(s) = " in shown and "steepness = 1.0" in shown
    assert lines_of(circuit, circuit.population("layer1")) == ("layer1", "3 · swish")


SETS = [part for text in ("sizes=[64,5,10]", "train_limit=60", "test_limit=20", "batch=10", "epochs=3", "lr=0.1")
        for part in ("--set", text)]  # fmt: skip
FILE = "def swish(s, *, steepness=1.0):\n    return s * (1 + tanh(steepness * s / 2)) / 2\n"


def test_the_command_line_resumes_it_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(FILE)
    command = ["run", "classifier", *SETS, "--set", "hidden=own.py:swish"]
    assert circuitsim(*command, "--out", "whole") == 0
    assert "own.py" in json.loads(Path("whole/config.json").read_text())["given"]["code"]
    with stopped_after(2):
        assert circuitsim(*command, "--out", "stopped") == 1
    assert circuitsim("resume", "stopped") == 2  # its code needs consent
    assert circuitsim("resume", "stopped", "--trust") == 0
    assert outcome(Path("stopped")) == outcome(Path("whole"))
    Path("own.py").write_text(FILE.replace("steepness=1.0", "steepness=2.0"))
    assert circuitsim(*command, "--out", "other") == 0
    assert outcome(Path("other"))[0] != outcome(Path("whole"))[0]


KEYS = {
    "hidden=swish": r"key hidden: got 'swish'; expected identity, tanh, .* saturated-half; or FILE\.py:FUNCTION, an",
    "hidden=softmax": r"key hidden: got 'softmax'; expected identity",
    "hidden=none.py:f": r"key hidden: got 'none\.py:f'; expected the path of a Python file, a colon and a function in",
    "output=own.py:none": r"key output: got 'own\.py:none'; expected a function defined in own\.py\. Define 'none' th",
    "output=own.py:swish": r"key output_bias: got 'data'; expected zero with the output swish, whose inverse is not kn",
}


@pytest.mark.parametrize("text", KEYS)
def test_keys_that_are_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(FILE)
    assert circuitsim("run", "autoencoder", "--quick", "--set", text, "--out", "out") == 2
    assert re.search(KEYS[text], capsys.readouterr().err.replace("\n", " "))
    assert not Path("out").exists()


@pytest.mark.parametrize("activation", OWN, ids=str)
def test_onnx_has_its_operations(activation: cs.Activation, tmp_path: Path) -> None:
    reference = pytest.importorskip("onnx.reference")
    circuit, protocol = cs.circuits.layered_classifier([6, 5, 3], "bp", hidden=activation)
    made = cs.Simulator(circuit, protocol, batch=4)
    x = np.random.default_rng(0).uniform(-3, 3, (9, 6)).astype(np.float32)
    cs.export(made, tmp_path / "own.onnx")
    (found,) = reference.ReferenceEvaluator(str(tmp_path / "own.onnx")).run(None, {circuit.inputs: x})
    expected = np.concatenate([fired[0] for _, fired, _ in made.outputs(x)])
    np.testing.assert_allclose(found, expected, atol=1e-5)
