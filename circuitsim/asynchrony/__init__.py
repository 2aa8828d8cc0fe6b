"""Neurons that keep their own time: each computes at ticks of its own, and sends what has changed along its synapses.

A `Simulator` moves whole layers; here every neuron has its own events. The same circuit, protocol, parameters and
rules serve both, and with regular timing both compute the same, one example at a time.

**Signals.** A neuron's tick computes O_i = f(S_i + b_i) from what has arrived by then. The change of what it emits goes
out along its axons and arrives `delay` ticks later, S_k += w_ki dO_i. So S = W O(as received) at every moment, whatever
the order of events; a weight that changes changes S at once.

**Windows.** A presentation is divided into windows, one for each cycle, which begin at each population when its inputs
would be complete if all neurons kept time: for layer h at c T + D_h, with D_h the delays from the input to it and T
those round the loop. The first one lasts `hold` T. Windows are the only beat that neurons share, and tell three things:

- the input is clamped in window 0; afterwards layer 0 takes, at each of its ticks, layer L's activity of that moment;
- what a neuron holds when window c ends is what it remembers of cycle c, right or wrong: O(c) of the rules;
- in windows c > 0 neurons that mix combine what they compute with what they remember of cycle 0.

A neuron ticks once or several times in each window, nominally from its beginning on. A tick that jitter moves beyond
the window's end happens in the next window, or in the next example's presentation. A signal that comes after its
target's last tick of a window counts for nothing in it; until then the target hears what was sent before.

**Slow neurons** move only a fraction of the way: the membrane's to what they compute, which they emit; the trace's to
their activity, which they remember. With a constant input, K ticks in a window and a steady cycle 0 this is a convex
combination with cycle 0 of coefficient (1 - fraction)^K.

**Learning.** After the last window the rules propose increments from what neurons remember. Each neuron applies what
its synapses have pending at a tick of its own, at once or presentations later, while signals are under way.

What an event reads is in its own neuron, its synapses or its signal: no part of it needs another neuron's state.
"""

from circuitsim.asynchrony.simulator import AsynchronousSimulator
from circuitsim.asynchrony.timing import Timing

__all__ = ["AsynchronousSimulator", "Timing"]
