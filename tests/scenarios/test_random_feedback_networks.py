"""The campaigns of networks of convolutions: their members, their tables and figures, and refused settings."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import circuitsim, metrics, skip_report

from circuitsim.circuits.networks import NETWORKS, untied
from circuitsim.runs.runfolder import read_tensors
from circuitsim.scenarios.classifier.settings import ClassifierSettings
from circuitsim.scenarios.random_feedback_networks.members import members
from circuitsim.scenarios.random_feedback_networks.settings import STANDARD, NetworkSettings

TINY = {
    "rules": '["bp-h","urfb","frfb"]',
    "seeds": "1",
    "test_limit": "50",
    "turn_images": "40",
    "training": '{ simpnet = { images = 60, batch = 20, epochs = 1 } }',
}  # fmt: skip


def test_members_are_networks_rules_and_variants() -> None:
    found = [member.name for member in members(NetworkSettings())]
    plain = [f"{network}-{rule}" for network in STANDARD for rule in ("bp", "bp-h", "urfb", "frfb")]
    local = ("bp-h", "urfb", "frfb")
    varied = [f"{name}-{rule}" for name in ("simpnet-half", "simpnet-untied", "deepnet_s-frozen") for rule in local]
    steps = ["simpnet-step-0.1-urfb", "simpnet-step-0.3-urfb"]
    assert found == [*plain, *varied, *steps]
    more = [member.name for member in members(NetworkSettings(desynchronised=["simpnet"], in_turn=["simpnet"]))]
    added = [f"simpnet-{name}-{rule}" for name in ("desynchronised", "turns") for rule in local]
    assert more == [*plain, *varied, *added, *steps]


def test_members_of_the_training_that_the_discussion_proposes() -> None:
    """Section 6: updates at random times, and classes one at a time, each twice for an epoch."""
    settings = NetworkSettings(desynchronised=["simpnet"], in_turn=["simpnet"], seeds=2)
    found = {member.name: member for member in members(settings)}
    late, turns = (found[f"simpnet-{name}-urfb"] for name in ("desynchronised", "turns"))
    assert ClassifierSettings(**late.values).update_probability == 0.1
    built = ClassifierSettings(**turns.values)
    assert (built.classes, built.class_errors, built.epochs, built.train_limit) == ("in-turn", True, 20, 2000)
    assert turns.vary == {"revisited": [0.0, 0.2], "seed": [0, 1]}


def test_the_settings_of_each_rule_and_variant() -> None:
    found = {member.name: member for member in members(NetworkSettings(seeds=3, seed=2))}
    built = {name: ClassifierSettings(**member.values) for name, member in found.items()}
    for name, one in built.items():
        softmax = name.endswith("-bp")
        assert (one.loss, one.output) == (("error", "softmax") if softmax else ("hinge", "identity"))
        assert (one.hidden, one.hinge_margin, one.bias, one.dataset) == ("saturated", "mu", False, "cifar10")
    assert (built["simpnet-frfb"].feedback, built["simpnet-frfb"].feedback_step) == ("fa", 0)
    assert (built["simpnet-urfb"].feedback, built["simpnet-urfb"].feedback_step) == ("urfb", 1)
    assert built["simpnet-step-0.3-urfb"].feedback_step == 0.3
    assert [one.density for name, one in built.items() if "-half-" in name] == [0.5] * 3
    assert built["simpnet-untied-bp-h"].layers == untied(NETWORKS["simpnet"])
    assert found["simpnet-urfb"].vary["seed"] == [2, 3, 4]
    frozen = found["deepnet_s-frozen-urfb"]
    assert (frozen.begins, frozen.tensors, frozen.vary["seed"]) == ("deepnet_s-urfb", ("W1.weight",), [2])
    layers = built["deepnet_s-frozen-urfb"].layers
    assert layers is not None and layers[0] == "conv 16 3" and not any(t.startswith("conv") for t in layers[1:])
    assert built["deepnet_s-frozen-urfb"].lr == [0.0, *[0.03] * 7]


def test_full_is_the_paper_and_given_keys_hold() -> None:
    made = NetworkSettings(level="full", training={"simpnet": {"epochs": 7}})
    assert made.training["simpnet"] == {"lr": 0.1, "images": 45_000, "batch": 500, "epochs": 7}
    assert made.training["deepernet"]["epochs"] == 1000


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simpnet on digits: all variants, one seed."""
    out = tmp_path_factory.mktemp("campaign") / "run"
    with pytest.MonkeyPatch.context() as patch:
        skip_report(patch)
        keys = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
        assert circuitsim("run", "random-feedback-networks", "--quick", *keys, "--out", out) == 0
    return out


