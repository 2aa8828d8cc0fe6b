"""What a run does with its replicas: their order, their data, their rates, and how they diverge."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import ENTRIES, checkpoints, circuitsim, final, flat, measured, metrics, nightly, run, skip_report, vary

from circuitsim import data
from circuitsim.engine.simulator import Simulator
from circuitsim.runs import checkpoint
from circuitsim.runs.config import replicas
from circuitsim.runs.runfolder import read_tensors, save_tensors
from circuitsim.runs.training import make_study
from circuitsim.scenarios import autoencoder

CALM = {"hidden": "identity", "output": "identity"}
WILD = CALM | {"lr": 50.0}


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The rows of every presentation, as the simulator is given them."""
    rows: list[list[int]] = []
    original = Simulator.present_each

    def present_each(self: Simulator, batches: np.ndarray) -> None:
        rows.extend(batches.tolist())
        original(self, batches)

    monkeypatch.setattr(Simulator, "present_each", present_each)
    return rows


def test_the_last_varied_key_runs_fastest(tmp_path: Path) -> None:
    assert run(tmp_path / "run", *vary(momentum="0,0.5", seed="4,5,6"), epochs=0) == 0
    frame = metrics(tmp_path / "run").drop_duplicates("replica").sort_values("replica")
    assert list(frame["momentum"]) == [0, 0, 0, 0.5, 0.5, 0.5]
    assert list(frame["seed"]) == [4, 5, 6, 4, 5, 6]


@pytest.mark.parametrize("backend", ["numba", nightly("numpy")])
@pytest.mark.parametrize("data_seed", [nightly("0"), "0,1"])
def test_replicas_are_single_runs(backend: str, data_seed: str, tmp_path: Path) -> None:
    """Rules, seeds, rates by layer, momentum, decay of the rates: each replica as if it were alone."""
    varied = {"rule": "rec,rbp", "lr": "0.3,[0.1,0.2]", "momentum": "0,0.5", "seed": "1,2", "data_seed": data_seed}
    options = ["--backend", backend]
    assert run(tmp_path / "all", *options, *vary(**varied), lr_decay=0.9, epochs=2) == 0
    together, frame = final(tmp_path / "all"), measured(tmp_path / "all")
    names = list(varied)
    keys = frame.drop_duplicates("replica").set_index("replica")
    count = len(keys)
    for replica in (0, 3, 5, count // 2 + 2, count - 1):
        own = {key: keys.loc[replica].get(key, varied[key]) for key in names}
        single = tmp_path / f"single{replica}"
        sets = [part for key in names for part in ("--set", f"{key}={own[key]}")]
        assert run(single, *options, *sets, lr_decay=0.9, epochs=2) == 0
        for name, values in final(single).items():
            np.testing.assert_allclose(together[name][replica], values, rtol=0, atol=1e-10)
        expected = frame[frame["replica"] == replica]["value"].to_numpy()
        np.testing.assert_allclose(measured(single)["value"].to_numpy(), expected, rtol=1e-10)


@pytest.mark.nightly
def test_backends_agree(tmp_path: Path) -> None:
    for backend in ("numba", "numpy"):
        varied = vary(rule="rec,error-rec,bp,rbp,srbp,arbp,top", seed="0,1")
        assert run(tmp_path / backend, *varied, "--backend", backend, lr=0.3, momentum=0.5, max_norm=0.9) == 0
    for name, values in final(tmp_path / "numpy").items():
        np.testing.assert_allclose(final(tmp_path / "numba")[name], values, rtol=0, atol=1e-10)


def test_replicas_share_the_order_of_presentations(tmp_path: Path, shown: list[list[int]]) -> None:
    assert run(tmp_path / "run", *vary(seed="0,1,2", rule="rec,bp"), epochs=2) == 0
    assert all(isinstance(batch[0], int) for batch in shown)
    assert shown[0::2] == shown[1::2]
    orders = [flat(shown[0::2][epoch : epoch + 5]) for epoch in (0, 5)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(40))
    assert orders[0] != orders[1]
    assert orders[0] != sorted(orders[0])


def test_a_varied_data_seed_gives_each_replica_its_order(tmp_path: Path, shown: list[list[int]]) -> None:
    assert run(tmp_path / "run", *vary(data_seed="0,1"), epochs=1) == 0
    first, second = (flat(batch[replica] for batch in shown) for replica in (0, 1))
    assert first != second
    assert sorted(first) == sorted(second) == list(range(40))


@pytest.mark.parametrize(
    ("options", "keys", "expected"),
    [
        ([], {}, (0, 0)),
        (["--seed", "5"], {}, (5, 5)),
        ([], {"seed": 5}, (5, 0)),
        (["--seed", "5"], {"seed": 6}, (6, 5)),
        (["--seed", "5"], {"data_seed": 6}, (5, 6)),
        (["--seed", "5", "--vary", "seed=1,2"], {}, ([1, 2], 5)),
        (["--seed", "5", "--vary", "data_seed=1,2"], {}, (5, [1, 2])),
    ],
)
def test_seeds(options: list[str], keys: dict[str, int], expected: tuple[object, object], tmp_path: Path) -> None:
    assert run(tmp_path / "run", *options, epochs=0, **keys) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["seed"], config["data_seed"]) == expected


