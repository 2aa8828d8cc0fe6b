"""Values from text, and settings from values; what is refused is in test_bad_input."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitsim.errors import ConfigError
from circuitsim.runs.arguments import parse_value, parse_vary, read_keys, split_top
from circuitsim.runs.config import build, replicas, spell
from circuitsim.scenarios.autoencoder import AutoencoderSettings
from circuitsim.scenarios.layered import LayeredSettings


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", 0.1),
        ("1e-3", 1e-3),
        ("10", 10),
        ("1_000", 1000),
        ("true", True),
        ("[784,20,784]", [784, 20, 784]),
        ("{ noise = 'uniform' }", {"noise": "uniform"}),
        ("'two words'", "two words"),
        ('"a,b"', "a,b"),
        ("rec-symmetric", "rec-symmetric"),
        ("rules.py:mine", "rules.py:mine"),
        ("/data/set.npz", "/data/set.npz"),
        ("~/set.npz", "~/set.npz"),
        ("none", "none"),
        ("True", "True"),
        ("0.1 # of the paper", 0.1),
    ],
)
def test_values(text: str, value: object) -> None:
    got = parse_value("key", text)
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize("text", ["[1", "1]", "{a", "'a", 'a"b', "a b", "a=b", "a#b", "1\n2", "[1,,2]", "{a=1,}"])
def test_what_is_no_value(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^key key: got .*; expected a TOML value or a bare word\. Quote strings"):
        parse_value("key", text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1", ["1"]),
        ("1,2 , 3", ["1", "2", "3"]),
        ("[1,2],[3]", ["[1,2]", "[3]"]),
        ("{a=[1,2],b=3},4", ["{a=[1,2],b=3}", "4"]),
        ("'a,b',c", ["'a,b'", "c"]),
        ('"it\'s",\'say "["\'', ['"it\'s"', "'say \"[\"'"]),
    ],
)
def test_split_at_top_level_commas(text: str, parts: list[str]) -> None:
    assert split_top("key", text) == parts


@given(st.lists(st.one_of(st.integers(), st.lists(st.integers(), max_size=3), st.booleans()), min_size=1, max_size=5))
def test_vary_reads_what_was_spelled(values: list[object]) -> None:
    text = ",".join(spell(value) for value in values)
    assert parse_vary([f"key={text}"]) == {"key": values}


def test_the_last_varied_key_runs_fastest() -> None:
    made = replicas(LayeredSettings, {"momentum": 0.5}, {"seed": [1, 2], "lr": [0.1, [0.2, 0.3]]})
    assert [(one.seed, one.lr) for one in made] == [(1, 0.1), (1, [0.2, 0.3]), (2, 0.1), (2, [0.2, 0.3])]
    assert {one.momentum for one in made} == {0.5}
    assert len(replicas(LayeredSettings, {}, {})) == 1


@pytest.mark.parametrize(
    ("vary", "named"),
    [
        ({"seed": [0, 0, 1]}, "key seed: got [0, 0, 1]"),
        ({"lr": [0.1, 1, 1.0], "seed": [0, 1]}, "key lr: got [0.1, 1, 1.0]"),
        ({"seed": [0, 1], "rule": ["rec", "bp", "rec"]}, "key rule: got ['rec', 'bp', 'rec']"),
        ({"max_norm": ["none", None]}, "key max_norm: got ['none', None]"),
    ],
)
def test_equal_replicas_are_refused(vary: dict[str, list[object]], named: str) -> None:
    expected = "; expected each value once: equal replicas are not independent. Remove the repeated one."
    with pytest.raises(ConfigError, match=re.escape(named + expected)):
        replicas(AutoencoderSettings, {}, vary)


def test_what_follows_from_other_keys() -> None:
    assert build(LayeredSettings, {"lr": [0.1, 0.2]}).lr_bias == [0.1, 0.2]
    assert build(LayeredSettings, {"lr": 0.3, "lr_bias": "none"}).lr_bias == 0.3
    assert build(LayeredSettings, {"lr": 0.3, "lr_bias": 0}).lr_bias == 0
    assert (build(LayeredSettings, {"seed": 5}).seed, build(LayeredSettings, {"seed": 5}).data_seed) == (5, 0)
    rates = build(LayeredSettings, {"lr": [0.1, 0.2], "lr_bias": 1})
    assert [rates.rate("lr", 1), rates.rate("lr", 2), rates.rate("lr_bias", 2)] == [0.1, 0.2, 1.0]


def test_none_is_no_limit() -> None:
    keys = ("train_limit", "test_limit", "max_norm", "window", "checkpoint_every")
    made = build(LayeredSettings, dict.fromkeys(keys, "none"))
    assert [getattr(made, key) for key in keys] == [None] * 5


def test_defaults_are_those_of_the_interface() -> None:
    made = AutoencoderSettings().model_dump()
    expected = {
        "dataset": "digits",
        "sizes": [64, 16, 64],
        "hidden": "tanh",
        "output": "logistic",
        "lr": 0.01,
        "lr_bias": 0.01,
        "momentum": 0,
        "lr_decay": 1,
        "lr_warmup": 0,
        "lr_steps": [],
        "lr_factor": 0.1,
        "batch": 100,
        "drop_last": False,
        "shuffle": True,
        "epochs": 10,
        "train_limit": None,
        "test_limit": None,
        "init": "glorot",
        "dtype": "float32",
        "seed": 0,
        "data_seed": 0,
        "max_norm": None,
        "window": None,
        "delay": 1,
        "on_divergence": "stop",
        "rule": "rec",
        "variant": "pr",
        "lam": 0.5,
        "cycles": 1,
        "reference_cycle": 0,
        "top_rule": "same",
        "bias": True,
        "output_bias": "data",
    }
    beside = {"checkpoint_every": None, "emits": None, "remembers": None, "compensate": False, "loop_examples": None}
    beside |= {"layers": None, "network": None, "held_out": 0, "train_measured": None}
    beside |= {"augment_shift": 0, "downsample": 1, "scale": None, "standardise": "none"}
    beside |= {"classes": "mixed", "revisited": 0}
    assert made == expected | beside


def test_settings_survive_the_way_through_json() -> None:
    made = build(AutoencoderSettings, {"lr": [0.1, 0.2], "lam": [0.1, 0.9], "seed": 2**63 - 1})
    assert build(AutoencoderSettings, made.model_dump(mode="json")) == made


def test_every_key_says_what_it_expects() -> None:
    for name, key in AutoencoderSettings.model_fields.items():
        assert key.description, name


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        LayeredSettings().lr = 3


def test_a_config_file_has_keys_and_values(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "keys.toml"
    file.write_text("lr = [0.1, 0.2]  # by layer\nrule = 'bp'\n", encoding="utf-8")
    assert read_keys(file) == {"lr": [0.1, 0.2], "rule": "bp"}
