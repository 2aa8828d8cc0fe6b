"""Trace: at each step of a clocked protocol every synapse renews its trace, e <- g(pre, post, e), in every example.

The trace is zero before the first step. It is a memory of the synapse's own; `Plasticity.trace` declares its rule, and
the rule of the weights reads what it is at the step at which it runs. An event's detail is that of the rule.
"""

from __future__ import annotations

import numpy as np

from circuitsim.circuit.circuit import Circuit
from circuitsim.events import Event
from circuitsim.kernels import in_turn
from circuitsim.locality import Access
from circuitsim.lowering.compiler import lower_trace
from circuitsim.phases.base import Binding, Step, adds, reads
from circuitsim.phases.reading import inputs, learning_of, parameters_of, readings, step_of, trace_key, traces_of

NAME = "trace"


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads what the trace's rule reads of the two neurons, changes the traces."""
    learning = learning_of(circuit, event)
    rules = traces_of(circuit, learning)
    traces = [trace_key(learning, quantity) for quantity, _ in rules]
    read = [key for _, _, key in readings(circuit, learning, step_of(circuit, event), rules) if key not in traces]
    return (
        *(reads(*key) for key in dict.fromkeys([*read, *parameters_of(learning, rules)])),
        reads("data", "rows"),
        *(adds(*key) for key in traces),
    )


def bind(b: Binding) -> Step:
    """Bind one loop over the synapses and one over the biases; at the first step their traces are cleared before."""
    learning, steps = learning_of(b.circuit, b.event), list[Step]()
    for quantity, rule in traces_of(b.circuit, learning):
        trace = b.view(*trace_key(learning, quantity))
        if b.first:
            steps.append(b.kernels.clear(trace, np.ones(len(trace), np.bool_)))
        steps.append(lower_trace(rule, quantity, inputs(b, learning, quantity, rule), trace, b.kernels))
    return in_turn(steps)
