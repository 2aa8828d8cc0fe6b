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
# In a scenario of one's own the key `leaky.decay` sets the decay. Varied, it makes replicas, which learn in one run; a
# table lets it change over the epochs, here by a factor of 0.5 after each.


class Keys(cs.TrainingSettings):
    batch: int = 10


def design(keys):
    circuit, protocol = cs.circuits.circular_autoencoder([64, 16, 64], rule=leaky)
    return cs.Design(circuit, protocol, {"lr": 0.1})


mine = cs.Scenario("leaky", "recirculation with decay", Keys, design)
decays = [0.0, 0.01, 0.1, {"value": 0.1, "decay": 0.5}]
run = cs.run(mine, vary={"leaky.decay": decays, "seed": range(3)}, progress=False)
run.plot("mse", "test")
