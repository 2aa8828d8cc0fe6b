"""The physically plausible twin of a classifier: each layer a circular autoencoder; decoders pass the error down.

Run: python examples/twin.py
"""

from dataclasses import replace

import numpy as np

from circuitsim import Simulator
from circuitsim.analysis.blocks import block_errors
from circuitsim.analysis.classification import classification_errors
from circuitsim.circuits.blocks import TOP, TUNING
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.twin import tourbillonize
from circuitsim.data import load

classifier, _ = layered_classifier([64, 32, 16, 10], "bp")
twin = tourbillonize(classifier, bounded=True)
print(twin.explain())

data = load("digits")
parameters = {"lr": 0.02, "max_norm": 0.6, **{(block.decoder.name, "lr"): 0.1 for block in twin.blocks}}
simulator = Simulator(twin.circuit, twin.protocol, batch=20, parameters=parameters)
simulator.use(data.train, data.train_labels)
order = np.random.default_rng(0)


def present(groups, epochs):
    """Train with these groups of rules alone, then print the errors."""
    simulator.change_protocol(replace(twin.protocol, groups=groups))
    for _ in range(epochs):
        for rows in np.array_split(order.permutation(len(data.train)), len(data.train) // 20):
            simulator.present(rows[:20])
    errors = classification_errors(simulator, data.test, data.test_labels) | block_errors(simulator, data.test)
    print(f"{' '.join(groups)}:", ", ".join(f"{name} {errors[name][0]:.3g}" for name in ("mse/1", "mse/2", "error")))


for number in range(1, len(twin.blocks) + 1):
    present(twin.groups(number), 8)
simulator.set_parameters({("W1", "lr"): 0.3, ("W2", "lr"): 0.3, ("W3", "lr"): 0.3})
simulator.set_parameters({(block.hinge.name, "max_norm"): np.inf for block in twin.blocks})
present((TOP, TUNING), 15)
