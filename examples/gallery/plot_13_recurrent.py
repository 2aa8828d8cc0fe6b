"""
A clocked recurrent cell
========================

In a clocked protocol every population fires at each step, and errors run back over the steps. Beside
backpropagation through time (`bp`) the same circuit learns with fixed random feedback (`fa`).
"""

import matplotlib.pyplot as plt

import circuitsim as cs

run = cs.run(
    "recurrent-classifier",
    dataset="digits",
    channels=[4],
    steps=3,
    judged=1,
    epochs=3,
    batch=25,
    lr=0.02,
    vary={"feedback": ["bp", "fa"]},
    progress=False,
)
run.plot("error", "test")

# %%
# The image is read out after each step. More steps help once the cell has learned to use them.

last = run.metrics.query("split == 'test' and epoch == 3 and metric.str.startswith('error_at/')", engine="python")
figure, ax = plt.subplots(figsize=(5, 3.2))
for feedback, rows in last.groupby("feedback"):
    ax.plot([int(name.split("/")[1]) for name in rows["metric"]], rows["value"], "o-", label=feedback)
ax.set(xlabel="read after step", ylabel="test error (%)", xticks=[1, 2, 3])
ax.legend()
