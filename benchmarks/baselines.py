"""Baselines: the same learning in PyTorch, written by hand and through autograd.

`Loop` is the hand-written one, written as well as its authors know how: no gradients are recorded, biases enter with
the product (`addmm`), and products of the update go into the weights in place (`addmm_`). `compiled` is the same
presentation through torch.compile. `Autograd` has PyTorch find the updates. All start from the same weights and must
end in the same ones (`speed.py` checks that before it takes any time).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "logistic": torch.sigmoid,
    "relu": torch.relu,
    "saturated": lambda s: s.clamp(-1, 1),
    "saturated-half": lambda s: (s / 2).clamp(-1, 1),
    "identity": lambda s: s,
}
SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": lambda o: 1 - o * o,
    "logistic": lambda o: o * (1 - o),
    "relu": lambda o: (o > 0).to(o.dtype),
    "identity": torch.ones_like,
}


@dataclass
class Net:
    """The weights of an autoencoder and what is to be done with them.

    Parameters
    ----------
    x : the examples. weights, biases, feedback : one for each layer above the input, feedback from the second on.
    activations : of the layers above the input. rule : rec, own (recirculation with decay by activity), bp, rbp.
    lam : what is emitted and remembered of cycle 0, the same for all (0: PR, else RWCC). rate : lr. decay : of `own`.
    """

    x: Tensor
    weights: list[Tensor]
    biases: list[Tensor]
    feedback: list[Tensor]
    activations: Sequence[str]
    rule: str
    lam: float = 0.0
    rate: float = 0.01
    decay: float = 0.01
    functions: list[Callable[[Tensor], Tensor]] = field(init=False)

    def __post_init__(self) -> None:
        self.functions = [ACTIVATIONS[name] for name in self.activations]

    def forward(self, x: Tensor) -> list[Tensor]:
        """The activities of all layers, the input first."""
        fired = [x]
        for w, b, f in zip(self.weights, self.biases, self.functions, strict=True):
            fired.append(f(torch.addmm(b, fired[-1], w.t())))
        return fired


def present(net: Net, rows: Tensor) -> None:
    """One presentation by hand."""
    x = net.x[rows]
    rate = net.rate / len(rows)
    fired = net.forward(x)
    errors = backward(net, fired, x) if net.rule in ("bp", "rbp") else recirculate(net, fired, x)
    if net.rule == "own":
        for w, o in zip(net.weights[:-1], fired[1:-1], strict=True):
            w.sub_((o * o).sum(0)[:, None] * w, alpha=rate * net.decay)
    for w, b, error, pre in zip(net.weights, net.biases, errors, fired, strict=False):
        w.addmm_(error.t(), pre, alpha=rate)
        b.add_(error.sum(0), alpha=rate)


def backward(net: Net, fired: list[Tensor], x: Tensor) -> list[Tensor]:
    """The errors of all layers above the input, by backpropagation or through random weights."""
    errors = [x - fired[-1]]
    across = net.weights if net.rule == "bp" else net.feedback
    for h in range(len(net.weights) - 1, 0, -1):
        errors.insert(0, (errors[0] @ across[h]) * SLOPES[net.activations[h - 1]](fired[h]))
    return errors


def recirculate(net: Net, fired: list[Tensor], x: Tensor) -> list[Tensor]:
    """Return the activities of cycle 0 minus those of cycle 1."""
    lam = net.lam
    returned = torch.lerp(fired[-1], x, lam) if lam else fired[-1]
    top, errors = x - returned, []
    for h in range(len(net.weights) - 1):
        fired_again = net.functions[h](torch.addmm(net.biases[h], returned, net.weights[h].t()))
        returned = torch.lerp(fired_again, fired[h + 1], lam) if lam else fired_again
        errors.append(fired[h + 1] - returned)
    return [*errors, top]


class Loop:
    """Presentations by hand, eager or compiled."""

    def __init__(self, net: Net, compiled: bool = False) -> None:
        self.net = net
        self.step = torch.compile(present, dynamic=False) if compiled else present

    def run(self, batches: np.ndarray) -> None:
        """Show the batches (batch, rows)."""
        with torch.no_grad():
            for rows in torch.from_numpy(batches):
                self.step(self.net, rows)


class _ThroughRandom(torch.autograd.Function):
    """A linear layer whose errors go down through other weights."""

    @staticmethod
    def forward(ctx, x, w, b, back):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x, back)
        return torch.addmm(b, x, w.t())

    @staticmethod
    def backward(ctx, error):  # type: ignore[no-untyped-def]
        x, back = ctx.saved_tensors
        return error @ back, error.t() @ x, error.sum(0), None


class Autograd:
    """The same through autograd and torch.optim.SGD: a loss whose gradients are the increments."""

    def __init__(self, net: Net) -> None:
        self.net = net
        for tensor in (*net.weights, *net.biases):
            tensor.requires_grad_(True)
        self.optimizer = torch.optim.SGD([*net.weights, *net.biases], lr=net.rate)

    def run(self, batches: np.ndarray) -> None:
        """Show the batches (batch, rows)."""
        for rows in torch.from_numpy(batches):
            x = self.net.x[rows]
            loss = (self._reconstruction if self.net.rule in ("bp", "rbp") else self._recirculation)(x)
            self.optimizer.zero_grad()
            (loss / len(rows)).backward()
            self.optimizer.step()

    def _reconstruction(self, x: Tensor) -> Tensor:
        """Cross-entropy of logistic outputs, whose gradient by the logits is O - T."""
        net, o, s = self.net, x, x
        for h, (w, b) in enumerate(zip(net.weights, net.biases, strict=True)):
            linear = net.rule == "bp" or h == 0
            s = torch.addmm(b, o, w.t()) if linear else _ThroughRandom.apply(o, w, b, net.feedback[h])
            o = net.functions[h](s)
        return torch.nn.functional.binary_cross_entropy_with_logits(s, x, reduction="sum")

    def _recirculation(self, x: Tensor) -> Tensor:
        """A local loss for each layer, whose gradient by the layer's summed input is O(1) - O(0)."""
        net, summed, fired = self.net, [], [x]
        for w, b, f in zip(net.weights, net.biases, net.functions, strict=True):
            summed.append(torch.addmm(b, fired[-1], w.t()))
            fired.append(f(summed[-1].detach()))
        with torch.no_grad():
            errors = recirculate(net, fired, x)
        loss = sum(-(s * e).sum() for s, e in zip(summed, errors, strict=True))
        if net.rule == "own":
            layers = zip(net.weights[:-1], fired[1:-1], strict=True)
            loss = loss + sum(0.5 * net.decay * ((o * o).sum(0)[:, None] * w * w).sum() for w, o in layers)
        return loss  # type: ignore[return-value]
