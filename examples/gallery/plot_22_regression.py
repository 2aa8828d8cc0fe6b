"""
Real-valued targets
===================

In a regression the targets are numbers in place of classes. The data set `teacher` has four of them, which a random
network gives to random inputs. The error at the output is target minus output; it comes down over any kind of feedback.
"""

import matplotlib.pyplot as plt

import circuitsim as cs

run = cs.run(
    "regression", vary={"feedback": ["bp", "fa", "kp"], "seed": range(3)}, epochs=10, train_limit=3000, progress=False
)
run.plot("mse", "test")

# %%
# Outputs against targets of the test examples, of the network with fixed random feedback:

simulator = run.simulator(replica=3)
data = cs.data.load("teacher", test_limit=500)
((_, outputs, _),) = simulator.outputs(data.test)
figure, ax = plt.subplots(figsize=(4, 4), layout="constrained")
ax.plot(data.test_targets[:, 0], outputs[0, :, 0], ".", markersize=3)
ax.axline((0, 0), slope=1, color="gray")
ax.set(xlabel="target", ylabel="output", title=f"feedback {run.replicas[3]['feedback']}")

# %%
# The audit reports the targets as it reports labels: they are a wire from outside, and make nothing non-local.

print(run.audit)
