"""Groups of synapses, arriving signals or neurons, and all that a group may depend on, by the definition of locality.

It follows from the circuit alone; phases' declarations and kernels are tested against it.

- A synapse i <- j may depend on itself and on the neurons at the sites of i and j (Baldi & Sadowski 2018, eqs. 13-15).
  A stored weight that several synapses share may depend on the neurons of all of them.
- An arriving signal may depend on its own synapses and on what their presynaptic neurons emitted in its example.
- A neuron may depend on its incoming synapses and on what its site holds in its example. One that normalises by
  statistics of its own may depend on these, and on its own activity in earlier examples of the batch.
- Where a neuron bounds its synapses, each of them may depend on the neuron's other incoming synapses too.

All may depend on parameters. Everything else is forbidden: other replicas, other examples (except to a synapse, whose
update sums over them), and memory older than the window or not yet written.

A group is all elements that depend on held replicas, examples and neurons alone. What it may depend on is marked by
masks that broadcast to the arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from circuitsim.analysis.audits.memory import Array
from circuitsim.analysis.audits.scene import (
    OF_BIASES,
    OF_WEIGHTS,
    ROWS,
    Masks,
    Scene,
    X,
    biases_of,
    incoming,
    join,
    signals,
)
from circuitsim.analysis.audits.synapse_table import bias_shape, bias_slots, synapse_table
from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.norms import STATE, Online
from circuitsim.circuit.parts import Carries, Population
from circuitsim.locality import Key

SYNAPSE, ARRIVAL, NEURON = "synapse", "arrival", "neuron"


@dataclass(frozen=True)
class Element:
    """One element of a group, for messages.

    Parameters
    ----------
    kind : synapse, arrival or neuron. owner : its projection, or its population.
    replica, index : its place in its array; `example` None: of all examples.
    neurons : the neurons on which it may depend, as (site, number).
    """

    kind: str
    owner: str
    replica: int
    index: tuple[int, ...]
    neurons: tuple[tuple[str, int], ...]
    example: int | None = None


@dataclass(frozen=True, eq=False)
class SynapseGroup:
    """Stored weights and biases of a projection whose synapses join held neurons.

    Parameters
    ----------
    replicas, posts, pres : masks of what is held; for ends at one site the two are equal.
    slots : mask of the stored weights that may belong; None: all.
    siblings : the other incoming synapses of the postsynaptic neurons are permitted too.
    """

    projection: str
    replicas: Array
    posts: Array
    pres: Array
    slots: Array | None = None
    siblings: bool = False

    def near(self, scene: Scene) -> Masks:
        """Mark all that the group may depend on, parameters aside."""
        circuit, q = scene.circuit, scene.circuit.projection(self.projection)
        found = self.own(scene)
        for population, neurons in ((q.target, self.posts), (q.source, self.pres)):
            for key in scene.at_site(population):
                join(found, key, signals(scene.arrays[key], self.replicas, None, neurons))
            if scene.clamped(population):
                join(found, X, neurons[None, :])
        for other in circuit.incoming[q.target] if self.siblings else ():
            for key, mask in incoming(scene, other, self.replicas, self.posts, all_=True).items():
                join(found, key, mask)
        return found

    def own(self, scene: Scene) -> Masks:
        """Mark the group's own weights, increments, velocities, pending increments and masks."""
        circuit, replicas = scene.circuit, self.replicas
        slots = synapse_table(circuit, self.projection).among(self.posts, self.pres)
        if self.slots is not None:
            slots = slots & self.slots
        biases = biases_of(circuit, self.projection, self.posts, every=True)
        found: Masks = {}
        for quantities, trace, chosen in ((OF_WEIGHTS, "trace", slots), (OF_BIASES, "bias_trace", biases)):
            mask = replicas.reshape(-1, *(1 for _ in chosen.shape)) & chosen
            keys = [(self.projection, quantity, None) for quantity in quantities]
            found |= {key: mask for key in keys if key in scene.arrays}
            if (self.projection, trace, 0) in scene.arrays:  # of every example, synapse by synapse
                found[self.projection, trace, 0] = mask.reshape(len(mask), 1, -1)
        return found

    def tested(self, scene: Scene, made: Sequence[Key]) -> Masks:
        """Mark the group's elements in the arrays that a step makes."""
        return {key: mask for key, mask in self.own(scene).items() if key in made}

    def element(self, scene: Scene, key: Key, index: tuple[int, ...]) -> Element:
        """Describe the element at an index of an array."""
        q = scene.circuit.projection(self.projection)
        post, pre = (scene.circuit.population(end).site for end in (q.target, q.source))
        posts, pres = list[int](), list[int]()
        if key[1] in OF_BIASES:
            slot = np.ravel_multi_index(index[1:], bias_shape(scene.circuit, q.name))
            posts = np.flatnonzero(bias_slots(scene.circuit, q.name) == slot).tolist()
        else:
            posts, pres = synapse_table(scene.circuit, q.name).ends(index[1:])
        ends = (*((post, number) for number in posts), *((pre, number) for number in pres))
        return Element(SYNAPSE, q.name, index[0], index[1:], ends)


