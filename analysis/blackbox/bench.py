"""Tools that all experiments on a step share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from circuitsim.analysis.blackbox.compare import Comparison
from circuitsim.analysis.blackbox.program import Program, Run, State
from circuitsim.analysis.blackbox.states import Draws
from circuitsim.analysis.blackbox.wiring import Wire, Wiring


@dataclass
class Bench:
    """A program, its wiring, and the means to change and compare.

    `calls` are compared in each experiment; `first` is the number of the first call that changes a weight.
    """

    program: Program
    wiring: Wiring
    draws: Draws
    comparison: Comparison
    random: np.random.Generator
    calls: int = 1
    first: int = 0

    def run(self, state: State) -> Run:
        """Run the step from a state, for as many calls as its memory asks for."""
        return self.program.run(state, self.calls)

    def run_both(self, before: State, after: State, site: str, neurons: np.ndarray | None = None) -> tuple[Run, Run]:
        """Run two states with the synapses out of a site cut, as far as the cut holds.

        A step with memory may compute with weights of its own, such as weights plus velocity. Later calls count only
        while the synapses that were cut have not changed.
        """
        first, second = self.run(before), self.run(after)
        chosen = slice(None) if neurons is None else neurons
        out, calls = self.wiring.out_of(site), 1
        while calls < len(first.calls) and not any(
            run.calls[calls - 1][wire.name][:, chosen].any() for run in (first, second) for wire in out
        ):
            calls += 1
        return replace(first, calls=first.calls[:calls]), replace(second, calls=second.calls[:calls])

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


def by_neuron(values: np.ndarray, size: int) -> np.ndarray | None:
    """Return examples' values with the neurons of their site as the last axis; None if they have no value a neuron."""
    if values.ndim > 1 and values[0].size == size:
        return values.reshape(len(values), size)
    return values if values.ndim > 2 and values.shape[-1] == size else None


def halves(size: int) -> Iterator[np.ndarray]:
    """Yield the neurons whose number has a bit set, and those that have not, for each bit of the number.

    Any two neurons differ in a bit, so some group has the one and lacks the other.
    """
    for bit in range((size - 1).bit_length()):
        chosen = (np.arange(size) >> bit) & 1 == 1
        yield chosen
        yield ~chosen
