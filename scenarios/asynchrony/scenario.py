"""Recirculation on four ladders from regular to irregular time: jitter, delays, slow neurons, late updates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.asynchrony import angle, backpropagated, contrast, disturbance, mixing, record
from circuitsim.analysis.metrics import reconstruction_errors
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.errors import Diverged
from circuitsim.randomness import generator
from circuitsim.runs.config import build, refuse
from circuitsim.runs.scenario import Computation
from circuitsim.scenarios.asynchrony.ladder import BEFORE, BP, MEMORY, REGULAR, TOP, AsynchronySettings, Rung, rungs
from circuitsim.scenarios.autoencoder import AutoencoderSettings, initial_bias

if TYPE_CHECKING:
    import pandas as pd

    from circuitsim.asynchrony import AsynchronousSimulator
    from circuitsim.data import Dataset
    from circuitsim.engine.simulator import Simulator

Figures = Iterator[tuple[str, str, float]]  # split, metric, value
REPEATED = 3  # presentations of each example in a row: the last shows what the example before leaves


def check(settings: AsynchronySettings) -> None:
    """Refuse settings that do not fit the data."""
    loaded = load_data(settings)
    if settings.sizes[0] != loaded.features:
        refuse("sizes", settings.sizes, f"{loaded.features} units in the first and the last layer", "Match the data.")
    if settings.angle_examples > len(loaded.train):
        expected = f"at most {len(loaded.train)}, the number of training examples"
        refuse("angle_examples", settings.angle_examples, expected, "Lower it.")
    _bias(settings, loaded)


def compute(settings: AsynchronySettings) -> pd.DataFrame:
    """Return `mse` of the test split after training, and measurements of each hidden layer's recirculated error.

    angle : to backpropagation's error. disturbance : distance from the error in regular time. repeated : the
    disturbance where the example before was the same one. contrast : difference between examples. Slow neurons and
    those that mix by coefficients also have `emits`, `remembers` and `unexplained` of each layer. Columns beside epoch,
    split, metric and value: ladder, kind, amount. A rung that diverges has no rows.
    """
    import pandas as pd

    loaded = load_data(settings)
    rows = []
    for rung in rungs(settings):
        rows += [(*figure, rung.ladder, rung.kind, rung.amount) for figure in train_and_measure(settings, rung, loaded)]
    for rule, kind, epochs in (("rec", BEFORE, 0), ("top", TOP, settings.epochs), ("bp", BP, settings.epochs)):
        rows.append(("test", "mse", _baseline(settings, rule, loaded, epochs), "", kind, 0.0))
    frame = pd.DataFrame(rows, columns=["split", "metric", "value", "ladder", "kind", "amount"])
    frame.insert(0, "epoch", settings.epochs)
    return frame


def train_and_measure(settings: AsynchronySettings, rung: Rung, loaded: Dataset) -> Figures:
    """Train with a rung's timing, then measure; yield nothing where the circuit diverges."""
    from circuitsim.asynchrony import AsynchronousSimulator

    circuit, protocol = circular_autoencoder(settings.sizes, delay=settings.delay)
    parameters = {"lr": settings.lr, **rung.coefficients}
    made = AsynchronousSimulator(circuit, protocol, rung.timing, seed=settings.seed, parameters=parameters)
    _begin(made, settings, loaded)
    try:
        for row in _order(settings, loaded, settings.epochs):
            made.present(int(row))
        made.settle()  # updates that are still pending
        shown = range(settings.angle_examples)
        notes, again = record(made, shown), record(made, [row for row in shown for _ in range(REPEATED)])
    except Diverged:
        return
    if not all(np.isfinite(tensor).all() for tensor in made.tensors().values()):
        return  # the last updates made it diverge
    yield "test", "mse", _error(settings, made.tensors(), loaded)
    regular = AsynchronousSimulator(circuit, protocol, seed=settings.seed)
    _begin(regular, settings, loaded)
    for name, tensor in made.tensors().items():
        regular.load(name, tensor)
    undisturbed = record(regular, shown)
    deltas = backpropagated(circuit, made.tensors(), loaded.train[: settings.angle_examples])
    for h, delta in deltas.items():
        yield "train", f"angle/delta{h}", angle(notes.error(h), delta)
        yield "train", f"disturbance/delta{h}", disturbance(notes.error(h), undisturbed.error(h))
        yield "train", f"repeated/delta{h}", disturbance(again.error(h)[REPEATED - 1 :: REPEATED], undisturbed.error(h))
        yield "train", f"contrast/delta{h}", contrast(undisturbed, h)
    if rung.ladder == MEMORY or rung.kind == REGULAR:
        yield from (("train", metric, value) for metric, value in mixing(made, notes).items())


def _baseline(settings: AsynchronySettings, rule: str, loaded: Dataset, epochs: int) -> float:
    """Return the test error of another rule in regular time."""
    from circuitsim.engine.simulator import Simulator

    circuit, protocol = circular_autoencoder(settings.sizes, rule)
    made = Simulator(circuit, protocol, batch=1, seeds=[settings.seed], parameters={"lr": settings.lr})
    _begin(made, settings, loaded)
    for row in _order(settings, loaded, epochs):
        made.present([row])
    return float(reconstruction_errors(made, loaded.test, logistic=True)["mse"][0])


def _error(settings: AsynchronySettings, tensors: Mapping[str, np.ndarray], loaded: Dataset) -> float:
    """Return the test error of weights in regular time."""
    from circuitsim.engine.simulator import Simulator

    circuit, protocol = circular_autoencoder(settings.sizes)
    made = Simulator(circuit, protocol, batch=1)
    for name, tensor in tensors.items():
        made.load(name, tensor)
    return float(reconstruction_errors(made, loaded.test, logistic=True)["mse"][0])


def _begin(made: Simulator | AsynchronousSimulator, settings: AsynchronySettings, loaded: Dataset) -> None:
    """Give a circuit its examples, and the top bias at which the output of a silent circuit is the training mean."""
    made.use(loaded.train)
    made.load(f"A{settings.top}.bias", _bias(settings, loaded))


def _bias(settings: AsynchronySettings, loaded: Dataset) -> np.ndarray:
    return initial_bias(build(AutoencoderSettings, {"sizes": settings.sizes}), loaded)


def _order(settings: AsynchronySettings, loaded: Dataset, epochs: int) -> Iterator[int]:
    """Yield the rows of all epochs, shuffled anew in each, alike for all rungs of a seed."""
    for epoch in range(epochs):
        yield from generator(settings.seed, "order of presentations", epoch).permutation(len(loaded.train)).tolist()


def load_data(settings: AsynchronySettings) -> Dataset:
    """Load the data set of the settings, with its limits."""
    from circuitsim.data import load

    return load(settings.located(settings.dataset), "float32", settings.train_limit, settings.test_limit)


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write the figures, the tables and the report."""
    from circuitsim.scenarios.asynchrony import report  # imports what draws

    report.finish(folder, metrics, config)


QUICK: Mapping[str, Any] = {
    "train_limit": 200,
    "jitter": [0.0, 0.05, 1.0],
    "delays": [0.0, 0.05, 1.0],
    "memory": [0.0, 0.5],
    "updates": [0.0, 16.0],
    "angle_examples": 20,
}

SCENARIO = Computation(
    name="asynchrony",
    description="neurons that keep their own time: which irregularity breaks recirculation first?",
    settings=AsynchronySettings,
    compute=compute,
    finish=finish,
    check=check,
    quick=QUICK,
    vary={"seed": tuple(range(10))},
)