@dataclass(frozen=True, eq=False)
class ArrivalGroup:
    """Signals that arrive over a projection in one cycle, at held neurons from held neurons in held examples."""

    projection: str
    cycle: int
    replicas: Array
    examples: Array
    posts: Array
    pres: Array

    def near(self, scene: Scene) -> Masks:
        """Mark the group's synapses, what was emitted to it, and what arrived before."""
        circuit, q = scene.circuit, scene.circuit.projection(self.projection)
        step = self.cycle - q.lag  # of the source
        mixes = bool(step) and circuit.population(q.source).mixes
        emitted: Key = (q.source, "E" if mixes else "O", step)
        posts = self._posts(scene)
        found = incoming(scene, q, self.replicas, posts)
        sources = synapse_table(circuit, q.name).sources(posts)
        held = [(emitted, sources), (self._arriving(scene), posts)]
        if q.winners:  # the pooling neurons at the source's site remember which synapse won
            held.append(((q.winners, "winner", step if circuit.population(q.source).feedback else 0), sources))
        for key, neurons in held:
            if key in scene.held:
                join(found, key, signals(scene.arrays[key], self.replicas, self.examples, neurons))
        return found

    def tested(self, scene: Scene, made: Sequence[Key]) -> Masks:
        """Mark the group's elements in the arrays that a step makes."""
        name, _, cycle = self._arriving(scene)
        keys = [key for key in ((name, "S", cycle), (name, "winner", cycle)) if key in made]
        posts = self._posts(scene)
        return {key: signals(scene.arrays[key], self.replicas, self.examples, posts) for key in keys}

    def element(self, scene: Scene, key: Key, index: tuple[int, ...]) -> Element:
        """Describe the element at an index of an array."""
        circuit, q = scene.circuit, scene.circuit.projection(self.projection)
        only = np.arange(circuit.population(q.target).size) == index[2]
        sources = np.flatnonzero(synapse_table(circuit, q.name).sources(only)).tolist()
        post, pre = (circuit.population(end).site for end in (q.target, q.source))
        ends = ((post, index[2]), *((pre, number) for number in sources))
        return Element(ARRIVAL, q.name, index[0], index[2:], ends, index[1])

    def _arriving(self, scene: Scene) -> Key:
        return scene.circuit.projection(self.projection).target, "S", self.cycle

    def _posts(self, scene: Scene) -> Array:
        return np.asarray(self.posts & synapse_table(scene.circuit, self.projection).reached_only(self.pres))


