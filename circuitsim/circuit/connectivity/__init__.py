"""Connectivities: a projection is a table of synapses (post, pre, slot), described without listing them."""

from circuitsim.circuit.connectivity.base import Connectivity, Shape, Synapses, exchanged, size_of
from circuitsim.circuit.connectivity.plain import DENSE, Dense, OneToOne, PerChannel, Reverse, forwards
from circuitsim.circuit.connectivity.pooling import MaxPool, MeanPool, Upsample
from circuitsim.circuit.connectivity.resize import Resize
from circuitsim.circuit.connectivity.table import Table
from circuitsim.circuit.connectivity.windows import Convolution, LocallyConnected

KINDS = (
    Convolution,
    Dense,
    LocallyConnected,
    MaxPool,
    MeanPool,
    OneToOne,
    PerChannel,
    Resize,
    Reverse,
    Table,
    Upsample,
)
"""All connectivities that a circuit takes."""

__all__ = [
    "DENSE",
    "KINDS",
    "Connectivity",
    "Convolution",
    "Dense",
    "LocallyConnected",
    "MaxPool",
    "MeanPool",
    "OneToOne",
    "PerChannel",
    "Resize",
    "Reverse",
    "Shape",
    "Synapses",
    "Table",
    "Upsample",
    "exchanged",
    "forwards",
    "size_of",
]
