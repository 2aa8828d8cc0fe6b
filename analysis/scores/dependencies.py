"""Dependences of synaptic updates, measured: on labels, on targets, and on the other projections.

One thing is changed in a presentation, and the increments of all synapses are compared, element by element, with those
of the undisturbed presentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import networkx as nx
import numpy as np

from circuitsim import phases
from circuitsim.analysis.scores.experiment import Around, Increments, RepeatedPresentation, replaced
from circuitsim.circuit.parts import Carries
from circuitsim.engine.initial import glorot
from circuitsim.engine.plan import BoundPlan
from circuitsim.locality import Key, Mode
from circuitsim.randomness import generator
from circuitsim.timetable.entry import Entry

Depends = dict[str, dict[str, bool]]


def label_use(experiment: RepeatedPresentation) -> dict[str, Any]:
    """Count the synapses whose increments change when labels are replaced by random numbers in [0, 1].

    Exchanged classes would not do: their effects can cancel in the sum over the batch.

    Returns
    -------
    `synapses` with a rule; those `learning` on these examples (a nonzero increment); those `using` the labels; and the
    `fraction` of learning synapses that use them.

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, section 1, problem 1.
    """

    @contextmanager
    def mislabelled(part: BoundPlan, entry: Entry) -> Iterator[None]:
        yield
        if _clamps(experiment, entry, experiment.circuit.labels):
            _overwrite(part, (experiment.circuit.labels, "O", 0))

    return _use(experiment, mislabelled)


def target_use(experiment: RepeatedPresentation) -> dict[str, Any]:
    """Count the synapses whose increments change when only the neurons that form errors see other targets.

    These are error neurons, and neurons in which an error is recirculated. A rule that compares two activities of its
    own neuron has no target in this sense.

    Returns
    -------
    As for `label_use`.
    """

    @contextmanager
    def elsewhere(part: BoundPlan, entry: Entry) -> Iterator[None]:
        with ExitStack() as stack:
            for key in _targets(experiment, entry):
                stack.enter_context(replaced(part.arrays[key], part.arrays[key]))
                _overwrite(part, key)
            yield

    return _use(experiment, elsewhere)


def dependencies(experiment: RepeatedPresentation, *, redraws: int = 2) -> Depends:
    """Find the projections whose updates change when another projection's weights do.

    Parameters
    ----------
    redraws : random draws of each projection's weights, >= 1; one changed update is enough.

    Returns
    -------
    For each projection that learns, a truth value for each of the circuit's projections: true where its update depends
    on it. A projection that uses another's weights counts as one of its own: its signals, not the other's, change.
    """
    normal = experiment.run()
    learning = [q.name for q in experiment.circuit.projections if any(q.name == key[0] for key in normal)]
    found: Depends = {name: {} for name in learning}
    for q in experiment.circuit.projections:
        changed: set[str] = set()
        for draw in range(redraws):
            other = experiment.run(_rewired(experiment, q.name, draw))
            changed |= {key[0] for key in normal if (normal[key] != other[key]).any()}
        for name in learning:
            found[name][q.name] = name in changed
    return found


def modularity(experiment: RepeatedPresentation, *, redraws: int = 2) -> dict[str, Any]:
    """Find the projections that each one needs in order to learn, and the stages in which a circuit can be trained.

    Returns
    -------
    `depends`, the matrix of `dependencies`; `needs`, the other projections on which each one's update depends;
    `fraction`, their share of all others; `mean_fraction`; `stages`, a list of stages, each a list of groups: a group
    learns together, the groups of a stage independently of each other, after all earlier stages.

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, section 1, problem 5.
    """
    depends = dependencies(experiment, redraws=redraws)
    needs = {name: [q for q, yes in row.items() if yes and q != name] for name, row in depends.items()}
    others = max(1, len(experiment.circuit.projections) - 1)
    fraction = {name: len(found) / others for name, found in needs.items()}
    return {
        "depends": depends,
        "needs": needs,
        "fraction": fraction,
        "mean_fraction": float(np.mean(list(fraction.values()))) if fraction else 0.0,
        "stages": stages(depends),
    }


def stages(depends: Depends) -> list[list[list[str]]]:
    """Order the projections for training: the generations of the condensed dependence graph.

    Parameters
    ----------
    depends : of `dependencies`; projections that do not learn are in no stage.
    """
    order = list(depends)
    graph = nx.DiGraph()
    graph.add_nodes_from(order)
    graph.add_edges_from((q, p) for p, row in depends.items() for q, yes in row.items() if yes and q in depends)
    groups = nx.condensation(graph)
    found = []
    for generation in nx.topological_generations(groups):
        members = [sorted(groups.nodes[g]["members"], key=order.index) for g in generation]
        found.append(sorted(members, key=lambda group: order.index(group[0])))
    return found


def _use(experiment: RepeatedPresentation, around: Around) -> dict[str, Any]:
    normal, other = experiment.run(), experiment.run(around)
    learning = _count({key: (a != 0) | (other[key] != 0) for key, a in normal.items()})
    using = _count({key: a != other[key] for key, a in normal.items()})
    synapses = sum(a[0].size for a in normal.values())
    fraction = using / learning if learning else 0.0
    return {"synapses": synapses, "learning": learning, "using": using, "fraction": fraction}


def _count(marked: Increments) -> int:
    """Count the synapses that are marked in any replica."""
    return int(sum(a.any(axis=0).sum() for a in marked.values()))


def _overwrite(part: BoundPlan, key: Key) -> None:
    array = part.arrays[key]
    array[...] = generator(0, f"in place of {key[0]}").uniform(0, 1, array.shape)


def _clamps(experiment: RepeatedPresentation, entry: Entry, population: str) -> bool:
    return entry.event.phase == phases.FORWARD and phases.subject(experiment.circuit, entry.event) == population


def _targets(experiment: RepeatedPresentation, entry: Entry) -> list[Key]:
    """Return the addresses that an event reads as targets."""
    name = phases.subject(experiment.circuit, entry.event)
    if entry.event.phase == phases.FEEDBACK:
        return [(x.source, "O", 0) for x in experiment.circuit.exchanged(name, Carries.TARGET)]
    if entry.event.phase == phases.RECIRCULATION:
        return [(name, "O", 0) for _ in experiment.circuit.exchanged(name, Carries.ERROR)]
    return []


def _rewired(experiment: RepeatedPresentation, projection: str, draw: int) -> Around:
    """Redraw a projection's weights while its signals pass or a rule reads them."""

    @contextmanager
    def through_others(part: BoundPlan, entry: Entry) -> Iterator[None]:
        with ExitStack() as stack:
            for key in _weights(experiment, entry, projection):
                array, circuit = part.arrays[key], experiment.circuit
                fan = circuit.projection(key[0]).connectivity.fan(*circuit.ends(key[0]))
                drawn = [
                    glorot(draw, f"{projection} redrawn, replica {r}", array.shape[1:], fan) for r in range(len(array))
                ]
                stack.enter_context(replaced(array, np.stack(drawn)))
            yield

    return through_others


def _weights(experiment: RepeatedPresentation, entry: Entry, projection: str) -> list[Key]:
    """Return the addresses of the weights that an event uses as this projection's."""
    read = [a.key for a in entry.accesses if a.mode is Mode.READ and a.quantity == "weight"]
    if entry.event.phase == phases.DELIVERY:
        return read if phases.subject(experiment.circuit, entry.event) == projection else []
    if entry.event.phase == phases.PLASTICITY:
        return [key for key in read if key[0] == projection]
    return []
