"""Largest difference between backpropagation in the circuit of ResNet-8 and PyTorch's autograd, in float64.

Run: python benchmarks/resnet_autograd.py [--store]

Needs PyTorch (pip install torch). One batch of six images of 8 x 8, batch normalisation, all tensors drawn by their
names; the increments of the circuit are compared with the gradients of the published network. With --store the sums of
absolute gradients are printed, as tests/circuits/test_residual.py keeps them. The exit status is 1 unless all
differences are below 1e-10.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from circuitsim import Simulator
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.circuits.networks import NETWORKS, normalised

LIMIT, EXAMPLES, SHAPE = 1e-10, 6, (3, 8, 8)
Tensor = torch.Tensor


def engine(x: np.ndarray, y: np.ndarray) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the tensors of the circuit, and the increments that it proposes."""
    row = parse_layers(normalised(NETWORKS["resnet8"], "batch"), SHAPE)
    circuit, protocol = layered_classifier(row, hidden="relu")
    made = Simulator(circuit, protocol, batch=EXAMPLES, dtype="float64")
    for name, tensor in made.tensors().items():
        fan = max(int(np.prod(tensor.shape[2:])), 1)
        drawn = np.random.default_rng([*name.encode()]).normal(size=tensor.shape[1:])
        made.load(name, drawn * np.sqrt(2 / fan))
    tensors = {name: torch.tensor(tensor[0].copy()) for name, tensor in made.tensors().items()}
    made.use(x, y)
    made.present(np.arange(EXAMPLES))
    return tensors, {name: torch.tensor(found[0].copy()) for name, found in made.state.increments().items()}


class Network:
    """ResNet-8 from its published description, with the circuit's tensors."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors, self.h = tensors, 1

    def convolved(self, x: Tensor, stride: int) -> Tensor:
        """Return the next convolution of an image, normalised over the batch, times its gain, plus its bias."""
        h, self.h = self.h, self.h + 2
        w = self.tensors[f"W{h}.weight"]
        border = max((-(-x.shape[2] // stride) - 1) * stride + w.shape[2] - x.shape[2], 0)
        sides = (border // 2, border - border // 2) * 2
        s = F.conv2d(F.pad(x, sides), w, stride=stride)
        gain, bias = self.tensors[f"W{h + 1}.weight"], self.tensors[f"W{h + 1}.bias"]
        return F.batch_norm(s, None, None, gain, bias, training=True, eps=1e-5)

    def logits(self, x: Tensor) -> Tensor:
        """Return the summed inputs of the output neurons."""
        a = torch.relu(self.convolved(x, 1))
        for stride in (1, 2, 2):
            through = self.convolved(torch.relu(self.convolved(a, stride)), 1)
            a = torch.relu(through + self.convolved(a, stride))
        return F.linear(a.mean((2, 3)), self.tensors[f"W{self.h}.weight"], self.tensors[f"W{self.h}.bias"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the largest difference, relative to the largest gradient of each tensor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", action="store_true")
    store = parser.parse_args(arguments).store
    random = np.random.default_rng(7)
    x, y = random.normal(size=(3 * EXAMPLES, 192))[:EXAMPLES], random.integers(0, 10, 3 * EXAMPLES)[:EXAMPLES]
    tensors, increments = engine(x, y)
    tensors = {name: tensor.requires_grad_() for name, tensor in tensors.items()}
    logits = Network(tensors).logits(torch.tensor(x).reshape(EXAMPLES, *SHAPE))
    F.cross_entropy(logits, torch.tensor(y), reduction="sum").backward()  # type: ignore[no-untyped-call]
    worst = 0.0
    for name, found in increments.items():
        gradient = tensors[name.replace("bias_increment", "bias").replace("increment", "weight")].grad
        assert gradient is not None
        worst = max(worst, float((found + gradient).abs().max() / gradient.abs().max()))
        if store:
            print(f'    "{name}": {float(gradient.abs().sum())!r},')
    print(f"ResNet-8, {len(increments)} tensors: {worst:.1e}")
    return int(not worst < LIMIT)


if __name__ == "__main__":
    sys.exit(main())
