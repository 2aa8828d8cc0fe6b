"""Settings: keys, their values from files and the command line, and the replicas that `--vary` makes of them.

Precedence: defaults < `--config` < `--quick` < `--set`. Every refusal names the key, what it got and what it may be.
"""

from __future__ import annotations

import difflib
import itertools
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from circuitsim.errors import ConfigError

Hidden = Literal["identity", "tanh", "logistic", "relu", "saturated"]
Output = Literal["identity", "tanh", "logistic", "relu", "saturated", "softmax"]
Rates = float | list[float]
_WORD = re.compile(r"[^\s\"'\[\]{},=#]+")
_HIDDEN = "identity, tanh, logistic, relu or saturated"


class Keys(BaseModel):
    """The keys of a scenario of any kind. A field's description is what its error message expects."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    FIXED: ClassVar[tuple[str, ...]] = ()
    """Keys that change shapes or the course of the run: one value for all replicas."""


class Settings(Keys):
    """The keys that all scenarios which train circuits share."""

    dataset: str = Field("digits", description="a data set's name or the path of an .npz file")
    sizes: list[int] = Field(
        [64, 16, 64], description="a list of at least two whole numbers from 1 to 10^9, units by layer"
    )
    hidden: Hidden = Field("tanh", description=_HIDDEN)
    output: Output = Field("logistic", description=f"{_HIDDEN}; or softmax")
    lr: Rates = Field(0.01, description="a number >= 0, or a list with one for each layer above the input")
    lr_bias: Rates | None = Field(None, description="a number >= 0, or a list with one for each layer above the input")
    momentum: float = Field(0.0, ge=0, lt=1, description="a number from 0 to below 1")
    lr_decay: float = Field(1.0, gt=0, description="a number above 0")
    batch: int = Field(100, ge=1, description="a whole number >= 1")
    drop_last: bool = Field(False, description="true or false")
    shuffle: bool = Field(True, description="true or false")
    epochs: int = Field(10, ge=0, description="a whole number >= 0")
    train_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    test_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    init: Literal["glorot"] = Field("glorot", description="glorot")
    dtype: Literal["float32", "float64"] = Field("float32", description="float32 or float64")
    seed: int = Field(0, ge=0, lt=2**63, description="a whole number from 0 to 2^63 - 1")
    data_seed: int = Field(0, ge=0, lt=2**63, description="a whole number from 0 to 2^63 - 1")
    max_norm: float | None = Field(None, gt=0, description="none, or a number above 0")
    window: int | None = Field(None, ge=0, description="none, or a whole number of ticks >= 0")
    delay: int = Field(1, ge=1, le=1000, description="a whole number of ticks from 1 to 1000")
    on_divergence: Literal["stop", "drop"] = Field("stop", description="stop or drop")
    checkpoint_every: int | None = Field(None, ge=1, description="none, or a whole number of presentations >= 1")

    FIXED: ClassVar[tuple[str, ...]] = (
        "dataset",
        "sizes",
        "batch",
        "drop_last",
        "epochs",
        "train_limit",
        "test_limit",
        "dtype",
        "on_divergence",
        "checkpoint_every",
    )

    def model_post_init(self, _: Any) -> None:
        """Checks that a single key cannot make; fills what follows from other keys."""
        if len(self.sizes) < 2 or not all(1 <= size <= 10**9 for size in self.sizes):
            refuse("sizes", self.sizes, _expected(type(self), "sizes"), "Give units for each layer, input first.")
        for key in ("lr", "lr_bias"):
            self._check_rates(key)
        if self.lr_bias is None:
            object.__setattr__(self, "lr_bias", self.lr)

    def _check_rates(self, key: str) -> None:
        value = getattr(self, key)
        rates = value if isinstance(value, list) else [] if value is None else [value]
        layers = len(self.sizes) - 1
        if any(rate < 0 for rate in rates):
            refuse(key, value, _expected(type(self), key), "Rates are not negative.")
        if isinstance(value, list) and len(value) != layers:
            refuse(key, value, f"one number, or {layers} for layers 1 to {layers}", "Match the list to sizes.")

    def rate(self, key: str, h: int) -> float:
        """The learning rate `lr` or `lr_bias` of layer h = 1 ... L."""
        value = getattr(self, key)
        return float(value[h - 1] if isinstance(value, list) else value)


S = TypeVar("S", bound=BaseModel)
T = TypeVar("T", bound=Keys)


def refuse(key: str, got: Any, expected: str, remedy: str) -> None:
    """Raise ConfigError for a key."""
    raise ConfigError(f"key {key}", got=spell(got), expected=expected, remedy=remedy)


def spell(value: Any) -> str:
    """A value as a user would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else repr(value) if isinstance(value, str) else str(value)


def build(model: type[S], values: Mapping[str, Any], within: str = "") -> S:
    """Make settings, or the table that a key holds, of values; ConfigError names the first key that is wrong.

    Parameters
    ----------
    within : what stands before a key's name in messages: the table's own key and a dot.
    """
    cleaned = {key: None if value == "none" and _optional(model, key) else value for key, value in values.items()}
    unknown = [key for key in cleaned if key not in model.model_fields]
    if unknown:
        close = difflib.get_close_matches(unknown[0], model.model_fields, 1)
        hint = f"Did you mean {close[0]}?" if close else "Remove it."
        expected = f"one of {', '.join(sorted(model.model_fields))}"
        refuse(f"{within}{unknown[0]}", cleaned[unknown[0]], expected, hint)
    try:
        return model.model_validate(cleaned)
    except ValidationError as error:
        key = str(error.errors()[0]["loc"][0])
        refuse(f"{within}{key}", cleaned[key], _expected(model, key), f"Correct the value of {within}{key}.")
        raise  # not reached; refuse() raises


def _expected(model: type[BaseModel], key: str) -> str:
    return model.model_fields[key].description or "another value"


def _optional(model: type[BaseModel], key: str) -> bool:
    return key in model.model_fields and "None" in str(model.model_fields[key].annotation)


def parse_value(key: str, text: str) -> Any:
    """Read VALUE of `--set KEY=VALUE`: TOML, or a bare word for a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"] if "\n" not in text else _no_value(key, text)
    except tomllib.TOMLDecodeError:
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


def read_config(path: Path) -> dict[str, Any]:
    """Read the keys of a TOML file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"--config {path}",
            got=str(error),
            expected="a readable TOML file of keys and values",
            remedy="Correct the file or its path.",
        ) from None


def replicas(model: type[T], values: Mapping[str, Any], vary: Mapping[str, Sequence[Any]]) -> list[T]:
    """Cross the varied values into settings, one for each replica; the last key runs fastest.

    Raises
    ------
    ConfigError : a key changes shapes or the course of the run, is both set and varied, or a value is wrong.
    """
    for key in vary:
        if key in model.FIXED:
            refuse(
                key,
                f"--vary {key}",
                "a key that changes neither shapes nor the course of the run",
                "Make a run of its own for each value.",
            )
        if key in values:
            refuse(key, f"{key} both set and varied", "one of the two", "Remove one of them.")
    return [
        build(model, {**values, **dict(zip(vary, combination, strict=True))})
        for combination in itertools.product(*vary.values())
    ]
