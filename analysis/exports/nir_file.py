"""The forward pass of a circuit as a NIR graph: linear populations, since NIR has no rate neurons that saturate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from circuitsim.analysis.exports.forward import Stage, bias_of, refuse_population, stages, weight_of
from circuitsim.circuit.connectivity import DENSE, Convolution
from circuitsim.circuit.parts import Combine
from circuitsim.engine.simulator import Simulator


def graph_of(simulator: Simulator, replica: int) -> Any:
    """Return the NIR graph of a simulator's forward pass.

    Raises
    ------
    CircuitError : a population that is not linear, or synapses that NIR has no node for, by name.
    """
    import nir

    circuit = simulator.circuit
    shape = np.array(circuit.population(circuit.inputs).shape)
    nodes: dict[str, Any] = {circuit.inputs: nir.Input({"input": shape})}
    edges: list[tuple[str, str]] = []
    ends = {circuit.inputs: circuit.inputs}  # the node that has a population's activity
    for stage in stages(circuit, simulator.protocol):
        p = stage.population
        if stage.taken:
            ends[p.name] = ends[stage.taken]
            continue
        _check(stage)
        q = stage.incoming[0]
        before = ends[q.source]
        image = np.array(circuit.population(q.source).shape)
        if q.connectivity == DENSE and len(image) > 1:
            flat = f"{q.name}.flat"
            nodes[flat] = nir.Flatten({"input": image}, 0)
            edges.append((before, flat))
            before = flat
        nodes[q.name] = _node(simulator, stage, replica)
        edges.append((before, q.name))
        ends[p.name] = q.name
    out = f"{circuit.outputs}.output"
    nodes[out] = nir.Output({"output": np.array(circuit.population(circuit.outputs).shape)})
    return nir.NIRGraph(nodes, [*edges, (ends[circuit.outputs], out)])


def write(simulator: Simulator, replica: int, path: Path) -> None:
    """Write the NIR graph of a simulator's forward pass."""
    import nir

    nir.write(str(path), graph_of(simulator, replica))


def _check(stage: Stage) -> None:
    p = stage.population
    if p.norm is not None:
        raise refuse_population(p, f"norm {p.norm}", "NIR, whose neurons do not normalise")
    if p.activation != "identity":
        raise refuse_population(p, f"activation {p.activation}", "NIR, whose rate neurons are linear")
    if len(stage.incoming) > 1 or p.combine is not Combine.SUM or p.centres:
        raise refuse_population(p, f"{len(stage.incoming)} projections combined by {p.combine.value}", "NIR")
    kind = type(stage.incoming[0].connectivity)
    if stage.incoming[0].connectivity != DENSE and kind is not Convolution:
        raise refuse_population(p, f"synapses of kind {kind.__name__}", "NIR: dense synapses or a convolution")


def _node(simulator: Simulator, stage: Stage, replica: int) -> Any:
    import nir

    q = stage.incoming[0]
    weight, bias = weight_of(simulator, q, replica), bias_of(simulator, q, replica)
    if q.connectivity == DENSE:
        matrix = weight.reshape(stage.population.size, -1)
        return nir.Linear(matrix) if bias is None else nir.Affine(matrix, bias)
    pre, post = simulator.circuit.ends(q.name)
    assert isinstance(q.connectivity, Convolution)
    axes = q.connectivity.axes(pre)
    padding = [axis.before for axis in axes]
    if any((a.windows - 1) * a.stride + a.taps - a.cells - a.before > a.before for a in axes):
        raise refuse_population(stage.population, "more cells behind an image than before it", "NIR: equal padding")
    channels = np.zeros(post[0]) if bias is None else bias.reshape(post[0], -1)[:, 0]
    return nir.Conv2d((pre[1], pre[2]), weight, tuple(a.stride for a in axes), tuple(padding), (1, 1), 1, channels)
