"""Image networks in PyTorch by hand: an autoencoder of two convolutions, and a classifier with a pool.

They do what `circular_autoencoder` and `layered_classifier` do in one presentation, without autograd: convolutions,
their transposes and increments are calls of PyTorch's own functions, updates are in place. An untied layer is unfold
and einsum.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

MAX_POOL_BACK = torch.ops.aten.max_pool2d_with_indices_backward


@dataclass
class Layer:
    """A convolution with padding that keeps the image's size, or an untied layer of the same windows.

    weight : (out, in, k, k), or (rows, columns, out, in, k, k) if untied. bias : (out,) or (out, rows, columns).
    """

    weight: Tensor
    bias: Tensor

    @property
    def untied(self) -> bool:
        """True if each location has weights of its own."""
        return self.weight.dim() == 6

    @property
    def pad(self) -> int:
        """Cells around the image."""
        return int(self.weight.shape[-1]) // 2

    def forward(self, x: Tensor) -> Tensor:
        """Return what arrives at the fields."""
        if not self.untied:
            return F.conv2d(x, self.weight, self.bias, padding=self.pad)
        rows, columns, out = self.weight.shape[:3]
        taps = F.unfold(x, self.weight.shape[-1], padding=self.pad)
        found = torch.einsum("bkp,pok->bop", taps, self.weight.reshape(rows * columns, out, -1))
        return found.reshape(len(x), out, rows, columns) + self.bias

    def back(self, delta: Tensor, weight: Tensor) -> Tensor:
        """Return what comes back to the image through weights of this shape."""
        if not self.untied:
            return F.conv_transpose2d(delta, weight, padding=self.pad)
        rows, columns, out = self.weight.shape[:3]
        shaped = weight.reshape(rows * columns, out, -1)
        taps = torch.einsum("bop,pok->bkp", delta.reshape(len(delta), out, -1), shaped)
        return F.fold(taps, (rows, columns), self.weight.shape[-1], padding=self.pad)

    def learn(self, delta: Tensor, x: Tensor, rate: float) -> None:
        """Add rate times the sum over examples of what fields and their windows held."""
        if self.untied:
            taps = F.unfold(x, self.weight.shape[-1], padding=self.pad)
            increment = torch.einsum("bop,bkp->pok", delta.reshape(*delta.shape[:2], -1), taps)
            self.weight.add_(increment.reshape(self.weight.shape), alpha=rate)
            self.bias.add_(delta.sum(0), alpha=rate)
        else:
            self.weight.add_(torch.nn.grad.conv2d_weight(x, self.weight.shape, delta, padding=self.pad), alpha=rate)
            self.bias.add_(delta.sum((0, 2, 3)), alpha=rate)


@dataclass
class Autoencoder:
    """A convolutional autoencoder, tanh below and logistic above; rule rec (PR) or bp."""

    lower: Layer
    upper: Layer
    rule: str

    def present(self, x: Tensor, rate: float) -> None:
        """One presentation of a batch."""
        rate /= len(x)
        h = torch.tanh(self.lower.forward(x))
        y = torch.sigmoid(self.upper.forward(h))
        error = x - y
        if self.rule == "rec":
            delta = h - torch.tanh(self.lower.forward(y))
        else:
            delta = (1 - h * h) * self.upper.back(error, self.upper.weight)
        self.upper.learn(error, h, rate)
        self.lower.learn(delta, x, rate)

    def weights(self) -> list[Tensor]:
        """All that learns."""
        return [self.lower.weight, self.lower.bias, self.upper.weight, self.upper.bias]


@dataclass
class Classifier:
    """One layer of windows, max-pooling 3/2, two dense layers; saturated units, softmax; rule bp or urfb.

    dense : weights (out, in) and biases of the dense layers. down : feedback weights of the dense layers, (in, out).
    """

    first: Layer
    dense: list[tuple[Tensor, Tensor]]
    down: list[Tensor]
    rule: str

    def present(self, x: Tensor, wanted: Tensor, rate: float) -> None:
        """One presentation of a batch."""
        rate /= len(x)
        (w2, b2), (w3, b3) = self.dense
        s1 = self.first.forward(x)
        o1 = s1.clamp(-1, 1)
        padded = F.pad(o1, (0, 1, 0, 1))
        pooled, winners = F.max_pool2d(padded, 3, 2, return_indices=True)
        flat = pooled.flatten(1)
        s2 = torch.addmm(b2, flat, w2.t())
        o2 = s2.clamp(-1, 1)
        top = wanted - torch.softmax(torch.addmm(b3, o2, w3.t()), 1)
        above, below = (self.down[1].t(), self.down[0].t()) if self.rule == "urfb" else (w3, w2)
        delta2 = (s2.abs() <= 1) * (top @ above)
        sent = (delta2 @ below).reshape(pooled.shape)
        returned = MAX_POOL_BACK(sent, padded, [3, 3], [2, 2], [0, 0], [1, 1], False, winners)[:, :, :-1, :-1]
        delta1 = (s1.abs() <= 1) * returned
        if self.rule == "urfb":
            self.down[1].addmm_(o2.t(), top, alpha=rate)
            self.down[0].addmm_(flat.t(), delta2, alpha=rate)
        w3.addmm_(top.t(), o2, alpha=rate)
        b3.add_(top.sum(0), alpha=rate)
        w2.addmm_(delta2.t(), flat, alpha=rate)
        b2.add_(delta2.sum(0), alpha=rate)
        self.first.learn(delta1, x, rate)

    def weights(self) -> list[Tensor]:
        """All that learns."""
        return [self.first.weight, self.first.bias, *(t for pair in self.dense for t in pair)]
