"""Long-range feedback edges of a recurrent classifier that carry errors, beside activity or in place of it.

The edges `F` lead from the last of two layers, through `raised`, to the first. As edges for inference they bring
activity to the next step (`recurrent_classifier(..., top_down=True)`). As edges for learning they bring the errors of
the last layer, each at its own step, to feedback neurons beside the first: the same synapses pass another signal.
"""

from __future__ import annotations

from dataclasses import replace

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import Convolution, Resize
from circuitsim.circuit.parts import Carries, Exchange, Plasticity, Population, Projection
from circuitsim.circuit.weights import OWN, Tied
from circuitsim.circuits.choices import require_choice
from circuitsim.circuits.errors_through_time import error_of, through_time
from circuitsim.errors import CircuitError
from circuitsim.rules import delta

ROUTES = ("layers", "edges", "plastic-edges", "last")
FIRST, LAST, RAISED, EDGES = "drive1", "drive2", "raised", "F"


def errors_by(forward: Circuit, route: str, feedback: str = "bp") -> Circuit:
    """Return a recurrent classifier that learns from errors which reach its first layer by a route.

    Parameters
    ----------
    forward : a circuit of `recurrent_classifier`; for edges and last it has two layers and no cells.
    route : layers (back through every layer and step, through the edges too if there are any: `through_time`), edges
        (from the last layer through the long-range edges, whose random weights do not change), plastic-edges (likewise,
        and the edges learn from the activity and the errors that they bring), last (the errors reach the last layer
        alone; the first stays as it is).
    feedback : the weights of the feedback synapses beside the layers, as for `through_time`.

    Raises
    ------
    CircuitError : an unknown route, layers that have none, or edges that shall learn and bring no activity.

    Source
    ------
    Nayebi 2020, "The role of feedback": do feedback connections serve inference or learning? Errors that pass over the
    layers between: Nokland 2016, "Direct feedback alignment".
    """
    require_choice("errors", "a recurrent classifier", route, ROUTES)
    if route == "layers":
        return through_time(forward, feedback)
    _check(forward, route)
    last = [p.name for p in forward.populations if p.name in (LAST, "pool2", forward.outputs)]
    circuit = replace(through_time(forward, feedback, last), name=f"{forward.name}, {feedback}, errors by {route}")
    if route == "last":
        return circuit
    learning = ("W1", EDGES) if route == "plastic-edges" else ("W1",)
    rules = [Plasticity(name, delta, post=error_of(FIRST), each_step=True) for name in learning]
    return replace(_edges(circuit), plasticity=(*circuit.plasticity, *rules))


def _check(forward: Circuit, route: str) -> None:
    """Refuse layers without a first and a last, and edges that bring nothing from which they could learn."""
    names = {p.name for p in forward.populations}
    layered = LAST in names and "drive3" not in names and not any(name.startswith("cell") for name in names)
    if not layered or (route == "plastic-edges" and RAISED not in names):
        raise CircuitError(
            f"errors of {forward.name}",
            got=f"route {route!r}, populations {', '.join(sorted(names))}",
            expected="two layers without cells, with top_down=True for plastic-edges",
            remedy='Give two channels and cell="none", or errors="layers".',
        )


def _edges(circuit: Circuit) -> Circuit:
    """Add the way of errors through the edges to the first layer."""
    first, last = circuit.population(FIRST), circuit.population(LAST)
    carry = (last.shape[0], *first.shape[1:])
    active = RAISED in {p.name for p in circuit.populations}
    errors = (
        Population(error_of(RAISED), site=RAISED, shape=carry, feedback=True),
        Population(error_of(FIRST), site=first.site, shape=first.shape, feedback=True),
    )
    edges = (
        Projection(f"to_{error_of(RAISED)}", error_of(LAST), error_of(RAISED), connectivity=Resize()),
        Projection(f"B_{EDGES}" if active else EDGES, error_of(RAISED), error_of(FIRST), connectivity=Convolution(1),
                   weights=Tied(EDGES) if active else OWN),
    )  # fmt: skip
    return replace(
        circuit,
        populations=(*circuit.populations, *errors),
        projections=(*circuit.projections, *edges),
        exchanges=(*circuit.exchanges, Exchange(FIRST, error_of(FIRST), Carries.SLOPE)),
    )
