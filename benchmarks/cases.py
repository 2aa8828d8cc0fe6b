"""Cases to measure: circuits, batches and rules, each for the engine and for PyTorch, from the same weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim import Circuit, Protocol, Simulator
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.rules import local_rule

if TYPE_CHECKING:
    import torch
    from baselines import Net

RATE, DECAY = 0.01, 0.01
RULES = ("rec-pr", "rec-rwcc", "bp", "rbp")


@local_rule
def own(pre: Any, post: Any, w: Any, *, c: float = DECAY) -> Any:
    """A user's rule: recirculation, and weights that decay with their neuron's activity."""
    return (post.at(0) - post.at(1)) * pre.at(0) - c * w * post.at(0) ** 2


@dataclass(frozen=True)
class BenchmarkCase:
    """A circuit, a batch and a rule.

    Parameters
    ----------
    sizes, batch : as the scenario's keys. rule : one of RULES, or own. activations : of the layers above the input;
    empty: tanh, and logistic on top. seeds, lams : of replicas; one of each: no study.
    """

    sizes: tuple[int, ...]
    batch: int
    rule: str
    activations: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    lams: tuple[float, ...] = (0.5,)

    @property
    def label(self) -> str:
        """Name of the case in tables."""
        name = self.rule + (", mixed activations" if self.activations else "")
        return f"{'-'.join(map(str, self.sizes))}, batch {self.batch}, {name}"

    @property
    def fired_by(self) -> tuple[str, ...]:
        """The activations of the layers above the input."""
        return self.activations or ("tanh",) * (len(self.sizes) - 2) + ("logistic",)

    def described(self) -> tuple[Circuit, Protocol]:
        """The circuit and one presentation of it."""
        rule = own if self.rule == "own" else self.rule.partition("-")[0]
        circuit, protocol = circular_autoencoder(list(self.sizes), rule)
        kinds = dict(zip([f"layer{h}" for h in range(1, len(self.sizes))], self.fired_by, strict=True))
        return replace(
            circuit,
            populations=tuple(replace(p, activation=kinds.get(p.name, p.activation)) for p in circuit.populations),
        ), protocol

    def parameters(self) -> dict[Any, Any]:
        """Rates and coefficients."""
        found: dict[Any, Any] = {"lr": RATE}
        if self.rule in ("rec-rwcc", "own", "study"):
            lams = np.repeat(self.lams, len(self.seeds)) if self.replicas > 1 else self.lams[0]
            found |= {"emits": lams, "remembers": lams}
        return found

    @property
    def replicas(self) -> int:
        """Number of circuits simulated together."""
        return len(self.seeds) * len(self.lams)

    def engine(self, x: np.ndarray, **more: Any) -> Simulator:
        """A simulator of the case."""
        circuit, protocol = self.described()
        seeds = list(self.seeds) * len(self.lams)
        made = Simulator(circuit, protocol, batch=self.batch, seeds=seeds, parameters=self.parameters(), **more)
        made.use(x)
        return made

    def nets(self, made: Simulator, x: torch.Tensor) -> list[Net]:
        """The same in PyTorch, one for each replica, with copies of the simulator's weights."""
        import torch  # only comparisons with PyTorch need it
        from baselines import Net

        tensors, top = made.tensors(), len(self.sizes)
        lams = np.repeat(self.lams, len(self.seeds)) if "emits" in self.parameters() else [0.0]
        rule = self.rule if self.rule in ("bp", "rbp", "own") else "rec"

        def all_of(name: str, replica: int, layers: Sequence[int]) -> list[torch.Tensor]:
            return [torch.from_numpy(tensors[name.format(h)][replica].copy()) for h in layers]

        nets = []
        for replica in range(self.replicas):
            weights, biases = (all_of(n, replica, range(1, top)) for n in ("A{}.weight", "A{}.bias"))
            feedback = [torch.empty(0), *all_of("B{}.weight", replica, range(2, top))] if rule == "rbp" else []
            # B{h} goes down: (pre, post) of the forward weights' transpose
            back = [b.t().contiguous() if b.numel() else b for b in feedback]
            nets.append(Net(x, weights, biases, back, self.fired_by, rule, float(lams[replica]), RATE, DECAY))
        return nets


SHAPES = (((784, 20, 784), 100), ((784, 256, 784), 64), ((784, 100, 20, 100, 784), 100))
MIXED = BenchmarkCase((784, 200, 64, 200, 784), 100, "own", ("relu", "tanh", "saturated", "logistic"))
STUDY = BenchmarkCase((784, 20, 784), 100, "rec-rwcc", seeds=tuple(range(10)), lams=(0.0, 0.25, 0.5, 0.75, 0.9))
CASES = (
    *(BenchmarkCase(sizes, batch, rule) for sizes, batch in SHAPES for rule in RULES),
    *(BenchmarkCase((784, 20, 784), 1, rule) for rule in RULES),
    MIXED,
)
