"""The members of `tourbillon-figures`, with the paper's rates (section 6) and ours.

A member that serves several figures is named after the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from circuitsim.runs.config import build
from circuitsim.runs.scenario import Member
from circuitsim.scenarios.fields import CLASSES, IMAGES
from circuitsim.scenarios.tourbillon import TourbillonSettings, design
from circuitsim.scenarios.tourbillon_figures.settings import PARTS, TourbillonFiguresSettings

PAPERS = (0.01, 0.001)  # rates of a block's encoder and decoder (section 6.2)
RULES = ("rec", "rec-symmetric")
LEARNS = ("both", "tuned", "inner", "outer")
Values = dict[str, Any]


def _stack(settings: TourbillonFiguresSettings, dataset: str) -> list[int]:
    """Return the units of all layers of a stack of two blocks below the classes."""
    return [IMAGES[dataset], *settings.hinges, CLASSES]


def _single(settings: TourbillonFiguresSettings, dataset: str, rates: tuple[float, ...], **own: Any) -> Values:
    """Return the settings of one block below a top layer that does not learn: a circular autoencoder."""
    found = settings.shared() | {"dataset": dataset, "sizes": [IMAGES[dataset], settings.hinges[0], CLASSES]}
    found |= {"epochs": settings.single_epochs, "top_epochs": 0, "tuning_epochs": 0, "channel": "none"}
    found |= {"lr": [rates[0], 0.0], "decoder_lr": rates[1], "lr_decay": settings.other_decay, "bounds": 0.0}
    return found | own


def grown(settings: TourbillonFiguresSettings, dataset: str, **own: Any) -> Values:
    """Return the settings of a whole Tourbillon with our rates and bounds."""
    keys = ("top_epochs", "tuning_epochs", "lr", "decoder_lr", "bounds", "lr_decay", "tuning_lr")
    return settings.shared(*keys) | {"dataset": dataset, "sizes": _stack(settings, dataset)} | own


def _others(settings: TourbillonFiguresSettings, dataset: str, **own: Any) -> Values:
    """Return settings for learning from errors from the start, with as many epochs as a Tourbillon develops."""
    whole = 2 * settings.epochs + settings.top_epochs + settings.tuning_epochs
    found = settings.shared("momentum") | {"dataset": dataset, "epochs": whole, "lr": settings.other_lr}
    return found | {"lr_decay": settings.other_decay} | own


def _blocks(settings: TourbillonFiguresSettings) -> list[Member]:
    """Return runs of a single block on each data set, by both rules, at the paper's rates and at ours."""
    return [
        settings.member(f"figure-3-{dataset}-{name}", "tourbillon", own, {"block_rule": RULES})
        for dataset in settings.datasets
        for name, rates in (("paper", PAPERS), ("ours", settings.pair()))
        for own in [_single(settings, dataset, rates)]
    ]


def _figure_3(settings: TourbillonFiguresSettings) -> list[Member]:
    rates = (settings.other_lr, settings.other_lr)
    compared = [
        settings.member(f"figure-3-{dataset}-others", "tourbillon", own, {"block_rule": ["rbp", "bp"]})
        for dataset in settings.datasets
        for own in [_single(settings, dataset, rates, momentum=settings.momentum)]
    ]
    return _blocks(settings) + compared


def _figure_4(settings: TourbillonFiguresSettings) -> list[Member]:
    return [one for dataset in settings.datasets for one in (_whole(settings, dataset), _layered(settings, dataset))]


def _whole(settings: TourbillonFiguresSettings, dataset: str) -> Member:
    return settings.member(f"figure-4-{dataset}-tourbillon", "tourbillon", grown(settings, dataset))


def _layered(settings: TourbillonFiguresSettings, dataset: str) -> Member:
    own = _others(settings, dataset, sizes=_stack(settings, dataset), angle_examples=100)
    return settings.member(f"figure-4-{dataset}-others", "classifier", own, {"feedback": ["fa", "bp"]})


def _figure_7(settings: TourbillonFiguresSettings) -> list[Member]:
    """Return a run of one seed, which is drawn, on each data set."""
    return [
        settings.member(f"figure-7-{dataset}", "tourbillon", own, seeds=1)
        for dataset in settings.datasets
        for own in [grown(settings, dataset, top_epochs=0, tuning_epochs=0, channel="none")]
    ]


def _table_1(settings: TourbillonFiguresSettings) -> list[Member]:
    dataset = settings.datasets[0]
    units = IMAGES[dataset]
    folded = [units, *settings.unet, *settings.unet[-2::-1], units]
    dense = grown(settings, dataset, original="classifier")
    plain = _others(settings, dataset, sizes=folded)
    return [
        _layered(settings, dataset),
        settings.member("table1-dense", "twin", dense),
        settings.member("table1-unet-bp", "autoencoder", plain | {"rule": "bp"}),
        *(
            settings.member(f"table1-unet{_ENDS[closed]}", "twin", _unet(settings, dataset, folded, closed))
            for closed in settings.output_block
        ),
    ]


