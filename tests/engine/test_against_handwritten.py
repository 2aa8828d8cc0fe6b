"""The engine against `handwritten.py`: 20 updates on real digits, every rule and variant, both backends."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import islice, product

import numpy as np
import pytest
from building import Setting, distance, presentations, simulator, train, weights_of
from running import nightly

from circuitsim.circuits.autoencoder import ERROR_DRIVEN, TOP_RULES, VARIANTS

SIZES = {2: (64, 12, 64), 4: (64, 12, 8, 10, 64)}
RATES = {2: (0.3, 0.1), 4: (0.3, 0.2, 0.25, 0.1)}
BIAS_RATES = {2: (0.15, 0.05), 4: (0.2, 0.05, 0.1, 0.02)}
TOLERANCE = {"float64": 1e-10, "float32": 1e-4}
PAIRS = [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]  # cycles m and n
EXTRAS = [(0.0, None), (0.6, None), (0.0, 0.9), (0.6, 0.9)]  # momentum and max_norm
LAMBDAS = [0.5, 0.4, 0.3, (0.3, 0.6), (0.5, 0.2)]
PARTS = [(2, 5), nightly(2, 1), nightly(4, 1)]  # depth, and of how many settings of `rec` one is taken
ROWS = presentations(20)
ACTIVATIONS = [("tanh", "logistic"), ("saturated", "tanh"), ("logistic", "identity"), ("relu", "logistic"),
               ("identity", "saturated")]  # fmt: skip


def groups(depth: int, every: int) -> list[list[Setting]]:
    """Return settings of this depth, one of `every` products of cycles, rules of the top and biases among them.

    Those of one group differ only in what replicas of one circuit can differ in. A fifth of the products has every
    value of each factor.
    """
    plain = Setting(SIZES[depth], lr=RATES[depth], lr_bias=BIAS_RATES[depth])
    found = []
    products = enumerate(product(("rec", "rec-symmetric"), PAIRS, TOP_RULES, (True, False)))
    for k, (rule, (m, n), top, bias) in islice(products, None, None, every):
        base = replace(plain, rule=rule, cycles=m, reference_cycle=n, top_rule=top, bias=bias)
        extras = EXTRAS[k % 4 :] + EXTRAS[: k % 4] + [EXTRAS[3]]
        found.append([
            replace(base, variant=v, lam=lam, momentum=mu, max_norm=limit)
            for v, lam, (mu, limit) in zip(VARIANTS, LAMBDAS, extras, strict=True)
        ])  # fmt: skip
    for rule, bias in product(("error-rec", *ERROR_DRIVEN), (True, False)):
        found.append([replace(plain, rule=rule, bias=bias, momentum=mu, max_norm=limit) for mu, limit in EXTRAS])
    for rule, (hidden, output) in product(("rec", "error-rec", "bp", "arbp", "srbp"), ACTIVATIONS):
        found.append([replace(plain, rule=rule, hidden=hidden, output=output, lr=0.005, lr_bias=0.01)])
    return found


@cache
def expected(setting: Setting, seed: int) -> dict[str, np.ndarray]:
    """By hand, from the weights of this seed in double precision."""
    return setting.by_hand(weights_of(simulator([setting], [seed])), ROWS)


@pytest.mark.parametrize(("depth", "every"), PARTS)
@pytest.mark.parametrize("dtype", ["float64", nightly("float32")])
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_weights_agree_after_twenty_updates(backend: str, dtype: str, depth: int, every: int) -> None:
    wrong = {}
    for settings in groups(depth, every):
        made = train(simulator(settings, backend=backend, dtype=dtype), ROWS)
        for replica, setting in enumerate(settings):
            apart = distance(weights_of(made, replica), expected(setting, replica))
            if not apart < TOLERANCE[dtype]:
                wrong[setting] = apart
    assert not wrong, "\n".join(f"{apart:.1e} {setting}" for setting, apart in wrong.items())


@pytest.mark.parametrize(("depth", "every"), PARTS)
def test_every_setting_learns_and_differs_from_its_neighbours(depth: int, every: int) -> None:
    """The comparison above means something: all settings change the weights, and none stands for another."""
    for settings in groups(depth, every):
        starts = [weights_of(simulator([s], [0])) for s in settings]
        ends = [expected(s, 0) for s in settings]
        assert all(np.abs(tensor).max() < 10 for end in ends for tensor in end.values()), settings[0]
        assert all(distance(a, b) > 1e-6 for a, b in zip(starts, ends, strict=True)), settings[0]
        for k, setting in enumerate(settings[1:]):
            assert distance(ends[k], ends[k + 1]) > 1e-6, setting
