"""Default metrics and files of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim.analysis.classification import classification_errors
from circuitsim.analysis.regression import regression_errors
from circuitsim.runs.base import Figures
from circuitsim.scenarios.networks import errors_of_output
from circuitsim.scenarios.reporting import finish, finish_with_reconstructions

if TYPE_CHECKING:
    import numpy as np

    from circuitsim.circuit.circuit import Circuit
    from circuitsim.engine.simulator import Simulator
    from circuitsim.runs.study import Study


def evaluate(simulator: Simulator, x: np.ndarray, y: np.ndarray | None) -> Figures:
    """Return `error` and `loss` of a circuit with labels, `mse` and `r2` if these are real-valued targets.

    For a circuit that reconstructs its input: `mse` and `bce`.
    """
    if simulator.circuit.real_targets:
        return {} if y is None else regression_errors(simulator, x, y)
    if simulator.circuit.labels:
        return {} if y is None else classification_errors(simulator, x, y)
    return errors_of_output(simulator, x) if _reconstructs(simulator.circuit) else {}


def write_files(folder: Path, study: Study, config: Mapping[str, Any]) -> None:
    """Write report.html, with reconstructions of circuits that reconstruct their input."""
    reconstructing = all(_reconstructs(group.design.circuit) for group in study.groups)
    (finish_with_reconstructions if reconstructing else finish)(folder, study, config)


def _reconstructs(circuit: Circuit) -> bool:
    return not circuit.labels and circuit.population(circuit.outputs).size == circuit.population(circuit.inputs).size
