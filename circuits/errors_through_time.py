"""Errors that run over the steps of a clocked circuit backwards: backpropagation through time, and what replaces it.

Beside each population p whose synapses, or those before it, learn there are feedback neurons `error_p` at p's site. A
projection W from p to q with a lag has a feedback projection `B_W` from q's error neurons to p's with the opposite lag:
the error of step t + lag becomes one of step t. Where q multiplies its inputs, the error for one factor is the error of
q times the other factors, in feedback neurons `error_q_W` that multiply.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import OneToOne
from circuitsim.circuit.parts import Carries, Combine, Exchange, Plasticity, Population, Projection
from circuitsim.circuit.weights import OWN, Fixed, Signs, Tied, Transposed, Weights
from circuitsim.circuits.choices import require_choice
from circuitsim.errors import CircuitError
from circuitsim.rules import delta

FEEDBACK = ("bp", "fa", "kp", "ss")


def through_time(circuit: Circuit, feedback: str = "bp", taught: Sequence[str] | None = None) -> Circuit:
    """Return a circuit with error neurons, feedback synapses and rules for all synapses with weights of their own.

    Parameters
    ----------
    circuit : the forward circuit, whose output neurons project to nothing; the labels have one neuron for each.
    feedback : bp (transposed weights: backpropagation through time), fa (fixed random weights: feedback alignment
        through time), kp (random weights that learn what the forward ones learn), ss (signs of the transposed weights).
    taught : the populations that errors reach; synapses to others do not learn, and errors pass through no others.
        None: all that have synapses to learn, and all that these lead to.

    Raises
    ------
    CircuitError : output neurons with outgoing projections, a circuit that learns already, or an unknown population.

    Source
    ------
    Werbos 1990 (backpropagation through time); Lillicrap et al. 2016 (feedback alignment).
    """
    require_choice("feedback", "errors through time", feedback, FEEDBACK)
    if circuit.plasticity or circuit.labels or circuit.outgoing[circuit.outputs]:
        raise CircuitError(
            f"errors through time of circuit {circuit.name}",
            got=f"{len(circuit.plasticity)} rules, labels {circuit.labels!r}, "
            f"{len(circuit.outgoing[circuit.outputs])} projections from its output",
            expected="a forward circuit without rules, whose output neurons project to nothing",
            remedy="Give the output neurons a population of their own.",
        )
    taught = _taught(circuit) if taught is None else _known(circuit, taught)
    errors, gates = list(_errors(circuit, taught)), list(_gates(circuit, taught))
    top = circuit.population(circuit.outputs)
    labels = Population("labels", site=top.site, shape=top.shape)
    return replace(
        circuit,
        name=f"{circuit.name} with {feedback} through time",
        populations=(*circuit.populations, labels, *errors, *gates),
        projections=(
            *circuit.projections,
            *(q for gate in gates for q in _factors(circuit, gate.name)),
            *_backwards(circuit, taught, feedback),
        ),
        exchanges=(*circuit.exchanges, *_exchanges(circuit, taught)),
        plasticity=tuple(_rules(circuit, feedback, taught)),
        labels="labels",
    )


def error_of(name: str) -> str:
    """Return the name of the error neurons beside a population."""
    return f"error_{name}"


def learning(circuit: Circuit) -> list[Projection]:
    """Return the projections with weights of their own that rules may change."""
    return [q for q in circuit.projections if q.has_tensor and not q.constant and not q.refreshed]


def _taught(circuit: Circuit) -> list[str]:
    """Return the populations that an error must reach: targets of synapses that learn, and all that they lead to."""
    reached: dict[str, None] = {}
    waiting = [q.target for q in learning(circuit)]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = None
            waiting += [q.target for q in circuit.outgoing[name]]
    return [p.name for p in circuit.populations if p.name in reached]


def _known(circuit: Circuit, taught: Sequence[str]) -> list[str]:
    """Return the names of populations, or refuse one that does not exist."""
    for name in taught:
        require_choice("taught", "errors through time", name, [p.name for p in circuit.populations])
    return list(taught)


def _multiplies(circuit: Circuit, name: str) -> bool:
    return circuit.population(name).combine is Combine.PRODUCT


def _gate(q: Projection) -> str:
    """Return the name of the neurons that have the error for one factor of a product."""
    return f"error_{q.target}_{q.name}"


def _carrier(circuit: Circuit, q: Projection) -> str:
    """Return the feedback neurons whose activity is the error of what a projection brings."""
    return _gate(q) if _multiplies(circuit, q.target) else error_of(q.target)


def _errors(circuit: Circuit, taught: list[str]) -> Iterator[Population]:
    for p in map(circuit.population, taught):
        yield Population(error_of(p.name), site=p.site, feedback=True, shape=p.shape)


def _needed(circuit: Circuit, taught: list[str]) -> list[Projection]:
    """Return the projections through which an error passes back, or whose own synapses learn."""
    names = {q.name for q in learning(circuit)}
    return [q for q in circuit.projections if q.target in taught and (q.source in taught or q.name in names)]


def _gates(circuit: Circuit, taught: list[str]) -> Iterator[Population]:
    for q in _needed(circuit, taught):
        if _multiplies(circuit, q.target):
            p = circuit.population(q.target)
            yield Population(_gate(q), site=p.site, feedback=True, shape=p.shape, combine=Combine.PRODUCT)


def _factors(circuit: Circuit, gate: str) -> Iterator[Projection]:
    """Yield what a gate's error neurons multiply: the error of the product, and the other factors."""
    (q,) = (q for q in circuit.projections if _multiplies(circuit, q.target) and _gate(q) == gate)
    yield Projection(f"to_{gate}", error_of(q.target), gate, q.delay, weights=Fixed(1.0), connectivity=OneToOne())
    for other in circuit.incoming[q.target]:
        if other is not q:
            weights: Weights = other.weights if other.constant else Tied(other.tensor_owner)
            yield replace(other, name=f"{other.name}_to_{gate}", target=gate, weights=weights)


def _backwards(circuit: Circuit, taught: list[str], feedback: str) -> Iterator[Projection]:
    for q in _needed(circuit, taught):
        if q.source in taught:
            yield Projection(
                f"B_{q.name}",
                _carrier(circuit, q),
                error_of(q.source),
                q.delay,
                weights=_weights(q, feedback),
                connectivity=q.connectivity.transposed(),
                winners=q.target if circuit.population(q.target).combine is Combine.MAX else "",
                lag=-q.lag,
            )


def _weights(q: Projection, feedback: str) -> Weights:
    if q.constant:
        return q.weights
    named: dict[str, Weights] = {"bp": Transposed(q.tensor_owner), "ss": Signs(q.tensor_owner)}
    return named.get(feedback, OWN)


def _exchanges(circuit: Circuit, taught: list[str]) -> Iterator[Exchange]:
    top = circuit.outputs
    yield Exchange("labels", error_of(top), Carries.TARGET)
    yield Exchange(top, error_of(top), Carries.ACTUAL)
    for p in map(circuit.population, taught):
        if p.name != top and p.activation != "identity":
            yield Exchange(p.name, error_of(p.name), Carries.SLOPE)


def _rules(circuit: Circuit, feedback: str, taught: list[str]) -> Iterator[Plasticity]:
    for q in (q for q in learning(circuit) if q.target in taught):
        yield Plasticity(q.name, delta, post=_carrier(circuit, q), each_step=True)
        if feedback == "kp" and q.source in taught:
            yield Plasticity(f"B_{q.name}", delta, post=q.source, each_step=True)
