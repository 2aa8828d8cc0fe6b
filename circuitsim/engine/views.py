"""Views of arrays: read-only, unless an access may change them."""

from __future__ import annotations

import numpy as np

from circuitsim.locality import Mode


def guarded(array: np.ndarray, mode: Mode) -> np.ndarray:
    """Return a view of an array, read-only unless the mode allows a change."""
    view = array.view()
    view.flags.writeable = mode is not Mode.READ
    return view