@pytest.mark.nightly
def test_figures_and_tables(ran: Path) -> None:
    drawn = {path.name for path in (ran / "figures").iterdir()}
    pictures = {f"filters-simpnet-untied-{rule}" for rule in ("bp-h", "urfb", "frfb")}
    curves = {"errors", "error-epochs", "error-half", "error-untied", "error-frozen", "steps", "correlation"}
    stems = pictures | curves | {"saturation", "feature-maps", "error-desynchronised", "turns"}
    tables = {"likeness.csv", "turns-final.csv"}
    assert drawn == {f"{stem}.{form}" for stem in stems for form in ("svg", "csv")} | tables
    assert (ran / "report.html").read_text(encoding="utf-8").count("<img") == len(stems)


@pytest.mark.nightly
def test_tables_are_of_the_metrics(ran: Path) -> None:
    frame, table = metrics(ran), pd.read_csv(ran / "figures" / "errors.csv")
    keys = ["network", "variant", "rule"]
    assert table[keys].to_numpy().tolist() == [
        ["simpnet", variant, rule]
        for variant in ("tied", "half", "untied", "frozen", "desynchronised")
        for rule in ("BP-H", "URFB", "FRFB")
    ]
    ends = frame[(frame["metric"] == "error") & (frame["split"] == "test") & (frame["epoch"] == 1)]
    by_member = ends.set_index("member")["value"]
    means = table.set_index(keys)["mean"]
    assert means["simpnet", "tied", "URFB"] == by_member["simpnet-urfb"]
    assert means["simpnet", "frozen", "FRFB"] == by_member["simpnet-frozen-frfb"]
    turns = pd.read_csv(ran / "figures" / "turns-final.csv")
    assert turns["presentations"].tolist() == ["none revisited", "20 % revisited"] * 3
    shown = frame[(frame["member"] == "simpnet-turns-urfb") & (frame["split"] == "test")]
    whole = shown[(shown["metric"] == "error") & (shown["epoch"] == 10) & (shown["revisited"] == 0)]
    assert turns["mean"][2] == whole["value"].mean()
    saturated = pd.read_csv(ran / "figures" / "saturation.csv")
    assert set(saturated["label"]) == {"layer 1", "layer 2"}
    assert saturated["mean"].between(0, 1).all()


@pytest.mark.nightly
def test_the_frozen_first_layer_is_that_of_the_tied_network(ran: Path) -> None:
    tied, frozen = (ran / "members" / name for name in ("simpnet-urfb", "simpnet-frozen-urfb"))
    learned = read_tensors(tied / "final.safetensors")
    begins, ends = (read_tensors(frozen / f"{when}.safetensors") for when in ("initial", "final"))
    assert np.array_equal(begins["W1.weight"], learned["W1.weight"])
    assert np.array_equal(ends["W1.weight"], learned["W1.weight"])
    assert not np.array_equal(ends["W2.weight"], begins["W2.weight"])
    assert not np.array_equal(begins["W2.weight"], learned["W2.weight"])


REFUSED = {
    "networks=[]": r"networks: got \[\]; expected a list of at least one of simpnet, .*, each once",
    'rules=["dfa"]': r"rules: got \['dfa'\]; expected a list of at least one of bp, bp-h, urfb, frfb, each once",
    'untied=["net"]': r"untied: got \['net'\]; expected a list of simpnet, .*, each once; it may be empty",
    "steps=[1.0]": r"steps: got \[1\.0\]; expected a list of numbers between 0 and 1, each once",
    "training={ net = { lr = 1 } }": r"training\.net: got \{'lr': 1\}; expected a table of simpnet, ",
    "training={ simpnet = { rate = 1 } }": r"training\.simpnet\.rate: got 1; expected one of batch, epochs, images, lr",
    "training={ simpnet = { batch = 0 } }": r"training\.simpnet\.batch: got 0; expected a whole number >= 1",
}


@pytest.mark.parametrize("given", REFUSED)
def test_refused_settings(given: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ("--quick", "--set", given, "--out", tmp_path / "run")
    assert circuitsim("run", "random-feedback-networks", *arguments) == 2
    assert re.search(REFUSED[given], capfd.readouterr().err)
    assert not (tmp_path / "run").exists()
