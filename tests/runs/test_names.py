"""Names that a user may have meant."""

from __future__ import annotations

import pytest

from circuitsim.runs.lookup import all_scenarios, load_scenario
from circuitsim.runs.names import SYNONYMS, did_you_mean


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("learning_rate", "lr"),
        ("hidden_size", "sizes"),
        ("batch_size", "batch"),
        ("Batch-Size", "batch"),
        ("n_epochs", "epochs"),
        ("optimizer", "momentum"),
        ("random_state", "seed"),
        ("epoch", "epochs"),
        ("activation", "hidden"),
        ("moment", "momentum"),
    ],
)
def test_words_of_other_libraries(given: str, meant: str) -> None:
    assert did_you_mean(given, load_scenario("classifier").settings.model_fields) == f"Did you mean {meant}?"


def test_nothing_close() -> None:
    assert did_you_mean("zzz", ["lr", "batch"]) == ""


def test_every_synonym_leads_to_a_key_of_some_scenario() -> None:
    keys = {key for scenario in all_scenarios().values() for key in scenario.settings.model_fields}
    assert set(SYNONYMS) <= keys
