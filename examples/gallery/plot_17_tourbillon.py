"""
A Tourbillon's development
==========================

A stack of circular autoencoders grows block by block. Each block learns by recirculation alone; labels come in at
the top and, if wanted, in fine-tuning.
"""

import circuitsim as cs

run = cs.run(
    "tourbillon",
    sizes=[64, 32, 16, 10],
    epochs=4,
    top_epochs=4,
    tuning_epochs=6,
    vary={"seed": range(2)},
    progress=False,
)
run.plot("error", "test")

# %%
# The error of each block's images: a block learns in its own period.

run.plot("mse/1", "test")

# %%
run.plot("mse/2", "test")

# %%
# The circuit in which all this happens:

run.simulator().circuit
