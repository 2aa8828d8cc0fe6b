"""The whole audit of a circuit: from its description, by intervention, of its hooks, and its scorecard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from secrets import randbits
from typing import Any

import numpy as np

from circuitsim.analysis.audits.audit import Audit, audit
from circuitsim.analysis.audits.hook_audit import examine_hooks
from circuitsim.analysis.audits.intervention import RUNS, intervene
from circuitsim.analysis.audits.light_cone import light_cone
from circuitsim.analysis.audits.mirroring import mirrored, transposes
from circuitsim.analysis.audits.statement import stated
from circuitsim.analysis.random_labels import random_labels
from circuitsim.analysis.scores.scorecard import scorecard
from circuitsim.circuit.circuit import Circuit
from circuitsim.engine.noise import firing_given
from circuitsim.engine.parameters import Parameters
from circuitsim.engine.simulator import Simulator
from circuitsim.locality import REMEDIES, Finding
from circuitsim.phases import FIRING
from circuitsim.randomness import generator
from circuitsim.timetable.protocol import Protocol, Updates

EXAMPLES = 12  # random ones: more than a batch, so that a dependence on examples not shown can be found
BATCH = 6
LARGE = 1_000_000  # synapses of a circuit in which no neuron is followed
CONES = 6  # populations of which a neuron is followed, at most


def examine(
    circuit: Circuit,
    protocol: Protocol,
    parameters: Parameters | None = None,
    *,
    backend: str = "numba",
    dtype: Any = "float32",
    seed: int | None = None,
    runs: int = RUNS,
    measure: bool = True,
) -> Audit:
    """Audit one circuit in every way, on a simulator with random weights and examples.

    Parameters
    ----------
    circuit, protocol, parameters : as for a `Simulator`; parameters of several replicas are those of the first.
    backend, dtype : of the simulator. seed : of its weights, examples and changes; None: drawn anew.
    runs : repetitions of the experiments with other random values, >= 1.
    measure : add the scorecard; on large circuits it takes several times as long as the rest.

    Returns
    -------
    The result of `audit` with more keys: `intervention` (extent, seed, summary), `cones` (see `_cones`), `hooks`,
    `mirrors` and `transposes` (angles of feedback projections), `acts`, `statement`, and `scorecard`.
    """
    seed = randbits(32) if seed is None else seed
    first = {key: _limited(key, np.reshape(value, -1)[0]) for key, value in (parameters or {}).items()}
    made = Simulator(
        circuit, protocol, batch=BATCH, seeds=[seed, seed + 1], dtype=dtype, backend=backend, parameters=first
    )
    made.use(*random_examples(circuit, seed))
    if firing := firing_given(circuit).values():
        drawn = np.random.default_rng(seed)
        made.use_noise({name: drawn.normal(size=(1, BATCH, circuit.population(name).size)) for name in firing})
    return examine_simulator(made, np.arange(BATCH), seed=seed, runs=runs, measure=measure)


def _limited(key: str | tuple[str, str], value: Any) -> Any:
    """Limit a learning rate to 1: locality does not depend on it, and an audit must not diverge."""
    return min(value, 1.0) if (key if isinstance(key, str) else key[1]) in ("lr", "lr_bias") else value


def examine_simulator(
    simulator: Simulator, rows: np.ndarray, *, seed: int | None = None, runs: int = RUNS, measure: bool = True
) -> Audit:
    """Audit a simulator and its hooks in every way; the simulator is restored to the bit.

    Parameters
    ----------
    simulator : with its examples in use. rows : numbers of the examples to show.
    seed : of the random changes; None: drawn anew. runs, measure : as for `examine`.
    """
    seed = randbits(32) if seed is None else seed
    tested, hooks = intervene(simulator, rows, runs=runs, seed=seed), examine_hooks(simulator, seed=seed)
    cones = _cones(simulator, rows)
    hooked = [finding for one in hooks for finding in one.findings]
    found = audit(simulator.schedules, tested.findings, [*hooked, *_outside(cones, tested.findings)])
    found["hooks"], found["cones"] = [one.row() for one in hooks], cones
    found["mirrors"], found["acts"] = mirrored(simulator), simulator.acts.rows()
    found["transposes"] = transposes(found["mirrors"])
    found["statement"] = stated(simulator, found, simulator.schedules[:1])
    found["intervention"] = {key: value for key, value in tested.row().items() if key != "findings"}
    if measure:
        found["scorecard"] = scorecard(simulator, rows)
        kinds = Counter(finding["kind"] for finding in found["findings"])  # of all audits, not the static one alone
        found["scorecard"]["locality"] = {"local": found["local"], "findings": dict(kinds)}
    return found


def _cones(simulator: Simulator, rows: np.ndarray) -> dict[str, Any]:
    """Follow one neuron of each of a few populations through a presentation.

    Returns
    -------
    `followed`: names of the populations; `violations`: changes sooner or elsewhere than the delays allow;
    `left`: why none was followed, or "".
    """
    if simulator.protocol.updates is not Updates.LAST:
        return {"followed": [], "violations": [], "left": "updates before the last event are not predicted"}
    if sum(array[0].size for array in simulator.tensors().values()) > LARGE:
        return {"followed": [], "violations": [], "left": "the circuit is large; light_cone() follows a neuron"}
    entries = [e.event for e in simulator.schedule.entries if e.event.phase in FIRING and e.event.detail == 0]
    names = list(dict.fromkeys(simulator.circuit.populations[event.which].name for event in entries))
    chosen = names[:: max(1, -(-len(names) // CONES))]
    cones = [light_cone(simulator, rows, name) for name in chosen]
    violations = [line for cone in cones for line in cone.violations if line not in cone.late]
    return {"followed": chosen, "violations": violations, "left": ""}


def _outside(cones: Mapping[str, Any], known: Sequence[Finding]) -> list[Finding]:
    """Return findings about changes outside a light cone; none where an experiment has explained them."""
    if known:
        return []
    remedy = REMEDIES["causality"]
    return [Finding("causality", "light cone", "", line, "remote", None, remedy) for line in cones["violations"]]


def random_examples(circuit: Circuit, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Draw examples that fit a circuit, and random classes or targets where it has labels.

    Most inputs are in [0, 1], some are exactly zero and some are large, so that no threshold hides a dependence.
    """
    drawn = generator(seed, "examples of an audit")
    x = drawn.random((EXAMPLES, circuit.population(circuit.inputs).size))
    chance = drawn.random(x.shape)
    x[chance < 0.1] = 0
    x[chance > 0.95] *= 5
    return x, random_labels(circuit, drawn, EXAMPLES)


def examine_design(
    design: Any, settings: Any, backend: str = "numba", seed: int | None = None, runs: int = RUNS
) -> Audit:
    """Audit a scenario's design in every way, for `circuitsim audit`."""
    options = {"backend": backend, "dtype": settings.dtype, "seed": seed, "runs": runs}
    found = examine(design.circuit, design.protocol, design.parameters, **options)
    return {"label": design.circuit.name, **found}