_ENDS = {False: "", True: "-output-block"}


def _unet(settings: TourbillonFiguresSettings, dataset: str, sizes: list[int], output_block: bool) -> Values:
    """Return the settings of a U-Net: the second block's rates and bound for all above it, the top's for the output."""
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


def _tuning(settings: TourbillonFiguresSettings) -> list[Member]:
    """Return runs that fine-tune by several channels, all from the same start and random numbers.

    Decoders are fixed or learn; other channels have the same rates or their own. Then the top, or all blocks, have
    not grown. Last come blocks that grew by errors, below a top layer that learns alone.
    """
    dataset = settings.datasets[0]

    def tuned(name: str, vary: Mapping[str, Sequence[Any]], **own: Any) -> Member:
        return settings.member(f"tuning-{name}", "tourbillon", _without(grown(settings, dataset, **own), vary), vary)

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


def _bounds(settings: TourbillonFiguresSettings) -> list[Member]:
    dataset, first, last = settings.datasets[0], settings.lr[0], settings.lr[-1]
    own = grown(settings, dataset, top_epochs=0, tuning_epochs=0, channel="none")
    vary = {
        "bounds": [[settings.bounds[0], bound] for bound in settings.map_bounds],
        "lr": [[first, rate, last] for rate in settings.map_rates],
    }
    return [settings.member("bounds", "tourbillon", _without(own, vary), vary, settings.map_seeds)]


def _without(values: Values, vary: Mapping[str, Any]) -> Values:
    return {key: value for key, value in values.items() if key not in vary}


def _schedules(settings: TourbillonFiguresSettings) -> list[Member]:
    """Return the sequential run of figure 4, growth with a lag and all at once, and examples that overlap."""
    dataset = settings.datasets[0]
    found = [_whole(settings, dataset)]
    for schedule in ("lag", "asynchronous"):
        own = grown(settings, dataset, schedule=schedule)
        found.append(settings.member(f"schedules-{schedule}", "tourbillon", own))
    parts = len(settings.hinges) + 1
    longer = grown(settings, dataset, schedule="asynchronous", lr_decay=settings.lr_decay ** (1 / parts))
    longer |= {"epochs": parts * settings.epochs, "top_epochs": parts * settings.epochs}
    found.append(settings.member("schedules-longer", "tourbillon", longer))
    overlapping = grown(settings, dataset, schedule="asynchronous", updates="at-once", tuning_epochs=0, channel="none")
    return [
        *found,
        settings.member("schedules-overlap", "tourbillon", overlapping, {"interval": intervals(overlapping)}),
    ]


def intervals(values: Values) -> list[int]:
    """Return the shortest intervals between examples in growth: with one remembered at a time, and with any number."""
    from circuitsim.timetable.schedule import make_schedule

    made = design(build(TourbillonSettings, values))
    growth = make_schedule(made.circuit, made.stages[0].protocol)
    return list(dict.fromkeys(growth.shortest_interval(most) for most in (1, None)))


def _nest(settings: TourbillonFiguresSettings) -> list[Member]:
    dataset = settings.datasets[0]
    units, (outer, core) = IMAGES[dataset], settings.hinges
    shared = settings.shared() | {"dataset": dataset, "epochs": settings.nest_epochs}
    up, down = settings.nest_inner
    own = shared | {"sizes": [units, outer, units], "cores": [core], "lr": settings.nest_lr}
    own |= {"inner_lr": up, "decoder_lr": down, "bounds": [settings.nest_bound]}
    plain = shared | {"sizes": [units, outer, core, outer, units], "lr": settings.nest_other_lr}
    compared = {"rule": ["rec", "bp"], "output_bias": ["zero", "data"]}
    seeds = settings.nest_seeds
    first = own | {"inner_first": settings.inner_first}
    return [
        settings.member("nest", "nest", own, {"learns": LEARNS}, seeds),
        settings.member("nest-inner-first", "nest", first, {"learns": ["both"]}, seeds),
        settings.member("nest-autoencoder", "autoencoder", plain, compared, seeds),
    ]


_MEMBERS: Mapping[int | str, Callable[[TourbillonFiguresSettings], list[Member]]] = {
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


def by_part(settings: TourbillonFiguresSettings) -> dict[int | str, list[Member]]:
    """Return the runs of each chosen part, in the order of the paper."""
    return {part: _MEMBERS[part](settings) for part in PARTS if part in settings.figures}


def members(settings: TourbillonFiguresSettings) -> list[Member]:
    """Return all runs, each once."""
    found = [one for part in by_part(settings).values() for one in part]
    return list({one.name: one for one in found}.values())
