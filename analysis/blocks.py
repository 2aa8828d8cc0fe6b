"""Performance measures of the circular autoencoders within a larger circuit, for all replicas at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from circuitsim.analysis.alignment import Figures, degrees_between
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Projection
from circuitsim.lowering.links import across

if TYPE_CHECKING:
    from circuitsim.engine.simulator import Simulator


@dataclass(frozen=True)
class BlockNames:
    """Names of a block's source, of its reconstruction, and of the projections up and down."""

    source: str
    image: str
    encoder: str
    decoder: str


def find_blocks(circuit: Circuit) -> list[BlockNames]:
    """Find the blocks of a circuit, in the order of their decoders: projections to another population of a site."""
    found = []
    for down in circuit.projections:
        image = circuit.population(down.target)
        if down.constant or image.feedback or image.site == image.name or image.site not in circuit.index:
            continue
        encoders = (q for q in circuit.incoming[_hinge(circuit, down)] if circuit.colocated(q.source, image.site))
        found += [BlockNames(image.site, image.name, up.name, down.name) for up in encoders]
    return found


def _hinge(circuit: Circuit, down: Projection) -> str:
    """Return the hinge from which a decoder's activity comes, through pools and their undoing."""
    name = down.source
    while len(into := circuit.incoming[name]) == 1 and into[0].constant:
        name = into[0].source
    return name


def block_errors(simulator: Simulator, x: np.ndarray) -> Figures:
    """Measure how well each block b = 1, 2, ... reconstructs its source, each (replica,).

    mse/b : squared error of the image, the mean over examples and units. spread/b : variance of the image over
    examples divided by that of the source; zero if every example gives the same image.
    """
    found = find_blocks(simulator.circuit)
    sums = [_Sums(simulator.state.replicas) for _ in found]
    keys = [(name, "O", 0) for block in found for name in (block.source, block.image)]
    for _, quantities in simulator.observe(keys, x):
        for index, one in enumerate(sums):
            one.add(quantities[2 * index], quantities[2 * index + 1])
    figures: Figures = {}
    for b, one in enumerate(sums, 1):
        figures |= {f"mse/{b}": one.error(), f"spread/{b}": one.spread()}
    return figures


def block_alignment(simulator: Simulator, *_: object) -> Figures:
    """Measure angle/b, degrees between the decoder of block b and its transposed encoder, (replica,)."""
    tensors, figures = simulator.tensors(), Figures()
    for b, block in enumerate(find_blocks(simulator.circuit), 1):
        made = simulator.circuit.projection(block.decoder).connectivity
        up, down = tensors[f"{block.encoder}.weight"], across(tensors[f"{block.decoder}.weight"], made)
        figures[f"angle/{b}"] = degrees_between(up.reshape(len(up), -1), down.reshape(len(up), -1))
    return figures


class _Sums:
    """Running sums over examples of a block's source and of its image."""

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
