"""Options of the command line: their texts as keys and values, and the precedence of the options.

Precedence: defaults < `--seed` < `--config` < `--quick` < `--set`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from circuitsim.errors import ConfigError
from circuitsim.runs.base import AnyScenario
from circuitsim.runs.config import is_key, refuse
from circuitsim.runs.given import read_toml, shortened
from circuitsim.runs.names import did_you_mean

_WORD = re.compile(r"[^\s\"'\[\]{},=#]+")


def values_of(
    scenario: AnyScenario, sets: list[str] | None, file: Path | None, seed: int | None, quick: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys that `--seed`, `--config` and `--quick` give, by precedence, and those that `--set` gives."""
    given: dict[str, Any] = {}
    for text in sets or []:
        key, value = parse_setting("--set", text)
        if key in given:
            refuse(key, text, "one --set for each key", "Remove one of them.")
        given[key] = parse_value(key, value)
    return defaults_of(scenario, read_keys(file) if file else {}, seed, quick), given


def defaults_of(scenario: AnyScenario, config: Mapping[str, Any], seed: int | None, quick: bool) -> dict[str, Any]:
    """Return the keys that `--seed`, a configuration and `--quick` give, by precedence."""
    return ({} if seed is None else _seeds(scenario, seed)) | dict(config) | (dict(scenario.quick) if quick else {})


def _seeds(scenario: AnyScenario, seed: int) -> dict[str, Any]:
    """The keys whose default `--seed` is."""
    found: dict[str, Any] = {key: seed for key in ("seed", "data_seed") if key in scenario.settings.model_fields}
    if not found:
        raise ConfigError(
            f"--seed {seed}", got=f"{scenario.name}, which draws nothing", expected="no seed", remedy="Leave it out."
        )
    return found


def vary_of(
    scenario: AnyScenario, asked: Mapping[str, Sequence[Any]], values: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """Return the keys to vary: the user's, and those of the scenario that the user did not set."""
    own = {key: list(v) for key, v in scenario.vary.items() if key not in asked and key not in values}
    for key in asked:
        if not is_key(scenario.settings, key):
            raise ConfigError(
                f"key {key}",
                got="--vary of an unknown key",
                expected=f"one of {', '.join(sorted(scenario.settings.model_fields))}",
                remedy=did_you_mean(key, scenario.settings.model_fields) or "Correct its name.",
            )
    return own | {key: list(values) for key, values in asked.items()}


def parse_value(key: str, text: str) -> Any:
    """Read VALUE of `--set KEY=VALUE`: TOML, or a bare word for a string."""
    try:
        return read_toml(f"value = {text}")["value"] if "\n" not in text else _no_value(key, text)
    except ValueError:
        if _WORD.fullmatch(text.strip()):
            return text.strip()
        return _no_value(key, text)


def _no_value(key: str, text: str) -> Any:
    refuse(key, text, "a TOML value or a bare word", "Quote strings that have spaces or brackets.")


def parse_setting(option: str, text: str) -> tuple[str, str]:
    """Split KEY=VALUE."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip() or not value.strip():
        form = "KEY=VALUE" if option == "--set" else "KEY=V1,V2,..."
        raise ConfigError(option, got=repr(text), expected=form, remedy="Write the key, an equals sign and a value.")
    return key.strip(), value.strip()


def parse_vary(texts: Iterable[str]) -> dict[str, list[Any]]:
    """Read `--vary KEY=V1,V2,...` options; values are split at top-level commas."""
    found: dict[str, list[Any]] = {}
    for text in texts:
        key, values = parse_setting("--vary", text)
        if key in found:
            refuse(key, text, "one --vary for each key", "Put all values into one option.")
        found[key] = [parse_value(key, part) for part in split_top(key, values)]
    return found


def split_top(key: str, text: str) -> list[str]:
    """Split at commas that lie in no bracket, brace or quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            depth += (character in "[{") - (character in "]}")
        if character == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    if depth or quote or any(not part.strip() for part in parts):
        refuse(key, text, "values separated by single commas, brackets closed", "Correct the list.")
    return [part.strip() for part in parts]


def read_keys(path: Path) -> dict[str, Any]:
    """Read the keys of a TOML file."""
    try:
        return read_toml(path.read_text(encoding="utf-8-sig"))  # editors may put a byte-order mark there
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"--config {path}",
            got=shortened(str(error)),
            expected="a readable TOML file of keys and values",
            remedy="Correct the file or its path.",
        ) from None
