"""
An activation of your own
=========================

An activation is a scalar function of a neuron's summed input. It is traced once, and sympy finds its derivative.
"""

import matplotlib.pyplot as plt
import numpy as np

import circuitsim as cs


@cs.local_activation
def swish(s, *, steepness=1.0):
    return s * (1 + tanh(steepness * s / 2)) / 2


swish

# %%
# The function and its slope, for three values of its parameter:

s = np.linspace(-6, 6, 300)
figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained", sharex=True)
for steepness in (0.5, 1.0, 4.0):
    function = swish.bind(steepness=steepness)
    axes[0].plot(s, function(s), label=f"steepness {steepness}")
    axes[1].plot(s, function.slope(s))
axes[0].set(xlabel="summed input s", ylabel="activity f(s)")
axes[1].set(xlabel="summed input s", ylabel="slope f'(s)")
axes[0].legend()

# %%
# A circuit of such neurons is as local as one of known ones.

circuit, protocol = cs.circuits.circular_autoencoder([64, 16, 64], hidden=swish, output="logistic")
cs.audit(circuit, protocol, measure=False, seed=0)

# %%
# It learns by recirculation, compiled like any other.

simulator = cs.Simulator(circuit, protocol, batch=10, parameters={"lr": 0.1})
digits = cs.data.load("digits")
simulator.use(digits.train)
errors = []
for epoch in range(10):
    order = np.random.default_rng(epoch).permutation(1430)
    simulator.present_each(order.reshape(-1, 10))
    shown = np.concatenate([fired[0] for _, fired, _ in simulator.outputs(digits.test)])
    errors.append(float(((shown - digits.test) ** 2).mean()))
figure, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(range(1, 11), errors, marker="o")
ax.set(xlabel="epoch", ylabel="mean squared error on test digits", ylim=(0, None))