@dataclass(frozen=True, eq=False)
class NeuronGroup:
    """Held neurons of a population in held examples; `examples` None: in all, as owners of their incoming synapses."""

    population: str
    replicas: Array
    neurons: Array
    examples: Array | None = None

    def near(self, scene: Scene) -> Masks:
        """Mark what the neurons' site holds, their incoming synapses, and what they are clamped to."""
        circuit, found = scene.circuit, Masks()
        normalising = normalised_at(circuit, self.population)
        for key in scene.at_site(self.population):
            examples = self.examples
            if normalising is not None and isinstance(normalising.norm, Online):
                examples = self._so_far if key[0] in (self.population, normalising.name) else examples
            join(found, key, signals(scene.arrays[key], self.replicas, examples, self.neurons))
        if normalising is not None:
            found |= {key: self._units(array) for key, array in scene.statistics(normalising.name)}
        for q in circuit.incoming[self.population]:
            for key, mask in incoming(scene, q, self.replicas, self.neurons).items():
                join(found, key, mask)
        data = scene.data_of(self.population)
        if data is not None and self.examples is not None and ROWS in scene.arrays:
            found |= self._clamped_to(scene, data)
        return found

    @property
    def _so_far(self) -> Array | None:
        """Mark all examples up to the last one of the group: a neuron takes them one after another."""
        return None if self.examples is None else np.asarray(np.logical_or.accumulate(self.examples[::-1])[::-1])

    def _units(self, array: Array) -> Array:
        """Mark the running statistics of held neurons, (replica, unit of successive neurons)."""
        held = np.asarray(self.neurons.reshape(array.shape[1], -1).any(axis=1))
        return np.asarray(self.replicas[:, None] & held)

    def _clamped_to(self, scene: Scene, data: Key) -> Masks:
        """Mark the row numbers of the group's examples, and the data in these rows."""
        rows = scene.arrays[ROWS]
        shown = signals(rows[:, :, None], self.replicas, self.examples, np.ones(1, bool))[:, :, 0]
        chosen = np.zeros(len(scene.arrays[data]), bool)
        chosen[rows[shown]] = True
        return {ROWS: shown, data: chosen if scene.arrays[data].ndim == 1 else chosen[:, None] & self.neurons}

    def tested(self, scene: Scene, made: Sequence[Key]) -> Masks:
        """Mark the group's elements in the arrays that a step makes."""
        if self.examples is None:
            return self._owned(scene, made)
        keys = [key for key in made if key[0] == self.population and key[2] is not None]
        found = {k: signals(scene.arrays[k], self.replicas, self.examples, self.neurons) for k in keys}
        normalising = normalised_at(scene.circuit, self.population)
        if normalising is not None and self.examples.all():  # statistics are of all examples
            found |= {k: self._units(a) for k, a in scene.statistics(normalising.name) if k in made}
        return found

    def _owned(self, scene: Scene, made: Sequence[Key]) -> Masks:
        """Mark the weights and biases of which all synapses are incoming synapses of the group."""
        found: Masks = {}
        for q in scene.circuit.incoming[self.population]:
            every = np.ones(scene.circuit.population(q.source).size, bool)
            own = SynapseGroup(q.name, self.replicas, self.neurons, every).own(scene)
            found |= {k: mask for k, mask in own.items() if k in made and k[1] in ("weight", "bias")}
        return found

    def element(self, scene: Scene, key: Key, index: tuple[int, ...]) -> Element:
        """Describe the element at an index of an array."""
        site = scene.circuit.population(self.population).site
        if key[1] in STATE:
            return Element(NEURON, self.population, index[0], index[1:], ((site, index[1]),))
        if key[2] is not None:
            return Element(NEURON, self.population, index[0], index[2:], ((site, index[2]),), index[1])
        whole = np.ones(scene.circuit.population(self.population).size, bool)
        ends = SynapseGroup(key[0], self.replicas, whole, whole).element(scene, key, index).neurons
        return Element(NEURON, self.population, index[0], index[1:2], tuple(end for end in ends if end[0] == site)[:1])


def normalised_at(circuit: Circuit, name: str) -> Population | None:
    """Return the neurons whose running statistics a population uses: itself, or those whose errors it carries."""
    ends = [name, *(x.source for x in circuit.exchanged(name, Carries.SLOPE))]
    return next((p for p in map(circuit.population, ends) if p.norm is not None), None)


Group = SynapseGroup | ArrivalGroup | NeuronGroup
