"""Everything that may take the place of transposed weights, side by side: data sets, depths, methods, seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from circuitsim.circuits.classifier import FEEDBACK
from circuitsim.runs.config import Settings, refuse
from circuitsim.runs.scenario import Campaign, Member
from circuitsim.scenarios.weight_transport.report import finish

FEATURES = {"digits": 64, "mnist": 784, "fashion-mnist": 784, "cifar10": 3072}
CLASSES = 10
DECAYING = "kp"  # the method whose weights, forward and feedback, decay
MIRROR: Mapping[str, Any] = {
    "noise": "gaussian",
    "scale": 0.5,
    "rate": 0.1,
    "decay": 0.01,
    "block_bias": True,
    "passes_per_update": 1,
}
_LISTS = "a list of lists of whole numbers >= 1, hidden units by layer"


class WeightTransportKeys(Settings):
    """The keys of `weight-transport`."""

    datasets: list[str] = Field(
        ["digits", "mnist", "cifar10"], description=f"a list of at least one of {', '.join(FEATURES)}, each once"
    )
    hidden: list[list[int]] = Field([[256, 64], [256, 128, 64, 32]], description=_LISTS)
    methods: list[str] = Field(
        list(FEEDBACK), description=f"a list of at least one of {', '.join(FEEDBACK)}, each once"
    )
    seeds: int = Field(5, ge=1, le=1000, description="a whole number from 1 to 1000")
    seed: int = Field(0, ge=0, lt=2**62, description="a whole number from 0 to 2^62 - 1, the first of the seeds")
    epochs: int = Field(5, ge=0, description="a whole number >= 0")
    batch: int = Field(100, ge=1, description="a whole number >= 1")
    lr: float = Field(0.1, ge=0, description="a number >= 0")
    weight_decay: float = Field(3e-4, ge=0, description=f"a number >= 0, for {DECAYING} alone")
    train_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    test_limit: int | None = Field(None, ge=1, description="none, or a whole number >= 1")
    angle_examples: int = Field(1000, ge=1, description="a whole number >= 1")

    def model_post_init(self, _: Any) -> None:
        """Checks that a single key's type cannot make."""
        for key, known in (("datasets", FEATURES), ("methods", FEEDBACK)):
            got = getattr(self, key)
            if not got or set(got) - set(known) or len(set(got)) < len(got):
                refuse(key, got, str(type(self).model_fields[key].description), f"Correct the value of {key}.")
        if not self.hidden or any(size < 1 for sizes in self.hidden for size in sizes):
            refuse("hidden", self.hidden, _LISTS, "Give a list for each depth.")


def members(settings: WeightTransportKeys) -> list[Member]:
    """For each data set and depth one run of all methods, and one of the method that decays.

    Data sets that need files are left out where these are missing.
    """
    return [
        _member(settings, dataset, sizes, part, suffix)
        for dataset in settings.datasets
        for sizes in ([FEATURES[dataset], *hidden, CLASSES] for hidden in settings.hidden)
        for part, suffix in _parts(settings)
    ]


def _parts(settings: WeightTransportKeys) -> list[tuple[list[str], str]]:
    """Methods whose settings agree, and what is added to their member's name."""
    steady = [method for method in settings.methods if method != DECAYING]
    decaying = [method for method in settings.methods if method == DECAYING]
    return [(part, suffix) for part, suffix in ((steady, ""), (decaying, f"-{DECAYING}")) if part]


def _member(settings: WeightTransportKeys, dataset: str, sizes: list[int], methods: list[str], suffix: str) -> Member:
    shared = settings.model_dump(include={"epochs", "batch", "lr", "train_limit", "test_limit", "angle_examples"})
    own = {"dataset": dataset, "sizes": sizes, "mirror": dict(MIRROR), "on_divergence": "drop"}
    decay = {"weight_decay": settings.weight_decay if suffix else 0.0, "data_seed": settings.seed}
    return Member(
        f"{dataset}-{'-'.join(map(str, sizes))}{suffix}",
        "classifier",
        shared | own | decay,
        {"feedback": methods, "seed": list(range(settings.seed, settings.seed + settings.seeds))},
        optional=dataset != "digits",
    )


QUICK: Mapping[str, Any] = {
    "datasets": ["digits"],
    "hidden": [[32], [32, 16]],
    "seeds": 2,
    "epochs": 1,
    "batch": 20,
    "train_limit": 400,
    "test_limit": 100,
    "angle_examples": 100,
}

SCENARIO = Campaign(
    name="weight-transport",
    description="all feedback methods of `classifier` on several data sets and depths: errors, angles, windows",
    settings=WeightTransportKeys,
    members=members,
    finish=finish,
    quick=QUICK,
)
