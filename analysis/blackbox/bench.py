"""Tools that all experiments on a step share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from circuitsim.analysis.blackbox.compare import Comparison
from circuitsim.analysis.blackbox.program import Program, Run, State
from circuitsim.analysis.blackbox.states import Draws
from circuitsim.analysis.blackbox.wiring import Wire, Wiring


@dataclass
class Bench:
    """A program, its wiring, and the means to change and compare."""

    program: Program
    wiring: Wiring
    draws: Draws
    comparison: Comparison
    random: np.random.Generator
    calls: int = 1

    def run(self, state: State) -> Run:
        """Run the step from a state, for as many calls as its memory asks for."""
        return self.program.run(state, self.calls)

    def cut(self, state: State, site: str, neurons: np.ndarray | None = None) -> State:
        """Return the state with all synapses out of a site, or out of some of its neurons, at zero."""
        chosen = np.ones(self.wiring.sizes[site], bool) if neurons is None else neurons
        return state.with_weights(
            **{w.name: np.where(chosen[None, :], 0, state.weights[w.name]) for w in self.wiring.out_of(site)}
        )

    def touches(self, wire: Wire, site: str, neurons: np.ndarray) -> np.ndarray:
        """Return the mask of the synapses of a wire that end at some neurons of a site."""
        shape = tuple(self.wiring.sizes[end] for end in (wire.post, wire.pre) if end is not None)
        found = np.zeros(shape, bool)
        if wire.post == site:
            found |= neurons.reshape([-1] + [1] * (len(shape) - 1))
        if wire.pre == site:
            found |= neurons[None, :]
        return found


def halves(size: int) -> Iterator[np.ndarray]:
    """Yield the neurons whose number has a bit set, and those that have not, for each bit of the number.

    Any two neurons differ in a bit, so some group has the one and lacks the other.
    """
    for bit in range((size - 1).bit_length()):
        chosen = (np.arange(size) >> bit) & 1 == 1
        yield chosen
        yield ~chosen
