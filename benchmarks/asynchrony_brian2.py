"""The circuit of asynchrony.py in Brian2: prints how many events a second it has, with few and with many a time step.

Run: PYTHON benchmarks/asynchrony_brian2.py SOURCES, where PYTHON has Brian2 and need not have circuitsim.

Each source ticks by its own clock; at a tick it changes its activity and sends the change to 784 targets. Brian2 moves
by time steps, each of which costs the same however few events it has.
"""

from __future__ import annotations

import sys
import time

import brian2 as b
import numpy as np

FAN_OUT, DELAY, SLOW, STEPS = 784, 5, 1e-3, 2000


def rate(count: int, often: int) -> float:
    """Ticks of sources a second of the process's own time, where each source ticks every `often` steps, on average."""
    b.start_scope()
    b.defaultclock.dt = 1 * b.ms
    group = b.NeuronGroup(
        count,
        "v : 1\nchange : 1\nnext_tick : integer\nperiod : integer",
        threshold="timestep(t, dt) >= next_tick",
        reset=f"change = -{SLOW} * v; v += change; next_tick += period",
        method="exact",
    )
    targets = b.NeuronGroup(FAN_OUT, "s : 1")
    synapses = b.Synapses(group, targets, "w : 1", on_pre="s_post += w * change_pre", delay=DELAY * b.ms)
    synapses.connect()
    rng = np.random.default_rng(0)
    group.v, synapses.w = rng.standard_normal(count), rng.standard_normal(count * FAN_OUT)
    group.period = often // 2 + rng.integers(0, often + 1, count)
    group.next_tick = 1 + rng.integers(0, often, count)
    monitor = b.SpikeMonitor(group, record=False)
    network = b.Network(group, targets, synapses, monitor)
    network.run(2 * often * b.ms)  # code is generated, and all have ticked
    before, begin = monitor.num_spikes, time.process_time()
    network.run(STEPS * b.ms)
    return float((monitor.num_spikes - before) / (time.process_time() - begin))


if __name__ == "__main__":
    b.BrianLogger.suppress_name("method_choice")
    sources = int(sys.argv[1])
    print(rate(sources, sources), rate(sources, 4 * DELAY))
