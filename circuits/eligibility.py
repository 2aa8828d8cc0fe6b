"""Recurrent networks of rate neurons that learn locally in time: traces in synapses, and an error as third factor.

`x` drives the recurrent neurons, these the output `y`, beside which `error_y` compares with the labels. `third` are
feedback neurons at the recurrent neurons' site; random synapses `B` bring the error there.
"""

from __future__ import annotations

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import OneToOne
from circuitsim.circuit.parts import Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuit.weights import OWN, Fixed, Transposed
from circuitsim.circuits.choices import require_choice
from circuitsim.rules import delta, eligibility, three_factor
from circuitsim.timetable.protocol import Clock, Protocol

PERIOD = 4
"""Ticks of a step: the error is back at the synapses three ticks after their trace has been renewed."""
FEEDBACK = ("random", "transposed")


def rflo_network(
    n_in: int,
    n: int,
    n_out: int,
    steps: int,
    *,
    leak: float = 0.5,
    feedback: str = "random",
    judged: int | None = None,
    recurrent: bool = True,
) -> tuple[Circuit, Protocol]:
    """Build a network that learns by random feedback local online learning, and its presentation.

    u(t) = W x(t) + U h(t-1) + b, h(t) = (1 - a) h(t-1) + a tanh u(t), y(t) = softmax(V h(t) + c);
    e_ij(t) = (1 - a) e_ij(t-1) + a tanh'(u_i(t)) h_j(t-1), and dU_ij = sum_t (B (T - y(t)))_i e_ij(t), W likewise.

    Parameters
    ----------
    n_in, n, n_out : neurons. steps : of a presentation. leak : a, above 0, up to 1.
    feedback : weights of B: random, or transposed from V, a declared wire.
    judged : number of last steps with an error; None: all. recurrent : False leaves U out; neurons then remember by
        their leak alone, and transposed feedback gives the exact derivative.

    Source
    ------
    Murray 2019, "Local online learning in recurrent networks with random feedback".
    """
    keep = 1 - leak
    populations = [
        Population("x", n_in),
        Population("fire", n, "tanh", site="hidden"),
        Population("hidden", n),
        Population("y", n_out, "softmax"),
    ]
    projections = [
        Projection("W", "x", "fire", bias=True),
        _passes("fire", "hidden", leak),
        _passes("hidden", "hidden", keep, lag=1),
        Projection("V", "hidden", "y", bias=True),
    ]
    if recurrent:
        projections.append(Projection("U", "hidden", "fire", lag=1))
    trace = eligibility.bind(keep=keep, gain=leak)
    learned = [Plasticity(name, three_factor, third="third", trace=trace, each_step=True) for name in _own(projections)]
    learned.append(Plasticity("V", delta, post="error_y", each_step=True))
    return _finished("rflo", populations, projections, learned, feedback, steps, judged)


def eprop_network(
    n_in: int,
    n: int,
    n_out: int,
    steps: int,
    *,
    membrane: float = 0.8,
    readout: float = 0.5,
    feedback: str = "random",
    judged: int | None = None,
    recurrent: bool = True,
) -> tuple[Circuit, Protocol]:
    """Build a network that learns by e-prop, for rate neurons, and its presentation.

    v(t) = α v(t-1) + W x(t) + U z(t-1), z = tanh v, s(t) = κ s(t-1) + V z(t), y = softmax s. Beside x and z leaky
    neurons hold ε(t) = α ε(t-1) + z(t). e_ij(t) = κ e_ij(t-1) + tanh'(v_i(t)) ε_j(t-1) is the synapse's trace, and
    dU_ij = sum_t (B (T - y(t)))_i e_ij(t), W likewise with ε(t) of x.

    Parameters
    ----------
    n_in, n, n_out, steps, feedback, judged, recurrent : as for `rflo_network`.
    membrane : α, from 0 to below 1. readout : κ, likewise.

    Source
    ------
    Bellec et al. 2020, "A solution to the learning dilemma for recurrent networks of spiking neurons".
    """
    populations, projections = _leaky(n_in, n, n_out, membrane, readout)
    if recurrent:
        projections.append(Projection("U", "hidden", "v", lag=1))
    trace = eligibility.bind(keep=readout, gain=1.0)
    learned = [
        Plasticity(
            name, three_factor, pre=f"{source}_filtered", post="hidden", third="third", trace=trace, each_step=True
        )
        for name, source in (("W", "x"), ("U", "hidden"))
        if recurrent or name == "W"
    ]
    learned.append(Plasticity("V", delta, pre="hidden_slow", post="error_y", each_step=True))
    return _finished("e-prop", populations, projections, learned, feedback, steps, judged)


def _leaky(n_in: int, n: int, n_out: int, membrane: float, readout: float) -> tuple[list[Population], list[Projection]]:
    """Return leaky neurons, their inputs, and the filters beside them; v learns from x alone."""
    populations = [
        Population("x", n_in),
        Population("x_filtered", n_in, site="x"),
        Population("v", n, site="hidden"),
        Population("hidden", n, "tanh"),
        Population("hidden_filtered", n, site="hidden"),
        Population("hidden_slow", n, site="hidden"),
        Population("s", n_out, site="y"),
        Population("y", n_out, "softmax"),
    ]
    projections = [
        Projection("W", "x", "v"),
        _passes("v", "v", membrane, lag=1),
        _passes("v", "hidden"),
        Projection("V", "hidden", "s"),
        _passes("s", "s", readout, lag=1),
        _passes("s", "y"),
    ]
    for source, filtered, kept in (
        ("x", "x_filtered", membrane),
        ("hidden", "hidden_filtered", membrane),
        ("hidden", "hidden_slow", readout),
    ):
        projections += [_passes(source, filtered), _passes(filtered, filtered, kept, lag=1)]
    return populations, projections


def _passes(source: str, target: str, weight: float = 1.0, lag: int = 0) -> Projection:
    """Return synapses that pass each neuron's activity on, times a constant."""
    name = f"{source}_to_{target}"
    return Projection(name, source, target, weights=Fixed(weight), connectivity=OneToOne(), lag=lag)


def _own(projections: list[Projection]) -> list[str]:
    return [q.name for q in projections if q.name in ("W", "U")]


def _finished(
    name: str,
    populations: list[Population],
    projections: list[Projection],
    learned: list[Plasticity],
    feedback: str,
    steps: int,
    judged: int | None,
) -> tuple[Circuit, Protocol]:
    """Add the labels, the error and the way on which it comes back."""
    require_choice("feedback", f"an {name} network", feedback, FEEDBACK)
    sizes = {p.name: p.size for p in populations}
    populations += [
        Population("labels", sizes["y"], site="y"),
        Population("error_y", sizes["y"], site="y", feedback=True),
        Population("third", sizes["hidden"], site="hidden", feedback=True),
    ]
    back = Transposed("V") if feedback == "transposed" else OWN
    circuit = Circuit(
        f"{name} network with {feedback} feedback",
        tuple(populations),
        (*projections, Projection("B", "error_y", "third", weights=back)),
        "x",
        "y",
        exchanges=(Exchange("labels", "error_y", Carries.TARGET), Exchange("y", "error_y", Carries.ACTUAL)),
        plasticity=tuple(learned),
        labels="labels",
    )
    return circuit, Protocol(clock=Clock(steps, period=PERIOD, judged=steps if judged is None else judged))