def test_what_each_seed_is_for(tmp_path: Path, shown: list[list[int]]) -> None:
    first = {}
    for seed, data_seed in ((0, 0), (0, 1), (1, 0)):
        shown.clear()
        assert run(tmp_path / f"{seed}{data_seed}", seed=seed, data_seed=data_seed, epochs=1) == 0
        initial = (tmp_path / f"{seed}{data_seed}" / "initial.safetensors").read_bytes()
        first[seed, data_seed] = initial, list(shown)
    assert first[0, 0][0] == first[0, 1][0] != first[1, 0][0]
    assert first[0, 0][1] == first[1, 0][1] != first[0, 1][1]


@pytest.mark.parametrize(
    ("keys", "sizes"),
    [
        ({"batch": 16}, [16, 16, 8]),
        ({"batch": 16, "drop_last": True}, [16, 16]),
        ({"batch": 20, "drop_last": True}, [20, 20]),
        ({"batch": 40}, [40]),
        ({"batch": 10**18}, [40]),
        ({"batch": 100, "drop_last": True}, [40]),
    ],
)
def test_batches(keys: dict[str, object], sizes: list[int], tmp_path: Path, shown: list[list[int]]) -> None:
    assert run(tmp_path / "run", epochs=1, **keys) == 0
    assert [len(batch) for batch in shown] == sizes


def test_without_shuffling_the_order_is_the_data_s(tmp_path: Path, shown: list[list[int]]) -> None:
    assert run(tmp_path / "run", shuffle=False, epochs=2) == 0
    assert flat(shown) == [*range(40), *range(40)]


def test_the_mean_is_over_the_batch_as_it_is(tmp_path: Path) -> None:
    """One batch of all, and twelve of which the last is short: checked against the same step done by hand."""
    assert run(tmp_path / "run", rule="top", batch=36, shuffle=False, epochs=1, lr=0.5) == 0
    x = data.load("digits", "float64", 40, 20).train
    w = read_tensors(tmp_path / "run" / "initial.safetensors")
    for part in (x[:36], x[36:]):
        hidden = np.tanh(part @ w["A1.weight"].T + w["A1.bias"])
        error = part - 1 / (1 + np.exp(-(hidden @ w["A2.weight"].T + w["A2.bias"])))
        w["A2.weight"] += 0.5 * error.T @ hidden / len(part)
        w["A2.bias"] += 0.5 * error.mean(axis=0)
    for name, values in final(tmp_path / "run").items():
        np.testing.assert_allclose(values, w[name], rtol=0, atol=1e-12)


def test_the_training_error_of_some_examples(tmp_path: Path) -> None:
    """`train_measured` measures the first rows, and changes nothing else."""
    keys = {"train_limit": 90, "batch": 30, "epochs": 1, "output_bias": "zero"}  # else it follows from all examples
    for name, more in {"all": {}, "some": {"train_measured": 40}, "fewer": {"train_limit": 40, "epochs": 0}}.items():
        assert run(tmp_path / name, **{**keys, **more}) == 0
    every, some, fewer = (
        metrics(tmp_path / name).query("split == 'train' and metric == 'mse'").set_index("epoch")["value"]
        for name in ("all", "some", "fewer")
    )
    assert some[0] == fewer[0] != every[0]
    assert some[1] != every[1]
    ended = final(tmp_path / "some")
    assert all(values.tobytes() == ended[name].tobytes() for name, values in final(tmp_path / "all").items())


