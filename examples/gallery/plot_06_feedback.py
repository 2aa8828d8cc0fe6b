"""
Kinds of feedback compared
==========================

A classifier's errors come down over transposed weights (`bp`), fixed random weights (`fa`, and `dfa` directly from the
output), learned weights (`kp`), or the signs of the transposed weights (`ss`).
"""

import circuitsim as cs

kinds = ["bp", "fa", "dfa", "kp", "ss"]
run = cs.run(
    "classifier", lr=0.5, sizes=[64, 32, 16, 10], batch=50, vary={"feedback": kinds, "seed": range(2)}, progress=False
)
run.plot("error", "test")

# %%
# The angle between the error that arrives at the lowest layer and that of backpropagation through the same weights:

run.plot("angle/delta1", "train")
