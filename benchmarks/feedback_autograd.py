"""Largest difference between the engine and PyTorch after one update and ten, for each kind of feedback, in float64.

Run: python benchmarks/feedback_autograd.py [--store]

Needs PyTorch (pip install torch). Backpropagation is autograd's own. Other feedback weights are a function with a
gradient of its own (`Returning`), direct feedback is a hook that replaces the gradient of hidden activity, and feedback
weights that follow primitives take autograd's gradient of the penalty that their source prints. Momentum is
torch.optim.SGD's. `--store` writes the values that `tests/engine/test_feedback_autograd.py` compares every day without
PyTorch. The exit status is 1 unless all differences are below 1e-12.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from feedback_cases import (
    BIAS_RATES,
    CASES,
    RATES,
    STORED,
    UPDATES,
    Case,
    Tensors,
    by_engine,
    first_tensors,
    furthest,
    shown,
)

LIMIT, DIRECT, LEARNING = 1e-12, ("dfa", "srbp"), ("kp", "urfb", "arbp")
Tensor = torch.Tensor
FIRE: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "logistic": torch.sigmoid}


class Returning(torch.autograd.Function):
    """x Wᵀ + b, whose gradient comes down through `back` (n_in, n_out) in the place of W."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(x, back)
        return x @ w.T + b

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor, ...]:
        """Return gradients; that of `back` is the forward one, transposed."""
        x, back = ctx.saved_tensors
        return grad[0] @ back.T, grad[0].T @ x, grad[0].sum(0), x.T @ grad[0]


def loss_of(case: Case, s: Tensor, target: Tensor) -> Tensor:
    """Return the loss whose gradient with respect to s is minus the error of one example, over the batch's size."""
    if case.keys.get("loss") == "hinge":
        right = F.one_hot(target, s.shape[1]).bool()
        return (F.relu(1 - s[right]).sum() + F.relu(1 + s[~right]).sum() / (s.shape[1] - 1)) / len(s)
    if case.scenario == "autoencoder":
        return F.binary_cross_entropy_with_logits(s, target, reduction="sum") / len(s)
    if case.keys.get("output") == "logistic":
        wanted = F.one_hot(target, s.shape[1]).double()
        return F.binary_cross_entropy_with_logits(s, wanted, reduction="sum") / len(s)
    return F.cross_entropy(s, target)


def _direct(top: dict[str, Tensor], d: Tensor, _: Tensor) -> Tensor:
    """Return the output's error, brought straight to a hidden layer."""
    return top["error"] @ d.T


def forward(case: Case, kind: str, t: dict[str, Tensor], x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return the output's summed input, and the activities below it, with this kind's way back."""
    fire, last, p = FIRE[case.keys.get("hidden", "tanh")], len(case.sizes) - 1, case.prefix
    o, s, top = [x], x, dict[str, Tensor]()
    for h in range(1, last + 1):
        w, b, back = t[f"{p}{h}.weight"], t[f"{p}{h}.bias"], t[f"B{h}.weight"]
        if kind == "ss":
            back = (torch.sign(w).T * back).detach()
        s = F.linear(o[-1], w, b) if kind in ("bp", *DIRECT) else Returning.apply(o[-1], w, b, back)
        if h < last:
            o.append(fire(s))
            if kind in DIRECT:
                o[-1].register_hook(partial(_direct, top, t[f"D{h}.weight"].detach()))
    s.register_hook(lambda g: top.update(error=g))
    return s, o


def penalty(case: Case, t: dict[str, Tensor], o: list[Tensor]) -> Tensor:
    """Return the sum of primitives (Kunin et al. 2020), with x_{l+1} = W x_l, its mean over the batch."""
    total = torch.zeros((), dtype=torch.float64)
    for h in range(2, len(case.sizes)):
        w, back, below = t[f"W{h}.weight"].detach(), t[f"B{h}.weight"], o[h - 1].detach()
        above = below @ w.T
        terms = {
            "decay": (back**2).sum() / 2,
            "amp": -((above @ back.T) * below).sum() / len(below),
            "null": ((above @ back.T) ** 2).sum() / 2 / len(below),
            "sparse": ((below @ back) ** 2).sum() / 2 / len(below),
            "self": -(back * w.T).sum(),
        }
        total = total + sum(c * terms[name] for name, c in case.keys["primitives"].items() if name in terms)
    return total


def optimiser(case: Case, kind: str, t: dict[str, Tensor]) -> torch.optim.Optimizer:
    """Return gradient descent with a rate for each tensor that learns."""
    groups, step = [], case.keys.get("feedback_step", 1.0)
    for h, (rate, bias_rate) in enumerate(zip(RATES, BIAS_RATES, strict=True), 1):
        groups += [
            {"params": [t[f"{case.prefix}{h}.weight"]], "lr": rate},
            {"params": [t[f"{case.prefix}{h}.bias"]], "lr": bias_rate},
        ]
        if kind in LEARNING:
            groups.append({"params": [t[f"B{h}.weight"]], "lr": step * rate})
        elif "primitives" in case.keys:
            groups.append({"params": [t[f"B{h}.weight"]], "lr": case.keys["primitives"]["rate"]})
    return torch.optim.SGD(groups, lr=0.0, momentum=case.keys.get("momentum", 0.0))


def by_pytorch(case: Case) -> list[Tensors]:
    """Return PyTorch's tensors after each of the numbers of updates that are compared."""
    kind = case.keys.get("feedback", case.keys.get("rule"))
    t = {name: torch.tensor(values, requires_grad=True) for name, values in first_tensors(case).items()}
    descent, x, y = optimiser(case, kind, t), *(torch.tensor(a) for a in shown()[:2])
    decaying = [a for name, a in t.items() if name.endswith("weight") and name[0] in ("WB" if kind == "kp" else "W")]
    found = []
    for update, rows in enumerate(shown()[2], 1):
        s, o = forward(case, kind, t, x[rows])
        loss = loss_of(case, s, x[rows] if case.scenario == "autoencoder" else y[rows])
        descent.zero_grad()
        loss.backward()
        if "primitives" in case.keys:
            for a in t:
                if a.startswith("B"):
                    t[a].grad = None
            penalty(case, t, o).backward()
        before = [a.detach().clone() for a in decaying]
        descent.step()
        with torch.no_grad():
            for a, old in zip(decaying, before, strict=True):
                a -= case.keys.get("weight_decay", 0.0) * old
        if update in UPDATES:
            found.append({name: a.detach().numpy().copy() for name, a in t.items() if used(name, kind)})
    return found


def used(name: str, kind: str) -> bool:
    """Return whether a tensor is one that the circuit learns."""
    return name[0] in "WA" or (name[0] == "B" and name[1] != "1" and kind in (*LEARNING, "ia", "sa", "aa"))


def main() -> int:
    """Compare all cases; with `--store`, write PyTorch's values for the daily test."""
    made = {name: by_pytorch(case) for name, case in CASES.items()}
    worst = 0.0
    for name, case in CASES.items():
        far = furthest(by_engine(case, "numba"), made[name])
        worst = max(worst, *far)
        print(f"{name:20s} " + "   ".join(f"{n:2d} updates {d:.1e}" for n, d in zip(UPDATES, far, strict=True)))
    if "--store" in sys.argv[1:]:
        values = {
            f"{name}/{n}/{key}": a
            for name, found in made.items()
            for n, tensors in zip(UPDATES, found, strict=True)
            for key, a in tensors.items()
        }
        np.savez_compressed(STORED, **values)
    return int(not worst < LIMIT)


if __name__ == "__main__":
    sys.exit(main())
