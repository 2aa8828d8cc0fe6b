"""Recurrent cells as circuits of gated populations, one function a cell.

A cell takes in the activity of one population and remembers from step to step. Its populations are compartments of one
site. `W_NAME` and `U_NAME` are the synapses of its compartment NAME from the input and from the cell itself; gates are
populations that multiply. In the equations x is the input, h' the output, all other states are of the step before, σ
the logistic function, W* a projection of any connectivity, ⊙ the product of neurons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from circuitsim.circuit.connectivity import DENSE, Connectivity, OneToOne, Shape, Table, size_of
from circuitsim.circuit.parts import Combine, Population, Projection
from circuitsim.circuit.weights import OWN, Fixed
from circuitsim.circuits.choices import require_choice


@dataclass(frozen=True)
class Cell:
    """Populations and projections of one cell.

    Parameters
    ----------
    output : the population that other circuits read, which has the cell's name.
    states : the populations whose activity the next step reads.
    gates : the populations whose activity multiplies others, from 0 to 1.
    starts : values with which tensors begin, by name; others are drawn.
    """

    output: str
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    states: tuple[str, ...]
    gates: tuple[str, ...]
    starts: dict[str, float]


def make_cell(
    kind: str,
    name: str,
    source: str,
    shape: Shape,
    *,
    inputs: Connectivity = DENSE,
    recurrent: Connectivity = DENSE,
    lag: int = 0,
    activation: str = "elu",
) -> Cell:
    """Return a cell.

    Parameters
    ----------
    kind : decay, simple, gru, lstm, ugrnn, intersection, reciprocal.
    name : of the output population. source : the population that the cell takes in. shape : of each compartment; decay
        and intersection pass the input on neuron by neuron, so the source has the same number of neurons there.
    inputs, recurrent : connectivity of the synapses from the source, and of those within the cell.
    lag : steps from the source to the cell. activation : of the output of simple and reciprocal cells.
    """
    require_choice("kind", "a cell", kind, tuple(CELLS))
    made = _Parts(name, source, shape, inputs, recurrent, lag)
    CELLS[kind](made, activation)
    return made.finished()


@dataclass
class _Parts:
    """The parts of a cell as they are added; a part is a compartment's name within the cell, "" its output."""

    name: str
    source: str
    shape: Shape
    inputs: Connectivity
    recurrent: Connectivity
    lag: int
    populations: list[Population] = field(default_factory=list)
    projections: list[Projection] = field(default_factory=list)
    gates: list[str] = field(default_factory=list)
    starts: dict[str, float] = field(default_factory=dict)

    def full(self, part: str) -> str:
        """Return the population of a compartment."""
        return f"{self.name}_{part}" if part else self.name

    def neurons(self, part: str, activation: str = "identity", combine: Combine = Combine.SUM) -> None:
        """Add a compartment."""
        site = f"{self.name} cell"
        self.populations.append(Population(self.full(part), site=site, activation=activation, shape=self.shape,
                                           combine=combine))  # fmt: skip

    def driven(self, part: str, activation: str, *states: str, bias: float | None = 0.0, own: int = 1) -> None:
        """Add a compartment that takes in the input and states of `own` steps before; bias None: it has none."""
        self.neurons(part, activation)
        self.synapses(f"W_{self.full(part)}", self.source, part, self.inputs, self.lag, bias)
        for state in states:
            self.synapses(f"U_{self.full(part)}", self.full(state), part, self.recurrent, own, None)

    def gate(self, part: str, state: str, bias: float = 0.0) -> None:
        """Add a compartment that reads one state of the step before, and fires from 0 to 1."""
        self.neurons(part, "logistic")
        self.synapses(f"U_{self.full(part)}", self.full(state), part, self.recurrent, 1, bias)

    def synapses(
        self, name: str, source: str, part: str, connectivity: Connectivity, lag: int, bias: float | None
    ) -> None:
        """Add synapses that learn; bias: the value with which it begins."""
        made = Projection(name, source, self.full(part), bias=bias is not None, connectivity=connectivity, lag=lag)
        self.projections.append(made)
        if bias:
            self.starts[f"{name}.bias"] = bias

    def passes(self, source: str, part: str, weight: float = 1.0, lag: int = 0) -> None:
        """Project each neuron of a population to one of a compartment, times a constant."""
        name = f"{source}_to_{self.full(part)}"
        self.projections.append(Projection(name, source, self.full(part), weights=Fixed(weight),
                                           connectivity=OneToOne(), lag=lag))  # fmt: skip

    def product(self, part: str, gate: str, other: str, lag: int = 0) -> None:
        """Add a compartment that multiplies a gate of this step with another compartment of `lag` steps before."""
        self.neurons(part, combine=Combine.PRODUCT)
        self.passes(self.full(gate), part)
        self.passes(self.full(other), part, lag=lag)
        self.gates.append(self.full(gate))

    def mixture(self, part: str, gate: str, first: str, second: str, lag: int = 0) -> None:
        """Add g ⊙ first + (1 - g) ⊙ second, as second + g ⊙ (first - second); `first` is of `lag` steps before."""
        own = f"{part}_" if part else ""
        self.neurons(f"{own}difference")
        self.passes(first, f"{own}difference", lag=lag)
        self.passes(self.full(second), f"{own}difference", -1.0)
        self.product(f"{own}gated", gate, f"{own}difference")
        self.neurons(part)
        self.passes(self.full(second), part)
        self.passes(self.full(f"{own}gated"), part)

    def finished(self) -> Cell:
        """Return the cell."""
        own = {p.name for p in self.populations}
        states = dict.fromkeys(q.source for q in self.projections if q.source in own and q.lag)
        parts = tuple(self.populations), tuple(self.projections)
        return Cell(self.name, *parts, tuple(states), tuple(dict.fromkeys(self.gates)), self.starts)


