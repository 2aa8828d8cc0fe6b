"""Neurons that keep their own time: each computes at ticks of its own and sends changes along its synapses.

A `Simulator` moves whole layers; here every neuron has its own events. The same circuit, protocol, parameters and
rules serve both. With regular timing both compute the same, one example at a time.

**Signals.** A neuron's tick computes O_i = f(S_i + b_i) from what has arrived by then. The change of its emission goes
out along its axons and arrives `delay` ticks later, S_k += w_ki dO_i. So S = W O(as received) at every moment, whatever
the order of events; a weight that changes changes S at once.

**Time slices.** A presentation is divided into time slices, one for each cycle. They begin at each population when its
inputs would be complete if all neurons kept time: for layer h at c T + D_h, with D_h the delays from the input to it
and T those round the loop. The first one lasts `hold` T. Time slices are the only beat that neurons share:

- the input is clamped in slice 0; afterwards layer 0 takes, at each of its ticks, layer L's activity of that moment;
- a neuron remembers as cycle c what it holds when slice c ends, right or wrong: O(c) of the rules;
- in slices c > 0 neurons that mix combine what they compute with what they remember of cycle 0.

A neuron ticks once or several times in each slice, nominally from its beginning on. A tick that jitter moves beyond
the slice's end happens in the next slice, or in the next example's presentation. A signal that comes after its
target's last tick of a slice has no effect in it; until then the target uses the signal before.

**Slow neurons** move only a fraction of the way: the membrane's towards what they compute, which they emit; the trace's
towards their activity, which they remember. With a constant input, K ticks in a slice and a steady cycle 0 this is a
convex combination with cycle 0 of coefficient (1 - fraction)^K.

**Learning.** After the last slice the rules propose increments from what neurons remember. Each neuron applies its
synapses' pending increments at a tick of its own, at once or presentations later, while signals are under way.

An event reads its own neuron, its synapses or its signal; it never needs another neuron's state.
"""

from circuitsim.asynchrony.simulator import AsynchronousSimulator
from circuitsim.asynchrony.timing import Timing

__all__ = ["AsynchronousSimulator", "Timing"]
