"""
Five timing variants, one coefficient
=====================================

In a recirculation cycle a neuron may mix its new activity with that of cycle 0, in what it emits and in what it
remembers. The five variants of Baldi & Sadowski (2018) are points of this continuum; λ is the fraction of the old
activity.
"""

import circuitsim as cs

variants = ["pr", "ccr", "rcc", "ccrcc", "rwcc"]
run = cs.run("autoencoder", lr=0.1, batch=20, lam=0.5, vary={"variant": variants, "seed": range(2)}, progress=False)
run.plot("mse", "test")

# %%
# Mixing shrinks the difference that the rule compares, and so slows learning. `compensate=True` divides each rate
# by the factor by which its post term shrinks, to first order.

even = cs.run(
    "autoencoder", lr=0.1, batch=20, compensate=True, vary={"variant": variants, "seed": range(2)}, progress=False
)
even.plot("mse", "test")
