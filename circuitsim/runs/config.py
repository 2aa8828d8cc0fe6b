"""Settings: the keys of a scenario, their values, and the replicas that `--vary` makes of them.

Every refusal names the key, the value given and the values allowed.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from circuitsim.errors import ConfigError
from circuitsim.runs.given import expect_bounded, shortened, shown
from circuitsim.runs.names import did_you_mean


class Settings(BaseModel):
    """The keys of a scenario of any kind. A field's description is the text that its error message expects."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)

    FIXED: ClassVar[tuple[str, ...]] = ()
    """Keys that have one value for all replicas, since they change shapes or the course of the run."""

    _base: str = PrivateAttr("")
    """The folder in which relative paths among the values begin; empty: the working folder."""

    def located(self, path: str) -> str:
        """Return a path among the values as it is found from the working folder."""
        if self._base in ("", str(Path.cwd())) or not path.endswith(_FILES):
            return path  # the name of a data set may be that of a file as well
        there = Path(self._base) / path
        return str(there) if there.is_file() else path

    def code_files(self) -> list[str]:
        """Return the files, as the values name them, of which the run executes code."""
        return []


class TrainingSettings(Settings):
    """The keys that every scenario which trains circuits has: data, batches, epochs, seeds."""

    dataset: str = Field("digits", description="a data set's name or the path of an .npz file")
    downsample: int = Field(1, ge=1, le=64, description="a whole number of pixels from 1 to 64, the side of a block")
    scale: list[float] | None = Field(None, description="none, or a list of the two numbers that 0 and 1 become")
    standardise: Literal["none", "feature", "channel"] = Field("none", description="none, feature or channel")
    augment_shift: float = Field(0.0, ge=0, lt=1, description="a fraction of an image's size, from 0 to below 1")
    lr_decay: float = Field(1.0, gt=0, description="a number above 0")
    lr_warmup: int = Field(0, ge=0, description="a whole number of epochs >= 0")
    lr_steps: list[int] = Field([], description="a list of whole numbers of epochs >= 1, each above the one before")
    lr_factor: float = Field(0.1, gt=0, description="a number above 0")
    batch: int = Field(100, ge=1, description="a whole number >= 1")
    drop_last: bool = Field(False, description="true or false")
    shuffle: bool = Field(True, description="true or false")
    classes: Literal["mixed", "in-turn"] = Field("mixed", description="mixed or in-turn")
    revisited: float = Field(0.0, ge=0, lt=1, description="a number from 0 to below 1")
    epochs: int = Field(10, ge=0, description="a whole number >= 0")
    train_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    test_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    train_measured: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    held_out: float = Field(0.0, ge=0, lt=1, description="a number from 0 to below 1")
    dtype: Literal["float32", "float64"] = Field("float32", description="float32 or float64")
    seed: int = Field(0, ge=0, lt=2**63, description="a whole number from 0 to 2^63 - 1")
    data_seed: int = Field(0, ge=0, lt=2**63, description="a whole number from 0 to 2^63 - 1")
    on_divergence: Literal["stop", "drop"] = Field("stop", description="stop or drop")
    checkpoint_every: int | None = Field(None, ge=1, description="none, or a whole number of presentations >= 1")

    FIXED: ClassVar[tuple[str, ...]] = (
        "dataset", "downsample", "scale", "standardise", "augment_shift",
        "batch", "drop_last", "epochs", "train_limit", "test_limit", "train_measured", "held_out", "dtype",
        "on_divergence", "checkpoint_every",
    )  # fmt: skip
    SHAPING: ClassVar[tuple[str, ...]] = ()
    """Keys that decide the shapes of tensors."""

    model_config = ConfigDict(extra="allow")  # `build` lets through keys RULE.PARAMETER alone

    @property
    def of_rules(self) -> dict[str, float | dict[str, Any]]:
        """The keys RULE.PARAMETER, each with a number or the table of an `OverEpochs`."""
        return dict(self.model_extra or {})

    def noise_file(self) -> str | None:
        """Return the path, as the values name it, of a file with the noise of mirror mode; None: noise is drawn."""
        return None

    def model_post_init(self, _: Any) -> None:
        """Check keys against each other."""
        if self.scale is not None and (len(self.scale) != 2 or self.scale[0] >= self.scale[1]):
            refuse("scale", self.scale, expectation(type(self), "scale"), "Give the lower number first.")
        if any(late <= early for early, late in itertools.pairwise([0, *self.lr_steps])):
            refuse("lr_steps", self.lr_steps, expectation(type(self), "lr_steps"), "Sort them.")
        if self.classes == "in-turn" and not self.shuffle:
            refuse("shuffle", self.shuffle, "true with classes=in-turn", "Each class is shown in random order.")
        if self.classes == "mixed" and self.revisited:
            refuse("revisited", self.revisited, "0 with classes=mixed", "Set classes=in-turn, or leave it out.")


