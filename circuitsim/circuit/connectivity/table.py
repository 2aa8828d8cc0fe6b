"""Table: any synapses, listed one by one."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from circuitsim.circuit.connectivity.base import Shape, Synapses, size_of
from circuitsim.circuit.connectivity.plain import Reverse
from circuitsim.errors import CircuitError


class Table:
    """Synapses listed one by one; tensor (slot,).

    Parameters
    ----------
    post, pre : numbers of the postsynaptic and the presynaptic neurons, whole numbers >= 0, (synapse,). A SciPy sparse
        matrix or a networkx graph alone stands for both: see `from_sparse` and `from_graph`.
    slot : number of the stored weight of each synapse, from 0 without gaps, (synapse,); None: one for each synapse.

    Raises
    ------
    CircuitError : index arrays of other kinds or lengths, two synapses alike, a slot that no synapse has.

    Examples
    --------
    >>> Table([0, 1, 1], [2, 0, 2])
    Table(3 synapses, 3 slots, e8292ccd41)
    """

    channel_axes = None

    def __new__(cls, post: Any, pre: Any = None, slot: Any = None) -> Table:
        """Return the table of index arrays, of a SciPy sparse matrix (post, pre), or of a networkx graph."""
        if pre is None and hasattr(post, "tocsr"):
            return cls.from_sparse(post)
        if pre is None and hasattr(post, "edges"):
            return cls.from_graph(post)
        return super().__new__(cls)

    def __init__(self, post: Any, pre: Any = None, slot: Any = None) -> None:
        if pre is None and hasattr(self, "_synapses"):
            return  # made of a matrix or a graph
        ends = [_numbers(name, values) for name, values in (("post", post), ("pre", pre))]
        slots = np.arange(len(ends[0])) if slot is None else _numbers("slot", slot)
        if len({len(ends[0]), len(ends[1]), len(slots)}) != 1 or not len(slots):
            lengths = f"{len(ends[0])}, {len(ends[1])} and {len(slots)} numbers"
            _refuse(f"post, pre and slot of {lengths}", "as many of each, at least one", "Give one row a synapse.")
        if len(np.unique(np.stack([*ends, slots]), axis=1)[0]) != len(slots):
            _refuse("the same synapse twice", "each synapse once", "Remove the second one, or sum the weights.")
        missing = np.setdiff1d(np.arange(slots.max() + 1), slots)
        if missing.size:
            _refuse(f"slot {missing[0]} of no synapse", f"slots 0 to {slots.max()}, each used", "Number them anew.")
        self._synapses = Synapses(ends[0], ends[1], slots)
        for array in self._synapses:
            array.flags.writeable = False
        self._digest = hashlib.sha256(np.stack(self._synapses).tobytes()).hexdigest()[:10]

    @classmethod
    def from_sparse(cls, matrix: Any) -> Table:
        """Return the table of the stored entries of a SciPy sparse matrix (post, pre), row by row.

        Slot k is the k-th entry; the values are the caller's to load: `matrix.tocsr().data`.
        """
        rows = matrix.tocsr().copy()
        rows.sum_duplicates()
        entries = rows.tocoo()
        return cls(entries.row, entries.col)

    @classmethod
    def from_graph(cls, graph: Any, pre: list[Any] | None = None, post: list[Any] | None = None) -> Table:
        """Return the table of the edges of a networkx graph, each from its presynaptic to its postsynaptic node.

        Parameters
        ----------
        graph : a directed graph; an undirected one has a synapse each way.
        pre, post : nodes in the order of the neurons; None: all nodes of the graph, in its own order.
        """
        sources = {node: k for k, node in enumerate(graph.nodes if pre is None else pre)}
        targets = {node: k for k, node in enumerate(graph.nodes if post is None else post)}
        found = dict.fromkeys((a, b) for a, b in graph.to_directed().edges() if a in sources and b in targets)
        if not found:
            _refuse("a graph without an edge between these nodes", "at least one edge", "Name the nodes of both ends.")
        return cls([targets[b] for _, b in found], [sources[a] for a, _ in found])

    def problem(self, pre: Shape, post: Shape) -> str:
        """Return what was expected unless all numbers are neurons."""
        into, out = int(self._synapses.post.max()) + 1, int(self._synapses.pre.max()) + 1
        fits = into <= size_of(post) and out <= size_of(pre)
        return "" if fits else f"at least {out} presynaptic and {into} postsynaptic neurons"

    def tensor_shape(self, pre: Shape, post: Shape) -> Shape:
        """Return (slot,)."""
        return (int(self._synapses.slot.max()) + 1,)

    def bias_shape(self, post: Shape) -> Shape:
        """Return one bias a neuron."""
        return post

    def fan(self, pre: Shape, post: Shape) -> tuple[int, int]:
        """Return the mean number of synapses into a postsynaptic and out of a presynaptic neuron, at least one."""
        count = len(self._synapses.slot)
        return max(1, round(count / size_of(post))), max(1, round(count / size_of(pre)))

    def shared(self, pre: Shape, post: Shape) -> bool:
        """Return whether two synapses have one slot."""
        return len(self._synapses.slot) > int(self._synapses.slot.max()) + 1

    def synapses(self, pre: Shape, post: Shape) -> Synapses:
        """Return the synapses as they were listed."""
        return self._synapses

    def transposed(self) -> Reverse:
        """Return the same synapses with their ends exchanged."""
        return Reverse(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and all(map(np.array_equal, self._synapses, other._synapses))

    def __hash__(self) -> int:
        return hash(self._digest)

    def __repr__(self) -> str:
        slots = int(self._synapses.slot.max()) + 1
        return f"Table({len(self._synapses.slot)} synapses, {slots} slots, {self._digest})"


def _numbers(name: str, values: Any) -> np.ndarray:
    """Return a private copy of index numbers; CircuitError for anything else."""
    found = np.asarray(() if values is None else values)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu") or (found.size and found.min() < 0):
        kind = f"{found.dtype} of shape {found.shape}" + (", negative" if found.dtype.kind == "i" else "")
        _refuse(f"{name}, {kind}", "whole numbers >= 0, one a synapse", "Number the neurons from 0.")
    return found.astype(np.int64)


def _refuse(got: str, expected: str, remedy: str) -> None:
    raise CircuitError("Table of synapses", got=got, expected=expected, remedy=remedy)
