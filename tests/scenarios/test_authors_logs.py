"""The logs that the authors of weight mirrors published: MNIST, one epoch, every digit that they print.

Their program draws all biases, then all forward weights, then all feedback weights, the first layer's (which nothing
uses) included, as NumPy's legacy generator gives them: biases (n_h, 1), W (n_h, n_{h-1}), B (n_{h-1}, n_h), each times
sqrt(1 / (n_h + n_{h-1})). Of the layouts tried (W and B transposed or not, B with or without the first layer) no other
gives these numbers. Its bias steps are divided by the batch size a second time.
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
    "epochs": 1,
    "dtype": "float64",
    "angle_examples": 1,
}
PUBLISHED = {  # rate; what is printed, in percent right and degrees, with the digits that are
    "bp": (0.2, {"right": "88.00", "running_loss": "1.4687610"}),
    "fa": (0.2, {"right": "85.49", "angle/delta1": "42.0762", "angle/W2": "40.0352"}),
    "kp": (0.3, {"right": "88.90", "angle/delta1": "19.41", "angle/W2": "19.75"}),
}


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


@pytest.mark.skipif(not REAL_DATA, reason="CIRCUITSIM_DATA names no folder with MNIST")
@pytest.mark.parametrize("feedback", [nightly("bp"), "fa", nightly("kp")])
def test_every_digit(feedback: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    rate, published = PUBLISHED[feedback]
    save_tensors(tmp_path / "init", drawn())
    keys = SETTINGS | {"feedback": feedback, "lr": rate, "lr_bias": rate / BATCH}
    sets = [part for key, value in keys.items() for part in ("--set", f"{key}={spell(value)}")]
    assert circuitsim("run", "classifier", "--init", tmp_path / "init", "--out", tmp_path / "run", *sets) == 0
    last = metrics(tmp_path / "run").query("epoch == 1").set_index(["split", "metric"])["value"]
    found = {"right": 100 - last["test", "error"], **last["train"]}
    for name, text in published.items():
        assert f"{found[name]:.{len(text.partition('.')[2])}f}" == text, name