class OverEpochs(BaseModel):
    """A number of a rule that changes from epoch to epoch: `value` times `rate_factor` of the others."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    value: float = Field(description="a number")
    decay: float = Field(1.0, gt=0, description="a number above 0")
    warmup: int = Field(0, ge=0, description="a whole number of epochs >= 0")
    steps: list[Annotated[int, Field(ge=1)]] = Field([], description="a list of whole numbers of epochs >= 1")
    factor: float = Field(0.1, gt=0, description="a number above 0")


_FILES = (".npz", ".safetensors", ".py")
_OF_RULE = re.compile(r"[^\W\d]\w*\.[^\W\d]\w*")  # RULE.PARAMETER
MOST_REPLICAS = 10_000  # of one run
M = TypeVar("M", bound=BaseModel)
S = TypeVar("S", bound=Settings)


def refuse(key: str, got: Any, expected: str, remedy: str) -> None:
    """Raise ConfigError for a key."""
    raise ConfigError(f"key {shortened(key)}", got=shown(got), expected=expected, remedy=remedy)


def spell(value: Any) -> str:
    """Return a value as a user would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else repr(value) if isinstance(value, str) else str(value)


def build(model: type[M], values: Mapping[str, Any], within: str = "") -> M:
    """Make settings, or the table that a key holds, of values; ConfigError names the first key that is wrong.

    Parameters
    ----------
    within : what stands before a key's name in messages: the table's own key and a dot.
    """
    found = _flat(model, values) if issubclass(model, TrainingSettings) else values
    cleaned = {key: None if value == "none" and _optional(model, key) else value for key, value in found.items()}
    unknown = [key for key in cleaned if not is_key(model, key)]
    if unknown:
        hint = did_you_mean(unknown[0], model.model_fields) or "Remove it."
        expected = f"one of {', '.join(sorted(model.model_fields))}"
        refuse(f"{within}{unknown[0]}", cleaned[unknown[0]], expected, hint)
    for key, value in cleaned.items():
        expect_bounded(f"key {within}{key}", value)
        if key not in model.model_fields:
            cleaned[key] = _number_of_rule(key, value)
    try:
        return model.model_validate(cleaned)
    except ValidationError as error:
        key = str(error.errors()[0]["loc"][0])
        refuse(f"{within}{key}", cleaned.get(key), expectation(model, key), f"Correct the value of {within}{key}.")
        raise  # not reached; refuse() raises


def is_key(model: type[BaseModel], key: str) -> bool:
    """Return whether settings have a key; those that train circuits also have RULE.PARAMETER for any rule."""
    if key in model.model_fields:
        return True
    of_rule = issubclass(model, TrainingSettings) and _OF_RULE.fullmatch(key)
    return bool(of_rule) and key.partition(".")[0] not in model.model_fields


def _flat(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with tables of rules, `{"leaky": {"decay": 0.1}}`, as keys `leaky.decay`."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and key not in model.model_fields and "." not in key:
            found |= {f"{key}.{name}": number for name, number in value.items()}
        else:
            found[key] = value
    return found


def _number_of_rule(key: str, value: Any) -> float | dict[str, Any]:
    """Return the value of a key RULE.PARAMETER: a number, or the table of one that changes over the epochs."""
    if isinstance(value, Mapping):
        return build(OverEpochs, value, f"{key}.").model_dump()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        tables = f"{{ {', '.join(OverEpochs.model_fields)} }}"
        refuse(key, value, f"a number, or a table {tables} of one that changes over the epochs", "Give a number.")
    return float(value)


def expectation(model: type[BaseModel], key: str) -> str:
    """Return the values that a key may have, as its message puts them."""
    field = model.model_fields[key]
    kind = getattr(field.annotation, "__name__", str(field.annotation))
    return field.description or f"a value of type {kind}"


def _optional(model: type[BaseModel], key: str) -> bool:
    return key in model.model_fields and "None" in str(model.model_fields[key].annotation)


def based(settings: Sequence[S], folder: str) -> Sequence[S]:
    """Resolve relative paths among the values of settings from a folder."""
    for one in settings:
        one._base = folder
    return settings


def replicas(model: type[S], values: Mapping[str, Any], vary: Mapping[str, Sequence[Any]]) -> list[S]:
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
    if (count := math.prod(map(len, vary.values()))) > MOST_REPLICAS:
        key = max(vary, key=lambda key: len(vary[key]))
        refuse(key, f"{count} replicas", f"at most {MOST_REPLICAS} in one run", "Vary fewer values, or make a sweep.")
    made = [
        build(model, {**values, **dict(zip(vary, combination, strict=True))})
        for combination in itertools.product(*vary.values())
    ]
    _refuse_equal(made, vary)
    return made


def _refuse_equal(made: Sequence[S], vary: Mapping[str, Sequence[Any]]) -> None:
    """Refuse replicas that are the same: a mean over them would count one several times."""
    seen: set[str] = set()
    for one in made:
        if (text := repr(one.model_dump())) in seen:
            each = {key: [getattr(other, key) for other in made] for key in vary}
            often = {key: max(map(values.count, values)) for key, values in each.items()}
            key = next(key for key in vary if often[key] > len(made) // len(vary[key]))
            refuse(key, vary[key], "each value once: equal replicas are not independent", "Remove the repeated one.")
        seen.add(text)
