"""Rules that cheat are refused, where they are written or where they are built in, and told why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rule_cheats import REFUSED

from circuitsim.errors import BadInput


@pytest.mark.parametrize("cheat", REFUSED, ids=lambda cheat: cheat.__name__)
def test_every_rule_that_cheats_is_refused(cheat: Callable[[], Any]) -> None:
    with pytest.raises(BadInput, match=REFUSED[cheat]):
        cheat()
