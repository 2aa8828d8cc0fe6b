"""Five problems of learning in a physical circuit against depth: a Tourbillon beside what it replaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuits.blocks import TOP, TUNING
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.tourbillon import growing, tourbillon
from circuitsim.runs.scenario import Computation
from circuitsim.scenarios.five_problems.learning import learned
from circuitsim.scenarios.five_problems.settings import ProblemSettings
from circuitsim.timetable.protocol import Protocol, Updates

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = 8
RIGHT = 90.0  # degrees between matrices that have nothing in common


def described(settings: ProblemSettings, blocks: int) -> tuple[Circuit, Protocol]:
    """Return a circuit with so many hidden layers, and a presentation in which they learn."""
    sizes = [64, *[settings.width] * blocks, 10]
    if settings.method in ("bp", "fa"):
        return layered_classifier(sizes, settings.method, output="logistic", delay=settings.delay)
    circuit, protocol = tourbillon(sizes, top="logistic", delay=settings.delay, updates=Updates.AT_ONCE)
    grown = growing(*range(1, blocks + 1)) if settings.method == "tourbillon" else (TUNING,)
    return circuit, replace(protocol, groups=(*grown, TOP))


def compute(settings: ProblemSettings) -> pd.DataFrame:
    """Measure circuits of each depth; the column epoch is the number of hidden layers.

    window : ticks for which neurons must remember. hops : projections between an error and the synapses that use it.
    labels : percent of the learning synapses whose update uses labels. symmetry : the smallest angle between feedback
    and forward weights that the circuit requires, in degrees; 90: it requires none. transported : projections with
    another's weights. snapshots : most numbers that a neuron holds at once, for one example. interval : ticks after
    which the next example can enter, where a neuron remembers one at a time. needs : percent of all other projections
    on which the updates of the synapses into the first hidden layer depend. error, error_half, rate, labelled : see
    `learned`.
    """
    import pandas as pd

    from circuitsim.analysis.scores.scorecard import scorecard
    from circuitsim.data import load
    from circuitsim.engine.simulator import Simulator

    data = load("digits")
    rows = []
    for blocks in settings.blocks:
        circuit, protocol = described(settings, blocks)
        made = Simulator(circuit, protocol, batch=EXAMPLES, seeds=[settings.seed], dtype="float64")
        made.use(data.train[:EXAMPLES], data.train_labels[:EXAMPLES] if data.train_labels is not None else None)
        found = scorecard(made, np.arange(EXAMPLES))
        first = next(q.name for q in circuit.projections if q.target == "layer1")
        figures = {
            "window": made.schedule.window,
            "hops": found["distances"]["hops"],
            "labels": 100 * found["labels"]["fraction"],
            "symmetry": RIGHT if found["symmetry"]["required"] is None else found["symmetry"]["required"],
            "transported": found["costs"]["wires"]["nonlocal"].get("weight-transport", 0),
            "snapshots": found["costs"]["neurons"]["snapshots"],
            "interval": made.schedule.shortest_interval(1),
            "needs": 100 * found["modularity"]["fraction"][first],
        }
        if settings.epochs:
            figures |= learned(settings, blocks)
        rows += [(blocks, "train", metric, float(value)) for metric, value in figures.items()]
    return pd.DataFrame(rows, columns=["epoch", "split", "metric", "value"])


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write the figure, its table and the report."""
    from circuitsim.scenarios.five_problems import report  # imports what draws

    report.finish(folder, metrics, config)


QUICK: Mapping[str, Any] = {"blocks": [2, 4, 6], "width": 6, "seeds": 2, "epochs": 1, "rates": [0.1]}

SCENARIO = Computation(
    name="five-problems",
    description="labels, locality, symmetry, distance, modularity against depth: Tourbillon, fine-tuning, fa, bp",
    settings=ProblemSettings,
    compute=compute,
    finish=finish,
    vary={"method": ("tourbillon", "fine-tuning", "fa", "bp")},
    quick=QUICK,
)
