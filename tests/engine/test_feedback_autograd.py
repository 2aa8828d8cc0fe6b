"""The engine against what PyTorch's autograd and hooks made of the same updates (benchmarks/feedback_autograd.py)."""

from __future__ import annotations

import numpy as np
import pytest
from feedback_cases import CASES, UPDATES, by_engine, first_tensors, furthest, stored

LIMIT = 1e-12


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_one_update_and_ten_agree_with_pytorch(name: str, backend: str) -> None:
    expected = stored(name)
    assert max(furthest(by_engine(CASES[name], backend), expected)) < LIMIT
    before = first_tensors(CASES[name])
    for tensors in expected:  # all that learns was stored, and has moved
        moved = {key: float(np.abs(a - before[key]).max()) for key, a in tensors.items()}
        assert len(moved) >= 2 * (len(CASES[name].sizes) - 1) and min(moved.values()) > 1e-4, moved


def test_a_wrong_way_back_would_be_found() -> None:
    """Each case's updates are its own: those of no other kind of feedback come within a millionth of them."""
    classifiers = [name for name, case in CASES.items() if case.scenario == "classifier"]
    for name in classifiers:
        for other in (one for one in classifiers if one != name):
            first = (stored(name)[0]["W1.weight"], stored(other)[0]["W1.weight"])
            last = (stored(name)[1]["W1.weight"], stored(other)[1]["W1.weight"])
            assert max(np.abs(a - b).max() for a, b in (first, last)) > 1e-6, (name, other)
    assert UPDATES == (1, 10)
