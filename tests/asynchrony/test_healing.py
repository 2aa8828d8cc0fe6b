"""Sums of signals heal: what an example of enormous values leaves is gone with the next one."""

from __future__ import annotations

import numpy as np
import pytest

from circuitsim.asynchrony import AsynchronousSimulator, Timing
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.errors import CircuitError, Diverged

X = np.random.default_rng(0).random((20, 8))
TIMES = [
    Timing(),
    Timing(jitter=30, delays=20),
    Timing(jitter=300, ticks=2),
    Timing(membrane=0.5, trace=0.5, ticks=3),
    Timing(updates=400),
]
each_timing = pytest.mark.parametrize("timing", TIMES, ids=["regular", "jitter", "late", "slow", "updates"])


def made(
    timing: Timing = TIMES[0], dtype: str = "float32", hidden: str = "tanh", **parameters: float
) -> AsynchronousSimulator:
    circuit, protocol = circular_autoencoder([8, 4, 8], delay=10, hidden=hidden, output="identity")
    return AsynchronousSimulator(circuit, protocol, timing, dtype=dtype, parameters={"lr": 0.1, **parameters})


def state_of(simulator: AsynchronousSimulator) -> np.ndarray:
    parts = [simulator.remembered(f"layer{h}", c) for h in range(3) for c in range(2)]
    return np.concatenate([*parts, simulator.arrays.summed, simulator.arrays.axons["arrived"]])


def test_what_is_not_finite_is_refused() -> None:
    x = X.copy()
    x[3, 0] = np.nan
    message = (
        "^data for circuit circular autoencoder: got a value in row 3 that is infinite or not a number; expected fin"
    )
    with pytest.raises(CircuitError, match=message):
        made().use(x)


@each_timing
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e4, 1e12, 1e30])
def test_a_huge_example_leaves_nothing(timing: Timing, dtype: str, size: float) -> None:
    """After so many more that no history is left, all is as it would be without it, to the type's rounding."""
    x = X.copy()
    x[3] *= size
    one, other = made(timing, dtype), made(timing, dtype)
    for simulator, rows in ((one, [0, 3, *[1, 2] * 60]), (other, [0, 5, *[1, 2] * 60])):
        simulator.use(x)
        for row in rows:
            simulator.present(row, learn=False)
        simulator.settle()
    np.testing.assert_allclose(state_of(one), state_of(other), rtol=0, atol=1e-5 if dtype == "float32" else 1e-12)


@each_timing
def test_values_beyond_the_type_leave_nothing_either(timing: Timing) -> None:
    """Sums of the largest numbers are infinite, and so are neurons without a bound."""
    x = X.copy()
    x[3] = 3e38
    one, other = made(timing, hidden="identity"), made(timing, hidden="identity")
    for simulator in (one, other):
        simulator.use(x)
    with np.errstate(all="ignore"):
        for simulator, rows in ((one, [0, 3, *[1, 2] * 60]), (other, [0, 5, *[1, 2] * 60])):
            for row in rows:
                simulator.present(row, learn=False)
            simulator.settle()
    assert np.isfinite(state_of(one)).all()
    if not timing.jitter:  # linear neurons that are late pass on what was before
        np.testing.assert_allclose(state_of(one), state_of(other), rtol=0, atol=1e-5)


def test_sums_are_made_anew_only_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    from circuitsim.asynchrony import simulator as module

    healed: list[int] = []
    original = module.heal
    monkeypatch.setattr(module, "heal", lambda *given: (healed.append(1), original(*given))[1])
    one = made(TIMES[1])
    x = X.copy()
    x[3] *= 1e6
    one.use(x)
    for row in [*range(3), *range(4, 20)] * 3:
        one.present(row)
    assert not healed
    for row in (3, 1, 2, 4):
        one.present(row, learn=False)
    assert healed


def test_weights_that_an_update_would_make_infinite_stay_as_they_were() -> None:
    one = made(lr=1e25)
    one.use(np.full((3, 8), 1e17))
    before = one.tensors()
    with pytest.raises(Diverged, match=r"^an update in presentation 0 gave weights that are not finite\. Lower lr\.$"):
        one.present(0)
    assert all(np.isfinite(tensor).all() for tensor in one.tensors().values()) and one.presentations == 1
    assert np.array_equal(one.tensors()["A2.weight"], before["A2.weight"])
