"""Rules that cheat are refused, where they are written or where they are built in, with the reason."""

from __future__ import annotations

import pytest
from rule_cheats import REFUSED

from circuitsim.errors import BadInput


@pytest.mark.parametrize("name", REFUSED)
def test_every_rule_that_cheats_is_refused(name: str) -> None:
    cheat, message = REFUSED[name]
    with pytest.raises(BadInput, match=message):
        cheat()
