"""A layered network that learns real-valued targets, with any kind of feedback of `classifier`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from circuitsim.analysis.regression import regression_errors
from circuitsim.runs.base import Figures
from circuitsim.runs.config import refuse
from circuitsim.scenarios.classifier import scenario
from circuitsim.scenarios.classifier.settings import ClassifierSettings
from circuitsim.scenarios.fields import Count
from circuitsim.scenarios.layered import OUTPUT, Output, Rates

if TYPE_CHECKING:
    from circuitsim.data import Dataset
    from circuitsim.engine.simulator import Simulator

OF_CLASSES = {"loss": "error", "shifted_test": 0.0, "classes": "mixed", "class_errors": False, "running_loss": False}
"""Keys of `classifier` that have no meaning without classes, and the only values that they may have."""


class RegressionSettings(ClassifierSettings):
    """The settings of `regression`."""

    dataset: str = Field("teacher", description="teacher, or the path of an .npz file with real numbers y")
    sizes: list[int] = Field(
        [16, 32, 4], description="a list of at least two whole numbers from 1 to 10^9, units by layer"
    )
    output: Output = Field("identity", description=OUTPUT)
    lr: Rates = Field(0.1, description="a number >= 0, or a list with one for each layer above the input")
    batch: Count = 10

    REAL_TARGETS: ClassVar[bool] = True

    def model_post_init(self, context: Any) -> None:
        """Refuse what needs classes."""
        super().model_post_init(context)
        for key, only in OF_CLASSES.items():
            if getattr(self, key) != only:
                refuse(key, getattr(self, key), f"{only} with real-valued targets".lower(), "Leave it out.")


def check(settings: RegressionSettings, data: Dataset) -> None:
    """Refuse data without real-valued targets, and a network whose input or output does not fit the data."""
    if data.train_targets is None or data.test_targets is None:
        expected = "a data set with real-valued targets"
        remedy = "Save targets as floating-point numbers 'y' of an .npz file, or choose scenario classifier."
        refuse("dataset", settings.dataset, expected, remedy)
        return
    ends = [data.features, data.train_targets.shape[1]]
    if [settings.sizes[0], settings.sizes[-1]] != ends:
        expected = (
            f"{ends[0]} units in layer 0 and {ends[1]} at the top, one for each feature and target of {data.name}"
        )
        refuse("sizes", settings.sizes, expected, f"Set sizes=[{ends[0]},...,{ends[1]}].")


def evaluate(simulator: Simulator, x: np.ndarray, y: np.ndarray | None) -> Figures:
    """Return `mse` and `r2`."""
    return {} if y is None else regression_errors(simulator, x, y)


SCENARIO = replace(
    scenario.SCENARIO,
    name="regression",
    reference="regression",
    description="a layered network learns real-valued targets with any kind of feedback",
    settings=RegressionSettings,
    check=check,
    evaluate=evaluate,
    presented=lambda _: None,
)
