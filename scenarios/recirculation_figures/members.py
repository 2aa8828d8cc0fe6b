"""The members of `recirculation-figures`, with the circuits, rules and rates of the paper (section 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from circuitsim.circuits.autoencoder import VARIANTS
from circuitsim.runs.scenario import Member
from circuitsim.scenarios.fields import FEATURES
from circuitsim.scenarios.recirculation_figures.settings import PARTS, RecirculationFiguresSettings

RULES = ("rec", "bp", "rbp", "srbp", "top")
LINEAR, TANH = "linear", "tanh"
SAMPLED = ("bp", "srbp", "rec")  # Figure 7
LOOP_EXAMPLES = 200
DEEP_LOOP_EXAMPLES = 10  # one eigenvalue problem for each where units are not linear
Values = dict[str, Any]


def values(settings: RecirculationFiguresSettings, dataset: str, layers: int, kind: str) -> Values:
    """Return the settings of an autoencoder: linear and bounded, or tanh below a logistic output.

    Rates are 0.01, a tenth of it with three hidden layers, and a tenth of that for Lowrank.
    """
    hidden = [settings.narrow] if layers == 1 else [settings.wide, settings.narrow, settings.wide]
    found = settings.shared("output_bias") | {
        "dataset": dataset,
        "sizes": [FEATURES[dataset], *hidden, FEATURES[dataset]],
        "lr": settings.lr / (1 if layers == 1 else 10) / (10 if dataset == "lowrank" else 1),
    }
    if kind == LINEAR:
        found |= {"hidden": "identity", "output": "identity", "max_norm": settings.max_norm}
    return found


def _member(
    settings: RecirculationFiguresSettings, name: str, own: Values, vary: Mapping[str, Sequence[Any]], seeds: int = 0
) -> Member:
    """Return a run of autoencoders, with no values of the keys that it varies."""
    kept = {key: value for key, value in own.items() if key not in vary}
    return settings.member(name, "autoencoder", kept, vary, seeds)


def _panels(
    settings: RecirculationFiguresSettings,
    part: str,
    vary: Mapping[str, Sequence[Any]],
    *,
    dataset: str = "",
    kinds: Sequence[str] = (LINEAR, TANH),
    **own: Any,
) -> list[Member]:
    """Return a run for each panel of a figure: each kind of units, each number of hidden layers."""
    return [
        _member(
            settings, f"{part}-{kind}-{layers}", values(settings, dataset or settings.dataset, layers, kind) | own, vary
        )
        for kind in kinds
        for layers in settings.hidden_layers
    ]


def _figure_4(settings: RecirculationFiguresSettings) -> list[Member]:
    return _panels(settings, "figure-4", {"rule": RULES}, dataset="lowrank", kinds=(LINEAR,))


def _figure_5(settings: RecirculationFiguresSettings) -> list[Member]:
    return _panels(settings, "figure-5", {"rule": RULES})


def _figure_6(settings: RecirculationFiguresSettings) -> list[Member]:
    return _panels(settings, "figure-6", {"rule": RULES}, dataset="fashion-mnist")


def _figure_7(settings: RecirculationFiguresSettings) -> list[Member]:
    """Return a run of one seed with both initial output biases, since one of them may not train."""
    own = values(settings, settings.dataset, 3, LINEAR)
    return [_member(settings, "figure-7", own, {"output_bias": ["data", "zero"], "rule": SAMPLED}, seeds=1)]


def halved(settings: RecirculationFiguresSettings) -> list[float]:
    """Return lr / 2^n for the n-th layer below the output (Figure 8)."""
    top = settings.depth + 1
    return [settings.lr / 2.0 ** (top - h) for h in range(1, top + 1)]


def _figure_8(settings: RecirculationFiguresSettings) -> list[Member]:
    own = values(settings, settings.dataset, 1, TANH) | {"loop_examples": DEEP_LOOP_EXAMPLES}
    own["sizes"] = [own["sizes"][0], *[settings.wide] * settings.depth, own["sizes"][0]]
    return [
        _member(settings, "figure-8-rec", own, {"lr": [halved(settings), settings.lr]}),
        _member(settings, "figure-8-others", own | {"lr": settings.lr}, {"rule": ["bp", "top"]}),
    ]


def _figure_9(settings: RecirculationFiguresSettings) -> list[Member]:
    return _panels(settings, "figure-9", {"variant": VARIANTS}, lam=settings.lam, compensate=settings.compensate)


def _figure_10(settings: RecirculationFiguresSettings) -> list[Member]:
    cycles = list(range(1, settings.cycles + 1))
    return _panels(settings, "figure-10", {"cycles": cycles}, top_rule="gradient")


def _mixing(settings: RecirculationFiguresSettings) -> list[Member]:
    """Return a run that varies layer 0's coefficients, then runs that vary the hidden layers' (PR, CCR and RCC)."""
    grid, lam = settings.mixing, settings.lam
    own = values(settings, settings.dataset, 3, TANH) | {"compensate": settings.compensate}
    found = [_mixed(settings, "layer-0", own, [[e, 0.0] for e in grid], [[m, 0.0] for m in grid])]
    for variant, (emits, remembers) in (("pr", (0.0, 0.0)), ("ccr", (0.0, lam)), ("rcc", (lam, lam))):
        found.append(_mixed(settings, variant, own, [[emits, e] for e in grid], [[remembers, m] for m in grid]))
    return found


def _mixed(
    settings: RecirculationFiguresSettings, name: str, own: Values, emits: Sequence[Any], remembers: Sequence[Any]
) -> Member:
    return _member(settings, f"mixing-{name}", own, {"emits": emits, "remembers": remembers})


def _lambdas(settings: RecirculationFiguresSettings) -> list[Member]:
    own = values(settings, settings.dataset, 3, TANH) | {"compensate": settings.compensate}
    pairs = [[first, second] for first in settings.mixing for second in settings.mixing]
    return [_member(settings, "lambdas", own, {"variant": ["ccrcc", "rwcc"], "lam": pairs})]


def _cycle_pairs(settings: RecirculationFiguresSettings) -> list[Member]:
    """Return a run for each reference cycle n: the later cycle varies."""
    own = values(settings, settings.dataset, 1, TANH) | {"top_rule": "gradient"}
    last = settings.cycles
    return [
        _member(settings, f"cycle-pairs-{n}", own | {"reference_cycle": n}, {"cycles": list(range(n + 1, last + 1))})
        for n in range(last)
    ]


def _errors(settings: RecirculationFiguresSettings) -> list[Member]:
    return _panels(settings, "error-recirculation", {"rule": ["rec", "error-rec"], "bias": [True, False]})


def _divergence(settings: RecirculationFiguresSettings) -> list[Member]:
    """Return linear circuits with three hidden layers that learn the same few examples, measured at short intervals."""
    own = values(settings, settings.dataset, 3, LINEAR) | {"loop_examples": LOOP_EXAMPLES, "epochs": settings.intervals}
    own["train_limit"] = min(settings.interval * settings.batch, settings.train_limit or 10**9)
    base = own["lr"]
    vary = {"max_norm": settings.bounds, "lr": [base * factor for factor in settings.rates]}
    return [_member(settings, f"divergence-{start}", own | {"output_bias": start}, vary) for start in ("data", "zero")]


_MEMBERS: Mapping[int | str, Callable[[RecirculationFiguresSettings], list[Member]]] = {
    4: _figure_4,
    5: _figure_5,
    6: _figure_6,
    7: _figure_7,
    8: _figure_8,
    9: _figure_9,
    10: _figure_10,
    "mixing": _mixing,
    "lambdas": _lambdas,
    "cycle-pairs": _cycle_pairs,
    "error-recirculation": _errors,
    "divergence": _divergence,
}


def members(settings: RecirculationFiguresSettings) -> list[Member]:
    """Return the runs of the chosen figures, in the order of the paper."""
    return [member for part in PARTS if part in settings.figures for member in _MEMBERS[part](settings)]
