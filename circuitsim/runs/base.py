"""The part of a scenario that a study needs: the replicas' designs, and the measurements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from circuitsim.runs.tools import load_tool

if TYPE_CHECKING:
    import numpy as np

    from circuitsim.data.dataset import Dataset
    from circuitsim.engine.simulator import Simulator
    from circuitsim.runs.config import Settings, TrainingSettings
    from circuitsim.runs.design import Design

Figures = dict[str, "np.ndarray"]
Presented = Callable[["Simulator", "Dataset", "np.ndarray"], Figures]


def unmeasured(settings: object) -> Presented | None:
    """Return no function: batches are not measured."""
    return None


def nothing(*_: object) -> Figures:
    """Return no figures."""
    return {}


def usual_metrics(simulator: Simulator, x: np.ndarray, y: np.ndarray | None) -> Figures:
    """Return the metrics of a scenario that names none."""
    found: Figures = load_tool("evaluate")(simulator, x, y)
    return found


@dataclass(frozen=True)
class AnyScenario:
    """The fields that scenarios of all kinds share.

    Parameters
    ----------
    name, description : shown by `circuitsim list`. settings : the model of its keys.
    quick : the values that `--quick` sets. vary : the keys that it varies unless they are given.
    reference : what config.json names it by, so that `resume` finds it; default its name.
    """

    name: str
    description: str
    settings: type[Settings]
    quick: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    vary: Mapping[str, tuple[Any, ...]] = field(default_factory=dict, kw_only=True)
    reference: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if not self.reference:
            object.__setattr__(self, "reference", self.name)

    @property
    def kind(self) -> str:
        """The kind that `circuitsim list` shows."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class LearningScenario(AnyScenario):
    """Replicas that learn from a data set, and the metrics taken of them. Figures have the shape (replica,).

    Parameters
    ----------
    design : one replica's settings to its design.
    check : refuses settings that do not fit the data; default: a circuit refuses data that it cannot be shown.
    tensor_shapes : settings to names and shapes of all tensors that `--init` may have; default: those of the circuits.
    evaluate : metrics of one data split, from its examples and their classes; default: error and loss of circuits with
        labels, mse and bce of those that reconstruct their inputs.
    prepare : tensors of a replica that depend on the data, by name, set before training.
    examine : further metrics of the test split.
    inspect : metrics of the circuit itself, which may show it training examples; values that are not finite are left
        out.
    presented : settings to a function that measures the batch just shown, from the data and the batch's rows, or to
        None. The means over an epoch are metrics of the train split. Measuring takes the batches one by one.
    """

    settings: type[TrainingSettings]
    design: Callable[[Any], Design]
    check: Callable[[Any, Dataset], object] = nothing
    tensor_shapes: Callable[[Any], dict[str, tuple[int, ...]]] | None = None
    evaluate: Callable[[Simulator, np.ndarray, np.ndarray | None], Figures] = usual_metrics
    prepare: Callable[[Any, Dataset], dict[str, np.ndarray]] = field(default=nothing, kw_only=True)
    examine: Callable[[Simulator, Any, Dataset], Figures] = field(default=nothing, kw_only=True)
    inspect: Callable[[Simulator, Any, Dataset], Figures] = field(default=nothing, kw_only=True)
    presented: Callable[[Any], Presented | None] = field(default=unmeasured, kw_only=True)
