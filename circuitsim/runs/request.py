"""What the user asked for, and how it ended: what passes between the command line and the three kinds of scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitsim.errors import ConfigError


@dataclass(frozen=True)
class Request:
    """Values for a scenario's keys, and where to put the run.

    Parameters
    ----------
    values, vary : keys that are set, and those that are crossed into replicas. backend : the kernels.
    out : the run folder. init : a file of first weights. overwrite : whether an earlier run there may be replaced.
    """

    values: Mapping[str, Any]
    vary: Mapping[str, Sequence[Any]]
    backend: str
    out: Path
    init: Path | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Place:
    """Where a computation is carried out.

    Parameters
    ----------
    folder : the run folder. backend : the kernels. tell : shows the user a line.
    """

    folder: Path
    backend: str
    tell: Callable[[str], None]


@dataclass(frozen=True)
class Conclusion:
    """How a run ended.

    Parameters
    ----------
    folder : where everything is. notes : what the user must know. rows : a closing table, a row each.
    """

    folder: Path
    notes: tuple[str, ...] = ()
    rows: tuple[Mapping[str, str], ...] = ()


def refuse_init(request: Request, kind: str) -> None:
    """Raise ConfigError where first weights are given to what has none of its own."""
    if request.init is not None:
        raise ConfigError(
            f"--init {request.init}",
            got=f"first weights for a {kind}",
            expected="a scenario that trains circuits of its own",
            remedy="Leave --init out.",
        )
