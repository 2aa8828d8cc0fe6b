"""The runs of `tourbillon-figures`: circuits and rates of each figure, the paper's beside ours (section 6).

Several figures may be of one run; it is named after the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from circuitsim.runs.config import build
from circuitsim.runs.scenario import Member
from circuitsim.scenarios.tourbillon import TourbillonSettings, design

if TYPE_CHECKING:
    from circuitsim.scenarios.tourbillon_figures.settings import FiguresKeys

FEATURES: Mapping[str, int] = {"digits": 64, "mnist": 784, "fashion-mnist": 784}
FILELESS = "digits"
CLASSES = 10
PAPERS = (0.01, 0.001)  # rates of a block's encoder and decoder (section 6.2)
RULES = ("rec", "rec-symmetric")
LEARNS = ("both", "tuned", "inner", "outer")
Values = dict[str, Any]


def _common(settings: FiguresKeys, dataset: str) -> Values:
    """What all runs on a data set have in common."""
    shared = settings.model_dump(include={"batch", "train_limit", "test_limit"})
    return shared | {"dataset": dataset, "data_seed": settings.seed, "on_divergence": "drop"}


def _member(
    settings: FiguresKeys,
    name: str,
    scenario: str,
    own: Values,
    vary: Mapping[str, Sequence[Any]] | None = None,
    seeds: int = 0,
) -> Member:
    """A run; its seeds run fastest."""
    chosen = list(range(settings.seed, settings.seed + (seeds or settings.seeds)))
    return Member(name, scenario, own, {**(vary or {}), "seed": chosen}, own["dataset"] != FILELESS)


def _single(settings: FiguresKeys, dataset: str, rates: tuple[float, ...], **own: Any) -> Values:
    """One block, and a top layer that does not learn: of a stack of one block this is the circular autoencoder."""
    found = _common(settings, dataset) | {"sizes": [FEATURES[dataset], settings.hinges[0], CLASSES]}
    found |= {"epochs": settings.single_epochs, "top_epochs": 0, "tuning_epochs": 0, "channel": "none"}
    found |= {"lr": [rates[0], 0.0], "decoder_lr": rates[1], "lr_decay": settings.other_decay, "bounds": 0.0}
    return found | own


def grown(settings: FiguresKeys, dataset: str, **own: Any) -> Values:
    """A whole Tourbillon with our rates and bounds."""
    keys = ("epochs", "top_epochs", "tuning_epochs", "lr", "decoder_lr", "bounds", "lr_decay", "tuning_lr")
    found = _common(settings, dataset) | settings.model_dump(include=set(keys))
    return found | {"sizes": [FEATURES[dataset], *settings.hinges, CLASSES]} | own


def _others(settings: FiguresKeys, dataset: str, **own: Any) -> Values:
    """What trains by errors from the start, for as many epochs as a Tourbillon develops."""
    whole = 2 * settings.epochs + settings.top_epochs + settings.tuning_epochs
    found = _common(settings, dataset) | {"epochs": whole, "lr": settings.other_lr}
    return found | {"momentum": settings.momentum, "lr_decay": settings.other_decay} | own


def _blocks(settings: FiguresKeys) -> list[Member]:
    """A block alone of each data set, by both rules, at the paper's rates and at ours."""
    return [
        _member(settings, f"figure-3-{dataset}-{whose}", "tourbillon", own, {"block_rule": RULES})
        for dataset in settings.datasets
        for whose, rates in (("paper", PAPERS), ("ours", settings.pair()))
        for own in [_single(settings, dataset, rates)]
    ]


def _figure_3(settings: FiguresKeys) -> list[Member]:
    rates = (settings.other_lr, settings.other_lr)
    compared = [
        _member(settings, f"figure-3-{dataset}-others", "tourbillon", own, {"block_rule": ["rbp", "bp"]})
        for dataset in settings.datasets
        for own in [_single(settings, dataset, rates, momentum=settings.momentum)]
    ]
    return _blocks(settings) + compared


