"""Circular autoencoders: layer L is layer 0, and the target is the input.

Populations `layer0` ... `layer{L}`, the first and the last at one site; projections `A1` ... `A{L}`. Recirculation
uses only these. The baselines add feedback neurons `error{h}` beside each layer and feedback
projections `B{h}` (from layer h to h - 1) or `D{h}` (from the output to h).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import size_of
from circuitsim.circuit.parts import Activates, Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuit.weights import OWN, Transposed
from circuitsim.circuits.choices import refuse_sizes, require_choice
from circuitsim.circuits.places import Layers, as_layers
from circuitsim.errors import CircuitError
from circuitsim.rules import (
    Rule,
    builtin_rule,
    delta,
    error_recirculation,
    local_rule,
    recirculation,
    recirculation_symmetric,
    recirculation_symmetric_bias,
)
from circuitsim.timetable.protocol import Protocol

RECIRCULATING = ("rec", "rec-symmetric", "error-rec")
ERROR_DRIVEN = ("bp", "rbp", "srbp", "arbp", "top")
RULES = (*RECIRCULATING, *ERROR_DRIVEN)
VARIANTS = ("pr", "ccr", "rcc", "ccrcc", "rwcc")
TOP_RULES = ("same", "gradient", "own")


def circular_autoencoder(
    layers: Layers | Sequence[int],
    rule: str | Rule | Callable[..., Any] = "rec",
    *,
    hidden: Activates = "tanh",
    output: Activates = "logistic",
    bias: bool = True,
    delay: int = 1,
    cycles: int = 1,
    reference_cycle: int = 0,
    top_rule: str = "same",
    bounded: bool = False,
    window: int | None = None,
) -> tuple[Circuit, Protocol]:
    """Build a circular autoencoder, whose output layer is its input layer, and one presentation.

    Parameters
    ----------
    layers : layers above an input (`parse_layers`), or units in layers 0 ... L, all of them dense; the last has the
        shape of the first. Neurons without weights of their own (pools, sums, upsampling) pass signals on unmixed.
    rule : rec, rec-symmetric, error-rec, bp, rbp, srbp, arbp, top; or a local rule for the layers below the top, which
        keeps recirculation.
    hidden, output : activation functions. bias : True gives neurons a bias. delay : of every projection, ticks.
    cycles, reference_cycle : m and n; recirculation compares cycle n with cycle m.
    top_rule : post term of the top layer: `same` (memories of layer 0 of cycles n and m), `gradient` (of cycles 0 and
        1), `own` (activity of layer L in cycles n and m).
    bounded : True bounds the norm of each neuron's incoming weights (parameter max_norm).
    window : memory of neurons, ticks; None: as long as the rules need.

    Returns
    -------
    The circuit and the protocol. The parameters `emits` and `remembers` set how neurons mix cycles.

    Source
    ------
    Baldi & Sadowski 2018, Figure 2, sections 4 to 6; Tavakoli, Sadowski & Baldi, Tourbillon, eqs. 3, 4.
    """
    row = _checked(layers, rule, top_rule, cycles, reference_cycle)
    recirculates = not isinstance(rule, str) or rule in RECIRCULATING
    populations = [
        replace(
            p,
            site=row.places[0].name if place is row.top else p.site,
            mixes=recirculates and place is not row.top and (place.kind == "input" or place.h is not None),
            bounded=bounded and place.h is not None,
        )
        for place, p in zip(row.places, row.populations(hidden, output), strict=True)
    ]
    forward = row.upwards("A", delay, bias)
    if recirculates:
        n, m = (0, 1) if rule == "error-rec" else (reference_cycle, cycles)
        circuit = _recirculating(row, populations, forward, rule, n, m, top_rule)
        return circuit, Protocol(cycles=max(m, 1), window=window)
    return _error_driven(row, populations, forward, str(rule), delay), Protocol(window=window)


def variant_coefficients(variant: str, lam: float | Sequence[float], top: int) -> dict[str | tuple[str, str], float]:
    """Return the parameters `emits` and `remembers` of layers 0 ... top - 1 for a named variant.

    Parameters
    ----------
    variant : pr, ccr, rcc, ccrcc, rwcc.
    lam : the memory coefficient, or two: the first for emissions and for the memory of layer 0, the second for the
        memory of hidden layers (CCR uses the second throughout).

    Source
    ------
    Baldi & Sadowski 2018, Tables 1 to 4 and section 4.2.4.
    """
    first, second = (lam, lam) if isinstance(lam, (int, float)) else lam
    input_pair, hidden_pair = {
        "pr": ((0.0, 0.0), (0.0, 0.0)),
        "ccr": ((0.0, second), (0.0, second)),
        "rcc": ((first, first), (0.0, 0.0)),
        "ccrcc": ((first, first), (0.0, second)),
        "rwcc": ((first, first), (first, second)),
    }[variant]
    found: dict[str | tuple[str, str], float] = {}
    for h in range(top):
        for quantity, value in zip(("emits", "remembers"), input_pair if h == 0 else hidden_pair, strict=True):
            found[f"layer{h}", quantity] = float(value)
    return found


def mixing_losses(mixing: Mapping[str | tuple[str, str], float], top: int, top_rule: str = "same") -> list[float]:
    """Factors by which mixing scales the post terms of layers 1 ... L, to first order in the error.

        (1 - e_0) ... (1 - e_{h-1}) (1 - m_h) for h < L;  1 - m_0 for h = L

    With `top_rule` own the top has (1 - e_0) ... (1 - e_{L-1}). Rates divided by these factors undo the scaling.

    Parameters
    ----------
    mixing : `emits` and `remembers` (e, m) of layers 0 ... L - 1, as `variant_coefficients` returns them.

    Source
    ------
    Baldi & Sadowski 2018, eqs. 26 to 30, for any mixture. They give (1 - lambda)^2 for RWCC too; every layer below
    that emits a mixture adds a factor, so layer h has (1 - lambda)^(h + 1).
    """
    found, passed = [], 1.0
    for h in range(1, top):
        passed *= 1 - mixing[f"layer{h - 1}", "emits"]
        found.append(passed * (1 - mixing[f"layer{h}", "remembers"]))
    passed *= 1 - mixing[f"layer{top - 1}", "emits"]
    return [*found, passed if top_rule == "own" else 1 - mixing["layer0", "remembers"]]


def _checked(layers: Layers | Sequence[int], rule: Any, top_rule: str, cycles: int, reference: int) -> Layers:
    """Return the layers, once all arguments have been checked."""
    subject = "a circular autoencoder"
    if isinstance(rule, str):
        require_choice("rule", subject, rule, RULES, other=", or a local rule")
    require_choice("top_rule", subject, top_rule, TOP_RULES)
    if not isinstance(layers, Layers) and (len(layers) < 2 or layers[0] != layers[-1]):
        expected = "at least two layers, the last as large as the first"
        refuse_sizes(subject, layers, expected, "Layer L is layer 0: repeat the first size at the end.")
    row = as_layers(layers)
    if row.top.h is None or size_of(row.top.shape) != size_of(row.places[0].shape):
        raise CircuitError(
            "layers of a circular autoencoder",
            got=f"{row.top.kind} of shape {row.top.shape} at the top",
            expected=f"a layer with weights and the input's shape, {row.places[0].shape}",
            remedy="List the decoder too.",
        )
    if row.top.dropout:
        raise CircuitError(
            "layers of a circular autoencoder",
            got="a drop at the top",
            expected="an output of which no neuron is silent",
            remedy="Put it below the last layer.",
        )
    if not 0 <= reference < cycles:
        raise CircuitError(
            "cycles of a circular autoencoder",
            got=f"reference_cycle {reference} and cycles {cycles}",
            expected="0 <= reference_cycle < cycles",
            remedy="The rule compares an earlier cycle with a later one.",
        )
    return row


def _recirculating(
    row: Layers,
    populations: list[Population],
    forward: list[Projection],
    rule: str | Callable[..., Any],
    n: int,
    m: int,
    top_rule: str,
) -> Circuit:
    top = max(row.weighted)
    returned = Carries.ERROR if rule == "error-rec" else Carries.OUTPUT
    below, below_bias = _lower_rules(rule, n, m)
    plasticity = [Plasticity(f"A{h}", below, below_bias) for h in range(1, top)]
    if rule == "error-rec":
        highest = Plasticity(f"A{top}", error_recirculation, post="layer0")
    else:
        # `gradient` keeps the presynaptic activity of cycle n: top_rule sets only the post term
        chosen = recirculation.bind(n=n, m=m) if top_rule != "gradient" else _gradient.bind(n=n)
        highest = Plasticity(f"A{top}", chosen, post=row.top.name if top_rule == "own" else "layer0")
    return Circuit(
        "circular autoencoder",
        tuple(populations),
        tuple(forward),
        inputs="layer0",
        outputs=row.top.name,
        exchanges=(Exchange(row.top.name, "layer0", returned),),
        plasticity=(*plasticity, highest),
        local=populations[-1].activation != "softmax" and not row.shares,
    )


@builtin_rule
def _gradient(pre, post, w, *, n=0):  # type: ignore[no-untyped-def]
    """dw_ij = (O_i(0) - O_i(1)) O_j(n): the gradient of the top layer for any cycles compared below it (Figure 10)."""
    return (post.at(0) - post.at(1)) * pre.at(n)


def _lower_rules(rule: str | Callable[..., Any], n: int, m: int) -> tuple[Rule, Rule | None]:
    """Return the rules of weights and biases below the top."""
    if rule == "error-rec":
        return error_recirculation, None
    if rule == "rec-symmetric":
        return recirculation_symmetric.bind(n=n, m=m), recirculation_symmetric_bias.bind(n=n, m=m)
    if rule == "rec":
        return recirculation.bind(n=n, m=m), None
    assert not isinstance(rule, str)
    return local_rule(rule), None


def _error_driven(
    row: Layers, populations: list[Population], forward: list[Projection], rule: str, delay: int
) -> Circuit:
    """Add feedback neurons beside each layer that learns, and projections that carry errors down, or directly."""
    taught = [row.top] if rule == "top" else [p for p in row.taught if p.h is not None or rule != "srbp"]
    errors = [
        Population(
            place.error,
            size_of(place.shape),
            site="layer0" if place is row.top else place.name,
            feedback=True,
            shape=place.shape,
        )
        for place in taught
    ]
    exchanges = [
        Exchange("layer0", row.top.error, Carries.TARGET),
        Exchange(row.top.name, row.top.error, Carries.ACTUAL),
        *(Exchange(place.name, place.error, Carries.SLOPE) for place in taught if place is not row.top),
    ]
    feedback = _carriers(row, rule, delay)
    plasticity = [Plasticity(f"A{place.h}", delta, post=place.error) for place in taught if place.h is not None]
    if rule == "arbp":
        # the increment of A{h} mirrored: activity of the layer below times the error of layer h; no velocity
        learning = [h for h in row.weighted if h > 1]
        plasticity += [Plasticity(f"B{h}", delta, post=row.source(h).name, momentum=False) for h in learning]
    return Circuit(
        f"autoencoder with {rule}",
        tuple(populations + errors),
        (*forward, *feedback),
        inputs="layer0",
        outputs=row.top.name,
        exchanges=tuple(exchanges),
        plasticity=tuple(plasticity),
        local=rule != "bp" and populations[-1].activation != "softmax" and not row.shares,
    )


def _carriers(row: Layers, rule: str, delay: int) -> list[Projection]:
    """Return the projections that carry the errors of a rule."""
    if rule == "top":
        return []
    if rule == "srbp":
        below = [place for place in row.weighted.values() if place is not row.top]
        return [Projection(f"D{place.h}", row.top.error, place.error, delay) for place in below]
    found = []
    for place in row.taught[1:]:
        if place.h is None:
            found += row.downwards(place, delay)
        else:
            weights = Transposed(f"A{place.h}") if rule == "bp" else OWN
            q = Projection(f"B{place.h}", place.error, row.source(place.h).error, delay, weights=weights)
            found.append(replace(q, connectivity=place.connectivity.transposed()))
    return found
