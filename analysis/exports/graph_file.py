"""A circuit's graph as GraphML: a node for each population, an edge for each projection and each exchange."""

from __future__ import annotations

from pathlib import Path

import networkx as nx

from circuitsim.circuit.circuit import Circuit


def graph_of(circuit: Circuit) -> nx.MultiDiGraph:
    """Return the graph, with attributes that GraphML can have: text, numbers and truth values."""
    made = nx.MultiDiGraph(name=circuit.name, inputs=circuit.inputs, outputs=circuit.outputs)
    for p in circuit.populations:
        shape = " ".join(map(str, p.shape))
        made.add_node(
            p.name, size=p.size, shape=shape, activation=str(p.activation), site=p.site, feedback=p.feedback,
            combine=p.combine.value, dropout=float(p.dropout),
        )  # fmt: skip
    for q in circuit.projections:
        rules = "; ".join(str(learning.rule.text) for learning in circuit.rules.get(q.name, ()))
        made.add_edge(
            q.source, q.target, key=q.name, name=q.name, kind="projection", delay=q.delay, lag=q.lag, bias=q.bias,
            weights=type(q.weights).__name__.lower(), connectivity=type(q.connectivity).__name__, rule=rules,
        )  # fmt: skip
    for e in circuit.exchanges:
        name = f"{e.source}-{e.target}-{e.carries.value}"
        made.add_edge(e.source, e.target, key=name, name=name, kind="exchange", carries=e.carries.value, delay=0)
    return made


def write(circuit: Circuit, path: Path) -> None:
    """Write a circuit's graph as GraphML."""
    nx.write_graphml(graph_of(circuit), path)
