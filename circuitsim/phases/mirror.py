"""Mirror mode: the source of one forward projection fires noise, its target answers, y = f(W x + b).

Meanwhile the feedback synapses beside that projection learn and all others rest (Akrout et al. 2019, weight
mirror). A softmax answers with its summed input. An event's detail is twice the mirror's index, plus one for the
answer; noise and answer are both of cycle 0.
"""

from __future__ import annotations

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuit.parts import Noise
from circuitsim.events import Event
from circuitsim.kernels import in_turn
from circuitsim.locality import Access
from circuitsim.phases.base import Binding, Step, adds, bias_inputs, biases, reads, writes
from circuitsim.phases.firing import fire

NAME = "mirror mode"
NOISE, ANSWER = 0, 1
NOISE_OF = "noise of "  # and a population: the quantity of the data that holds its noise from outside


def accesses(circuit: Circuit, event: Event) -> tuple[Access, ...]:
    """Reads the clock and the noise's scale, or given noise, or the bias; writes the noise, or the answer."""
    p, mirror = circuit.populations[event.which], circuit.mirrors[event.detail // 2]
    if event.detail % 2 == NOISE and mirror.noise is Noise.GIVEN:
        return reads("data", f"{NOISE_OF}{p.name}"), reads("data", "rows"), writes(p.name, "O", 0)
    if event.detail % 2 == NOISE:
        drawn = (reads("circuit", "seeds"), reads("circuit", "tick"), reads(mirror.projection, "noise_scale"))
        return (*drawn, writes(p.name, "O", 0))
    unblocked = [] if mirror.block_bias else biases(circuit, p.name)
    return adds(p.name, "S", 0), *(reads(name, "bias") for name in unblocked), writes(p.name, "O", 0)


def bind(b: Binding) -> Step:
    """Bind a draw of noise, the gathering of given noise, or an activation."""
    p, mirror = b.circuit.populations[b.event.which], b.circuit.mirrors[b.event.detail // 2]
    out = b.view(p.name, "O", 0)
    if b.event.detail % 2 == NOISE and mirror.noise is Noise.GIVEN:
        return b.kernels.gather(b.view("data", f"{NOISE_OF}{p.name}"), b.view("data", "rows"), out)  # type: ignore[no-any-return]
    if b.event.detail % 2 == NOISE:
        scale = b.view(mirror.projection, "noise_scale")
        name, gaussian = f"noise through {mirror.projection}", mirror.noise is Noise.GAUSSIAN
        seeds, tick = b.view("circuit", "seeds"), b.view("circuit", "tick")
        return b.kernels.noise(seeds, name, tick, scale, out, gaussian=gaussian)  # type: ignore[no-any-return]
    bias, steps = bias_inputs(b, [] if mirror.block_bias else biases(b.circuit, p.name))
    activation = "identity" if p.activation == "softmax" else p.activation
    steps.append(fire(b, activation, b.view(p.name, "S", 0), bias, out))
    return in_turn([*steps, b.kernels.centre(out)] if mirror.centre else steps)
