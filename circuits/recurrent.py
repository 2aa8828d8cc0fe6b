"""Recurrent convolutional classifiers: layers of a feedforward drive and a recurrent cell, with long-range feedback.

`layer0` is the image. Layer k has neurons `drive{k}` (relu of a convolution, `W{k}`), a cell `cell{k}` on them, and
`pool{k}`, which halves the sides of the image or more; the dense synapses `readout` lead to `y`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.connectivity import Convolution, MaxPool, Resize, Shape, size_of
from circuitsim.circuit.parts import Combine, Population, Projection
from circuitsim.circuits.cells import CELLS, make_cell
from circuitsim.circuits.choices import require_choice
from circuitsim.errors import CircuitError

KINDS = ("none", *CELLS)
UNROLLS = ("edge", "sweep")


@dataclass
class _Row:
    """Parts as they are added, from the image upwards."""

    shape: Shape
    lag: int
    activation: str
    populations: list[Population] = field(default_factory=list)
    projections: list[Projection] = field(default_factory=list)
    starts: dict[str, float] = field(default_factory=dict)
    source: str = "layer0"


def recurrent_classifier(
    shape: Shape,
    channels: Sequence[int],
    classes: int,
    cell: str = "simple",
    *,
    kernel: int = 3,
    recurrent_kernel: int = 3,
    pool: int = 2,
    top_down: bool = False,
    unroll: str = "sweep",
    blank: float = 0.0,
    activation: str = "elu",
) -> tuple[Circuit, dict[str, float]]:
    """Build the forward circuit of a recurrent classifier; `through_time` adds what it needs to learn.

    Parameters
    ----------
    shape : of the image, (channel, row, column). channels : of each layer. classes : output neurons.
    cell : none (a feedforward network), or a kind of `make_cell`.
    kernel, recurrent_kernel : sides of the windows of the drive, and of the cell.
    pool : side of the windows of which the largest activity passes on; 1: no pool.
    top_down : the last layer's cell drives the first layer a step later, through `raised` (its image enlarged to that
        layer's, bilinear) and a 1 x 1 convolution `F`.
    unroll : edge (each layer takes a step, as in the sources) or sweep (all layers within each step).
    blank : activity of the image's neurons when nothing is shown.
    activation : of the output of simple and reciprocal cells; other cells have their own.

    Returns
    -------
    The circuit, and the values with which tensors begin, by name.

    Raises
    ------
    CircuitError : an unknown cell, or an image that the pools do not divide.

    Source
    ------
    Nayebi et al. 2018, "Task-driven convolutional recurrent models of the visual system".
    """
    require_choice("cell", "a recurrent classifier", cell, KINDS)
    require_choice("unroll", "a recurrent classifier", unroll, UNROLLS)
    if any(side % pool ** len(channels) for side in shape[1:]) or (top_down and len(channels) < 2):
        raise CircuitError(
            "layers of a recurrent classifier",
            got=f"an image of shape {tuple(shape)}, {len(channels)} layers, pool {pool}, top_down={top_down}",
            expected=f"sides that pools divide without rest{', and two layers' if top_down else ''}",
            remedy="Change channels or pool.",
        )
    row = _Row(tuple(shape), 1 if unroll == "edge" else 0, activation)
    row.populations.append(Population("layer0", shape=row.shape))
    for k, count in enumerate(channels, start=1):
        _layer(row, k, count, cell, Convolution(kernel), Convolution(recurrent_kernel), pool)
    if top_down:
        _top_down(row, len(channels), cell, pool ** (len(channels) - 1))
    row.populations.append(Population("y", classes, "softmax"))
    row.projections.append(Projection("readout", row.source, "y", bias=True, lag=row.lag))
    parts = tuple(row.populations), tuple(row.projections)
    return Circuit(f"recurrent classifier, cell {cell}", *parts, "layer0", "y", blank=blank), row.starts


def _layer(row: _Row, k: int, count: int, cell: str, drive: Convolution, recurrent: Convolution, pool: int) -> None:
    shape = (count, *row.shape[1:])
    row.populations.append(Population(f"drive{k}", shape=shape, activation="relu"))
    windows: dict[str, Any] = {"bias": True, "connectivity": drive, "lag": row.lag}
    row.projections.append(Projection(f"W{k}", row.source, f"drive{k}", **windows))
    top = f"drive{k}"
    if cell != "none":
        made = make_cell(cell, f"cell{k}", top, shape, inputs=recurrent, recurrent=recurrent,
                         activation=row.activation)  # fmt: skip
        row.populations += made.populations
        row.projections += made.projections
        row.starts |= made.starts
        top = made.output
    row.shape, row.source = shape, top
    if pool > 1:
        row.shape = (count, shape[1] // pool, shape[2] // pool)
        row.populations.append(Population(f"pool{k}", shape=row.shape, combine=Combine.MAX))
        row.projections.append(Projection(f"to_pool{k}", top, f"pool{k}", connectivity=MaxPool(pool)))
        row.source = f"pool{k}"


def _top_down(row: _Row, last: int, cell: str, factor: int) -> None:
    """Add the way from the last layer to the first."""
    top = f"{'drive' if cell == 'none' else 'cell'}{last}"
    shapes = {p.name: p.shape for p in row.populations}
    source = top
    if factor > 1:
        count, rows, columns = shapes[top]
        row.populations.append(Population("raised", shape=(count, rows * factor, columns * factor)))
        row.projections.append(Projection("to_raised", top, "raised", connectivity=Resize()))
        source = "raised"
    row.projections.append(Projection("F", source, "drive1", connectivity=Convolution(1), lag=1))


def weights_of(circuit: Circuit) -> int:
    """Return the number of weights and biases of a circuit's own."""
    own = [q for q in circuit.projections if q.has_tensor and not q.constant]
    biases = [size_of(circuit.bias_shape(q.name)) for q in own if q.bias]
    return sum(size_of(circuit.tensor_shape(q.name)) for q in own) + sum(biases)
