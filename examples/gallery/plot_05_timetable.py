"""
The timetable of a presentation
===============================

Every event has a tick, which follows from the delays. The timetable can be printed before anything runs.
"""

import matplotlib.pyplot as plt

import circuitsim as cs

circuit, protocol = cs.circuits.circular_autoencoder([64, 32, 16, 32, 64])
schedule = cs.make_schedule(circuit, protocol)
schedule

# %%
# Backpropagation in the same layers needs other events: errors go down, and each rule waits for its error.

other = cs.make_schedule(*cs.circuits.circular_autoencoder([64, 32, 16, 32, 64], rule="bp"))
print("ticks of a presentation:", schedule.length, "and", other.length)

# %%
# The rule of each projection needs a memory of its own length.

figure, ax = plt.subplots(figsize=(6, 3))
for offset, one, name in ((-0.2, schedule, "rec"), (0.2, other, "bp")):
    names = [name for name in one.windows if name.startswith("A")]
    ax.bar([k + offset for k in range(len(names))], [one.windows[name] for name in names], 0.4, label=name)
ax.set(xticks=range(4), xticklabels=names, ylabel="window (ticks)", title="Smallest window of each projection")
ax.legend()