def test_rates_by_layer(tmp_path: Path) -> None:
    assert run(tmp_path / "run", lr=[0.0, 0.1], lr_bias=[0.2, 0.0], epochs=1) == 0
    before = read_tensors(tmp_path / "run" / "initial.safetensors")
    changed = {name: bool((values != before[name]).any()) for name, values in final(tmp_path / "run").items()}
    assert changed == {"A1.weight": False, "A1.bias": True, "A2.weight": True, "A2.bias": False}


def test_decay_multiplies_the_rates_after_each_epoch(tmp_path: Path) -> None:
    """Three epochs at lr, lr/2, lr/4, as three runs of one epoch each, each begun with the weights of the last."""
    assert run(tmp_path / "decayed", lr=0.4, lr_bias=0.2, lr_decay=0.5, shuffle=False, epochs=3) == 0
    init: list[object] = []
    for epoch in range(3):
        rates = {"lr": 0.4 / 2**epoch, "lr_bias": 0.2 / 2**epoch}
        assert run(tmp_path / f"{epoch}", *init, shuffle=False, epochs=1, **rates) == 0
        init = ["--init", tmp_path / f"{epoch}" / "final.safetensors"]
    for name, values in final(tmp_path / "decayed").items():
        np.testing.assert_array_equal(values, final(tmp_path / "2")[name])


def test_max_norm_bounds_every_neuron(tmp_path: Path) -> None:
    assert run(tmp_path / "run", max_norm=0.5, lr=1.0, epochs=1) == 0
    tensors = final(tmp_path / "run")
    for layer in ("A1", "A2"):
        norms = np.sqrt((tensors[f"{layer}.weight"] ** 2).sum(axis=1) + tensors[f"{layer}.bias"] ** 2)
        assert norms.max() <= 0.5 + 1e-12
        assert norms.max() > 0.5 - 1e-9


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_divergence_stops_the_run(backend: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "run", "--backend", backend, batch=1, **WILD) == 3
    out, err = capfd.readouterr()
    where = r"epoch \d: projection A[12], replica 0: plasticity at tick \d of presentation \d+"
    assert re.fullmatch(rf"circuitsim: {where} gave values that are not finite\. Lower lr, or set max_norm\.\n", err)
    assert "done" not in out
    assert {path.name for path in (tmp_path / "run").iterdir()} == ENTRIES
    frame = metrics(tmp_path / "run")
    assert np.isfinite(frame["value"]).all()
    assert (frame["epoch"] == 0).sum() == 2
    assert all(np.isfinite(values).all() for values in final(tmp_path / "run").values())
    assert circuitsim("resume", tmp_path / "run") == 3
    assert capfd.readouterr().err == err


@pytest.mark.parametrize("lr", [5.0, 500.0, 1e8])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_weights_that_are_kept_are_finite(lr: float, momentum: float, dtype: str, tmp_path: Path) -> None:
    """Also where an increment is finite, but not its product with the rate."""
    keys = CALM | {"epochs": 30}
    assert run(tmp_path / "run", lr=lr, momentum=momentum, dtype=dtype, **keys) == 3
    assert all(np.isfinite(values).all() for values in final(tmp_path / "run").values())


