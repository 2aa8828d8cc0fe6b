"""The logs that the authors of weight mirrors published: MNIST, three epochs, every digit that they print.

Their program draws all biases, then all forward weights, then all feedback weights, the first layer's (which nothing
uses) included, as NumPy's legacy generator gives them: biases (n_h, 1), W (n_h, n_{h-1}), B (n_{h-1}, n_h), each times
sqrt(1 / (n_h + n_{h-1})). Their mirrors' noise cannot be had: those are compared statistically. Of
the layouts tried (W and B transposed or not, B with or without the first layer) no other gives these numbers. Its bias
steps are divided by the batch size a second time.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from running import REAL_DATA, circuitsim, metrics, nightly, skip_report

from circuitsim.runs.config import spell
from circuitsim.runs.runfolder import save_tensors

SIZES = (784, 500, 10)
SEED = 1111
BATCH = 128
SETTINGS = {
    "dataset": "mnist",
    "sizes": list(SIZES),
    "hidden": "logistic",
    "output": "logistic",
    "batch": BATCH,
    "drop_last": True,
    "shuffle": False,
    "dtype": "float64",
    "angle_examples": 1,
    "running_loss": True,
}
PUBLISHED = {  # rate; printed after each epoch: percent right, the epoch's loss, angles of δ and of output weights
    "bp": (0.2, [("88.00", "1.4687610"), ("89.69", "0.8008830"), ("90.58", "0.7109772")]),
    "fa": (
        0.2,
        [
            ("85.49", "1.8329758", "42.0762", "40.0352"),
            ("88.04", "0.9454607", "33.2320", "34.9157"),
            ("89.01", "0.8324250", "29.9310", "32.5996"),
        ],
    ),
    "kp": (
        0.3,
        [
            ("88.90", "1.4140639", "19.4126", "19.7463"),
            ("90.65", "0.7250092", "16.1213", "17.0900"),
            ("91.75", "0.6253393", "15.6516", "15.7497"),
        ],
    ),
}
MIRROR = {"noise": "uniform", "scale": 0.05, "rate": 1.28, "decay": 0.0, "passes_before": 468, "passes_per_update": 1}
MIRRORED = [(78.48, 61.3), (84.23, 53.2), (86.54, 47.3)]  # percent right, angle of the output weights


def drawn() -> dict[str, np.ndarray]:
    """The authors' initial weights, under this project's names."""
    random = np.random.RandomState(SEED)
    pairs = list(pairwise(SIZES))

    def draw(below: int, above: int, *shape: int) -> np.ndarray:
        return np.sqrt(1 / (below + above)) * random.randn(*shape)

    biases = [draw(n, m, m, 1) for n, m in pairs]
    forward = [draw(n, m, m, n) for n, m in pairs]
    feedback = [draw(n, m, n, m) for n, m in pairs]
    found = {f"W{h}.bias": b[:, 0] for h, b in enumerate(biases, 1)}
    found |= {f"W{h}.weight": w for h, w in enumerate(forward, 1)}
    return found | {"B2.weight": feedback[1]}


def trained(folder: Path, feedback: str, rate: float, epochs: int, **further: str) -> list[dict[str, float]]:
    """Run the authors' circuit from their first weights; return what is measured after each epoch."""
    save_tensors(folder / "init", drawn())
    keys = SETTINGS | {"feedback": feedback, "lr": rate, "lr_bias": rate / BATCH, "epochs": epochs}
    texts = {key: spell(value) for key, value in keys.items()} | further
    sets = [part for key, text in texts.items() for part in ("--set", f"{key}={text}")]
    assert circuitsim("run", "classifier", "--init", folder / "init", "--out", folder / "run", *sets) == 0
    rows = metrics(folder / "run")
    found = []
    for epoch in range(1, epochs + 1):
        last = rows[rows["epoch"] == epoch].set_index(["split", "metric"])["value"]
        found.append({"right": 100 - last["test", "error"], **last["train"]})
    return found


@pytest.mark.skipif(not REAL_DATA, reason="CIRCUITSIM_DATA names no folder with MNIST")
@pytest.mark.parametrize("feedback,epochs", [nightly("fa", 1), nightly("bp", 3), nightly("fa", 3), nightly("kp", 3)])
def test_every_digit(feedback: str, epochs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    rate, published = PUBLISHED[feedback]
    names = ("right", "running_loss", "angle/delta1", "angle/W2")
    for found, texts in zip(trained(tmp_path, feedback, rate, epochs), published, strict=False):
        for name, text in zip(names, texts, strict=False):
            unit = 10.0 ** -len(text.partition(".")[2])
            if feedback == "kp" and len(text) > 5:  # the last of seven digits follows from the order of summation
                assert abs(found[name] - float(text)) <= 1.5 * unit, name
            else:
                assert f"{found[name]:.{len(text.partition('.')[2])}f}" == text, name


@pytest.mark.nightly
@pytest.mark.skipif(not REAL_DATA, reason="CIRCUITSIM_DATA names no folder with MNIST")
def test_weight_mirrors_follow_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With noise of another stream: within a point, and within three degrees."""
    skip_report(monkeypatch)
    table = "{ " + ", ".join(f"{key} = {spell(value)}" for key, value in MIRROR.items()) + " }"
    for found, (right, angle) in zip(trained(tmp_path, "wm", 0.05, 3, mirror=table), MIRRORED, strict=True):
        assert abs(found["right"] - right) < 1.0 and abs(found["angle/W2"] - angle) < 3.0, found
