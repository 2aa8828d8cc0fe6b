"""
The audit of a cheating hook
============================

Code that runs between phases may do anything with the weights. The audit runs it from random states, changes one
array at a time, and names the line that carries weights to another place.
"""

import matplotlib.pyplot as plt
import numpy as np

import circuitsim as cs
from circuitsim.analysis.alignment import weight_alignment
from circuitsim.analysis.audits.examine import examine_simulator


def keep_aligned(tensors):
    """Move the feedback weights towards the transposed forward weights."""
    tensors["B2.weight"][...] += 0.1 * (tensors["W2.weight"].transpose(0, 2, 1) - tensors["B2.weight"])


digits = cs.data.load("digits")
circuit, protocol = cs.circuits.layered_classifier([64, 32, 10], "fa")
simulators = {
    name: cs.Simulator(circuit, protocol, batch=10, parameters={"lr": 0.1}, hooks=hooks)
    for name, hooks in (("without", ()), ("with the hook", (cs.Hook(keep_aligned, after="update"),)))
}
angles = {name: [] for name in simulators}
for name, simulator in simulators.items():
    simulator.use(digits.train, digits.train_labels)
    for first in range(0, 500, 10):
        angles[name].append(weight_alignment(simulator)["angle/W2"][0])
        simulator.present(range(first, first + 10))

figure, ax = plt.subplots(figsize=(6, 3.2))
for name, values in angles.items():
    ax.plot(range(50), values, label=name)
ax.set(xlabel="presentation", ylabel="angle of B2 and W2ᵀ (degrees)", ylim=(0, 100))
ax.legend()

# %%
# The audit finds the hook, and says what it carries from where.

audit = examine_simulator(simulators["with the hook"], np.arange(10))
for finding in audit["findings"]:
    print(f"{finding['kind']} in {finding['projection']}: {finding['read']} ({finding['rule'] or 'declared'})")
