"""What the updates of synapses depend on, measured: labels, targets, and the other projections.

Something is changed in one presentation, and what each synapse would then learn is compared, number by number, with
what it learns otherwise. What makes no difference to any update is not used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import networkx as nx
import numpy as np

from circuitsim import phases
from circuitsim.analysis.scores.trials import Around, Increments, Trial, replaced
from circuitsim.circuit.parts import Carries
from circuitsim.engine.plan import BoundPlan
from circuitsim.engine.state import glorot
from circuitsim.locality import Key, Mode
from circuitsim.randomness import generator
from circuitsim.timetable.schedule import Entry

Depends = dict[str, dict[str, bool]]


def label_use(trial: Trial) -> dict[str, Any]:
    """How many synapses learn something else when the labels are other numbers, drawn between 0 and 1.

    Not other classes: whatever two classes of a batch exchange could cancel in the sum over it.

    Returns
    -------
    `synapses` that a rule changes; those `learning` on these examples, whose update is not nought; those `using` the
    labels; and the `fraction` of the learning ones that do.

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, section 1, problem 1.
    """

    @contextmanager
    def mislabelled(part: BoundPlan, entry: Entry) -> Iterator[None]:
        yield
        if _clamps(trial, entry, trial.circuit.labels):
            _overwrite(part, (trial.circuit.labels, "O", 0))

    return _use(trial, mislabelled)


def target_use(trial: Trial) -> dict[str, Any]:
    """How many synapses learn something else when the neurons that compare see other targets, and nobody else does.

    These are the error neurons, and neurons in which an error is recirculated. A rule that compares two activities of
    its own neuron has no target in this sense.

    Returns
    -------
    As for `label_use`.
    """

    @contextmanager
    def elsewhere(part: BoundPlan, entry: Entry) -> Iterator[None]:
        with ExitStack() as stack:
            for key in _targets(trial, entry):
                stack.enter_context(replaced(part.arrays[key], part.arrays[key]))
                _overwrite(part, key)
            yield

    return _use(trial, elsewhere)


def dependencies(trial: Trial, *, redraws: int = 2) -> Depends:
    """Which projections' updates change when one projection passes its signals through other weights.

    Parameters
    ----------
    redraws : how often the weights of each projection are drawn anew, >= 1; one change of an update is enough.

    Returns
    -------
    For each projection that learns, whether its update depends on each of the circuit's projections. A projection that
    uses another's weights counts as a part of its own: it is the wire that is changed, not what it was copied from.
    """
    normal = trial.run()
    learning = [q.name for q in trial.circuit.projections if any(q.name == key[0] for key in normal)]
    found: Depends = {name: {} for name in learning}
    for q in trial.circuit.projections:
        changed: set[str] = set()
        for draw in range(redraws):
            other = trial.run(_rewired(trial, q.name, draw))
            changed |= {key[0] for key in normal if (normal[key] != other[key]).any()}
        for name in learning:
            found[name][q.name] = name in changed
    return found


def modularity(trial: Trial, *, redraws: int = 2) -> dict[str, Any]:
    """What must exist before each projection can learn, and in which stages a circuit can be trained.

    Returns
    -------
    `depends`, the matrix of `dependencies`; `needs`, for each projection the others without which it would learn
    something else; `fraction`, how many of all others these are; `mean_fraction`; `stages`, a list of stages, each a
    list of groups: a group learns together, groups of one stage independently of each other, after all earlier ones.

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, section 1, problem 5.
    """
    depends = dependencies(trial, redraws=redraws)
    needs = {name: [q for q, yes in row.items() if yes and q != name] for name, row in depends.items()}
    others = max(1, len(trial.circuit.projections) - 1)
    fraction = {name: len(found) / others for name, found in needs.items()}
    return {
        "depends": depends,
        "needs": needs,
        "fraction": fraction,
        "mean_fraction": float(np.mean(list(fraction.values()))) if fraction else 0.0,
        "stages": stages(depends),
    }


def stages(depends: Depends) -> list[list[list[str]]]:
    """The order in which parts can be trained: the condensation of who needs whom, generation by generation.

    Parameters
    ----------
    depends : as of `dependencies`; projections that do not learn have only to exist, so they are in no stage.
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


def _use(trial: Trial, around: Around) -> dict[str, Any]:
    normal, other = trial.run(), trial.run(around)
    learning = _count({key: (a != 0) | (other[key] != 0) for key, a in normal.items()})
    using = _count({key: a != other[key] for key, a in normal.items()})
    synapses = sum(a[0].size for a in normal.values())
    fraction = using / learning if learning else 0.0
    return {"synapses": synapses, "learning": learning, "using": using, "fraction": fraction}


def _count(marked: Increments) -> int:
    """How many synapses are marked, in whichever replica."""
    return int(sum(a.any(axis=0).sum() for a in marked.values()))


def _overwrite(part: BoundPlan, key: Key) -> None:
    array = part.arrays[key]
    array[...] = generator(0, f"in place of {key[0]}").uniform(0, 1, array.shape)


def _clamps(trial: Trial, entry: Entry, population: str) -> bool:
    return entry.event.phase == phases.FORWARD and phases.subject(trial.circuit, entry.event) == population


def _targets(trial: Trial, entry: Entry) -> list[Key]:
    """The addresses that an event takes as targets."""
    name = phases.subject(trial.circuit, entry.event)
    if entry.event.phase == phases.FEEDBACK:
        return [(x.source, "O", 0) for x in trial.circuit.exchanged(name, Carries.TARGET)]
    if entry.event.phase == phases.RECIRCULATION:
        return [(name, "O", 0) for _ in trial.circuit.exchanged(name, Carries.ERROR)]
    return []


def _rewired(trial: Trial, projection: str, draw: int) -> Around:
    """While a projection's signals pass, or a rule reads its weights, let these be drawn anew."""

    @contextmanager
    def through_others(part: BoundPlan, entry: Entry) -> Iterator[None]:
        with ExitStack() as stack:
            for key in _weights(trial, entry, projection):
                array = part.arrays[key]
                drawn = [
                    glorot(draw, f"{projection} redrawn, replica {r}", *array.shape[1:]) for r in range(len(array))
                ]
                stack.enter_context(replaced(array, np.stack(drawn)))
            yield

    return through_others


def _weights(trial: Trial, entry: Entry, projection: str) -> list[Key]:
    """The addresses of the weights that an event uses as this projection's."""
    read = [a.key for a in entry.accesses if a.mode is Mode.READ and a.quantity == "weight"]
    if entry.event.phase == phases.DELIVERY:
        return read if phases.subject(trial.circuit, entry.event) == projection else []
    if entry.event.phase == phases.PLASTICITY:
        return [key for key in read if key[0] == projection]
    return []
