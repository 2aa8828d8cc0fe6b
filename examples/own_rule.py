"""A rule of your own in ten lines: recirculation with weight decay.

Run: python examples/own_rule.py
"""

from circuitsim import Simulator, local_rule
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.data import load


@local_rule
def leaky(pre, post, w, *, decay=0.01):
    return (post.at(0) - post.at(1)) * pre.at(0) - decay * w


circuit, protocol = circular_autoencoder([64, 16, 64], rule=leaky)
digits = load("digits")
simulator = Simulator(circuit, protocol, batch=10, parameters={"lr": 0.1})
simulator.use(digits.train)
print("reads:", ", ".join(f"{r.place.value}.at({r.cycle})" for r in leaky.certificate.readings if r.cycle is not None))
for epoch in range(10):
    for first in range(0, len(digits.train) - 9, 10):
        simulator.present(range(first, first + 10))
    errors = [((out[0] - digits.test[part]) ** 2).mean() for part, out, _ in simulator.outputs(digits.test)]
    print(f"epoch {epoch + 1}  test mse {sum(errors) / len(errors):.4f}")
