"""Audits of runs take the least time, except in modules that ask for the time that a user's run gets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from circuitsim.analysis.audits import ran

OF_USERS = {"LEAST": ran.LEAST, "FIRST": ran.FIRST}


@pytest.fixture(scope="session", autouse=True)
def _short_audits() -> Iterator[None]:
    """Audit each run with the group of all elements alone: two thirds of a small run are audits otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        for name in OF_USERS:
            patch.setattr(ran, name, 0.0)
        yield


@pytest.fixture(scope="module")
def whole_audits(_short_audits: None) -> Iterator[None]:
    """Give audits the time that a user's run gives them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, seconds in OF_USERS.items():
            patch.setattr(ran, name, seconds)
        yield
