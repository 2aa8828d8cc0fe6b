"""
Sixty replicas in one run
=========================

Replicas differ in seeds, rates, rules or coefficients, and learn in bulk. Sixty settings are one computation.
"""

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np

import circuitsim as cs

rates = [float(rate) for rate in np.geomspace(0.01, 1, 12).round(4)]
begin = perf_counter()
run = cs.run("classifier", batch=50, epochs=5, vary={"lr": rates, "seed": range(5)}, progress=False)
print(f"{len(run.replicas)} replicas in {perf_counter() - begin:.0f} s")

# %%
last = run.metrics.query("metric == 'error' and split == 'test' and epoch == 5")
figure, ax = plt.subplots(figsize=(6, 3.4))
ax.plot(last["lr"], last["value"], ".", color="C0", alpha=0.6)
ax.plot(rates, last.groupby("lr")["value"].mean(), color="C1", label="mean of five seeds")
ax.set(xscale="log", xlabel="learning rate (logarithmic)", ylabel="test error (%)")
ax.legend()
