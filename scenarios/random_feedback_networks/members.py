"""The members of `random-feedback-networks`: a run for each network, rule and variant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from circuitsim.circuits.layers import parse_layers
from circuitsim.circuits.networks import NETWORKS, untied
from circuitsim.data import shape_of
from circuitsim.runs.scenario import Member
from circuitsim.scenarios.fields import CLASSES
from circuitsim.scenarios.random_feedback_networks.settings import RULES, NetworkSettings

HALF, UNTIED, FROZEN, DESYNCHRONISED, IN_TURN = "half", "untied", "frozen", "desynchronised", "turns"
"""Variants of a network: some synapses missing; weights of their own at each location; the same, above a first layer
of another run that does not learn; each projection updates at random times; one class in each epoch."""


def members(settings: NetworkSettings) -> list[Member]:
    """Return the networks with all rules, then the variants, then steps of the feedback weights between 0 and 1."""
    made = [_member(settings, network, rule) for network in settings.networks for rule in settings.rules]
    local = [rule for rule in settings.rules if rule != "bp"]
    variants = {
        HALF: settings.halved,
        UNTIED: settings.untied,
        FROZEN: settings.frozen,
        DESYNCHRONISED: settings.desynchronised,
        IN_TURN: settings.in_turn,
    }
    for variant, networks in variants.items():
        chosen = [network for network in networks if network in settings.networks]
        made += [_member(settings, network, rule, variant) for network in chosen for rule in local]
    steps = settings.steps if {"urfb", "frfb"} & {*settings.rules} else []
    return made + [_between(settings, settings.networks[0], step) for step in steps]


def _between(settings: NetworkSettings, network: str, step: float) -> Member:
    return _member(settings, network, "urfb", f"step-{step:g}", feedback_step=step)


def _member(settings: NetworkSettings, network: str, rule: str, variant: str = "", **own: Any) -> Member:
    training = settings.training[network]
    texts = list(NETWORKS[network])
    values = settings.shared("dataset", "hidden", "hinge_margin", "angle_examples") | {
        "train_limit": training["images"],
        "test_limit": settings.test_limit or None,
        "batch": training["batch"],
        "epochs": training["epochs"],
        "lr": training["lr"],
        "layers": texts,
        "loss": "hinge",
        "output": "identity",
        "bias": False,
        **RULES[rule],
        **own,
    }
    name = "-".join(part for part in (network, variant, rule) if part)
    if variant == FROZEN:
        return _above(settings, network, rule, name, values)
    changes: dict[str, dict[str, Any]] = {
        HALF: {"density": settings.density},
        UNTIED: {"layers": untied(texts)},
        DESYNCHRONISED: {"update_probability": settings.update_probability},
        IN_TURN: {
            "classes": "in-turn",
            "class_errors": True,
            "train_limit": settings.turn_images,
            "epochs": settings.turns * CLASSES,
        },
    }
    vary = {"revisited": settings.revisited} if variant == IN_TURN else {}
    return settings.member(name, "classifier", values | changes.get(variant, {}), vary)


def _above(settings: NetworkSettings, network: str, rule: str, name: str, values: dict[str, Any]) -> Member:
    """Return a run of one seed whose first layer is taken from the tied network's and does not learn."""
    first, *others = NETWORKS[network]
    texts = [first, *untied(others)]
    layers = _weighted(texts, settings.dataset)
    values = values | {"layers": texts, "lr": [0.0, *[values["lr"]] * (layers - 1)]}
    made = settings.member(name, "classifier", values, seeds=1)
    return Member(made.name, made.scenario, made.values, made.vary, made.optional, f"{network}-{rule}", ("W1.weight",))


def _weighted(texts: Sequence[str], dataset: str) -> int:
    """Return the number of layers that have weights."""
    return len(parse_layers(texts, shape_of(dataset)).weighted)
