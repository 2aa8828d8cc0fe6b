"""Figures of merit of the circular autoencoders that a larger circuit is built of, for all replicas at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from circuitsim.analysis.alignment import degrees_between
from circuitsim.circuit.circuit import Circuit

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator

Figures = dict[str, np.ndarray]


@dataclass(frozen=True)
class Loop:
    """A block as it is found in a circuit: what is reconstructed, where, and the projections up and down."""

    source: str
    image: str
    encoder: str
    decoder: str


def loops(circuit: Circuit) -> list[Loop]:
    """The blocks of a circuit, in the order of their decoders: projections that lead to other neurons of their site."""
    found = []
    for down in circuit.projections:
        image = circuit.population(down.target)
        if image.feedback or image.site == image.name or image.site not in circuit.index:
            continue
        encoders = (q for q in circuit.incoming[down.source] if circuit.population(q.source).site == image.site)
        found += [Loop(image.site, image.name, up.name, down.name) for up in encoders]
    return found


def block_errors(simulator: Simulator, x: np.ndarray) -> Figures:
    """How well each block reconstructs what is below it, for block b = 1, 2, ..., each (replica,).

    mse/b : squared error of the image, the mean over examples and units. spread/b : the variance of the image over
    examples, as a fraction of that of what it should be; nought where every example gives the same image.
    """
    found = loops(simulator.circuit)
    sums = [_Sums(simulator.state.replicas) for _ in found]
    keys = [(name, "O", 0) for loop in found for name in (loop.source, loop.image)]
    for _, quantities in simulator.observe(keys, x):
        for index, one in enumerate(sums):
            one.add(quantities[2 * index], quantities[2 * index + 1])
    figures: Figures = {}
    for b, one in enumerate(sums, 1):
        figures |= {f"mse/{b}": one.error(), f"spread/{b}": one.spread()}
    return figures


def block_alignment(simulator: Simulator, *_: object) -> Figures:
    """angle/b : degrees between the decoder of block b and its encoder transposed, (replica,)."""
    tensors, figures = simulator.tensors(), Figures()
    for b, loop in enumerate(loops(simulator.circuit), 1):
        up, down = tensors[f"{loop.encoder}.weight"], tensors[f"{loop.decoder}.weight"].transpose(0, 2, 1)
        figures[f"angle/{b}"] = degrees_between(up.reshape(len(up), -1), down.reshape(len(up), -1))
    return figures


class _Sums:
    """Running sums over examples of what a block should give back and of what it does."""

    def __init__(self, replicas: int) -> None:
        self._squares, self._examples = np.zeros(replicas), 0
        self._first: list[np.ndarray | float] = [0.0, 0.0]
        self._second: list[np.ndarray | float] = [0.0, 0.0]

    def add(self, source: np.ndarray, image: np.ndarray) -> None:
        difference = image.astype(np.float64) - source
        self._squares += np.square(difference).mean(axis=2).sum(axis=1)
        self._examples += image.shape[1]
        for place, values in enumerate((source, image)):
            wide = values.astype(np.float64)
            self._first[place] = self._first[place] + wide.sum(axis=1)
            self._second[place] = self._second[place] + np.square(wide).sum(axis=1)

    def error(self) -> np.ndarray:
        return self._squares / self._examples

    def spread(self) -> np.ndarray:
        wanted, found = (
            (second / self._examples - np.square(first / self._examples)).mean(axis=1)
            for first, second in zip(self._first, self._second, strict=True)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(found / wanted)
