"""Script as a user of PyTorch would write it: an autoencoder of MNIST recirculates for ten epochs, metrics and curves.

Run: python benchmarks/whole_run_torch.py FOLDER [--epochs 10] [--threads 2]

It reads the published files, trains by hand without gradients, evaluates both splits after each epoch, and writes
metrics, weights and a figure into a folder. `whole_run.py` times it beside `circuitsim run`.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch

mpl.use("Agg")
import matplotlib.pyplot as plt

SIZES, BATCH, RATE = (784, 256, 784), 64, 0.1


def images(name: str) -> torch.Tensor:
    """Return the images of a file, in [0, 1]."""
    content = gzip.decompress((Path(os.environ["CIRCUITSIM_DATA"]) / "mnist" / name).read_bytes())
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=16).reshape(-1, 784).astype(np.float32) / 255)


def weights(pre: int, post: int) -> torch.Tensor:
    """Return uniform first weights."""
    return (torch.rand(post, pre) * 2 - 1) * (6 / (pre + post)) ** 0.5


def draw(folder: Path, rows: list[tuple[float, ...]]) -> None:
    """Draw both curves."""
    figure, panels = plt.subplots(1, 2, figsize=(10, 4))
    for panel, offset, name in zip(panels, (1, 2), ("mse", "bce"), strict=True):
        for column, split in ((offset, "train"), (offset + 2, "test")):
            panel.plot([row[0] for row in rows], [row[column] for row in rows], label=split)
        panel.set(xlabel="epoch", ylabel=name)
        panel.legend()
    figure.savefig(folder / "curves.svg")


def main() -> None:
    """Train, and write the folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    train, test = images("train-images-idx3-ubyte.gz"), images("t10k-images-idx3-ubyte.gz")
    below, middle, above = SIZES
    w1, w2, b1 = weights(below, middle), weights(middle, above), torch.zeros(middle)
    mean = train.mean(0).clamp(1e-3, 1 - 1e-3)
    b2 = torch.log(mean / (1 - mean))

    def measured(x: torch.Tensor) -> tuple[float, float]:
        s = torch.addmm(b2, torch.tanh(torch.addmm(b1, x, w1.t())), w2.t())
        bce = torch.nn.functional.binary_cross_entropy_with_logits(s, x, reduction="sum") / len(x)
        return float(((x - torch.sigmoid(s)) ** 2).mean()), float(bce)

    rows = [(0, *measured(train), *measured(test))]
    for epoch in range(1, given.epochs + 1):
        for part in torch.randperm(len(train)).split(BATCH):
            x, rate = train[part], RATE / len(part)
            h = torch.tanh(torch.addmm(b1, x, w1.t()))
            y = torch.sigmoid(torch.addmm(b2, h, w2.t()))
            error, delta = x - y, h - torch.tanh(torch.addmm(b1, y, w1.t()))
            w2.addmm_(error.t(), h, alpha=rate)
            b2.add_(error.sum(0), alpha=rate)
            w1.addmm_(delta.t(), x, alpha=rate)
            b1.add_(delta.sum(0), alpha=rate)
        rows.append((epoch, *measured(train), *measured(test)))
        print(rows[-1], flush=True)
    given.folder.mkdir(parents=True, exist_ok=True)
    with (given.folder / "metrics.csv").open("w") as file:
        csv.writer(file).writerows(rows)
    torch.save({"w1": w1, "b1": b1, "w2": w2, "b2": b2}, given.folder / "final.pt")
    draw(given.folder, rows)


if __name__ == "__main__":
    main()
