"""A scenario of one's own: `circuitsim run examples/own_scenario.py:SCENARIO --set units=8 --vary seed=0,1`."""

from __future__ import annotations

import circuitsim as cs


class Keys(cs.TrainingSettings):
    units: int = 16
    lr: float = 0.1
    batch: int = 10


def design(keys: Keys) -> cs.Design:
    circuit, protocol = cs.circuits.circular_autoencoder([64, keys.units, 64])
    return cs.Design(circuit, protocol, {"lr": keys.lr})


SCENARIO = cs.Scenario("own", "an autoencoder with one hidden layer of `units` neurons", Keys, design)
