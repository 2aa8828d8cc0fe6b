"""
A sweep and its figure
======================

A sweep takes any key. Values that change no shapes become replicas of one run; other values are runs of their own.
"""

import circuitsim as cs

sweep = cs.sweep(
    "autoencoder",
    {"sizes": [[64, 4, 64], [64, 8, 64], [64, 16, 64]], "lr": [0.02, 0.05, 0.1], "seed": range(2)},
    batch=20,
    epochs=4,
    progress=False,
)
sweep.plot()

# %%
# A row for each point:

sweep.table
