"""Values and texts of users: read and bounded before anything is made of them, and put into words."""

from __future__ import annotations

import tomllib
from typing import Any

from circuitsim.errors import ConfigError

DEPTH = 50  # brackets and tables inside each other
LENGTH = 100_000  # characters of a text, and values of a list
SHOWN = 200  # characters of a value in a message
WHOLE = range(-(2**64), 2**64)  # more than any key takes: their own messages say what they take


def read_toml(text: str) -> dict[str, Any]:
    """Read TOML; ValueError also for what is nested too deeply, or has numbers too long, to be read."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:
        raise ValueError("a whole number with too many digits") from None
    except RecursionError:
        raise ValueError(f"brackets nested more than {DEPTH} deep") from None


def expect_bounded(what: str, value: Any) -> None:
    """Raise ConfigError for a value that is too large, too long or nested too deeply for any key.

    Parameters
    ----------
    what : the key, or the option, that has the value.
    """
    fault = _fault(value, DEPTH)
    if fault:
        got, expected = fault
        raise ConfigError(what, got=got, expected=expected, remedy="Give a smaller one.")


def _fault(value: Any, depth: int) -> tuple[str, str] | None:
    if isinstance(value, (list, tuple, dict)):
        if not depth:
            return f"a value nested more than {DEPTH} deep", "a plain value"
        if len(value) > LENGTH:
            return f"a list of {len(value)} values", f"at most {LENGTH}"
        parts = (*value, *value.values()) if isinstance(value, dict) else value
        return next((found for part in parts if (found := _fault(part, depth - 1))), None)
    if isinstance(value, int) and value not in WHOLE:
        return f"a whole number of {value.bit_length()} bits", "a whole number of at most 64 bits"
    if isinstance(value, str) and len(value) > LENGTH:
        return f"a text of {len(value)} characters", f"at most {LENGTH}"
    return None


def shown(value: Any) -> str:
    """Return a value as a message has it: as a user would write it, shortened, in characters that can be printed.

    >>> shown(True), shown(None), shown("a")
    ('true', 'none', "'a'")
    """
    if isinstance(value, bool):
        return str(value).lower()
    fault = _fault(value, DEPTH)
    if fault:
        return fault[0]
    return shortened("none" if value is None else repr(value) if isinstance(value, str) else str(value))


def shortened(text: str) -> str:
    """Return a text that is short enough for a message.

    >>> shortened("x" * 1000).count("x")
    200
    """
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"