def _figure_4(settings: FiguresKeys) -> list[Member]:
    return [one for dataset in settings.datasets for one in (_whole(settings, dataset), _layered(settings, dataset))]


def _whole(settings: FiguresKeys, dataset: str) -> Member:
    return _member(settings, f"figure-4-{dataset}-tourbillon", "tourbillon", grown(settings, dataset))


def _layered(settings: FiguresKeys, dataset: str) -> Member:
    own = _others(settings, dataset, sizes=[FEATURES[dataset], *settings.hinges, CLASSES], angle_examples=100)
    return _member(settings, f"figure-4-{dataset}-others", "classifier", own, {"feedback": ["fa", "bp"]})


def _figure_7(settings: FiguresKeys) -> list[Member]:
    """One seed is drawn."""
    return [
        _member(settings, f"figure-7-{dataset}", "tourbillon", own, seeds=1)
        for dataset in settings.datasets
        for own in [grown(settings, dataset, top_epochs=0, tuning_epochs=0, channel="none")]
    ]


def _table_1(settings: FiguresKeys) -> list[Member]:
    dataset = settings.datasets[0]
    units = FEATURES[dataset]
    folded = [units, *settings.unet, *settings.unet[-2::-1], units]
    dense = grown(settings, dataset, original="classifier")
    plain = _others(settings, dataset, sizes=folded)
    return [
        _layered(settings, dataset),
        _member(settings, "table1-dense", "twin", dense),
        _member(settings, "table1-unet-bp", "autoencoder", plain | {"rule": "bp"}),
        *(
            _member(settings, f"table1-unet{_ENDS[closed]}", "twin", _unet(settings, dataset, folded, closed))
            for closed in settings.output_block
        ),
    ]


_ENDS = {False: "", True: "-output-block"}


def _unet(settings: FiguresKeys, dataset: str, sizes: list[int], output_block: bool) -> Values:
    """Rates and bounds of the second block hold for all above it; the output has the top's rates and no bound."""
    layers = len(sizes) - 1
    blocks = layers if output_block else layers - 1

    def spread(values: list[float], count: int) -> list[float]:
        return values[:1] + [values[1]] * (count - 1)

    own = {key: spread(getattr(settings, key), blocks) for key in ("decoder_lr", "bounds")}
    own |= {
        key: [*spread(getattr(settings, key), layers - 1), getattr(settings, key)[-1]] for key in ("lr", "tuning_lr")
    }
    if output_block:
        own["bounds"][-1] = 0.0
    return grown(settings, dataset, **own, sizes=sizes, original="autoencoder", output_block=output_block)


def _tuning(settings: FiguresKeys) -> list[Member]:
    """From the same start in all: fixed and learning decoders, other channels at the same rates and at their own.

    Then from a top layer, and from blocks, that have not grown; and blocks that grew by errors, with the top alone.
    """
    dataset = settings.datasets[0]

    def tuned(name: str, vary: Mapping[str, Sequence[Any]], **own: Any) -> Member:
        kept = {key: value for key, value in grown(settings, dataset, **own).items() if key not in vary}
        return _member(settings, f"tuning-{name}", "tourbillon", kept, vary)

    own = [settings.channel_lr, *settings.tuning_lr[1:]]
    rates: dict[str, Sequence[Any]] = {"channel": ["bp", "random", "none"], "tuning_lr": [settings.tuning_lr, own]}
    errors: Values = {"lr": [settings.error_lr, settings.error_lr, settings.lr[-1]], "decoder_lr": settings.error_lr}
    errors |= {"bounds": 0.0, "tuning_epochs": 0, "channel": "none"}
    return [
        _whole(settings, dataset),
        tuned("learning", {}, decoders="learning"),
        tuned("others", rates),
        tuned("fresh-top", {"channel": ["decoders", "bp"]}, top_epochs=0),
        tuned("ungrown", {"channel": ["decoders", "bp"]}, epochs=0, top_epochs=0),
        tuned("blocks", {"block_rule": ["bp", "rbp"]}, **errors),
    ]


