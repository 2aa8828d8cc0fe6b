"""
A clocked recurrent cell
========================

In a clocked protocol every population fires at each step, and errors run back over the steps. Backpropagation through
time (`bp`) has transposed weights on the way back, `kp` random ones that learn what the forward ones learn, and `fa`
fixed random ones.
"""

import matplotlib.pyplot as plt

import circuitsim as cs

run = cs.run(
    "recurrent-classifier",
    dataset="digits",
    channels=[4],
    steps=3,
    judged=1,
    epochs=4,
    batch=25,
    lr=0.01,
    vary={"feedback": ["bp", "kp", "fa"]},
    progress=False,
)
run.plot("error", "test")

# %%
# Fixed random feedback does not learn in four epochs at this rate. The image can be read out after each step; more
# steps help a cell that has learned to use them.

last = run.metrics.query("split == 'test' and epoch == 4 and metric.str.startswith('error_at/')", engine="python")
figure, ax = plt.subplots(figsize=(5, 3.2))
for feedback, rows in last.groupby("feedback"):
    ax.plot([int(name.split("/")[1]) for name in rows["metric"]], rows["value"], "o-", label=feedback)
ax.set(xlabel="read after step", ylabel="test error (%)", xticks=[1, 2, 3])
ax.legend()
