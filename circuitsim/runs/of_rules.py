"""Keys RULE.PARAMETER: they give numbers to the rules of a replica's circuit, and change them over the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.engine.parameters import readable
from circuitsim.runs.config import TrainingSettings, refuse
from circuitsim.runs.names import did_you_mean
from circuitsim.runs.rates import numbers_of_rules

if TYPE_CHECKING:
    from circuitsim.circuit.circuit import Circuit
    from circuitsim.runs.base import LearningScenario
    from circuitsim.runs.design import Design


def designs_of(scenario: LearningScenario, settings: Sequence[TrainingSettings]) -> list[Design]:
    """Return the replicas' designs, with the numbers that their settings give to rules.

    Raises
    ------
    ConfigError : no replica has a rule with such a parameter, or the scenario gives the number by another key.
    """
    found = [scenario.design(one) for one in settings]
    for key, value in settings[0].of_rules.items():
        known = {name for design in found for name in _known(design.circuit)}
        if key not in known:
            expected, remedy = "a key without a dot: no rule of the circuit has parameters", "Files have no tables."
            if known:
                expected, remedy = f"one of {', '.join(sorted(known))}", did_you_mean(key, known) or "Correct the name."
            refuse(key, value, expected, f"{remedy} A rule's parameter can be set if its default has a decimal point.")
    return [_with_numbers(design, one) for design, one in zip(found, settings, strict=True)]


def _known(circuit: Circuit) -> set[str]:
    """Return the parameters of a circuit's rules, as RULE.PARAMETER."""
    return {name for names in readable(circuit).values() for name in names if "." in name}


def _with_numbers(design: Design, settings: TrainingSettings) -> Design:
    numbers = of_owners(design.circuit, settings, 0)
    for owner, quantity in numbers:
        if (owner, quantity) in design.parameters:
            expected = f"no value, since other keys give {owner} {design.parameters[owner, quantity]:g}"
            refuse(quantity, settings.of_rules[quantity], expected, "Set the scenario's own key.")
    return replace(design, parameters={**design.parameters, **numbers})


def of_owners(circuit: Circuit, settings: TrainingSettings, epoch: int) -> dict[Any, float]:
    """Return the numbers of an epoch, counted from 0, by the projection whose rule reads them and the parameter."""
    reads = readable(circuit) if settings.of_rules else {}
    given = numbers_of_rules(settings, epoch)
    return {(owner, key): value for key, value in given.items() for owner in reads if key in reads[owner]}


def changing(circuit: Circuit, settings: Sequence[TrainingSettings], epoch: int) -> dict[tuple[str, str], np.ndarray]:
    """Return the numbers that change over the epochs, (replica,), as they are in an epoch counted from 0."""
    each = [of_owners(circuit, one, epoch) for one in settings]
    tables = {key for one in settings for key, value in one.of_rules.items() if isinstance(value, dict)}
    return {key: np.array([one[key] for one in each]) for key in each[0] if key[1] in tables}
