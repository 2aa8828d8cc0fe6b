"""The black-box audit of training steps: verdicts on programs, what the user reads, and refusals of hostile input."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import nightly
from step_programs import BATCH, CHEATS, GAINS, HONEST, W1_AND_BIAS, WEIGHTS, WIRING, Arrays, Case, Network, softmax

import circuitsim as cs
from circuitsim.analysis.blackbox.fresh import fresh
from circuitsim.errors import StepError

ROOT = Path(__file__).parents[2]


def audited(case: Case, seed: int = 1, **more: Any) -> Any:
    """Audit a case."""
    options = {"seed": seed, **case.more, **more}
    return cs.audit_step(case.step, weights=case.weights, wiring=case.wiring, batch=case.batch, **options)


def violations(audit: Any) -> set[tuple[str, str]]:
    """Return kind and projection of all findings but labels."""
    return {(finding.kind, finding.projection) for finding in audit.findings if finding.kind != "label"}


@pytest.mark.parametrize("name", [name if k % 3 == 0 else nightly(name) for k, name in enumerate(HONEST)])
def test_an_honest_step_is_not_accused(name: str) -> None:
    audit = audited(HONEST[name])
    assert violations(audit) == set() and audit.local
    assert str(audit).startswith("No violation of locality found.\n")


@pytest.mark.parametrize("name", [name if k % 3 == 0 else nightly(name) for k, name in enumerate(CHEATS)])
def test_a_cheat_is_named_with_its_layer(name: str) -> None:
    audit = audited(CHEATS[name])
    assert violations(audit) == CHEATS[name].expected and not audit.local


@pytest.mark.parametrize("seed", [0, 1, 2, *(nightly(seed) for seed in range(3, 20))])
def test_one_entry_is_found_and_named_whichever_it_is(seed: int) -> None:
    row, column = seed % 4, seed % 5

    def back(w: Arrays) -> np.ndarray:
        copied = w["B2"].copy()
        copied[column, row] = w["W2"][row, column]
        return copied

    audit = audited(Case(Network(back=back)), seed=seed, runs=1)
    found = next(finding.read for finding in audit.findings if finding.projection == "b1")
    follows, first, second = re.findall(r"\w\d\[([\d, ]+)\]", found)
    assert follows == str(column) and f"{row}, {column}" in (first, second)


def test_what_the_user_reads() -> None:
    text = str(audited(CHEATS["transpose"]))
    assert re.fullmatch(
        r"Not local: 2 finding\(s\)\.\n"
        r"- weight-transport in W1: reads the weights of W2: W1\[\d, \d\] follows W2\[\d, \d\] or W2\[\d, \d\] "
        r"although no activity does\. Remedy: give the feedback projection weights and rules of its own, or "
        r"recirculate\.\n"
        r"- weight-transport in b1: .*\n"
        r"- label in W2: reads t, presented at y\. Remedy: none is needed: labels do not make a circuit non-local\.\n"
        r"Angle at the start, B2 and the transpose of W2: \d+\.\d degrees\.\n"
        r"Tested: all 84 synapses as sources and as targets, 5 states, batch of 6, seed 1, \d+ calls\. No memory seen "
        r"in \d+ calls\. Wires were cut and weights exchanged between twins; no activity was held\. t is taken to be "
        r"presented at y\.\n"
        r"Not tested: updates of B2: there were none\.\n"
        r"Not tested: code that recognises the audit, or acts after more calls or beyond larger values than these\.",
        text,
    )


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("signs", "the signs of the weights of W2: W1"),
        ("signs with own magnitudes", "the signs of the weights of W2: W1"),
        ("noisy copy", "the weights of W2: W1"),
        ("softmax", "other neurons of y"),
        ("layer normalisation", "other neurons of h"),
        ("batch normalisation", "statistics over the batch at h: other examples change an example's share"),
        (
            "batch normalisation at the output",
            "statistics over the batch at y: other examples change an example's share",
        ),
        (
            "clipped norm of all gradients",
            "one factor that all these updates determine together, such as a clipped norm",
        ),
        ("clipped norm of each layer", "one factor that all updates of W1 determine, such as a clipped norm"),
        ("labels to the hidden layer", "t, which no wire carries to it"),
        ("loss to the hidden layer", "the activity or error of y, which no wire carries to it"),
    ],
)
def test_a_finding_says_what_is_read(name: str, read: str) -> None:
    assert any(finding.read.startswith(read) for finding in audited(CHEATS[name]).findings)


def test_the_same_seed_gives_the_same_audit_and_another_is_drawn_each_time() -> None:
    first, again = (audited(CHEATS["transpose"], seed=4) for _ in range(2))
    drawn = [audited(HONEST["hebb"], seed=None).seed for _ in range(2)]
    assert first.findings == again.findings and first.seed == again.seed == 4 and drawn[0] != drawn[1]


def test_dependencies_are_a_table_of_updates_by_arrays() -> None:
    table = audited(CHEATS["transpose"]).dependencies
    assert list(table.index) == list(WEIGHTS) and list(table.columns) == [*WEIGHTS, *BATCH]
    assert table.loc["W1"].tolist() == ["own", "signals", "weight-transport", "signals", "", "signals", "signals"]
    assert table.loc["W2"].tolist() == ["signals", "signals", "own", "signals", "", "signals", "label"]
    assert table.loc["B2"].tolist() == [""] * 7


def test_the_result_is_plain_data() -> None:
    audit = audited(CHEATS["softmax"])
    data = json.loads(json.dumps(audit.to_dict()))
    assert data["local"] is False and data["seed"] == 1 and data["findings"][0]["kind"] == "lateral"
    assert data["dependencies"]["W2"]["t"] == "label" and data["coverage"] == audit.coverage


def test_feedback_that_starts_as_the_transpose_is_said() -> None:
    text = str(audited(HONEST["kolen-pollack from the transpose"]))
    assert "B2 and the transpose of W2: 0.0 degrees; learning starts as backpropagation.\n" in text


def test_the_place_of_labels_can_be_declared() -> None:
    audit = audited(HONEST["feedback alignment"], labels={"t": "h"})
    assert ("label", "W1") in {(finding.kind, finding.projection) for finding in audit.findings}
    assert "t is taken" not in audit.coverage


def test_a_step_that_remembers_is_followed_over_calls() -> None:
    text = audited(HONEST["momentum"]).coverage
    assert (
        "The step remembers earlier calls (seen at call 2); 24 calls in a row were compared; W1, b1, W2, b2 follow "
        in text
    )


def test_memory_beyond_the_window_is_named() -> None:
    within = audited(HONEST["traces"], window=23)
    beyond = audited(HONEST["traces"], window=3)
    assert violations(within) == set() and violations(beyond) == {("time-window", "W1")}
    assert beyond.findings[0].read == "examples of 23 calls ago or more, with a window of 3"


def test_updates_can_be_returned_in_place_of_weights() -> None:
    def updates(w: Arrays, batch: Arrays) -> Arrays:
        return Network(back=lambda w: w["W2"].T).gradients(w, batch)

    assert violations(audited(Case(updates), returns="updates")) == CHEATS["transpose"].expected


def test_what_cannot_be_tested_is_said() -> None:
    one = audited(HONEST["one example"])
    gains = audited(HONEST["neurons with gains"])
    assert "statistics over the batch, which has one example." in one.limits
    assert any(
        limit.startswith("weights of W2 read directly: changes that should cancel did not") for limit in gains.limits
    )


# ------------------------------------------------------------------------------------------------- activities on hold
HELD = {
    "W1": ("x", ("h", "delta")),
    "b1": (None, "h"),
    "W2": ("h", ("y", "error")),
    "b2": (None, "y"),
    "B2": ("error", "delta"),
}
Change = Callable[[dict[str, Any]], np.ndarray]


def holding(delta: Change | None = None, update: Change | None = None, output: Any = np.tanh) -> Callable[..., Arrays]:
    """Return feedback alignment that lets its activities be held; a delta or an update of W1 can be exchanged."""

    def step(w: Arrays, batch: Arrays, hold: Any) -> Arrays:
        x, t = batch["x"], batch["t"]
        h = hold("h", np.tanh(x @ w["W1"].T + w["b1"]))
        y = hold("y", output(h @ w["W2"].T + w["b2"]))
        error = hold("error", t - y)
        made = (error @ w["B2"].T) * (1 - h * h)
        d = hold("delta", made + delta(locals()) if delta else made)
        first = d.T @ x + (update(locals()) if update else 0)
        return {"W1": w["W1"] + 0.01 * first, "b1": w["b1"] + d.mean(0), "W2": w["W2"] + 0.01 * error.T @ h}

    return step


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (holding(), set()),
        (holding(update=lambda v: -v["w"]["W1"]), set()),
        (holding(update=lambda v: np.linalg.norm(v["w"]["W1"], axis=1, keepdims=True)), set()),
        (holding(delta=lambda v: v["error"] @ v["w"]["W2"]), {("weight-transport", "W1"), ("weight-transport", "b1")}),
        (holding(update=lambda v: 0.01 * v["w"]["W2"].sum()), {("weight-transport", "W1")}),
        (holding(update=lambda v: 0.01 * v["w"]["B2"][:, :1]), set()),
        (holding(output=softmax), {("lateral", "W2")}),
        (holding(delta=lambda v: v["error"] @ (np.sign(v["w"]["W2"]) * np.abs(v["w"]["B2"].T))), W1_AND_BIAS),
        (holding(delta=lambda v: (GAINS * v["error"].sum(1, keepdims=True)) * np.sign(v["w"]["W2"][0])), W1_AND_BIAS),
        (holding(delta=lambda v: 0.01 * v["h"].sum(1, keepdims=True)), {("lateral", "W1"), ("lateral", "b1")}),
        (holding(delta=lambda v: -v["made"].mean(0)), {("lateral", "W1")}),
        (holding(delta=lambda v: v["t"][:, :1]), {("remote-target", "W1"), ("remote-target", "b1")}),
        (holding(update=lambda v: 0.01 * v["error"].sum()), {("remote-error", "W1")}),
    ],
)
def test_held_activities_leave_the_readings(step: Callable[..., Arrays], expected: set[tuple[str, str]]) -> None:
    audit = cs.audit_step(step, WEIGHTS, HELD, BATCH, activities=["h", "y", "error", "delta"], seed=1)
    assert violations(audit) == expected
    assert "activities h, y, error, delta were held" in audit.coverage


def test_held_activities_find_what_neurons_without_twins_hide() -> None:
    def step(w: Arrays, batch: Arrays, hold: Any = lambda name, value: value) -> Arrays:
        h = hold("h", np.tanh(GAINS * (batch["x"] @ w["W1"].T + w["b1"])))
        error = hold("error", batch["t"] - np.tanh(h @ w["W2"].T))
        delta = hold("delta", error @ (np.abs(w["B2"].T) * np.sign(w["W2"])) * (1 - h * h))
        return {"W1": w["W1"] + 0.01 * delta.T @ batch["x"], "W2": w["W2"] + 0.01 * error.T @ h}

    free = cs.audit_step(step, WEIGHTS, HELD, BATCH, seed=1)
    held = cs.audit_step(step, WEIGHTS, HELD, BATCH, activities=["h", "error", "delta"], seed=1)
    assert violations(free) == set() and any(limit.startswith("weights of W2 read directly") for limit in free.limits)
    assert violations(held) == {("weight-transport", "delta")}
    assert held.findings[0].read == "W2, which no wire brings to h"


# ------------------------------------------------------------------------------------------------------ hostile input
def raising(w: Arrays, batch: Arrays) -> Arrays:
    raise ValueError("no such layer")


def in_place(w: Arrays, batch: Arrays) -> Arrays:
    w["W1"] += 0.1
    return w


def in_batch(w: Arrays, batch: Arrays) -> Arrays:
    batch["x"][...] = 0
    return Network()(w, batch)


class Unrepeatable:
    """Draws from a generator of the operating system, which no copy repeats."""

    def __call__(self, w: Arrays, batch: Arrays) -> Arrays:
        noise = np.random.default_rng().normal(size=w["W1"].shape)
        return {**Network()(w, batch), "W1": w["W1"] + noise}


def own_weights(w: Arrays, batch: Arrays) -> Arrays:
    return Network()(WEIGHTS, batch)


REFUSED = {
    "own weights": (
        own_weights,
        {},
        r"step: got the same results for other weights; expected new weights computed from ",
    ),
    "no change": (
        lambda w, b: w,
        {},
        r"step: got no change of any weight in 5 states; expected a step that learns\. Ret",
    ),
    "raises": (
        raising,
        {},
        r"step: got ValueError: no such layer \(line \d+ of raising\); expected a call step\(weights, ",
    ),
    "in place": (
        in_place,
        {},
        r"step: got a change of its argument weights\['W1'\] in place; expected arguments left as",
    ),
    "batch": (
        in_batch,
        {},
        r"step: got a change of its argument batch\['x'\] in place; expected arguments left as they",
    ),
    "nothing": (
        lambda w, b: None,
        {},
        r"step: got a result of NoneType; expected a mapping whose names are among 'W1', ",
    ),
    "names": (
        lambda w, b: {"W3": w["W1"]},
        {},
        r"step: got a result of 'W3'; expected a mapping whose names are among",
    ),
    "shapes": (
        lambda w, b: {"W1": w["W2"]},
        {},
        r"result 'W1' of step: got shape \(4, 5\); expected finite values of ",
    ),
    "nan": (
        lambda w, b: {"W1": w["W1"] * np.nan},
        {},
        r"result 'W1' of step: got NaN or infinite values; expected finite",
    ),
    "text": (
        lambda w, b: {"W1": "new"},
        {},
        r"result 'W1': got str of <U3; expected an array of floating-point numbers",
    ),
    "random": (
        Unrepeatable(),
        {},
        r"step: got two results for 'W1' from the same arguments; expected a step that repeats",
    ),
    "missing wire": (
        Network(),
        {"wiring": {"W1": ("x", "h")}},
        r"wiring: got the names 'W1'; expected one entry for each",
    ),
    "no pair": (
        Network(),
        {"wiring": {**WIRING, "W1": "xh"}},
        r"wiring of W1: got 'xh'; expected a pair \(pre, post\) of",
    ),
    "wrong pair": (
        Network(),
        {"wiring": {**WIRING, "W1": ("h", "x")}},
        r"weights 'b1': got 5 neurons of 'h'; expected 7, as in the arrays before it\. Check pre and post in the ",
    ),
    "bias": (
        Network(),
        {"wiring": {**WIRING, "b1": ("x", "h")}},
        r"weights 'b1': got shape \(5,\); expected a vector \(",
    ),
    "input": (
        Network(),
        {"batch": {"z": BATCH["x"], "t": BATCH["t"]}},
        r"batch: got the names 'z', 't', of which the ",
    ),
    "place": (
        Network(),
        {"labels": {"t": "q"}},
        r"batch: got the names 'x', 't', of which the wiring has 'x'; expected",
    ),
    "length": (
        Network(),
        {"batch": {**BATCH, "t": BATCH["t"][:3]}},
        r"batch: got 'x' of length 6, 't' of length 3; exp",
    ),
    "infinite": (
        Network(),
        {"weights": {**WEIGHTS, "b1": np.full(5, np.inf)}},
        r"array 'b1': got float64 with NaN or inf",
    ),
    "whole": (
        Network(),
        {"weights": {**WEIGHTS, "b1": np.zeros(5, int)}},
        r"array 'b1': got int64; expected finite values",
    ),
    "returns": (
        Network(),
        {"returns": "gradients"},
        r"returns: got 'gradients'; expected \"weights\" or \"updates\"\.",
    ),
    "runs": (Network(), {"runs": 0}, r"runs: got 0; expected a whole number of at least 1\."),
    "held": (
        Network(),
        {"activities": ["q"]},
        r"activities: got 'q'; expected names that the wiring has and the batch ",
    ),
    "not held": (
        lambda w, b, hold: Network()(w, b),
        {"activities": ["h"]},
        r"activities: got none passed through hold; expected 'h', all in each call\. Let the step take a third ",
    ),
    "third": (
        Network(),
        {"third_factor": ("V",)},
        r"third_factor: got 'V'; expected names of weights: 'W1', 'b1', 'W2', ",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_audited_is_refused_with_a_remedy(name: str) -> None:
    step, more, message = REFUSED[name]
    arguments = {"weights": WEIGHTS, "wiring": WIRING, "batch": BATCH, "seed": 1, **more}
    with pytest.raises(StepError, match=message):
        cs.audit_step(step, **arguments)


# ------------------------------------------------------------------------------------------ copies, other libraries
def test_a_copy_of_a_step_has_memory_of_its_own() -> None:
    seen: list[int] = []

    def inner() -> None:
        seen.append(1)

    def outer() -> int:
        inner()
        return len(seen)

    first, second = fresh(outer), fresh(outer)
    assert (first(), first(), second(), len(seen)) == (1, 2, 1, 0)


def test_global_generators_go_on_as_if_nothing_had_run() -> None:
    def noisy(w: Arrays, batch: Arrays) -> Arrays:
        return {**Network()(w, batch), "B2": w["B2"] + 0.01 * np.random.randn(*w["B2"].shape)}

    np.random.seed(1)
    expected = np.random.rand(3)
    np.random.seed(1)
    assert audited(Case(noisy)).local
    assert np.array_equal(np.random.rand(3), expected)


def test_pytorch_programs_get_their_four_answers_in_time() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed, and circuitsim does not need it")
    program = [sys.executable, "examples/audit_pytorch.py"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    answers = re.findall(r"^(.*) \((\d+\.\d) s of processor time\)\n((?:.+\n)+)", done.stdout, re.M)
    found = {name: set(re.findall(r"^- (\S+) in (.+?): reads", text, re.M)) for name, _, text in answers}
    label = ("label", "W2")
    assert found == {
        "feedback alignment by hand": {label},
        "autograd, feedback tied to W2": {("weight-transport", "W1"), ("weight-transport", "b1"), label},
        "feedback alignment, batch normalisation": {("lateral", "W1"), label},
        "feedback alignment, clipped gradient norm": {("lateral", "W1, W2, b1, b2"), label},
    }
    assert all(float(seconds) < 10 for _, seconds, _ in answers)


def test_torch_tensors_go_in_and_come_out() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed, and circuitsim does not need it")
    seen = set()

    def step(w: Any, batch: Any) -> Any:
        seen.update((type(value), value.dtype, value.requires_grad) for value in (*w.values(), *batch.values()))
        (torch.tanh(batch["x"] @ w["W"].T) ** 2).sum().backward()
        return {"W": w["W"] - 0.1 * w["W"].grad}

    weights = {"W": torch.randn(4, 7, dtype=torch.float64, requires_grad=True)}
    batch = {"x": torch.tensor(BATCH["x"])}
    original = weights["W"].detach().clone()
    assert cs.audit_step(step, weights, {"W": ("x", "y")}, batch, seed=1).local
    assert torch.equal(weights["W"], original) and weights["W"].grad is None


def test_jax_arrays_go_in_and_come_out() -> None:
    jax = pytest.importorskip("jax", reason="JAX is not installed, and circuitsim does not need it")

    def loss(w: Any, batch: Any) -> Any:
        return ((batch["t"] - jax.numpy.tanh(jax.numpy.tanh(batch["x"] @ w["W1"].T) @ w["W2"].T)) ** 2).sum()

    @jax.jit
    def step(w: Any, batch: Any) -> Any:
        gradients = jax.grad(loss)(w, batch)
        return {name: w[name] - 0.1 * gradients[name] for name in w}

    weights = {name: jax.numpy.asarray(WEIGHTS[name]) for name in ("W1", "W2")}
    batch = {name: jax.numpy.asarray(value) for name, value in BATCH.items()}
    audit = cs.audit_step(step, weights, {"W1": ("x", "h"), "W2": ("h", "y")}, batch, seed=1)
    assert violations(audit) == {("weight-transport", "W1")}


def test_the_example_says_that_pytorch_is_missing() -> None:
    program = "import sys, runpy; sys.modules['torch'] = None; runpy.run_path('examples/audit_pytorch.py')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "This example needs PyTorch, which circuitsim does not: pip install torch\n"


class Foreign:
    """An array of a library that offers the array API and DLPack and nothing else."""

    def __init__(self, value: np.ndarray) -> None:
        self.value, self.dtype, self.device = value, value.dtype, "cpu"

    def __array_namespace__(self) -> Any:
        return ForeignLibrary

    def __dlpack__(self, **options: Any) -> Any:
        return self.value.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.value.__dlpack_device__()


class ForeignLibrary:
    @staticmethod
    def asarray(value: np.ndarray, *, dtype: Any, device: Any) -> Foreign:
        assert device == "cpu"
        return Foreign(value.astype(dtype))


def test_arrays_of_another_library_go_in_and_come_out() -> None:
    def step(w: Any, batch: Any) -> Any:
        assert all(isinstance(value, Foreign) for value in (*w.values(), *batch.values()))
        new = Network(back=lambda w: w["W2"].T)(
            {n: v.value for n, v in w.items()}, {n: v.value for n, v in batch.items()}
        )
        return {name: Foreign(value) for name, value in new.items()}

    weights, batch = ({name: Foreign(value) for name, value in given.items()} for given in (WEIGHTS, BATCH))
    audit = cs.audit_step(step, weights, WIRING, batch, seed=1)
    assert violations(audit) == CHEATS["transpose"].expected


def test_nothing_of_a_tensor_library_is_imported() -> None:
    program = "import sys, circuitsim; circuitsim.audit_step; print([n for n in ('torch', 'jax') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
