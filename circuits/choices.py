"""Refusals that circuits share: unknown names of rules, channels and losses."""

from __future__ import annotations

from collections.abc import Sequence

from circuitsim.errors import CircuitError


def require_choice(key: str, subject: str, value: str, known: Sequence[str], *, other: str = "") -> None:
    """Refuse a value that is not one of the known names.

    Parameters
    ----------
    key, subject : the argument, and the circuit with its article. other : what else is accepted, for the message.
    """
    if value not in known:
        raise CircuitError(
            f"{key} of {subject}",
            got=repr(value),
            expected=f"one of {', '.join(known)}{other}",
            remedy="Choose one of these.",
        )


def refuse_sizes(subject: str, sizes: Sequence[int], expected: str, remedy: str) -> None:
    """Refuse a list of layer sizes."""
    raise CircuitError(f"sizes of {subject}", got=str(list(sizes)), expected=expected, remedy=remedy)