def test_divergence_names_the_replica_of_the_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of four replicas in two circuits it is the second of its circuit, and the third or the fourth of the run."""
    assert run(tmp_path / "run", *vary(lr="0.01,50", rule="rec,bp"), batch=1, **CALM) == 3
    assert re.search(r"projection A\d, replica [23]: ", capfd.readouterr().err)


def test_divergence_in_the_evaluation(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    save_tensors(tmp_path / "huge", {"A1.weight": np.full((6, 64), 1e200), "A2.weight": np.full((64, 6), 1e200)})
    assert run(tmp_path / "run", "--init", tmp_path / "huge", **CALM) == 3
    message = "epoch 0: projection A2, replica 0: evaluation of the train split gave values that are not finite"
    assert message in capfd.readouterr().err
    assert run(tmp_path / "drop", "--init", tmp_path / "huge", on_divergence="drop", **CALM) == 3
    assert "epoch 0: every replica has diverged" in capfd.readouterr().err


def test_a_dropped_replica_ends_and_the_others_go_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    keys = CALM | {"on_divergence": "drop", "epochs": 20}
    assert run(tmp_path / "run", *vary(lr="0.01,50,0.02"), **keys) == 0
    assert "diverged and dropped: replica 1\n" in capfd.readouterr().out
    frame = metrics(tmp_path / "run")
    last = frame.groupby("replica")["epoch"].max()
    assert last[0] == last[2] == 20
    assert last[1] < 20
    assert np.isfinite(frame["value"]).all()
    assert all(np.isfinite(values).all() for values in final(tmp_path / "run").values())
    for replica, lr in ((0, 0.01), (2, 0.02)):
        assert run(tmp_path / f"{replica}", **keys, lr=lr) == 0
        for name, values in final(tmp_path / f"{replica}").items():
            np.testing.assert_allclose(final(tmp_path / "run")[name][replica], values, rtol=0, atol=1e-10)


def test_a_lost_replica_stays_lost_after_a_resume(tmp_path: Path) -> None:
    keys = CALM | {"on_divergence": "drop", "epochs": 20}
    assert run(tmp_path / "run", *vary(lr="0.01,50"), **keys) == 0
    frame = measured(tmp_path / "run")
    newest = checkpoints(tmp_path / "run")[-1]
    assert checkpoint.read(newest)["group0/state/circuit.alive"].tolist() == [True, False]
    newest.unlink()
    assert circuitsim("resume", tmp_path / "run") == 0
    pd.testing.assert_frame_equal(measured(tmp_path / "run"), frame)


def test_all_lost(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    keys = CALM | {"on_divergence": "drop", "epochs": 50}
    assert run(tmp_path / "run", *vary(lr="50,60", rule="rec,bp"), **keys) == 3
    assert "every replica has diverged. Lower lr, or set max_norm." in capfd.readouterr().err
    assert np.isfinite(metrics(tmp_path / "run")["value"]).all()


def test_rates_that_grow_beyond_all_range(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "still", lr_decay=1e200, lr=0, epochs=4) == 0  # a rate of 0 stays 0
    assert run(tmp_path / "run", lr_decay=1e200, lr=1e-300, epochs=4) == 3
    assert "reach the limit" in (said := capfd.readouterr().err) or "not finite" in said


def test_an_own_rule_is_one_circuit_for_all_replicas(tmp_path: Path) -> None:
    rule = "def mine(pre, post, w):\n    return (post.at(0) - post.at(1)) * pre.at(0)\n"
    (tmp_path / "rules.py").write_text(rule)
    assert run(tmp_path / "own", *vary(seed="0,1"), rule=f"{tmp_path / 'rules.py'}:mine") == 0
    assert run(tmp_path / "rec", *vary(seed="0,1")) == 0
    audit = json.loads((tmp_path / "own" / "audit.json").read_text())
    assert len(audit["circuits"]) == 1
    for name, values in final(tmp_path / "rec").items():
        np.testing.assert_allclose(final(tmp_path / "own")[name], values, rtol=0, atol=1e-12)
    assert [path.name for path in tmp_path.iterdir() if path.name == "__pycache__"] == []


@pytest.mark.parametrize("rates", ["0.1", "0.1,0.2"])
def test_batches_that_follow_each_other_make_no_difference(rates: str) -> None:
    """Nor where checkpoints are due, and where the last batch is a short one."""
    keys = {"sizes": [64, 5, 64], "train_limit": 215, "batch": 10, "checkpoint_every": 6, "epochs": 2}
    settings = replicas(autoencoder.SCENARIO.settings, keys, {"lr": [float(rate) for rate in rates.split(",")]})
    one, other = (make_study(autoencoder.SCENARIO, settings, "numba") for _ in range(2))
    for epoch in range(2):
        assert list(one.train_epoch()) == list(range(1, 23))
        done = [22 * epoch + batch for batch in other.train_epoch(interval=float("inf"))]
        assert done == [[1, 6, 12, 18, 21, 22], [23, 24, 30, 36, 42, 43, 44]][epoch]
        one.end_epoch()
        other.end_epoch()
    for name, values in one.tensors().items():
        assert np.array_equal(values, other.tensors()[name]), name
