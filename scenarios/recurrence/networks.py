"""Filters, recurrent kernels and gates of the campaign's networks, from the weights of its members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from circuitsim.analysis.recurrence import GateActivity, gates_of
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.runs.config import build
from circuitsim.runs.lookup import load_scenario
from circuitsim.runs.scenario import expect_circuits
from circuitsim.runs.training import make_study
from circuitsim.scenarios.figures import Measured
from circuitsim.scenarios.recurrent_classifier.exhibits import (
    Network,
    filters,
    gates,
    gates_by_network,
    networks,
    recurrent_kernels,
)


def inside(ran: Sequence[Any]) -> list[Exhibit]:
    """Return what the networks have learned: filters, reach and, where there are gates, their activity."""
    shown = [network for one in ran for network in _networks(one)]
    measured = {label: found for one in ran for label, found in _gates(one).items()}
    return [*filters(shown), *recurrent_kernels(shown), *gates(measured)]


def _labels(one: Any) -> list[str]:
    return [one.label_of(replica) for replica in one.replicas]


def _networks(one: Any) -> list[Network]:
    return networks(_labels(one), one.tensors(initial=True), one.tensors())


def _gates(one: Measured) -> dict[str, dict[str, GateActivity]]:
    """Return the gates of a member's networks with their final weights; none where the cell has none."""
    scenario = expect_circuits(load_scenario(one.run.member.scenario), "member")
    settings = [build(scenario.settings, {**one.values, **replica}) for replica in one.replicas]
    if not gates_of(scenario.design(settings[0]).circuit):
        return {}
    study = make_study(scenario, settings, "numba")
    for name, values in one.tensors().items():
        study.load(name, values, by_replica=True)
    return gates_by_network(study, _labels(one))
