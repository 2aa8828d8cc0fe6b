"""Weights: the source of the numbers by which a projection's synapses multiply. One type for each source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Own:
    """Weights of the projection's own, which rules may change.

    Parameters
    ----------
    normalised : after each update the weights are divided by their Frobenius norm; a declared non-local wire.
    first : value of all weights at first; None: they are drawn (Glorot).
    """

    normalised: bool = False
    first: float | None = None


@dataclass(frozen=True)
class Transposed:
    """The transposed weights of another projection: weight transport, a declared non-local wire.

    Parameters
    ----------
    of : the projection that has the weights.
    """

    of: str


@dataclass(frozen=True)
class Tied:
    """The weights of another projection as they are.

    Between the same sites these are the same synapses, which pass another signal at another time. Anywhere else this
    is weight sharing, a declared non-local wire.

    Parameters
    ----------
    to : the projection that has the weights.
    """

    to: str


@dataclass(frozen=True)
class Signs:
    """The signs of another projection's transposed weights, with magnitudes of the projection's own: weight transport.

    Parameters
    ----------
    of : the projection whose signs are used.
    redrawn : the magnitudes are drawn anew for every presentation.
    """

    of: str
    redrawn: bool = False


@dataclass(frozen=True)
class Copied:
    """A copy of another projection's transposed weights: weight transport that comes late.

    The copy is renewed at the start of every k-th presentation, where k is the projection's parameter `copy_interval`.

    Parameters
    ----------
    of : the projection that is copied.
    """

    of: str


@dataclass(frozen=True)
class Fixed:
    """The same constant at every synapse, which no rule may change.

    Parameters
    ----------
    value : the weight of each synapse.
    """

    value: float


OWN = Own()

Weights = Own | Transposed | Tied | Signs | Copied | Fixed


def origin(weights: Weights) -> str | None:
    """Return the other projection that weights come from, or None."""
    match weights:
        case Transposed(of) | Signs(of) | Copied(of):
            return of
        case Tied(to):
            return to
        case _:
            return None
