"""The scenario `classifier`: its keys reach the circuit, and its figures are those of plain NumPy."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import handwritten_classifier as by_hand
import numpy as np
import pytest
from running import checkpoints, circuitsim, final, measured, metrics, nightly, outcome, skip_report, vary

from circuitsim import data
from circuitsim.runs.config import spell
from circuitsim.runs.runfolder import read_tensors, save_tensors

SMALL = {"sizes": [64, 9, 7, 10], "train_limit": 44, "test_limit": 20, "batch": 8, "epochs": 3, "dtype": "float64"}
KINDS = ("bp", "fa", "dfa", "kp", "wm", "ss", "urfb", "ia", "sa", "aa")
QUIET = {"scale": 0.0, "decay": 0.01}  # no noise: what mirror mode does is known without drawing numbers


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)


def run(out: Path, *options: object, **keys: Any) -> dict[str, np.ndarray]:
    """Run a small classifier into a folder; return its final tensors."""
    sets = [part for key, value in (SMALL | keys).items() for part in ("--set", f"{key}={toml(value)}")]
    assert circuitsim("run", "classifier", "--out", out, *sets, *options) == 0
    return final(out)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(v)}" for key, v in value.items()) + " }"
    return spell(value)


def initial(folder: Path) -> dict[str, np.ndarray]:
    return read_tensors(folder / "initial.safetensors")


def figures(folder: Path, epoch: int, split: str) -> dict[str, float]:
    frame = metrics(folder)
    rows = frame[(frame["epoch"] == epoch) & (frame["split"] == split)]
    return dict(zip(rows["metric"], rows["value"], strict=True))


@cache
def small() -> data.Dataset:
    return data.load("digits", "float64", SMALL["train_limit"], SMALL["test_limit"])


@cache
def rows(epochs: int) -> list[np.ndarray]:
    """What an unshuffled run of so many epochs shows; the last batch of each is short."""
    return [np.arange(k, min(k + 8, 44)) for _ in range(epochs) for k in range(0, 44, 8)]


def loss_of(right: int, s: np.ndarray, o: np.ndarray, output: str, loss: str, margin: float) -> float:
    wanted = np.arange(len(s)) == right
    if loss == "hinge":
        return max(0.0, 1 - s[right]) + sum(max(0.0, margin + s[k]) for k in range(len(s)) if k != right) / (len(s) - 1)
    if output == "softmax":
        return -float(np.log(o[right]))
    if output == "logistic":
        return -float(np.log(np.where(wanted, o, 1 - o)).sum())
    return float(((wanted - o) ** 2).sum()) / 2


def evaluated(w: dict[str, np.ndarray], split: str, **keys: Any) -> tuple[float, float]:
    """Error in percent and mean loss, example by example."""
    hidden, output = keys.get("hidden", "tanh"), keys.get("output", "softmax")
    margin = {"one": 1.0, "mu": 1 / 9}[keys.get("hinge_margin", "one")]
    x, y = getattr(small(), split), getattr(small(), f"{split}_labels")
    wrong, losses = 0, []
    for example, right in zip(x, y, strict=True):
        s, o = by_hand.forward(example, w, hidden=hidden, output=output)
        wrong += int(np.argmax(o[-1])) != right
        losses.append(loss_of(int(right), s[-1], o[-1], output, keys.get("loss", "error"), margin))
    return 100 * wrong / len(x), float(np.mean(losses))


def degrees(u: np.ndarray, v: np.ndarray) -> float:
    cosine = np.vdot(u, v) / np.sqrt(np.vdot(u, u) * np.vdot(v, v))
    return float(np.degrees(np.arccos(min(cosine, 1.0))))


@pytest.mark.parametrize(
    "keys",
    [
        {"output": "softmax"},
        {"output": "logistic", "hidden": "logistic"},
        {"output": "identity", "hidden": "relu"},
        {"output": "tanh", "hidden": "saturated"},
        {"loss": "hinge", "output": "identity"},
        {"loss": "hinge", "hinge_margin": "mu", "output": "softmax"},
    ],
    ids=str,
)
def test_error_and_loss(keys: dict[str, Any], tmp_path: Path) -> None:
    run(tmp_path / "run", lr=0.2, **keys)
    for epoch, w in ((0, initial(tmp_path / "run")), (3, final(tmp_path / "run"))):
        for split in ("train", "test"):
            found = figures(tmp_path / "run", epoch, split)
            assert (found["error"], found["loss"]) == pytest.approx(evaluated(w, split, **keys), rel=1e-9)


WAYS = [(kind, {}, kind) for kind in KINDS]  # feedback, further keys, and what it is by hand
WAYS += [("ss", {"ss_kind": "batch"}, "ss"), ("bp", {"copy_interval": 4}, "fa")]


@pytest.mark.parametrize(("kind", "keys", "feedback"), WAYS, ids=str)
def test_angles(kind: str, keys: dict[str, Any], feedback: str, tmp_path: Path) -> None:
    w = run(tmp_path / "run", feedback=kind, lr=0.3, angle_examples=30, **keys)
    found = figures(tmp_path / "run", 3, "train")
    angles: dict[int, list[float]] = {1: [], 2: []}
    for example, right in zip(small().train[:30], small().train_labels[:30], strict=True):
        s, o = by_hand.forward(example, w)
        error = by_hand.output_error(int(right), s[-1], o[-1], "error", "one")
        own, true = (by_hand.errors(s, error, w, kind, "tanh") for kind in (feedback, "bp"))
        for h, list_ in angles.items():
            list_.append(degrees(own[h], true[h]))
    for h, expected in angles.items():
        assert found[f"angle/delta{h}"] == pytest.approx(np.mean(expected), abs=1e-4)
        assert found[f"angle_spread/delta{h}"] == pytest.approx(np.std(expected), abs=1e-4)
    for h in (2, 3):
        assert (f"angle/W{h}" in found) == (feedback != "dfa")
        if feedback == "dfa":
            continue
        up, down = w[f"W{h}.weight"].T, by_hand.returning(w, feedback, h)
        assert found[f"angle/W{h}"] == pytest.approx(degrees(up, down), abs=1e-4)
        assert found[f"norm_ratio/W{h}"] == pytest.approx(np.linalg.norm(down) / np.linalg.norm(up))
        assert found[f"correlation/W{h}"] == pytest.approx(np.corrcoef(up.ravel(), down.ravel())[0, 1])


def test_figures_that_are_undefined_are_left_out(tmp_path: Path) -> None:
    """Weights of nought have no angle, and an error that the next layer stops has none."""
    save_tensors(tmp_path / "init", {"B3.weight": np.zeros((7, 10))})
    run(tmp_path / "run", "--init", tmp_path / "init", feedback="fa", epochs=1)
    found = figures(tmp_path / "run", 1, "train")
    assert not {"angle/W3", "correlation/W3", "angle/delta1", "angle/delta2", "angle_spread/delta1"} & found.keys()
    assert found["norm_ratio/W3"] == 0
    assert {"angle/W2", "error", "loss"} <= found.keys()


def test_running_loss_is_that_of_each_batch_before_its_update(tmp_path: Path) -> None:
    keys = {"sizes": [64, 10], "lr": 0.5, "shuffle": False, "epochs": 2, "running_loss": True}
    run(tmp_path / "run", **keys)
    w = initial(tmp_path / "run")
    for epoch in (1, 2):
        means = []
        for part in rows(1):
            each = []
            for e in part:
                s, o = by_hand.forward(small().train[e], w)
                each.append(loss_of(int(small().train_labels[e]), s[-1], o[-1], "softmax", "error", 1.0))
            means.append(np.mean(each))
            w = by_hand.train(small().train, small().train_labels, w, rows=[part], lr=0.5)
        assert figures(tmp_path / "run", epoch, "train")["running_loss"] == pytest.approx(np.mean(means))
    assert "running_loss" not in figures(tmp_path / "run", 0, "train")
    run(tmp_path / "other", **keys | {"running_loss": False})
    assert "running_loss" not in figures(tmp_path / "other", 1, "train")
    for name, values in final(tmp_path / "other").items():
        np.testing.assert_array_equal(values, final(tmp_path / "run")[name])


TABLES = {"ia": {"amp": 0.6, "decay": 0.2, "null": 0.3, "rate": 0.2}, "sa": {"self": 0.5, "decay": 0.4, "rate": 0.1},
          "aa": {"amp": 0.4, "sparse": 0.3, "self": 0.1, "rate": 0.2, "reads": "activity"}}  # fmt: skip


@pytest.mark.parametrize("feedback", [kind for kind in KINDS if kind != "wm"])
def test_keys_reach_the_circuit(feedback: str, tmp_path: Path) -> None:
    """Rates by layer, their decay, momentum, weight decay, steps, coefficients: as a run by hand has them."""
    common = {"lr": [0.3, 0.2, 0.1], "lr_bias": [0.1, 0.2, 0.05], "momentum": 0.5, "weight_decay": 0.01,
              "max_norm": 3.0}  # fmt: skip
    keys = common | ({"feedback_step": 0.7} if feedback in ("fa", "kp", "urfb") else {})
    keys |= {"primitives": TABLES[feedback]} if feedback in TABLES else {}
    found = run(tmp_path / "run", feedback=feedback, shuffle=False, lr_decay=0.8, **keys)
    factors = [0.8**epoch for epoch in range(3) for _ in rows(1)]
    w = initial(tmp_path / "run")
    expected = by_hand.train(small().train, small().train_labels, w, rows=rows(3), feedback=feedback,
                             lr_factors=factors, **keys)  # fmt: skip
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-11)


def test_fixed_feedback_is_fixed_unless_it_is_given_steps(tmp_path: Path) -> None:
    fixed = run(tmp_path / "fa", feedback="fa", lr=0.3)
    np.testing.assert_array_equal(fixed["B2.weight"], initial(tmp_path / "fa")["B2.weight"])
    updated = run(tmp_path / "urfb", feedback="urfb", lr=0.3)
    for name, values in run(tmp_path / "stepped", feedback="fa", feedback_step=1, lr=0.3).items():
        np.testing.assert_array_equal(updated[name], values)


def test_only_kolen_pollack_decays_feedback(tmp_path: Path) -> None:
    for feedback, factor in (("kp", 0.9**18), ("urfb", 1.0), ("fa", 1.0)):
        found = run(tmp_path / feedback, feedback=feedback, lr=0, lr_bias=0.1, weight_decay=0.1)
        before = initial(tmp_path / feedback)
        for h in (2, 3):
            np.testing.assert_allclose(found[f"W{h}.weight"], before[f"W{h}.weight"] * 0.9**18)
            np.testing.assert_allclose(found[f"B{h}.weight"], before[f"B{h}.weight"] * factor)


def test_a_table_of_coefficients_takes_the_place_of_the_rule_s(tmp_path: Path) -> None:
    """18 updates. The rate alone leaves the rule as it is; what is not named beside a coefficient is 0."""
    only = run(tmp_path / "only", feedback="ia", primitives={"decay": 0.5, "rate": 0.1})["B2.weight"]
    np.testing.assert_allclose(only, initial(tmp_path / "only")["B2.weight"] * 0.95**18)
    pulled = run(tmp_path / "rate", feedback="sa", lr=0, primitives={"rate": 0.1})
    up, down = initial(tmp_path / "rate")["W2.weight"].T, initial(tmp_path / "rate")["B2.weight"]
    np.testing.assert_allclose(pulled["B2.weight"], up + (down - up) * 0.9**18)
    none = run(tmp_path / "none", feedback="aa", primitives={"amp": 0, "rate": 0.1})["B2.weight"]
    np.testing.assert_array_equal(none, initial(tmp_path / "none")["B2.weight"])


@pytest.mark.parametrize(("before", "after"), [(0, 1), (5, 0), (7, 3)])
def test_mirror_passes_are_counted(before: int, after: int, tmp_path: Path) -> None:
    mirror = QUIET | {"passes_before": before, "passes_per_update": after}
    found = run(tmp_path / "run", feedback="wm", lr_decay=0.5, mirror=mirror)["B3.weight"]
    np.testing.assert_allclose(found, initial(tmp_path / "run")["B3.weight"] * 0.99 ** (before + 18 * after))
    ratio = figures(tmp_path / "run", 0, "train")["norm_ratio/W3"]
    first = initial(tmp_path / "run")
    expected = 0.99**before * np.linalg.norm(first["B3.weight"]) / np.linalg.norm(first["W3.weight"])
    assert ratio == pytest.approx(expected)


@pytest.mark.parametrize("feedback", ["wm", "ia", "sa", "aa"])
def test_decay_of_the_rates_leaves_other_rates_alone(feedback: str, tmp_path: Path) -> None:
    constant, decayed = (
        run(tmp_path / f"{factor}", feedback=feedback, lr=0, lr_decay=factor, primitives={"rate": 0.2})["B2.weight"]
        for factor in (1, 0.5)
    )
    assert (constant != initial(tmp_path / "1")["B2.weight"]).all()
    np.testing.assert_array_equal(constant, decayed)


def test_mirror_mode_aligns_feedback_before_training(tmp_path: Path) -> None:
    """E[x yᵀ] = scale² Wᵀ for identity neurons, so B goes to rate · scale² / decay · Wᵀ; rates of W do not matter."""
    mirror = {"scale": 0.5, "rate": 0.2, "decay": 0.1, "passes_before": 3000}
    run(tmp_path / "run", feedback="wm", hidden="identity", epochs=0, batch=40, lr=0, mirror=mirror)
    found = figures(tmp_path / "run", 0, "train")
    for h in (2, 3):
        assert found[f"angle/W{h}"] < 25
        assert found[f"norm_ratio/W{h}"] == pytest.approx(0.2 * 0.25 / 0.1, rel=0.15)


CHANGES = {
    "noise": "uniform",
    "scale": 0.7,
    "rate": 0.2,
    "decay": 0.3,
    "centre": True,
    "block_bias": True,
    "normalise": True,
    "passes_before": 1,
    "passes_per_update": 2,
}


@pytest.mark.parametrize("key", CHANGES)
def test_every_key_of_the_mirror_matters(key: str, tmp_path: Path) -> None:
    plain = run(tmp_path / "plain", feedback="wm", lr=0.3)["B2.weight"]
    changed = run(tmp_path / "changed", feedback="wm", lr=0.3, mirror={key: CHANGES[key]})["B2.weight"]
    assert np.abs(changed - plain).max() > 1e-4
    if key == "normalise":
        assert np.linalg.norm(changed) == pytest.approx(1)


def test_magnitudes_of_signs(tmp_path: Path) -> None:
    uniform = run(tmp_path / "uniform", feedback="ss", lr=0.3)
    np.testing.assert_array_equal(uniform["B2.weight"], np.full((9, 7), np.sqrt(2 / 16)))
    np.testing.assert_array_equal(uniform["B3.weight"], np.full((7, 10), np.sqrt(2 / 17)))
    fixed = run(tmp_path / "fixed", feedback="ss", ss_kind="fixed", lr=0.3)
    np.testing.assert_array_equal(fixed["B2.weight"], initial(tmp_path / "fixed")["B2.weight"])
    assert len(np.unique(np.abs(fixed["B2.weight"]))) == 63


def test_magnitudes_that_are_redrawn(tmp_path: Path) -> None:
    """Each presentation has its own, so runs of other lengths end with others."""
    ends = [run(tmp_path / f"{n}", feedback="ss", ss_kind="batch", lr=0, epochs=n)["B2.weight"] for n in (1, 2, 3)]
    limit = np.sqrt(6 / 16)
    for values in ends:
        assert len(np.unique(np.abs(values))) == 63
        assert 0.8 * limit < np.abs(values).max() <= limit
    assert all((np.abs(a) != np.abs(b)).all() for a, b in pairwise(ends))


def test_copies_of_every_so_many_presentations(tmp_path: Path) -> None:
    """Also across epochs, of six presentations each; between two copies feedback is fixed."""
    found = run(tmp_path / "run", lr=0.3, shuffle=False, copy_interval=4)
    w = initial(tmp_path / "run")
    for k, part in enumerate(rows(3)):
        if k % 4 == 0:
            w |= {f"B{h}.weight": w[f"W{h}.weight"].T for h in (2, 3)}
        w = by_hand.train(small().train, small().train_labels, w, rows=[part], feedback="fa", lr=0.3)
    for name, values in w.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-12)


def test_copies_at_the_extremes(tmp_path: Path) -> None:
    """Taken over always they are backpropagation; never again, fixed feedback; the angle is that with the copy."""
    plain = run(tmp_path / "plain", lr=0.3)
    many = run(tmp_path / "many", *vary(copy_interval="0,1,3,never"), lr=0.3)
    for name, values in plain.items():
        np.testing.assert_array_equal(many[name][0], values)
        np.testing.assert_allclose(many[name][1], values, rtol=0, atol=1e-12)
        assert np.abs(many[name][2] - values).max() > 1e-4
    assert json.loads((tmp_path / "many" / "config.json").read_text())["copy_interval"] == [0, 1, 3, "never"]
    assert len(json.loads((tmp_path / "many" / "audit.json").read_text())["circuits"]) == 2
    copies = {f"B{h}.weight": initial(tmp_path / "plain")[f"W{h}.weight"].T.copy() for h in (2, 3)}
    save_tensors(tmp_path / "init", copies)
    fixed = run(tmp_path / "fixed", "--init", tmp_path / "init", feedback="fa", lr=0.3)
    frame = measured(tmp_path / "many")
    for name, values in fixed.items():
        np.testing.assert_allclose(many[name][3], values, rtol=0, atol=1e-12)
    never = frame[(frame["replica"] == 3) & (frame["epoch"] == 3)].set_index(["split", "metric"])["value"]
    for h in (2, 3):
        expected = degrees(fixed[f"W{h}.weight"].T, copies[f"B{h}.weight"])
        assert never["train", f"angle/W{h}"] == pytest.approx(expected, abs=1e-4)
    start = frame[(frame["epoch"] == 0) & frame["metric"].isin(["angle/W2", "angle/W3", "angle/delta1"])]  # of W itself
    assert len(start) == 12 and (start["value"] < 1e-5).all()


def test_updates_by_chance(tmp_path: Path) -> None:
    """What has not been let through has changed nothing; between that and certainty lies the chance."""
    certain = run(tmp_path / "certain", lr=0.3)
    before = initial(tmp_path / "certain")
    many = run(tmp_path / "many", *vary(update_probability="1,0.5,1e-9"), lr=0.3)
    for name, values in certain.items():
        np.testing.assert_array_equal(many[name][0], values)
        assert (np.abs(many[name][1] - before[name]) > 0).any() and np.abs(many[name][1] - values).max() > 1e-4
        np.testing.assert_array_equal(many[name][2], before[name])


def test_updates_at_once(tmp_path: Path) -> None:
    """Fixed feedback does not notice; transposed weights do."""
    last, at_once, either = (
        run(tmp_path / when, *vary(feedback="bp,fa"), updates=when, lr=0.3) for when in ("last", "at-once", "either")
    )
    for name in ("W1.weight", "W2.bias"):
        assert np.abs(last[name][0] - at_once[name][0]).max() > 1e-4 < np.abs(last[name][0] - either[name][0]).max()
        assert np.abs(either[name][0] - at_once[name][0]).max() > 1e-4
        np.testing.assert_array_equal(last[name][1], at_once[name][1])
        np.testing.assert_array_equal(last[name][1], either[name][1])


@pytest.mark.parametrize(
    ("feedback", "window"), [("bp", {"W1": 11, "W2": 6, "W3": 1}), ("dfa", {"W1": 7, "W2": 6, "W3": 1})]
)
def test_errors_that_take_long(feedback: str, window: dict[str, int], tmp_path: Path) -> None:
    """By hand: layer 3 fires in tick 3, and each feedback projection takes 4. What is learned is the same."""
    slow = run(tmp_path / "slow", feedback=feedback, feedback_delay=4)
    assert json.loads((tmp_path / "slow" / "audit.json").read_text())["window"] == window
    for name, values in run(tmp_path / "fast", feedback=feedback).items():
        np.testing.assert_array_equal(slow[name], values)


@pytest.mark.parametrize(
    ("feedback", "ss_kind"), [("kp", "fixed"), ("dfa", "fixed"), ("ss", "uniform"), ("ss", "batch")]
)
def test_density(feedback: str, ss_kind: str, tmp_path: Path) -> None:
    found = run(tmp_path / "run", feedback=feedback, ss_kind=ss_kind, sizes=[64, 40, 30, 10], density=0.3, lr=0.3)
    kept = {name: values != 0 for name, values in found.items() if name.endswith("weight")}
    assert all(abs(k.mean() - 0.3) < 4 * np.sqrt(0.21 / k.size) for k in kept.values())
    before = initial(tmp_path / "run")
    assert all((kept[name] == (before[name] != 0)).all() for name in kept)
    if "B2.weight" in kept:
        assert (kept["B2.weight"] != kept["W2.weight"].T).any()


@pytest.mark.nightly
def test_kinds_of_feedback_in_one_run_are_single_runs(tmp_path: Path) -> None:
    together = run(tmp_path / "all", *vary(feedback=",".join(KINDS), seed="0,1"), lr=0.3, momentum=0.5)
    frame = measured(tmp_path / "all")
    for replica, feedback in enumerate(KINDS):
        single = run(tmp_path / feedback, feedback=feedback, lr=0.3, momentum=0.5, seed=1)
        own = frame[frame["replica"] == 2 * replica + 1]
        for name, values in together.items():
            if name in single:
                np.testing.assert_allclose(values[2 * replica + 1], single[name], rtol=0, atol=1e-12)
            else:
                assert np.isnan(values[2 * replica + 1]).all()
        alone = measured(tmp_path / feedback)
        assert list(own["metric"]) == list(alone["metric"])
        np.testing.assert_allclose(own["value"], alone["value"], rtol=1e-9, atol=1e-5)


@pytest.mark.nightly
def test_replicas_of_one_circuit_may_differ_in_all_that_is_a_number(tmp_path: Path) -> None:
    """Mirrors of unlike scale are one simulator; unlike passes before training are two."""
    tables = [{"scale": 0.3}, {"scale": 0.6, "rate": 0.2}, {"passes_before": 4}]
    together = run(tmp_path / "all", *vary(mirror=",".join(map(toml, tables))), feedback="wm", lr=0.3)
    audit = json.loads((tmp_path / "all" / "audit.json").read_text())
    assert len(audit["circuits"]) == 2
    for replica, table in enumerate(tables):
        single = run(tmp_path / f"{replica}", feedback="wm", lr=0.3, mirror=table)
        for name, values in single.items():
            np.testing.assert_allclose(together[name][replica], values, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("every", "keep"), [(4, 1), nightly(None, 1), nightly(None, 0)])
def test_resume_ends_in_the_same_bits(every: int | None, keep: int, tmp_path: Path) -> None:
    """From a checkpoint within an epoch, from one at its end, and from none at all; mirror noise included."""
    options = vary(feedback="wm,kp,ia,ss", data_seed="0,1")
    keys = {
        "ss_kind": "batch",
        "lr": 0.3,
        "momentum": 0.5,
        "lr_decay": 0.8,
        "mirror": {"passes_before": 3},
        "checkpoint_every": every,
    }
    run(tmp_path / "run", *options, **keys)
    before = outcome(tmp_path / "run")
    for path in checkpoints(tmp_path / "run")[keep:]:
        path.unlink()
    (tmp_path / "run" / "final.safetensors").unlink()
    assert circuitsim("resume", tmp_path / "run") == 0
    assert outcome(tmp_path / "run") == before


@pytest.mark.nightly
def test_what_waits_and_what_is_copied_is_resumed(tmp_path: Path) -> None:
    options = vary(copy_interval="0,4,never", update_probability="1,0.3")
    run(tmp_path / "run", *options, lr=0.3, momentum=0.5, updates="either", checkpoint_every=4)
    before = outcome(tmp_path / "run")
    for path in checkpoints(tmp_path / "run")[1:]:
        path.unlink()
    (tmp_path / "run" / "final.safetensors").unlink()
    assert circuitsim("resume", tmp_path / "run") == 0
    assert outcome(tmp_path / "run") == before


def test_init_gives_any_subset_of_tensors(tmp_path: Path) -> None:
    given = {"W1.bias": np.arange(9.0), "B3.weight": np.ones((7, 10)), "D1.weight": np.ones((9, 10))}
    save_tensors(tmp_path / "init", given)
    run(tmp_path / "run", "--init", tmp_path / "init", *vary(feedback="fa,dfa"), epochs=0)
    found = initial(tmp_path / "run")
    for name, replica in (("W1.bias", 0), ("W1.bias", 1), ("B3.weight", 0), ("D1.weight", 1)):
        np.testing.assert_array_equal(found[name][replica], given[name])
    assert found["W1.weight"][0].std() > 0.1


def test_config_has_every_value_used(tmp_path: Path) -> None:
    run(tmp_path / "run", *vary(feedback="bp,urfb,sa"), epochs=0, mirror={"scale": 2})
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["feedback_step"] == [None, 1.0, None]
    assert config["mirror"] == {"noise": "gaussian", "scale": 2.0, "rate": 0.1, "decay": 0.01, "centre": False,
                                "block_bias": False, "normalise": False, "passes_before": 0,
                                "passes_per_update": 1}  # fmt: skip
    assert config["primitives"][2] == {"decay": 1.0, "amp": 0.0, "null": 0.0, "sparse": 0.0, "self": 1.0, "rate": 0.01,
                                       "reads": "input"}  # fmt: skip


def test_the_audit_says_where_feedback_is_not_local(tmp_path: Path) -> None:
    kinds = {}
    for feedback in KINDS:
        run(tmp_path / feedback, feedback=feedback, output="logistic", epochs=0)
        audit = json.loads((tmp_path / feedback / "audit.json").read_text())
        kinds[feedback] = {f["kind"] for f in audit["findings"]} - {"label"}
        assert audit["local"] == (not kinds[feedback])
    assert kinds["bp"] == kinds["ss"] == kinds["sa"] == {"weight-transport"}
    assert not kinds["fa"] | kinds["dfa"] | kinds["kp"] | kinds["urfb"] | kinds["wm"] | kinds["ia"]


def test_activation_alignment_follows_backpropagation(tmp_path: Path) -> None:
    """With W x its feedback turns to the transposed weights; with the softmax's activity it cannot."""
    learns = {"sizes": [64, 32, 10], "train_limit": None, "test_limit": None, "batch": 20, "epochs": 5, "lr": 0.1}
    errors, angles = {}, {}
    for name, keys in {
        "bp": {"feedback": "bp"},
        "input": {"feedback": "aa", "primitives": {"rate": 0.1}},
        "activity": {"feedback": "aa", "primitives": {"rate": 0.1, "reads": "activity"}},
    }.items():
        run(tmp_path / name, **(learns | keys))
        errors[name] = figures(tmp_path / name, 5, "test")["error"]
        angles[name] = figures(tmp_path / name, 5, "train")["angle/W2"]
    assert abs(errors["input"] - errors["bp"]) < 2.0
    assert angles["input"] < 20.0 < 60.0 < angles["activity"]
