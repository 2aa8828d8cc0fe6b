"""
The filters of a convolution
============================

A convolution's synapses share weights over positions, which is a declared wire. An untied layer has a weight for each
synapse, and no wire.
"""

import matplotlib.pyplot as plt
import numpy as np

import circuitsim as cs

runs = {}
for kind in ("conv", "local"):
    layers = [f"{kind} 8 3", "maxpool 2", "dense 10"]
    runs[kind] = cs.run("classifier", layers=layers, hidden="relu", lr=0.1, batch=20, epochs=4, progress=False)
cs.compare(runs.values()).plot("error", "test")

# %%
# The eight filters of the convolution, and those of the untied layer at the centre of the image.

shared = runs["conv"].tensors()["W1.weight"][:, 0]
untied = runs["local"].tensors()["W1.weight"][4, 4, :, 0]
figure, axes = plt.subplots(2, 8, figsize=(7, 2))
for row, filters, name in zip(axes, (shared, untied), ("conv", "local"), strict=True):
    for ax, one in zip(row, filters, strict=True):
        ax.imshow(one, cmap="RdBu", vmin=-np.abs(filters).max(), vmax=np.abs(filters).max())
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)

# %%
# What the audit says of both:

for name, run in runs.items():
    print(name, sorted({finding["kind"] for finding in run.audit.findings}))
