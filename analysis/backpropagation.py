"""Backpropagation through a circuit's forward synapses, whatever they are: the errors that others are compared with.

    delta_p = f'(S_p) * sum over forward projections from p of (their synapses read backwards applied to delta)

Neurons that normalise pass it through their norm. A pooling neuron passes its error through the synapse that won.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.norms import Divisive, Online
from circuitsim.circuit.parts import Carries, Combine, Projection
from circuitsim.kernels import backend
from circuitsim.kernels.links import Links
from circuitsim.kernels.normalisation import through_groups
from circuitsim.locality import Key
from circuitsim.lowering.links import across, constants, links

Tensors = Mapping[str, np.ndarray]


class Backpropagation:
    """The way down through a circuit's forward projections.

    Parameters
    ----------
    circuit : its forward projections, `W{h}`, `A{h}`, `E{h}` and fixed ones, lead to the output and carry no feedback
        signal. Where one starts at neurons that take over a colocated population's activity, it starts there.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        carried = {p.name for p in circuit.populations if not p.feedback}
        found = [q for q in circuit.projections if {q.source, q.target} <= carried and self._forward(q)]
        self.up = self._leading([replace(q, source=self._origin(q.source)) for q in found])
        self.hidden = [name for name in self._downwards if name not in (circuit.outputs, circuit.inputs)]

    def _forward(self, q: Projection) -> bool:
        return not q.feedback and (q.constant or q.name.startswith(("W", "A", "E")))

    def _origin(self, name: str) -> str:
        """Return the population whose activity of the first cycle a population has."""
        taken = self.circuit.exchanged(name, Carries.INPUT)
        return taken[0].source if taken else name

    def _leading(self, found: list[Projection]) -> list[Projection]:
        """Return the projections from which a way leads to the output."""
        reached = {self.circuit.outputs}
        while more := {q.source for q in found if q.target in reached} - reached:
            reached |= more
        return [q for q in found if q.target in reached]

    @cached_property
    def _downwards(self) -> list[str]:
        """The populations from the output down, each after all that it projects to."""
        left = {q.source for q in self.up} | {q.target for q in self.up}
        found: list[str] = []
        while left:
            ready = [name for name in left if all(q.target not in left for q in self.up if q.source == name)]
            found += sorted(ready)
            left -= set(ready)
        return found

    @property
    def readouts(self) -> list[Key]:
        """The quantities of the forward pass that it needs: slopes, and which synapse won."""
        slopes: list[Key] = [(name, "slope", 0) for name in self.hidden]
        pools = [p.name for p in self.circuit.populations if p.combine is Combine.MAX]
        fired = [name for name in self.hidden if isinstance(self.circuit.population(name).norm, Online | Divisive)]
        return [*slopes, *((name, "O", 0) for name in fired), *((name, "winner", 0) for name in pools)]

    def errors(self, tensors: Tensors, arrays: Mapping[Key, np.ndarray], top: np.ndarray) -> dict[str, np.ndarray]:
        """Return the error of each hidden population, (replica, example, neuron) in double precision.

        Parameters
        ----------
        tensors : the circuit's weights. arrays : `readouts` of some examples. top : the output's error.
        """
        found = {self.circuit.outputs: top}
        for name in self.hidden:
            size = self.circuit.population(name).size
            total = np.zeros((*top.shape[:2], size))
            for q in self.up:
                if q.source == name:
                    self._pass_back(q, tensors, arrays, found[q.target], total)
            found[name] = self._through(name, total, arrays)
        return found

    def _through(self, name: str, total: np.ndarray, arrays: Mapping[Key, np.ndarray]) -> np.ndarray:
        """Return the error of summed inputs, given that of the activity; running statistics are constants."""
        norm, slope = self.circuit.population(name).norm, arrays[name, "slope", 0].astype(np.float64)
        if isinstance(norm, Divisive):
            fired, numbers = arrays[name, "O", 0].astype(np.float64), (norm.groups, norm.power, norm.delta)
            through_groups(total, (fired, slope), numbers, total)()
            return total
        if isinstance(norm, Online):
            slope = slope * (np.abs(arrays[name, "O", 0]) < norm.limit)
        found: np.ndarray = total * slope
        return found

    def _pass_back(
        self, q: Projection, tensors: Tensors, arrays: Mapping[Key, np.ndarray], delta: np.ndarray, total: np.ndarray
    ) -> None:
        """Add what a projection's synapses, read backwards, make of the error of its target."""
        kernels, delta = backend("numba"), np.ascontiguousarray(delta)
        weight = self._weight(q, tensors, len(total))
        if q.dense:
            total += delta @ weight
            return
        back = self._backwards(q)
        turned = across(weight, q.connectivity)
        if self.circuit.population(q.target).combine is Combine.MAX:
            won = arrays[q.target, "winner", 0]
            along = links(self.circuit, q)
            kernels.deliver_winners(back, along, delta, won, turned, total, accumulate=True)()
        else:
            kernels.deliver_along(back, delta, turned, total, accumulate=True)()

    def _backwards(self, q: Projection) -> Links:
        back = Projection(q.name, q.target, q.source, connectivity=q.connectivity.transposed())
        return links(self.circuit, back)

    def _weight(self, q: Projection, tensors: Tensors, replicas: int) -> np.ndarray:
        """Return a projection's weights (replica, *tensor) in double precision."""
        if not q.constant:
            return np.ascontiguousarray(tensors[f"{q.name}.weight"], np.float64)
        found = np.ones((replicas, *self.circuit.tensor_shape(q.name)))
        found *= constants(self.circuit, q) * q.weights.value  # type: ignore[union-attr]
        return found
