"""The connectivities that every suite goes through, each with the shapes of its ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuitsim.circuit.connectivity import (
    Connectivity,
    Convolution,
    Dense,
    LocallyConnected,
    MaxPool,
    MeanPool,
    OneToOne,
    Resize,
    Shape,
    Table,
    Upsample,
)


@dataclass(frozen=True)
class Row:
    """A connectivity between two shapes."""

    label: str
    connectivity: Connectivity
    pre: Shape
    post: Shape

    def reversed(self) -> Row:
        """The same synapses with their ends exchanged."""
        return Row(f"{self.label}, reversed", self.connectivity.transposed(), self.post, self.pre)


def _windows(label: str, made: Convolution, pre: Shape, channels: int) -> Row:
    return Row(label, made, pre, made.output_shape(pre, channels))


def _pool(label: str, made: MaxPool | MeanPool, pre: Shape) -> Row:
    return Row(label, made, pre, made.output_shape(pre))


def _sparse() -> Row:
    ends = np.random.default_rng(3).integers(0, (7, 9), (40, 2))
    post, pre = np.unique(ends, axis=0).T
    return Row("table", Table(post, pre), (9,), (7,))


def _shared() -> Row:
    post, pre, slot = Convolution(2, 1, "valid").synapses((2, 3, 4), (3, 2, 3))
    order = np.random.default_rng(4).permutation(len(slot))
    return Row("table with shared slots", Table(post[order], pre[order], slot[order]), (24,), (18,))


LEARNING = [
    Row("dense", Dense(), (2, 3, 2), (5,)),
    Row("one to one", OneToOne(), (2, 2, 3), (2, 2, 3)),
    _windows("convolution", Convolution(3), (2, 5, 4), 3),
    _windows("convolution, stride 2", Convolution(3, 2), (3, 7, 6), 2),
    _windows("convolution, valid", Convolution((2, 3), (1, 2), "valid"), (2, 5, 7), 3),
    _windows("convolution, wide border", Convolution(2, 3, 2), (1, 4, 5), 4),
    _windows("convolution of points", Convolution(1), (4, 3, 3), 5),
    _windows("convolution, larger than its image", Convolution(5), (2, 3, 2), 2),
    _windows("untied", LocallyConnected(3), (2, 5, 4), 3),
    _windows("untied, stride 2", LocallyConnected(3, 2), (3, 7, 6), 2),
    _windows("untied, valid", LocallyConnected((2, 3), (1, 2), "valid"), (2, 5, 7), 3),
    _sparse(),
    _shared(),
    Row("upsampling that learns", Upsample(2), (2, 2, 3), (2, 4, 6)),
]
"""What can have weights of its own."""

POOLS = [
    _pool("max-pool", MaxPool(2), (3, 4, 6)),
    _pool("max-pool, overlapping", MaxPool(3, 2, "same", fill="none"), (2, 7, 5)),
    _pool("max-pool, borders compete", MaxPool(3, 2, "same", fill="zero"), (2, 7, 6)),
    _pool("max-pool, last tie", MaxPool(3, 2, 1, fill="zero", ties="last"), (2, 6, 5)),
    _pool("max-pool, all ties", MaxPool(3, 2, "same", fill="zero", ties="all"), (2, 7, 5)),
    _pool("max-pool, all ties inside", MaxPool(2, 1, "same", fill="none", ties="all"), (2, 4, 5)),
]
"""What takes the largest of its window."""

FIXED = [
    _pool("mean-pool", MeanPool(2), (3, 4, 6)),
    _pool("mean-pool, uneven", MeanPool(3, 2, "same", fill="none"), (2, 7, 5)),
    _pool("mean-pool over the border", MeanPool(3, 2, "same", fill="zero"), (2, 7, 6)),
    Row("upsampling", Upsample((2, 3)), (2, 3, 2), (2, 6, 6)),
    Row("upsampling, cut", Upsample(2), (2, 3, 3), (2, 5, 6)),
    Row("resize, larger", Resize(), (2, 3, 2), (2, 5, 5)),
    Row("resize, smaller", Resize(), (1, 6, 4), (1, 3, 1)),
    Row("sum", OneToOne(), (2, 3, 3), (2, 3, 3)),
]
"""What has weights that never change."""