def _decay(cell: _Parts, activation: str) -> None:
    """Time decay: h' = τ h + x, with one τ that all neurons share, 0 at first."""
    cell.neurons("")
    cell.passes(cell.source, "", lag=cell.lag)
    every = tuple(range(size_of(cell.shape)))
    shared = Table(every, every, (0,) * len(every))
    cell.projections.append(Projection(f"U_{cell.name}", cell.name, cell.name, connectivity=shared, weights=OWN, lag=1))
    cell.starts[f"U_{cell.name}.weight"] = 0.0


def _simple(cell: _Parts, activation: str) -> None:
    """Simple cell: h' = f(W*x + U*h + b)."""
    cell.driven("", activation, "")


def _gru(cell: _Parts, activation: str) -> None:
    """Gated recurrent unit (Cho et al. 2014).

    r, u = σ(W*x + U*h + b), b of r begins at 1; c = tanh(W*x + U*(r ⊙ h) + b); h' = u ⊙ h + (1 - u) ⊙ c.
    """
    cell.driven("reset", "logistic", "", bias=1.0)
    cell.driven("update", "logistic", "")
    cell.product("kept", "reset", "", lag=1)
    cell.driven("candidate", "tanh", "kept", own=0)
    cell.mixture("", "update", cell.name, "candidate", lag=1)


def _lstm(cell: _Parts, activation: str) -> None:
    """Long short-term memory (Hochreiter & Schmidhuber 1997).

    i, f, o = σ(W*x + U*h + b), b of f begins at 1; j = tanh(W*x + U*h + b); c' = f ⊙ c + i ⊙ j; h' = o ⊙ tanh(c').
    """
    for part, bias in (("in", 0.0), ("forget", 1.0), ("out", 0.0)):
        cell.driven(part, "logistic", "", bias=bias)
    cell.driven("new", "tanh", "")
    cell.product("kept", "forget", "state", lag=1)
    cell.product("added", "in", "new")
    cell.neurons("state")
    for part in ("kept", "added"):
        cell.passes(cell.full(part), "state")
    cell.neurons("bent", "tanh")
    cell.passes(cell.full("state"), "bent")
    cell.product("", "out", "bent")


def _ugrnn(cell: _Parts, activation: str) -> None:
    """Update gate cell (Collins et al. 2017): g = σ(W*x + U*h + b), b begins at 1; h' = g ⊙ h + (1 - g) ⊙ c.

    c = tanh(W*x + U*h + b).
    """
    cell.driven("update", "logistic", "", bias=1.0)
    cell.driven("candidate", "tanh", "")
    cell.mixture("", "update", cell.name, "candidate", lag=1)


def _intersection(cell: _Parts, activation: str) -> None:
    """Intersection cell (Collins et al. 2017), whose input has as many neurons as its output.

    g, k = σ(W*x + U*s + b), b begins at 1; s' = g ⊙ s + (1 - g) ⊙ tanh(W*x + U*s + b);
    h' = k ⊙ x + (1 - k) ⊙ relu(W*x + U*s + b).
    """
    cell.driven("hold", "logistic", "state", bias=1.0)
    cell.driven("bypass", "logistic", "state", bias=1.0)
    cell.driven("candidate", "tanh", "state")
    cell.driven("answer", "relu", "state")
    cell.mixture("state", "hold", cell.full("state"), "candidate", lag=1)
    cell.mixture("", "bypass", cell.source, "answer", lag=cell.lag)


def _reciprocal(cell: _Parts, activation: str) -> None:
    """Reciprocal gated cell (Nayebi et al. 2018): the state c gates the input of the output o, and o that of c.

    c' = f[(1 - σ(T*c + b)) ⊙ c + (1 - σ(G*o + b)) ⊙ W*x], o' likewise with c and o exchanged and weights of its own.
    (1 - σ) ⊙ y is y - σ ⊙ y.
    """
    for part, other in (("state", ""), ("", "state")):
        own = f"{part}_" if part else ""
        cell.driven(f"{own}drive", "identity", bias=None)
        cell.gate(f"{own}decay", part)
        cell.gate(f"{own}gate", other)
        cell.product(f"{own}decayed", f"{own}decay", part, lag=1)
        cell.product(f"{own}gated", f"{own}gate", f"{own}drive")
        cell.neurons(part, activation)
        cell.passes(cell.full(part), part, lag=1)
        cell.passes(cell.full(f"{own}decayed"), part, -1.0)
        cell.passes(cell.full(f"{own}drive"), part)
        cell.passes(cell.full(f"{own}gated"), part, -1.0)


CELLS: dict[str, Callable[[_Parts, str], None]] = {
    "decay": _decay,
    "simple": _simple,
    "gru": _gru,
    "lstm": _lstm,
    "ugrnn": _ugrnn,
    "intersection": _intersection,
    "reciprocal": _reciprocal,
}
"""The function that adds the parts of each kind of cell."""
