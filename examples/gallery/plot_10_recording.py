"""
Activity as an xarray Dataset
=============================

`Simulator.record` keeps a quantity after every k-th presentation and changes no result.
"""

import matplotlib.pyplot as plt
import numpy as np

import circuitsim as cs

digits = cs.data.load("digits")
circuit, protocol = cs.circuits.circular_autoencoder([64, 16, 64])
simulator = cs.Simulator(circuit, protocol, batch=10, seeds=[0, 1], parameters={"lr": 0.1})
simulator.use(digits.train)
hidden = simulator.record("layer1", "O", every=10)
weights = simulator.record("A1", "weight", every=10)
simulator.present_each(np.random.default_rng(0).integers(0, 1430, (1000, 10)))
dataset = hidden.dataset()
dataset

# %%
# Dimensions have names, so that a statement about the data reads as one.

spread = dataset["O"].std(["example", "neuron"])
norms = np.sqrt((weights.dataset()["weight"] ** 2).sum(["axis0", "axis1"]))
figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for ax, values, label in zip(axes, (spread, norms), ("spread of hidden activity", "norm of A1"), strict=True):
    for replica in range(2):
        ax.plot(values["presentation"], values.sel(replica=replica), label=f"seed {replica}")
    ax.set(xlabel="presentation", ylabel=label)
axes[0].legend()
