"""
A rule of your own
==================

A learning rule is a scalar function of one synapse. It sees its two neurons, its weight and its parameters.
"""

import circuitsim as cs


@cs.local_rule
def leaky(pre, post, w, *, decay=0.001):
    return (post.at(0) - post.at(1)) * pre.at(0) - decay * w


leaky

# %%
# The function is traced once. Its certificate lists all that it reads: the place, and the cycle.

for reading in leaky.certificate.readings:
    print(reading.place.value, reading.cycle)

# %%
# A scenario of one's own makes the decay a key, so that it can be varied: nine replicas learn in one run.


class Keys(cs.TrainingSettings):
    decay: float = 0.001
    batch: int = 10


def design(keys):
    circuit, protocol = cs.circuits.circular_autoencoder([64, 16, 64], rule=leaky)
    return cs.Design(circuit, protocol, {"lr": 0.1, ("A1", "leaky.decay"): keys.decay})


mine = cs.Scenario("leaky", "recirculation with decay", Keys, design)
run = cs.run(mine, vary={"decay": [0.0, 0.01, 0.1], "seed": range(3)}, progress=False)
run.plot("mse", "test")
