"""The members of `tourbillon-convolution`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from circuitsim.data import shape_of
from circuitsim.runs.scenario import Member
from circuitsim.scenarios.fields import CLASSES
from circuitsim.scenarios.tourbillon_convolution.settings import PARTS, TourbillonConvolutionSettings

BLOCK_RULES = ("rec", "rec-symmetric", "rbp", "bp", "top")
STACK_RULES = ("rec", "rbp", "bp")
CHANNELS = ("decoders", "frozen", "equal", "winners", "random", "bp", "learning")
UNTIED = {"alike": True, "independent": False}
Values = dict[str, Any]


def _conv(settings: TourbillonConvolutionSettings, channels: int, kind: str = "conv") -> str:
    return f"{kind} {channels} {settings.kernel}"


def block_layers(settings: TourbillonConvolutionSettings, dataset: str) -> list[str]:
    """Return a convolutional block as an autoencoder."""
    return [_conv(settings, settings.maps), _conv(settings, shape_of(dataset)[0])]


def stack_layers(settings: TourbillonConvolutionSettings) -> list[str]:
    """Return two convolutional blocks, the second with a pool, and the classes."""
    return [_conv(settings, settings.maps)] * 2 + ["maxpool 2", f"dense {CLASSES}"]


def _rate(settings: TourbillonConvolutionSettings, dataset: str) -> float:
    return settings.colour_lr if shape_of(dataset)[0] == 3 else settings.block_lr


def _blocks(settings: TourbillonConvolutionSettings) -> list[Member]:
    return [
        settings.member(f"block-{dataset}", "autoencoder", own, {"rule": BLOCK_RULES})
        for dataset in settings.datasets
        for own in [
            settings.shared()
            | {"dataset": dataset, "layers": block_layers(settings, dataset), "lr": _rate(settings, dataset)}
            | {"epochs": settings.block_epochs}
        ]
    ]


def _stability(settings: TourbillonConvolutionSettings) -> list[Member]:
    own = settings.shared() | {"dataset": settings.images, "layers": block_layers(settings, settings.images)}
    own |= {"epochs": settings.map_epochs, "train_limit": settings.few, "loop_examples": 50}
    rates = [[up, down] for up in settings.map_encoder for down in settings.map_decoder]
    return [settings.member("stability", "autoencoder", own, {"rule": ["rec", "bp"], "lr": rates}, settings.map_seeds)]


def grown(settings: TourbillonConvolutionSettings, dataset: str, **own: Any) -> Values:
    """Return the settings of a stack with a top layer, without fine-tuning."""
    found = settings.shared("top_epochs", "decoder_lr", "bounds", "lr", "tuning_lr")
    found |= {"dataset": dataset, "layers": stack_layers(settings), "image_bias": "data", "lr_decay": 1.0}
    if shape_of(dataset)[0] == 3:
        found["lr"] = [settings.colour_lr, *settings.lr[1:]]
        found["decoder_lr"] = [settings.colour_lr, settings.decoder_lr[1]]
    return found | {"tuning_epochs": 0, "channel": "none"} | own


def _stack(settings: TourbillonConvolutionSettings) -> list[Member]:
    """Return stacks grown by each rule, all parts at once, or not at all; pixels; learning from the start."""
    found = []
    whole = 2 * settings.epochs + settings.top_epochs
    for dataset in settings.datasets:
        pixels = settings.shared() | {"dataset": dataset, "layers": [f"dense {CLASSES}"], "angle_examples": 50}
        pixels |= {"epochs": settings.top_epochs, "lr": settings.lr[2]}
        start = pixels | {"layers": stack_layers(settings), "epochs": whole, "lr": settings.tuning_lr}
        found += [
            settings.member(f"stack-{dataset}", "tourbillon", grown(settings, dataset), {"block_rule": STACK_RULES}),
            settings.member(f"together-{dataset}", "tourbillon", grown(settings, dataset, schedule="asynchronous")),
            settings.member(f"untrained-{dataset}", "tourbillon", grown(settings, dataset, epochs=0)),
            settings.member(f"pixels-{dataset}", "classifier", pixels, {"feedback": ["bp"]}),
            settings.member(f"start-{dataset}", "classifier", start, {"feedback": ["fa", "bp"]}),
        ]
    return found


def _figure_9(settings: TourbillonConvolutionSettings) -> list[Member]:
    return [one for one in _stack(settings) if one.name.startswith("stack-")]


def tuned(settings: TourbillonConvolutionSettings, way: str) -> Values:
    """Return what a way of fine-tuning sets."""
    rates, slow = settings.tuning_lr, [settings.slow_lr, *settings.tuning_lr[1:]]
    return {
        "decoders": {"channel": "decoders", "top_feedback": "transposed", "tuning_lr": slow},
        "learning": {"channel": "decoders", "top_feedback": "learning", "tuning_lr": slow},
        "equal": {"channel": "decoders", "top_feedback": "transposed", "tuning_lr": rates},
        "frozen": {"channel": "decoders", "top_feedback": "transposed", "tuning_lr": [0.0, *rates[1:]]},
        "winners": {"channel": "winners", "top_feedback": "transposed", "tuning_lr": rates},
        "random": {"channel": "random", "top_feedback": "transposed", "tuning_lr": rates},
        "bp": {"channel": "bp", "tuning_lr": rates},
    }[way]


def _tuning(settings: TourbillonConvolutionSettings) -> list[Member]:
    """Return runs that fine-tune by several channels, all from the same start; the test split is whole."""
    dataset = settings.datasets[0]
    more = {"tuning_epochs": settings.tuning_epochs, "error_examples": settings.error_examples or None}
    return [
        settings.member(
            f"tuning-{way}", "tourbillon", grown(settings, dataset) | more | {"test_limit": None} | tuned(settings, way)
        )
        for way in CHANNELS
    ]


def _table_1(settings: TourbillonConvolutionSettings) -> list[Member]:
    dataset, rate = settings.images, settings.unet_lr
    plain = settings.shared() | {"dataset": dataset, "layers": block_layers(settings, dataset), "lr": rate}
    plain |= {"train_limit": settings.few, "epochs": 2 * settings.unet_epochs}
    own = plain | {"original": "autoencoder", "epochs": settings.unet_epochs, "tuning_epochs": settings.unet_epochs}
    own |= {"decoder_lr": rate, "bounds": 0.0, "lr_decay": 1.0, "image_bias": "data"}
    rates = [[rate, rate], [0.0, rate]]
    return [
        settings.member("unet-others", "autoencoder", plain, {"rule": ["bp", "rbp"]}),
        settings.member("unet-twin", "twin", own, {"tuning_lr": rates}),
    ]


def _untied(settings: TourbillonConvolutionSettings) -> list[Member]:
    """Return an untied block whose locations begin alike or not, with and without translations."""
    dataset, rate = settings.datasets[0], settings.untied_lr
    own = settings.shared() | {"dataset": dataset, "channel": "none", "image_bias": "data", "bounds": 0.0}
    own |= {"layers": [_conv(settings, settings.maps, "local"), f"dense {CLASSES}"], "lr": [rate, 0.0]}
    own |= {"decoder_lr": rate, "lr_decay": 1.0, "epochs": settings.untied_epochs, "top_epochs": 0, "tuning_epochs": 0}
    own |= {"train_limit": settings.few}
    return [
        settings.member(
            f"untied-{start}-{'moved' if shift else 'still'}",
            "tourbillon",
            own | {"augment_shift": shift} | ({"alike": settings.spread} if near else {}),
        )
        for start, near in UNTIED.items()
        for shift in (0.0, settings.shift)
    ]


_MEMBERS: Mapping[str, Callable[[TourbillonConvolutionSettings], list[Member]]] = {
    "blocks": _blocks,
    "stability": _stability,
    "stack": _stack,
    "figure9": _figure_9,
    "tuning": _tuning,
    "table1": _table_1,
    "untied": _untied,
    "scorecard": _figure_9,
}


def by_part(settings: TourbillonConvolutionSettings) -> dict[str, list[Member]]:
    """Return the runs of each chosen part."""
    return {part: _MEMBERS[part](settings) for part in PARTS if part in settings.figures}


def members(settings: TourbillonConvolutionSettings) -> list[Member]:
    """Return all runs, each once."""
    found = [one for part in by_part(settings).values() for one in part]
    return list({one.name: one for one in found}.values())
