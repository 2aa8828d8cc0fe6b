"""Results of the checks as rows of numbers, from which the report is made."""

from __future__ import annotations

from typing import NamedTuple


class Datum(NamedTuple):
    """One measured number.

    Parameters
    ----------
    metric : its kind. case : the statement or system. value : the number. x, y : its place on the axes of a figure.
    """

    metric: str
    case: str
    value: float
    x: float = float("nan")
    y: float = float("nan")


def tally(case: str, agree: object, total: int) -> list[Datum]:
    """Record the number of starts of a statement and how many agree with it (a number or a mask)."""
    count = int(agree.sum()) if hasattr(agree, "sum") else int(agree)  # type: ignore[call-overload]
    return [Datum("starts", case, total), Datum("agree", case, count)]
