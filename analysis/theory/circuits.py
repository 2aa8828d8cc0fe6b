"""Simulated circuits whose small-rate limit the equations describe: identity units, no biases, full batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from circuitsim.analysis.feedback_systems import Matrices
from circuitsim.circuits.autoencoder import circular_autoencoder, variant_coefficients

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator


@dataclass(frozen=True)
class Experiment:
    """Linear circular autoencoder in the simulator.

    Parameters
    ----------
    weights : A^1 ... A^L before learning. sigma : the second moment of its examples, (n_0, n_0).
    rate : learning rate > 0, the time of one presentation.
    rule : of circular_autoencoder. feedback : B^2 ... B^L of rbp.
    n, m : the cycles compared. own : True compares activities of layer L at the top, not memories of layer 0.
    variant, lam : of recirculation.
    """

    weights: Matrices
    sigma: np.ndarray
    rate: float
    rule: str = "rec"
    feedback: Matrices = ()
    n: int = 0
    m: int = 1
    own: bool = False
    variant: str = "pr"
    lam: float = 0.0

    def run(self, presentations: int) -> Matrices:
        """Return the weights after some presentations of all examples; Diverged if a value is not finite."""
        simulator = self._simulator()
        for _ in range(presentations):
            simulator.present(np.arange(len(self.sigma)))
        tensors = simulator.tensors()
        return tuple(tensors[f"A{h}.weight"][0].copy() for h in range(1, len(self.weights) + 1))

    def _parameters(self) -> dict[str | tuple[str, str], float]:
        mixing = variant_coefficients(self.variant, self.lam, len(self.weights)) if self.rule == "rec" else {}
        return {"lr": self.rate, **mixing}

    def _simulator(self) -> Simulator:
        from circuitsim.engine.simulator import Simulator

        sizes = [len(self.sigma), *(len(w) for w in self.weights)]
        circuit, protocol = circular_autoencoder(
            sizes,
            self.rule,
            hidden="identity",
            output="identity",
            bias=False,
            cycles=self.m,
            reference_cycle=self.n,
            top_rule="own" if self.own else "same",
        )
        made = Simulator(circuit, protocol, batch=len(self.sigma), dtype="float64", parameters=self._parameters())
        made.use(examples(self.sigma))
        for h, w in enumerate(self.weights, start=1):
            made.load(f"A{h}.weight", w)
        for h, b in enumerate(self.feedback, start=2):
            made.load(f"B{h}.weight", b)
        return made


def chain(weights: Sequence[float], rate: float, beta: float = 1.0, **options: object) -> Experiment:
    """Make the experiment of A*[1, ..., 1] with weights a_1 ... a_L."""
    shaped = tuple(np.array([[a]], np.float64) for a in weights)
    return Experiment(shaped, np.array([[beta]]), rate, **options)  # type: ignore[arg-type]


def examples(sigma: np.ndarray) -> np.ndarray:
    """Return as many examples (rows) as units with mean x x^t = sigma, (n_0, n_0), exact up to rounding."""
    values, vectors = np.linalg.eigh(sigma)
    found: np.ndarray = (vectors * np.sqrt(np.maximum(values, 0) * len(sigma))).T
    return found
