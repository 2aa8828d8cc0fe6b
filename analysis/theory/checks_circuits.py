"""The counterexamples of A*[1, ..., 1] in the simulated circuit: what each comes to there and in its equations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from circuitsim.analysis.theory.chain import ChainLaw
from circuitsim.analysis.theory.checks_chain import solution
from circuitsim.analysis.theory.circuits import Experiment, chain
from circuitsim.analysis.theory.rows import Row
from circuitsim.errors import Diverged


@dataclass(frozen=True)
class Counterexample:
    """A start from which a statement fails.

    Parameters
    ----------
    statement : which. weights : a_1 ... a_L. time : until when. rate : the circuit's. limit : what P comes to.
    """

    statement: str
    law: ChainLaw
    weights: Sequence[float]
    limit: float
    time: float = 20.0
    rate: float = 0.02

    @property
    def label(self) -> str:
        """Statement and start, as a report's row."""
        return f"{self.statement}; a = ({', '.join(f'{a:g}' for a in self.weights)})"


EXAMPLES = (
    Counterexample("Theorem 6.2, n = 2, one layer", ChainLaw(m=2), (-2,), -np.inf),
    Counterexample("Theorem 6.2, n = 2, at rest", ChainLaw(m=2), (1, -1), -1.0),
    Counterexample("Theorem 6.2, n = 2, from P < -1", ChainLaw(m=2), (1, -2), -1.0),
    Counterexample("Theorem 6.2, n = 2, from -1 < P < 0", ChainLaw(m=2), (0.3, -2.7), -1.0),
    Counterexample("Theorem 6.2, n = 4, three layers", ChainLaw(m=4), (1, 1, -2), -1.0),
    Counterexample("Theorem 6.3, eq. 51, n = 1, m = 2", ChainLaw(1, 2, own=True), (1, -1), -np.inf),
    Counterexample("Theorem 6.3, eq. 51, n = 1, m = 3", ChainLaw(1, 3, own=True), (1, -0.5), -1.0),
    Counterexample("Theorem 6.3, top as eq. 40, n = 1, m = 2", ChainLaw(1, 2), (1, -1), 0.0, 200.0, 0.1),
    Counterexample("Theorem 6.3, top as eq. 40, n = 1, m = 3", ChainLaw(1, 3), (0.5, -3), -1.0, 100.0, 0.05),
)


def reproductions(theorem: str) -> list[Row]:
    """Of a theorem's examples, P at the end of each one's time, by equations and in the circuit, and in the limit."""
    rows: list[Row] = []
    for one in (one for one in EXAMPLES if one.statement.startswith(theorem)):
        a = solution(one.law, np.array(one.weights, float), np.array([0.0, one.time]))
        rows.append(Row("P foretold", one.label, one.limit))
        rows.append(Row("P of equations", one.label, float(a[-1].prod()) if len(a) > 1 else -np.inf))
        rows.append(Row("P of circuit", one.label, in_circuit(one)))
    return rows


def in_circuit(one: Counterexample) -> float:
    """P in the simulated circuit after the example's time; -infinity where it diverges."""
    circuit = chain(one.weights, one.rate, n=one.law.n, m=one.law.m, own=one.law.own)
    return product_after(circuit, round(one.time / one.rate))


def product_after(circuit: Experiment, presentations: int) -> float:
    """P of a chain after so many presentations; -infinity where it diverges."""
    try:
        return float(np.prod([w[0, 0] for w in circuit.run(presentations)]))
    except Diverged:
        return -np.inf


def dead_synapse() -> list[Row]:
    """A*[1, 1, 1, 1] from (1, 0, 1), which Theorem 6.1 excludes: P = 0, and a_1 = e^t; (1 + rate)^k in the circuit."""
    case, rate, presentations = "a = (1, 0, 1)", 0.01, 1000
    weights = [float(w[0, 0]) for w in chain((1, 0, 1), rate).run(presentations)]
    end = product_after(chain((1, 0, 1), 0.5), 2000)
    return [
        Row("a_1 of circuit", case, weights[0], rate * presentations),
        Row("a_1 of equations", case, float(np.exp(rate * presentations)), rate * presentations),
        Row("P of dead circuit", case, float(np.prod(weights))),
        Row("dead circuit overflows", case, float(end == -np.inf)),
    ]
