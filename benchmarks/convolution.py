"""Products of convolutions, untied layers and pools beside PyTorch's, side by side in one process.

Run: python benchmarks/convolution.py [--repetitions 30] [--threads N]
PyTorch has to be there (pip install torch); nothing else here needs it. The untied layer in PyTorch is unfold and
einsum. Every result is compared with PyTorch's before anything is timed. The contenders take turns; times are of the
process's CPU divided by the threads, so that other work on the machine disturbs them little. A row has medians, and
the median of the ratios within a repetition: above 1 the engine is faster.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[], Any]


def timed(step: Step) -> float:
    """Return the milliseconds of CPU time that a step takes."""
    begin = time.process_time()
    step()
    return (time.process_time() - begin) * 1e3


def compared(name: str, ours: Step, theirs: Step, repetitions: int) -> None:
    """Time two contenders in turns and print a row."""
    for step in (ours, theirs):
        step()
        step()
    pairs = [(timed(ours), timed(theirs)) for _ in range(repetitions)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"{name:48} {mine:9.2f} {other:9.2f} {ratio:7.2f}")


def by_torch(made: Any, x: np.ndarray, d: np.ndarray, weight: np.ndarray) -> tuple[Step, ...]:
    """Return PyTorch's three products of one layer of windows."""
    import torch
    from torch.nn import functional as F  # noqa: N812

    from circuitsim.circuit.connectivity import LocallyConnected

    tx, td, tw = torch.from_numpy(x), torch.from_numpy(d), torch.from_numpy(weight)
    pads = [axis.before for axis in made.axes(x.shape[1:])]
    if not isinstance(made, LocallyConnected):
        return (
            lambda: F.conv2d(tx, tw, padding=pads),
            lambda: F.conv_transpose2d(td, tw, padding=pads),
            lambda: torch.nn.grad.conv2d_weight(tx, tw.shape, td, padding=pads),
        )
    channels = d.shape[1]
    shaped, fields = tw.reshape(d.shape[2] * d.shape[3], channels, -1), td.reshape(len(d), channels, -1)

    def taps() -> Any:
        return F.unfold(tx, made.kernel, padding=pads)

    def folded() -> Any:
        return F.fold(torch.einsum("bop,pok->bkp", fields, shaped), x.shape[2:], made.kernel, padding=pads)

    return (
        lambda: torch.einsum("bkp,pok->bop", taps(), shaped),
        folded,
        lambda: torch.einsum("bop,bkp->pok", fields, taps()),
    )


def windows(name: str, made: Any, pre: tuple[int, ...], channels: int, batch: int, repetitions: int) -> None:
    """Compare the three products of one layer of windows."""
    from circuitsim.circuit.connectivity import size_of
    from circuitsim.circuit.graph import Graph
    from circuitsim.circuit.parts import Population, Projection
    from circuitsim.kernels.cpu import backend as kernels
    from circuitsim.lowering.links import links

    rng, post = np.random.default_rng(0), made.output_shape(pre, channels)
    graph = Graph("g", (Population("pre", shape=pre), Population("post", shape=post)), (), "pre", "post")
    up = links(graph, Projection("up", "pre", "post", connectivity=made))
    down = links(graph, Projection("down", "post", "pre", connectivity=made.transposed()))
    first, second = made.channel_axes
    weight = rng.normal(size=(1, *made.tensor_shape(pre, post))).astype("float32")
    x, d = (rng.normal(size=(1, batch, size_of(s))).astype("float32") for s in (pre, post))
    y, back, dw = np.zeros_like(d), np.zeros_like(x), np.zeros_like(weight)
    flat = dw.reshape(1, -1, weight.shape[-3] * weight.shape[-2] * weight.shape[-1])
    steps = (
        kernels.deliver_along(up, x, weight, y, accumulate=False),
        kernels.deliver_along(down, d, weight.swapaxes(first + 1, second + 1), back, accumulate=False),
        kernels.outer_along(up, d, x, flat),
    )
    theirs = by_torch(made, x.reshape(batch, *pre), d.reshape(batch, *post), weight[0])
    for step, other, result in zip(steps, theirs, (y, back, dw), strict=True):
        step()
        wanted = other().numpy().reshape(-1)
        assert np.abs(result.reshape(-1) - wanted).max() < 1e-4 * np.abs(wanted).max(), name
    for part, step, other in zip(("forward", "transposed", "weights"), steps, theirs, strict=True):
        compared(f"{name}, {part}", step, other, repetitions)


