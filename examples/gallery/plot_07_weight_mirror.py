"""
The angle of a weight mirror
============================

In mirror mode a layer fires noise, the layer above answers, and the feedback synapses between them learn the
transpose of the forward weights. Fixed random feedback has no such phase; its angle falls only as far as the
forward weights come to it.
"""

import circuitsim as cs

mirror = {"scale": 0.5, "rate": 0.1, "decay": 0.01}
run = cs.run(
    "classifier",
    sizes=[64, 32, 10],
    lr=0.3,
    batch=50,
    mirror=mirror,
    vary={"feedback": ["wm", "fa", "kp"]},
    progress=False,
)
run.plot("angle/W2", "train")

# %%
# The timetable of mirror mode is one of its own.

simulator = run.simulator(0)
simulator.schedules[1]
