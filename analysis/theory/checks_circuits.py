"""Counterexamples of A*[1, ..., 1], run in the simulated circuit and in its equations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from circuitsim.analysis.theory.chain import ChainRule
from circuitsim.analysis.theory.checks_chain import solution
from circuitsim.analysis.theory.circuits import Experiment, chain
from circuitsim.analysis.theory.rows import Datum
from circuitsim.errors import Diverged


@dataclass(frozen=True)
class Counterexample:
    """Start for which a statement fails.

    Parameters
    ----------
    statement : its name. weights : a_1 ... a_L. limit : of P. time : of the run. rate : learning rate of the circuit.
    """

    statement: str
    rule: ChainRule
    weights: Sequence[float]
    limit: float
    time: float = 20.0
    rate: float = 0.02

    @property
    def label(self) -> str:
        """Statement and start, for a row of the report."""
        return f"{self.statement}; a = ({', '.join(f'{a:g}' for a in self.weights)})"


EXAMPLES = (
    Counterexample("Theorem 6.2, n = 2, one layer", ChainRule(m=2), (-2,), -np.inf),
    Counterexample("Theorem 6.2, n = 2, at rest", ChainRule(m=2), (1, -1), -1.0),
    Counterexample("Theorem 6.2, n = 2, from P < -1", ChainRule(m=2), (1, -2), -1.0),
    Counterexample("Theorem 6.2, n = 2, from -1 < P < 0", ChainRule(m=2), (0.3, -2.7), -1.0),
    Counterexample("Theorem 6.2, n = 4, three layers", ChainRule(m=4), (1, 1, -2), -1.0),
    Counterexample("Theorem 6.3, eq. 51, n = 1, m = 2", ChainRule(1, 2, own=True), (1, -1), -np.inf),
    Counterexample("Theorem 6.3, eq. 51, n = 1, m = 3", ChainRule(1, 3, own=True), (1, -0.5), -1.0),
    Counterexample("Theorem 6.3, top as eq. 40, n = 1, m = 2", ChainRule(1, 2), (1, -1), 0.0, 200.0, 0.1),
    Counterexample("Theorem 6.3, top as eq. 40, n = 1, m = 3", ChainRule(1, 3), (0.5, -3), -1.0, 100.0, 0.05),
)


def reproductions(theorem: str) -> list[Datum]:
    """Run a theorem's counterexamples: the predicted limit of P, and P at the end by equations and in the circuit."""
    rows: list[Datum] = []
    for one in (one for one in EXAMPLES if one.statement.startswith(theorem)):
        a = solution(one.rule, np.array(one.weights, float), np.array([0.0, one.time]))
        rows.append(Datum("P foretold", one.label, one.limit))
        rows.append(Datum("P of equations", one.label, float(a[-1].prod()) if len(a) > 1 else -np.inf))
        rows.append(Datum("P of circuit", one.label, in_circuit(one)))
    return rows


def in_circuit(one: Counterexample) -> float:
    """Return P in the simulated circuit after the example's time; -infinity if it diverges."""
    circuit = chain(one.weights, one.rate, n=one.rule.n, m=one.rule.m, own=one.rule.own)
    return product_after(circuit, round(one.time / one.rate))


def product_after(circuit: Experiment, presentations: int) -> float:
    """Return P of a chain after some presentations; -infinity if it diverges."""
    try:
        return float(np.prod([w[0, 0] for w in circuit.run(presentations)]))
    except Diverged:
        return -np.inf


def dead_synapse() -> list[Datum]:
    """Run A*[1, 1, 1, 1] from (1, 0, 1), which Theorem 6.1 excludes: P = 0, a_1 = e^t; (1 + rate)^k in the circuit."""
    case, rate, presentations = "a = (1, 0, 1)", 0.01, 1000
    weights = [float(w[0, 0]) for w in chain((1, 0, 1), rate).run(presentations)]
    end = product_after(chain((1, 0, 1), 0.5), 2000)
    return [
        Datum("a_1 of circuit", case, weights[0], rate * presentations),
        Datum("a_1 of equations", case, float(np.exp(rate * presentations)), rate * presentations),
        Datum("P of dead circuit", case, float(np.prod(weights))),
        Datum("dead circuit overflows", case, float(end == -np.inf)),
    ]
