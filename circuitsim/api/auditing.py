"""The audit of a circuit of one's own, from Python."""

from __future__ import annotations

from typing import Any

from circuitsim.analysis.audits.examine import examine
from circuitsim.analysis.audits.intervention import RUNS
from circuitsim.analysis.audits.verdict import Audit
from circuitsim.circuit.circuit import Circuit
from circuitsim.engine.parameters import Parameters
from circuitsim.timetable.protocol import Protocol


def audit(
    circuit: Circuit,
    protocol: Protocol | None = None,
    parameters: Parameters | None = None,
    *,
    backend: str = "numba",
    dtype: Any = "float32",
    seed: int | None = None,
    runs: int = RUNS,
    measure: bool = True,
) -> Audit:
    """Audit the locality of a circuit in every way, without training.

    Parameters
    ----------
    circuit, protocol, parameters : as for a `Simulator`; the default protocol is one forward pass.
    backend, dtype : of the simulator on which the audit experiments.
    seed : of its weights, examples and changes; None: drawn anew, and recorded.
    runs : repetitions of the experiments with other random values, >= 1.
    measure : add the scorecard of costs; on large circuits it takes several times as long as the rest.

    Returns
    -------
    An `Audit`: the content of audit.json, with `local` and `findings`; `print` it, or let a notebook show it.

    Examples
    --------
    >>> import circuitsim as cs
    >>> cs.audit(*cs.circuits.circular_autoencoder([6, 3, 6]), measure=False).local
    True
    """
    found = examine(
        circuit, protocol or Protocol(), parameters, backend=backend, dtype=dtype, seed=seed, runs=runs, measure=measure
    )
    return Audit({"label": circuit.name, **found})
