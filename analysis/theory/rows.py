"""What checks leave: numbers in rows, so that a report needs nothing but the run's table."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One number.

    Parameters
    ----------
    metric : what it is. case : of what. value : the number. x, y : where on a figure's axes.
    """

    metric: str
    case: str
    value: float
    x: float = float("nan")
    y: float = float("nan")


def tally(case: str, agree: object, total: int) -> list[Row]:
    """How many starts there were of a statement, and how many agree with it (a number, or a mask)."""
    count = int(agree.sum()) if hasattr(agree, "sum") else int(agree)  # type: ignore[call-overload]
    return [Row("starts", case, total), Row("agree", case, count)]
