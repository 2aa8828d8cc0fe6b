"""Functions that return circuits: descriptions only.

The functions are imported when first asked for: `circuitsim.circuits.circular_autoencoder([64, 16, 64])`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circuitsim.circuits.autoencoder import circular_autoencoder
    from circuitsim.circuits.cells import make_cell
    from circuitsim.circuits.channels import standard_autoencoder
    from circuitsim.circuits.classifier import layered_classifier
    from circuitsim.circuits.errors_through_time import through_time
    from circuitsim.circuits.layouts import bidirectional_autoencoder, conjoined_autoencoder
    from circuitsim.circuits.nest import nested_autoencoder
    from circuitsim.circuits.replacement import replacement_classifier
    from circuitsim.circuits.stack import stacked_autoencoders
    from circuitsim.circuits.twin import tourbillonize

_MODULES = {
    "circular_autoencoder": "autoencoder",
    "make_cell": "cells",
    "standard_autoencoder": "channels",
    "layered_classifier": "classifier",
    **dict.fromkeys(("bidirectional_autoencoder", "conjoined_autoencoder"), "layouts"),
    "nested_autoencoder": "nest",
    "replacement_classifier": "replacement",
    "stacked_autoencoders": "stack",
    "through_time": "errors_through_time",
    "tourbillonize": "twin",
}

__all__ = [
    "bidirectional_autoencoder",
    "circular_autoencoder",
    "conjoined_autoencoder",
    "layered_classifier",
    "make_cell",
    "nested_autoencoder",
    "replacement_classifier",
    "stacked_autoencoders",
    "standard_autoencoder",
    "through_time",
    "tourbillonize",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"circuitsim.circuits.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'circuitsim.circuits' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
