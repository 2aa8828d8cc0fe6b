"""Ask of four PyTorch programs what their weight changes depend on: circuitsim audits steps that it did not write."""

import sys
import time

import circuitsim as cs

try:
    import torch
except ImportError:
    sys.exit("This example needs PyTorch, which circuitsim does not: pip install torch")

SIZES, EXAMPLES, RATE = (20, 16, 10), 32, 0.1
WIRING = {"W1": ("x", "h"), "b1": (None, "h"), "W2": ("h", "y"), "b2": (None, "y"), "B2": ("y", "h")}


def by_hand(weights, batch):
    """Feedback alignment without autograd: the error goes down through B2."""
    x, t, w = batch["x"], batch["t"], weights
    h = torch.tanh(x @ w["W1"].T + w["b1"])
    e = t - torch.sigmoid(h @ w["W2"].T + w["b2"])
    delta = (e @ w["B2"].T) * (1 - h * h)
    gradients = {"W1": delta.T @ x, "b1": delta.sum(0), "W2": e.T @ h, "b2": e.sum(0)}
    return {name: w[name] + RATE * gradient / len(x) for name, gradient in gradients.items()}


def by_autograd(weights, batch, hidden=torch.tanh, output=torch.sigmoid, max_norm=None):
    """The same network by autograd, which uses W2 backwards: feedback that is tied to the forward weights."""
    w = {name: value.clone().requires_grad_() for name, value in weights.items() if name != "B2"}
    y = output(hidden(batch["x"] @ w["W1"].T + w["b1"]) @ w["W2"].T + w["b2"])
    torch.nn.functional.binary_cross_entropy(y, batch["t"], reduction="sum").div(len(y)).backward()
    if max_norm:
        torch.nn.utils.clip_grad_norm_(w.values(), max_norm)
    return {name: (value - RATE * value.grad).detach() for name, value in w.items()}


class FeedbackAlignment(torch.autograd.Function):
    """A linear layer whose backward pass uses B2 in place of W2."""

    @staticmethod
    def forward(ctx, h, weight, bias, back):
        ctx.save_for_backward(h, back)
        return h @ weight.T + bias

    @staticmethod
    def backward(ctx, e):
        h, back = ctx.saved_tensors
        return e @ back.T, e.T @ h, e.sum(0), None


def aligned(weights, batch, normalise=None, max_norm=None):
    """Feedback alignment as a custom autograd function, with what people add to it."""
    w = {name: value.clone().requires_grad_(name != "B2") for name, value in weights.items()}
    s = batch["x"] @ w["W1"].T + w["b1"]
    h = torch.tanh(normalise(s) if normalise else s)
    y = torch.sigmoid(FeedbackAlignment.apply(h, w["W2"], w["b2"], w["B2"]))
    torch.nn.functional.binary_cross_entropy(y, batch["t"], reduction="sum").div(len(y)).backward()
    if max_norm:
        torch.nn.utils.clip_grad_norm_([value for value in w.values() if value.grad is not None], max_norm)
    return {name: (value - RATE * value.grad).detach() for name, value in w.items() if value.grad is not None}


PROGRAMS = {
    "feedback alignment by hand": by_hand,
    "autograd, feedback tied to W2": by_autograd,
    "feedback alignment, batch normalisation": lambda w, b: aligned(w, b, torch.nn.BatchNorm1d(SIZES[1])),
    "feedback alignment, clipped gradient norm": lambda w, b: aligned(w, b, max_norm=0.5),
}

torch.set_num_threads(1)  # of a network this small, several would wait for each other
torch.manual_seed(0)
n_x, n_h, n_y = SIZES
weights = {
    "W1": torch.randn(n_h, n_x) / n_x**0.5,
    "b1": torch.zeros(n_h),
    "W2": torch.randn(n_y, n_h) / n_h**0.5,
    "b2": torch.zeros(n_y),
    "B2": torch.randn(n_h, n_y) / n_y**0.5,
}
batch = {"x": torch.rand(EXAMPLES, n_x), "t": torch.eye(n_y)[torch.randint(n_y, (EXAMPLES,))]}

for name, step in PROGRAMS.items():
    start = time.process_time()
    audit = cs.audit_step(step, weights, WIRING, batch, seed=0)
    print(f"{name} ({time.process_time() - start:.1f} s of processor time)\n{audit}\n")