def _bounds(settings: FiguresKeys) -> list[Member]:
    dataset, first, last = settings.datasets[0], settings.lr[0], settings.lr[-1]
    own = grown(settings, dataset, top_epochs=0, tuning_epochs=0, channel="none")
    vary = {
        "bounds": [[settings.bounds[0], bound] for bound in settings.map_bounds],
        "lr": [[first, rate, last] for rate in settings.map_rates],
    }
    kept = {key: value for key, value in own.items() if key not in vary}
    return [_member(settings, "bounds", "tourbillon", kept, vary, settings.map_seeds)]


def _schedules(settings: FiguresKeys) -> list[Member]:
    """Sequential is figure 4's; then all at once, with examples as close to each other as memories allow."""
    dataset = settings.datasets[0]
    found = [_whole(settings, dataset)]
    for schedule in ("lag", "asynchronous"):
        own = grown(settings, dataset, schedule=schedule)
        found.append(_member(settings, f"schedules-{schedule}", "tourbillon", own))
    parts = len(settings.hinges) + 1
    longer = grown(settings, dataset, schedule="asynchronous", lr_decay=settings.lr_decay ** (1 / parts))
    longer |= {"epochs": parts * settings.epochs, "top_epochs": parts * settings.epochs}
    found.append(_member(settings, "schedules-longer", "tourbillon", longer))
    overlapping = grown(settings, dataset, schedule="asynchronous", updates="at-once", tuning_epochs=0, channel="none")
    return [
        *found,
        _member(settings, "schedules-overlap", "tourbillon", overlapping, {"interval": intervals(overlapping)}),
    ]


def intervals(values: Values) -> list[int]:
    """The shortest intervals between examples in growth: with one remembered at a time, and with any number."""
    from circuitsim.timetable.schedule import make_schedule

    made = design(build(TourbillonSettings, values))
    growth = make_schedule(made.circuit, made.stages[0].protocol)
    return list(dict.fromkeys(growth.shortest_interval(most) for most in (1, None)))


def _nest(settings: FiguresKeys) -> list[Member]:
    dataset = settings.datasets[0]
    units, (outer, core) = FEATURES[dataset], settings.hinges
    shared = _common(settings, dataset) | {"epochs": settings.nest_epochs}
    up, down = settings.nest_inner
    own = shared | {"sizes": [units, outer, units], "cores": [core], "lr": settings.nest_lr}
    own |= {"inner_lr": up, "decoder_lr": down, "bounds": [settings.nest_bound]}
    plain = shared | {"sizes": [units, outer, core, outer, units], "lr": settings.nest_other_lr}
    compared = {"rule": ["rec", "bp"], "output_bias": ["zero", "data"]}
    seeds = settings.nest_seeds
    first = own | {"inner_first": settings.inner_first}
    return [
        _member(settings, "nest", "nest", own, {"learns": LEARNS}, seeds),
        _member(settings, "nest-inner-first", "nest", first, {"learns": ["both"]}, seeds),
        _member(settings, "nest-autoencoder", "autoencoder", plain, compared, seeds),
    ]


_MEMBERS: Mapping[int | str, Callable[[FiguresKeys], list[Member]]] = {
    3: _figure_3,
    4: _figure_4,
    5: _blocks,
    6: _blocks,
    7: _figure_7,
    9: _figure_7,
    "table1": _table_1,
    "tuning": _tuning,
    "bounds": _bounds,
    "schedules": _schedules,
    "nest": _nest,
}
PARTS = tuple(_MEMBERS)


def by_part(settings: FiguresKeys) -> dict[int | str, list[Member]]:
    """The runs that each part that is asked for is made of, in the order of the paper."""
    return {part: _MEMBERS[part](settings) for part in PARTS if part in settings.figures}


def members(settings: FiguresKeys) -> list[Member]:
    """All runs, each once."""
    found = [one for part in by_part(settings).values() for one in part]
    return list({one.name: one for one in found}.values())
