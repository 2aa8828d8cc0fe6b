"""Largest difference between the hand-written convolutions and PyTorch's autograd after 20 updates, in float64.

Run: python benchmarks/convolution_autograd.py [--updates N]

Needs PyTorch (pip install torch); circuitsim's engine takes no part. Both sides train from the same weights on the same
batches with momentum, and the weights are compared after every update. PyTorch's convolution is conv2d, its untied
layer unfold and einsum; autograd takes the gradients of the cross-entropy. The exit status is 1 unless all differences
are below 1e-10.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import handwritten_convolution_autoencoder as autoencoder
import handwritten_convolution_rules as rules
from handwritten_convolution import Layer, glorot, network

LIMIT, RATE, MOMENTUM, CLASSES = 1e-10, 0.1, 0.8, 4
SHAPE = (3, 9, 10)
CLASSIFIERS = {
    "conv, pool, conv, dense": ["conv 6 5", "maxpool 3/2 same", "conv 4 3/2 valid", f"dense {CLASSES}"],
    "conv of stride 2, mean pool": ["conv 6 5/2", "meanpool 2", "conv 5 2", "upsample 2", f"dense {CLASSES}"],
    "untied, sum": ["local 4 3/2", "local 4 3", "sum", "maxpool 3/2 same", "local 3 2 valid", f"dense {CLASSES}"],
}
AUTOENCODERS = {
    "circle of convolutions": ["conv 6 5", "conv 3 5"],
    "circle with a pool": ["conv 4 3", "maxpool 3/1 same", "local 4 3", "sum", "conv 3 5"],
}
Tensors = dict[str, torch.Tensor]


def padded(x: torch.Tensor, layer: Layer) -> torch.Tensor:
    """The image with zeros around it, as TensorFlow's "same" has them."""
    if layer.padding != "same":
        return x
    sides: list[int] = []
    for axis in (1, 0):  # PyTorch names the last axis first
        n, kernel, stride = x.shape[2 + axis], layer.kernel[axis], layer.stride[axis]
        missing = max(0, kernel - stride if n % stride == 0 else kernel - n % stride)
        sides += [missing // 2, missing - missing // 2]
    return F.pad(x, sides)


def untied(x: torch.Tensor, weight: torch.Tensor, layer: Layer) -> torch.Tensor:
    """Every location its own kernel: weight (rows, columns, out, in, kh, kw)."""
    rows, columns = weight.shape[:2]
    patches = F.unfold(padded(x, layer), layer.kernel, stride=layer.stride)
    patches = patches.reshape(len(x), x.shape[1], *layer.kernel, rows, columns)
    return torch.einsum("niuvpq,pqoiuv->nopq", patches, weight)


def logits(x: torch.Tensor, w: Tensors, layers: Sequence[tuple[Layer, str | None]]) -> torch.Tensor:
    """Total inputs of the last layer; hidden layers with weights are tanh."""
    o = [x]
    for layer, name in layers:
        below = o[-1]
        if layer.kind == "conv":
            s = F.conv2d(padded(below, layer), w[f"{name}.weight"], w[f"{name}.bias"], layer.stride)
        elif layer.kind == "local":
            s = untied(below, w[f"{name}.weight"], layer) + w[f"{name}.bias"]
        elif layer.kind == "dense":
            s = F.linear(below.flatten(1), w[f"{name}.weight"], w[f"{name}.bias"])
        elif layer.kind == "maxpool":
            s = F.max_pool2d(padded(below, layer), layer.kernel, layer.stride)
        elif layer.kind == "meanpool":
            s = F.avg_pool2d(padded(below, layer), layer.kernel, layer.stride)
        elif layer.kind == "upsample":
            s = F.interpolate(below, scale_factor=layer.kernel)
        else:
            s = below + o[-2]
        o.append(torch.tanh(s) if name is not None and len(o) < len(layers) else s)
    return o[-1]


def largest_difference(layers: list[str], updates: int, circular: bool) -> float:
    """The largest difference of any weight or bias after any update."""
    net, rng = network(SHAPE, layers, "A" if circular else "W"), np.random.default_rng(1)
    start = {name: a for name, a in glorot(net, 2, bias=0.2).items() if name[0] == net.prefix}
    x, y = rng.uniform(size=(40, *SHAPE)), rng.integers(0, CLASSES, 40)
    rows = [rng.choice(40, size=size, replace=False) for size in rng.integers(1, 9, updates)]
    how = {"rows": rows, "lr": RATE, "momentum": MOMENTUM}
    ours = autoencoder.train(net, x, start, rule="bp", **how) if circular else rules.train(net, x, y, start, **how)

    named = [(p.layer, None if p.h is None else f"{net.prefix}{p.h}") for p in net.places]
    w = {name: torch.tensor(a, requires_grad=True) for name, a in start.items()}
    optimiser = torch.optim.SGD(list(w.values()), lr=RATE, momentum=MOMENTUM)
    largest = 0.0
    for chosen, after in zip(rows, ours, strict=True):
        images = torch.tensor(x[chosen])
        s = logits(images, w, named)
        if circular:
            loss = F.binary_cross_entropy_with_logits(s, images, reduction="sum") / len(chosen)
        else:
            loss = F.cross_entropy(s, torch.tensor(y[chosen]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        largest = max(largest, *(float(np.abs(w[name].detach().numpy() - after[name]).max()) for name in w))
    moved = max(float(np.abs(ours[-1][name] - start[name]).max()) for name in start)
    if not moved > 1e-2:
        raise SystemExit(f"the weights moved by {moved} only: nothing is compared")
    return largest


def main() -> int:
    """Print the largest differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--updates", type=int, default=20)
    updates = parser.parse_args().updates
    worst = 0.0
    for circular, circuits in ((False, CLASSIFIERS), (True, AUTOENCODERS)):
        for name, layers in circuits.items():
            difference = largest_difference(layers, updates, circular)
            worst = max(worst, difference)
            print(f"{name:30s} {difference:.1e}")
    return int(not worst < LIMIT)


if __name__ == "__main__":
    sys.exit(main())
