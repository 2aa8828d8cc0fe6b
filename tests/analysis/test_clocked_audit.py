"""Audits of clocked circuits: light cones over steps, explanations, the window."""

from __future__ import annotations

import numpy as np
import pytest
from building import gated_loop

from circuitsim.analysis.audits.light_cone import light_cone
from circuitsim.analysis.tracing.explain import explain
from circuitsim.engine.simulator import Simulator

X = np.random.default_rng(0).random((9, 6))
Y = np.arange(9) % 3


def learner(feedback: str, **clock: int) -> Simulator:
    circuit, protocol = gated_loop((6, 4, 3), feedback, **clock)
    made = Simulator(circuit, protocol, batch=4, seeds=[1, 2], dtype="float64", parameters={"lr": 0.1})
    made.use(X, Y)
    return made


@pytest.mark.parametrize("clock", [{"judged": 2}, {"judged": 2, "truncated": 2}, {"period": 3, "steps": 3}])
def test_a_disturbance_spreads_no_faster_than_lags_and_delays(clock: dict[str, int]) -> None:
    made = learner("fa", **clock)
    sites = [("x", 0), ("hidden", 0), ("hidden", 2), ("gate", 1), ("gated", 2), ("error_hidden", 2), ("labels", 0)]
    for population, step in sites:
        found = light_cone(made, np.arange(4), population, cycle=step)
        assert found.violations == ()
        assert found.observed.items() <= found.predicted.items()
        assert len(found.observed) >= 3


def test_a_disturbance_of_a_step_reaches_no_step_before() -> None:
    found = light_cone(learner("fa"), np.arange(4), "hidden", cycle=2)
    steps = {(name, step) for name, step in found.observed if step is not None and not name.startswith("error")}
    assert min(step for _, step in steps if step is not None) == 2
    assert ("gate", 3) in steps and ("gate", 2) not in steps  # K has a lag


def test_an_update_is_explained_step_by_step() -> None:
    """Each step's proposal is one line, and their sum is the increment."""
    made = Simulator(*gated_loop((6, 4, 3)), batch=4, dtype="float64", evidence=True, parameters={"lr": 0.1})
    made.use(X, Y)
    made.present(np.arange(4))
    found = explain(made, "R", 1, 2)
    proposals = [event for event in found.events if event.what.startswith("rule delta")]
    assert len(proposals) == 3  # of four steps the first has nothing that came through R
    sums = [event.values["increment"] for event in found.events if "increment" in event.values]
    np.testing.assert_allclose(sums[-1], made.state.increments()["R.increment"][0, 1, 2], rtol=1e-12)
