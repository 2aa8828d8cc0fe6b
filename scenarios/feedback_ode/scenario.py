"""Linear networks in continuous time whose random feedback learns at ε times the rate of forward weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from circuitsim.analysis.feedback_systems import FeedbackSystem, correlations, integrate
from circuitsim.analysis.solving import initial_value_solver
from circuitsim.randomness import generator
from circuitsim.runs.config import Settings, refuse
from circuitsim.runs.scenario import Computation
from circuitsim.scenarios.fields import Positive, Seed

if TYPE_CHECKING:
    import pandas as pd

LEVELS = (1.0, 1e-2, 1e-4, 1e-6)


class FeedbackSettings(Settings):
    """The settings of `feedback-ode`."""

    sizes: list[int] = Field([40, 100, 100, 10], description="a list of at least two whole numbers >= 1")
    feedback: Literal["bp"] | float = Field(1.0, description="bp, or epsilon, a number >= 0: feedback's own rate")
    scale_target: Positive = 0.2
    scale_forward: Positive = 0.2
    scale_feedback: Positive = 0.2
    duration: Positive = 1.0
    samples: int = Field(201, ge=2, description="a whole number >= 2")
    seed: Seed = 0

    FIXED = ("sizes", "duration", "samples")

    def model_post_init(self, _: Any) -> None:
        """Check sizes and feedback."""
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            refuse("sizes", self.sizes, "a list of at least two whole numbers >= 1", "Give units for each layer.")
        if self.feedback != "bp" and self.feedback < 0:
            refuse("feedback", self.feedback, "bp, or epsilon, a number >= 0", "Feedback has no negative rate.")


def system(settings: FeedbackSettings) -> FeedbackSystem:
    """Return the linear system; a seed has the same target and the same feedback for every epsilon.

    The target is a product of matrices of the network's shapes. Backpropagation starts from random weights; the others
    start from zero weights.
    """
    shapes = list(zip(settings.sizes[1:], settings.sizes, strict=False))
    teacher = _drawn(settings, "target", settings.scale_target, shapes)
    targets = np.linalg.multi_dot(teacher[::-1]) if len(teacher) > 1 else teacher[0]
    unit = np.eye(settings.sizes[0])
    if settings.feedback == "bp":
        forward = _drawn(settings, "forward", settings.scale_forward, shapes)
        return FeedbackSystem(forward, tuple(w.T for w in forward), 1.0, unit, targets)
    feedback = _drawn(settings, "feedback", settings.scale_feedback, [shape[::-1] for shape in shapes])
    zero = tuple(np.zeros(shape) for shape in shapes)
    return FeedbackSystem(zero, feedback, settings.feedback, unit, targets)


def _drawn(
    settings: FeedbackSettings, what: str, scale: float, shapes: list[tuple[int, int]]
) -> tuple[np.ndarray, ...]:
    """Draw independent normal numbers for each layer."""
    return tuple(
        scale * generator(settings.seed, f"{what} {layer}").standard_normal(shape)
        for layer, shape in enumerate(shapes, start=1)
    )


def compute(settings: FeedbackSettings) -> pd.DataFrame:
    """Return `error` and `correlation/W{h}` at sampled times, and `time_to/LEVEL`, the time at which it is reached.

    Columns beside epoch (the number of the sample), split, metric and value: time.
    """
    import pandas as pd

    made = system(settings)
    solution = integrate(made, np.linspace(0, settings.duration, settings.samples), LEVELS)
    rows: list[tuple[int, str, float, float]] = []
    for epoch, (time, weights) in enumerate(zip(solution.times, solution.weights, strict=True)):
        rows.append((epoch, "error", made.error(weights), time))
        found = correlations(made, weights)
        rows += [(epoch, f"correlation/W{h}", r, time) for h, r in enumerate(found, start=1) if np.isfinite(r)]
    last = settings.samples - 1
    reached = zip(LEVELS, solution.reached, strict=True)
    rows += [(last, f"time_to/{level:.0e}", t, settings.duration) for level, t in reached if np.isfinite(t)]
    frame = pd.DataFrame(rows, columns=["epoch", "metric", "value", "time"])
    frame.insert(1, "split", "train")
    return frame


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write the figure, the tables and the report."""
    from circuitsim.scenarios.feedback_ode import report  # imports what draws

    report.finish(folder, metrics, config)


QUICK: Mapping[str, Any] = {"sizes": [20, 40, 40, 5], "scale_target": 0.3, "samples": 101, "duration": 1.5}

SCENARIO = Computation(
    name="feedback-ode",
    description="linear networks: errors vanish faster the more random feedback learns (continuous time)",
    settings=FeedbackSettings,
    compute=compute,
    finish=finish,
    check=lambda _: initial_value_solver(),
    vary={"feedback": ("bp", 0.0, 0.25, 0.5, 1.0), "seed": (0, 1, 2, 3, 4)},
    quick=QUICK,
)
