"""The whole audit of a circuit: judged from its description, attacked by intervention, and measured."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from circuitsim.analysis.audits.audit import Audit, audit
from circuitsim.analysis.audits.hooks import audit_hooks
from circuitsim.analysis.audits.intervention import intervene
from circuitsim.analysis.scores.scorecard import scorecard
from circuitsim.circuit.circuit import Circuit
from circuitsim.engine.simulator import Simulator
from circuitsim.engine.state import Parameters
from circuitsim.randomness import generator
from circuitsim.timetable.protocol import Protocol

EXAMPLES = 12  # random ones, for the experiments: more than a batch, so that there are others
BATCH = 6


def examine(
    circuit: Circuit,
    protocol: Protocol,
    parameters: Parameters | None = None,
    *,
    backend: str = "numba",
    dtype: Any = "float32",
    seed: int = 0,
    measure: bool = True,
) -> Audit:
    """Audit one circuit in every way: from its description, by intervention on a twin of it, and by measurement.

    Parameters
    ----------
    circuit, protocol, parameters : as a `Simulator` takes them; of parameters for several replicas the first is used.
    backend, dtype : those that the twin runs on, with random examples.
    seed : of the twin's weights, examples and samples.
    measure : whether the scorecard is wanted; on large circuits it takes several times as long as the rest.

    Returns
    -------
    `audit`'s result with two more keys: `tried`, what was changed and to what effect, and `scorecard`.
    """
    first = {key: _modest(key, np.reshape(value, -1)[0]) for key, value in (parameters or {}).items()}
    twin = Simulator(circuit, protocol, batch=BATCH, seeds=[seed], dtype=dtype, backend=backend, parameters=first)
    twin.use(*random_examples(circuit, seed))
    return examine_simulator(twin, np.arange(BATCH), seed=seed, measure=measure)


def _modest(key: str | tuple[str, str], value: Any) -> Any:
    """Rates of at most 1: what is local does not depend on them, and an audit must not diverge."""
    return min(value, 1.0) if (key if isinstance(key, str) else key[1]) in ("lr", "lr_bias") else value


def examine_simulator(simulator: Simulator, rows: np.ndarray, *, seed: int = 0, measure: bool = True) -> Audit:
    """Audit a simulator, its hooks included, in every way; it is left as it was, to the bit.

    Parameters
    ----------
    simulator : with its examples in use. rows : numbers of the examples to show.
    """
    tried, hooked = intervene(simulator, rows, seed=seed), audit_hooks(simulator, seed=seed)
    named = {(finding.kind, finding.projection) for finding in hooked}  # there with the line that does it
    found = audit(simulator.schedules, (*hooked, *(f for f in tried.findings if (f.kind, f.projection) not in named)))
    experiment = {"backend": tried.backend, "synapses": tried.synapses, "events": tried.events, "said": tried.text}
    if not measure:
        return {**found, "tried": experiment}
    card = scorecard(simulator, rows)
    kinds = Counter(finding["kind"] for finding in found["findings"])
    card["locality"] = {"local": found["local"], "findings": dict(kinds)}  # of all audits, not of the description alone
    return {**found, "tried": experiment, "scorecard": card}


def random_examples(circuit: Circuit, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Examples of random numbers in [0, 1] that fit a circuit, and random classes where it has labels."""
    drawn = generator(seed, "examples of an audit")
    x = drawn.random((EXAMPLES, circuit.population(circuit.inputs).size))
    y = drawn.integers(0, circuit.population(circuit.labels).size, EXAMPLES) if circuit.labels else None
    return x, y


def examine_design(design: Any, settings: Any, backend: str = "numba") -> Audit:
    """What `circuitsim audit` shows: the whole audit of a scenario's design."""
    found = examine(design.circuit, design.protocol, design.parameters, backend=backend, dtype=settings.dtype)
    return {"label": design.circuit.name, **found}
