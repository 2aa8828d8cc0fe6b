"""Whole presentations of image networks: the engine beside hand-written PyTorch, side by side in one process.

Run: python benchmarks/image_speed.py [--repetitions 15] [--threads 2] [--only TEXT]
PyTorch has to be there (pip install torch), and CIFAR-10. Both show the same batches from the same weights first and
must end in the same weights. Then they take turns; a row has medians over repetitions, and the median of the ratios
within a repetition: above 1 the engine is faster. The classifier is `simpnet` without its dropout, whose noise would
differ.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

EXAMPLES, SHAPE = 4_000, (3, 32, 32)
AUTOENCODER = ["conv 6 5", "conv 3 5"]
CLASSIFIER = ["conv 32 5", "maxpool 3/2 same", "dense 500", "dense 10"]
RATE = 0.05


def autoencoder(rule: str, batch: int, x: np.ndarray) -> tuple[str, Any, Callable[[Any], Any], list[str]]:
    """Return label, simulator, what makes PyTorch's net of its tensors, and the names of what learns."""
    import torch
    from image_nets import Autoencoder, Layer

    from circuitsim import Simulator
    from circuitsim.circuits.autoencoder import circular_autoencoder
    from circuitsim.circuits.layers import parse_layers

    circuit, protocol = circular_autoencoder(parse_layers(AUTOENCODER, SHAPE), rule)
    made = Simulator(circuit, protocol, batch=batch, parameters={"lr": RATE})
    made.use(x)

    def net(tensors: dict[str, np.ndarray]) -> Any:
        own = {name: torch.from_numpy(value[0].copy()) for name, value in tensors.items()}
        layers = [Layer(own[f"A{h}.weight"], own[f"A{h}.bias"]) for h in (1, 2)]
        return Autoencoder(*layers, rule)

    names = [f"A{h}.{kind}" for h in (1, 2) for kind in ("weight", "bias")]
    return f"autoencoder, 6 channels of 5x5, batch {batch}, {rule}", made, net, names


def classifier(
    rule: str, batch: int, x: np.ndarray, y: np.ndarray, *, untied: bool
) -> tuple[str, Any, Callable[[Any], Any], list[str]]:
    """Return label, simulator, what makes PyTorch's net of its tensors, and the names of what learns."""
    import torch
    from image_nets import Classifier, Layer

    from circuitsim import Simulator
    from circuitsim.circuits.classifier import layered_classifier
    from circuitsim.circuits.layers import parse_layers
    from circuitsim.circuits.networks import untied as separate

    layers = parse_layers(separate(CLASSIFIER) if untied else CLASSIFIER, SHAPE)
    circuit, protocol = layered_classifier(layers, rule, hidden="saturated")
    steps = {("B2", "lr"): RATE, ("B3", "lr"): RATE} if rule == "urfb" else {}
    made = Simulator(circuit, protocol, batch=batch, parameters={"lr": RATE, **steps})
    made.use(x, y)

    def net(tensors: dict[str, np.ndarray]) -> Any:
        own = {name: torch.from_numpy(value[0].copy()) for name, value in tensors.items()}
        dense = [(own[f"W{h}.weight"], own[f"W{h}.bias"]) for h in (2, 3)]
        down = [own[f"B{h}.weight"] for h in (2, 3)] if rule == "urfb" else []
        return Classifier(Layer(own["W1.weight"], own["W1.bias"]), dense, down, rule)

    names = [f"W{h}.{kind}" for h in (1, 2, 3) for kind in ("weight", "bias")]
    return f"{'untied ' if untied else ''}simpnet, batch {batch}, {rule}", made, net, names


def compared(found: tuple[str, Any, Callable[[Any], Any], list[str]], x: Any, y: Any, repetitions: int) -> None:
    """Verify that both end in the same weights, time them in turns, and print a row."""
    import torch

    label, made, make_net, names = found
    before = {name: value.copy() for name, value in made.tensors().items()}
    net, random = make_net(before), np.random.default_rng(0)
    images = torch.from_numpy(x.copy()).reshape(-1, *SHAPE)
    wanted = torch.nn.functional.one_hot(torch.from_numpy(y.astype(np.int64)), 10).float()
    batch = int(label.split("batch ")[1].split(",")[0])

    def by_hand(batches: np.ndarray) -> None:
        with torch.no_grad():
            for rows in torch.from_numpy(batches):
                net.present(*((images[rows],) if label.startswith("auto") else (images[rows], wanted[rows])), RATE)

    batches = random.integers(0, len(x), (3, batch))
    made.present_each(batches)
    by_hand(batches)
    after = made.tensors()
    for name, other in zip(names, net.weights(), strict=True):
        moved = np.abs(after[name][0] - before[name][0]).max()
        apart = np.abs(after[name][0] - other.numpy()).max()
        assert apart < 2e-3 * moved, (label, name, apart, moved)
    times: list[tuple[float, float]] = []
    for _ in range(repetitions):
        batches, each = random.integers(0, len(x), (3, batch)), []
        for step in (made.present_each, by_hand):
            time.sleep(0.02)
            step(batches[:1])
            begin = time.perf_counter()
            step(batches)
            each.append((time.perf_counter() - begin) / len(batches) * 1e3)
        times.append((each[0], each[1]))
    mine, other = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"| {label} | {mine:.2f} | {other:.2f} | **{statistics.median(b / a for a, b in times):.2f}** |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="measure cases whose label has this text")
    given = parser.parse_args()
    os.environ["NUMBA_NUM_THREADS"] = str(given.threads)
    import torch

    from circuitsim import data

    torch.set_num_threads(given.threads)
    found = data.load("cifar10", "float32", EXAMPLES, 1)
    x, y = found.train, found.train_labels
    cases: list[Callable[[], Any]] = [
        *(lambda rule=rule: autoencoder(rule, 64, x) for rule in ("rec", "bp")),
        *(lambda rule=rule: classifier(rule, 100, x, y, untied=False) for rule in ("bp", "urfb")),
        *(lambda rule=rule: classifier(rule, 100, x, y, untied=True) for rule in ("bp", "urfb")),
    ]
    print("| case | engine, ms | PyTorch by hand, ms | PyTorch ÷ engine |\n|---|---|---|---|")
    for case in cases:
        made = case()
        if given.only in made[0]:
            compared(made, x, y, given.repetitions)


if __name__ == "__main__":
    main()
