"""
The audit of a training step written elsewhere
==============================================

`audit_step` calls a step with weights and examples changed on purpose, and watches which weight changes follow. It
does not look into the step.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

import circuitsim as cs

random = np.random.default_rng(0)
weights = {"W1": random.normal(size=(6, 8)), "W2": random.normal(size=(4, 6)), "B2": random.normal(size=(6, 4))}
batch = {"x": random.normal(size=(12, 8)), "t": np.eye(4)[random.integers(0, 4, 12)]}
wiring = {"W1": ("x", "h"), "W2": ("h", "y"), "B2": ("y", "h")}


def step(weights, batch, back):
    """Return weights after a step whose error goes down through `back`."""
    h = np.tanh(batch["x"] @ weights["W1"].T)
    e = batch["t"] - 1 / (1 + np.exp(-h @ weights["W2"].T))
    delta = (e @ back.T) * (1 - h**2)
    return {"W1": weights["W1"] + 0.1 * delta.T @ batch["x"], "W2": weights["W2"] + 0.1 * e.T @ h}


def alignment(weights, batch):
    return step(weights, batch, weights["B2"])


def backpropagation(weights, batch):
    return step(weights, batch, weights["W2"].T)


honest = cs.audit_step(alignment, weights, wiring, batch, seed=0)
cheat = cs.audit_step(backpropagation, weights, wiring, batch, seed=0)
print(cheat)

# %%
# What each update depends on: the synapse itself, activities that wires carry, or more than locality permits.

levels = {"": 0, "own": 1, "signals": 1, "label": 1}
colours = ListedColormap(["#ffffff", "#d9ead3", "#f4b6a6"])
figure, axes = plt.subplots(2, 1, figsize=(5.5, 5), layout="constrained")
for ax, audit, title in zip(axes, (honest, cheat), ("feedback alignment", "backpropagation"), strict=True):
    table = audit.dependencies
    ax.imshow(table.map(lambda kind: levels.get(kind, 2)), cmap=colours, vmin=0, vmax=2, aspect="auto")
    for y, x in np.ndindex(table.shape):
        ax.text(x, y, table.iat[y, x], ha="center", va="center", fontsize=8)
    ax.set(xticks=range(table.shape[1]), xticklabels=table.columns, yticks=range(len(table)), yticklabels=table.index)
    ax.set(title=title, xlabel="depends on", ylabel="update of")