def pools(repetitions: int) -> None:
    """Compare max-pooling and the way back."""
    import torch
    from torch.nn import functional as F  # noqa: N812

    from circuitsim.circuit.connectivity import MaxPool, size_of
    from circuitsim.circuit.graph import Graph
    from circuitsim.circuit.parts import Population, Projection
    from circuitsim.kernels.cpu import backend as kernels
    from circuitsim.lowering.links import links

    batch, pre, made = 100, (32, 32, 32), MaxPool(3, 2, 1, fill="none")
    post = made.output_shape(pre)
    graph = Graph("g", (Population("pre", shape=pre), Population("post", shape=post)), (), "pre", "post")
    up = links(graph, Projection("up", "pre", "post", connectivity=made))
    down = links(graph, Projection("down", "post", "pre", connectivity=made.transposed()))
    rng = np.random.default_rng(1)
    x, d = (rng.normal(size=(1, batch, size_of(s))).astype("float32") for s in (pre, post))
    y, won, back, one = np.zeros_like(d), np.zeros(d.shape, np.int64), np.zeros_like(x), np.ones((1, 9), "float32")
    tx = torch.from_numpy(x).reshape(batch, *pre).requires_grad_()
    td = torch.from_numpy(d).reshape(batch, *post)
    forward = kernels.largest(up, x, one, y, won)
    backward = kernels.deliver_winners(down, up, d, won, one, back, accumulate=False)

    def pooled() -> Any:
        return F.max_pool2d(tx, 3, 2, 1)

    kept = pooled()
    forward()
    backward()
    gradient = torch.autograd.grad(kept, tx, td, retain_graph=True)[0].numpy().reshape(-1)
    assert np.array_equal(y.reshape(-1), kept.detach().numpy().reshape(-1)), "pool"
    assert np.allclose(back.reshape(-1), gradient, atol=1e-5), "pool's way back"
    compared("max-pool 3/2, 32 maps of 32x32, forward", forward, pooled, repetitions)
    compared(
        "max-pool 3/2, 32 maps of 32x32, back",
        backward,
        lambda: torch.autograd.grad(kept, tx, td, retain_graph=True),
        repetitions,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    os.environ["NUMBA_NUM_THREADS"] = str(given.threads)
    import torch

    from circuitsim.circuit.connectivity import Convolution, LocallyConnected

    torch.set_num_threads(given.threads)
    print(f"{'batch 100, untied 50; milliseconds of CPU':48} {'engine':>9} {'PyTorch':>9} {'ratio':>7}")
    cases = (
        ("5x5 convolution 3-32, 32x32", Convolution(5), (3, 32, 32), 32, 100),
        ("3x3 convolution 32-64, 16x16", Convolution(3), (32, 16, 16), 64, 100),
        ("5x5 convolution 1-6, 28x28", Convolution(5), (1, 28, 28), 6, 100),
        ("5x5 convolution 6-1, 28x28", Convolution(5), (6, 28, 28), 1, 100),
        ("5x5 untied 3-32, 32x32", LocallyConnected(5), (3, 32, 32), 32, 50),
        ("3x3 untied 32-64, 16x16", LocallyConnected(3), (32, 16, 16), 64, 50),
    )
    for name, made, pre, channels, batch in cases:
        windows(name, made, pre, channels, batch, given.repetitions)
    pools(given.repetitions)


if __name__ == "__main__":
    main()
