"""
An autoencoder under four rules
===============================

A circular autoencoder learns digits by recirculation, by backpropagation, by random backpropagation, and at its top
layer alone.
"""

import matplotlib.pyplot as plt
import numpy as np

import circuitsim as cs

run = cs.run("autoencoder", lr=0.1, batch=10, vary={"rule": ["rec", "bp", "rbp", "top"]}, progress=False)
run.plot("mse", "test")

# %%
# `simulator` goes on where the run ended. Here it reconstructs six test digits under each rule.

digits = cs.data.load("digits").test[:6]
rows = [digits, *(np.concatenate([out[0] for _, out, _ in run.simulator(n).outputs(digits)]) for n in range(4))]
figure, axes = plt.subplots(5, 6, figsize=(6, 5.2))
for row, images, name in zip(axes, rows, ["digit", "rec", "bp", "rbp", "top"], strict=True):
    row[0].set_ylabel(name)
    for ax, image in zip(row, images, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])

# %%
# The audit of the run says which of the four carry weights or errors over wires that are not local.

run.audit
