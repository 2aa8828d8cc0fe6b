"""SciPy's solver of initial value problems, which is an extra."""

from __future__ import annotations

from typing import Any

from circuitsim.errors import ConfigError


def initial_value_solver() -> Any:
    """Return `scipy.integrate.solve_ivp`.

    Raises
    ------
    ConfigError : SciPy is not installed.
    """
    try:
        from scipy.integrate import solve_ivp
    except ImportError:
        raise ConfigError(
            "solution of differential equations",
            got="an environment without SciPy",
            expected="SciPy, which has DOP853",
            remedy="Install it: pip install 'circuitsim[scipy]'.",
        ) from None
    return solve_ivp
