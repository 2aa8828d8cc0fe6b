"""
Neurons that keep their own time
================================

Without a common clock each neuron computes when it likes. Late ticks spoil recirculation, unless neurons wait a little.
"""

import matplotlib.pyplot as plt
import numpy as np

import circuitsim as cs

digits = cs.data.load("digits")
circuit, protocol = cs.circuits.circular_autoencoder([64, 16, 64], delay=10)


def error(simulator):
    """Return the mean squared reconstruction error of the test digits, through the present weights."""
    w = {name: tensor[0] for name, tensor in simulator.tensors().items()}
    hidden = np.tanh(digits.test @ w["A1.weight"].T + w["A1.bias"])
    image = 1 / (1 + np.exp(-(hidden @ w["A2.weight"].T + w["A2.bias"])))
    return ((image - digits.test) ** 2).mean()


# %%
# Three circuits see the same 1400 digits. In one of them each tick of a neuron comes late; in another neurons wait
# for their inputs for five ticks more.

times = {
    "regular": cs.Timing(),
    "late by up to 2 ticks": cs.Timing(jitter=2),
    "late, but patient": cs.Timing(jitter=2, patience=5),
}
figure, ax = plt.subplots(figsize=(6, 3.4))
for name, timing in times.items():
    simulator = cs.AsynchronousSimulator(circuit, protocol, timing, parameters={"lr": 0.05})
    simulator.use(digits.train)
    order = np.random.default_rng(0).permutation(1400)
    errors = [error(simulator)]
    for part in np.array_split(order, 7):
        for row in part:
            simulator.present(int(row))
        errors.append(error(simulator))
    ax.plot(range(0, 1401, 200), errors, "o-", label=name)
ax.set(xlabel="presentations", ylabel="test error (mean squared)", title="A cycle has 20 ticks")
ax.legend()
