"""
Delays, and the window that learning needs
==========================================

A rule that compares two cycles must wait for the second one. The smallest window of a rule follows from the delays
alone.
"""

import matplotlib.pyplot as plt

import circuitsim as cs

figure, ax = plt.subplots(figsize=(6, 3.4))
delays = range(1, 9)
for depth, colour in ((2, "C0"), (4, "C1"), (8, "C2")):
    sizes = [8] * (depth + 1)
    longest = [
        max(cs.make_schedule(*cs.circuits.circular_autoencoder(sizes, delay=d)).windows.values()) for d in delays
    ]
    ax.plot(delays, longest, "o-", color=colour, label=f"{depth} layers of synapses")
ax.set(xlabel="delay of each projection (ticks)", ylabel="longest window (ticks)")
ax.legend()

# %%
# Neurons that forget sooner make the circuit unbuildable, and the refusal names the remedy.

try:
    cs.make_schedule(*cs.circuits.circular_autoencoder([64, 16, 64], delay=5, window=8))
except cs.BadInput as refusal:
    print(refusal)

# %%
# Depth costs one recirculating loop a longer memory. A stack of autoencoders needs the same at any depth.

from circuitsim.analysis.reports.window_plot import draw_windows
from circuitsim.analysis.scores.windows import window_table

draw_windows(window_table(range(2, 11), range(1, 6)))
