"""
A circuit of your own
=====================

A circuit is a graph: populations, projections, exchanges between neurons at one site, and rules of the synapses.
"""

import matplotlib.pyplot as plt
import numpy as np

import circuitsim as cs
from circuitsim.rules import recirculation

circuit = cs.Circuit(
    "circular autoencoder of my own",
    populations=(
        cs.Population("pixels", 64, mixes=True),
        cs.Population("hidden", 16, "tanh"),
        cs.Population("image", 64, "logistic", site="pixels"),
    ),
    projections=(
        cs.Projection("A1", "pixels", "hidden", bias=True),
        cs.Projection("A2", "hidden", "image", bias=True),
    ),
    exchanges=(cs.Exchange("image", "pixels", cs.Carries.OUTPUT),),
    plasticity=(cs.Plasticity("A1", recirculation), cs.Plasticity("A2", recirculation, post="pixels")),
    inputs="pixels",
    outputs="image",
    local=True,
)
circuit

# %%
# One cycle of recirculation follows the forward pass. The weights of sixteen hidden neurons after ten epochs:

digits = cs.data.load("digits")
simulator = cs.Simulator(circuit, cs.Protocol(cycles=1), batch=10, parameters={"lr": 0.1})
simulator.use(digits.train)
order = np.random.default_rng(0)
for _ in range(10):
    simulator.present_each(order.permutation(1430).reshape(143, 10))

weights = simulator.tensors()["A1.weight"][0]
figure, axes = plt.subplots(2, 8, figsize=(7, 2))
for ax, row in zip(axes.flat, weights, strict=True):
    ax.imshow(row.reshape(8, 8), cmap="RdBu", vmin=-1, vmax=1)
    ax.set_axis_off()
