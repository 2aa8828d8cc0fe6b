"""A stack of circular autoencoders in one circuit: each block's hinge is the input of the next.

Populations `layer0` ... `layer{n}`, block b between layers b-1 and b. The output of block b, `image{b-1}`, and from the
second block on its input, `inner{b-1}`, are neurons at the site of layer b-1. Projections `E{b}` (encoder, up) and
`D{b}` (decoder, down).
"""

from __future__ import annotations

from collections.abc import Sequence

from circuitsim.errors import CircuitError
from circuitsim.graph import Carries, Circuit, Exchange, Plasticity, Population, Projection
from circuitsim.rules import recirculation
from circuitsim.schedule import Protocol


def stacked_autoencoders(
    sizes: Sequence[int],
    *,
    hidden: str = "tanh",
    output: str = "logistic",
    bias: bool = True,
    delay: int = 1,
    window: int | None = None,
) -> tuple[Circuit, Protocol]:
    """Circular autoencoders on top of each other, each learning by recirculation as soon as input arrives from below.

    Parameters
    ----------
    sizes : neurons of the input and of each block's hinge, at least two.
    hidden : activation of the hinges. output : activation of the lowest block's output; higher blocks reconstruct a
        hinge and have its activation. bias : whether neurons have one. delay : of every projection, ticks.
    window : how long neurons remember, ticks; None: as long as the rules need.

    Returns
    -------
    The circuit and one presentation of it.

    Source
    ------
    Tavakoli, Sadowski & Baldi, Tourbillon, sections 3 and 5.
    """
    if len(sizes) < 2:
        raise CircuitError(
            "sizes of a stack of autoencoders",
            got=str(list(sizes)),
            expected="at least two layers",
            remedy="Give the input's size and that of each hinge.",
        )
    blocks = range(1, len(sizes))
    return Circuit(
        "stack of circular autoencoders",
        (*_layers(sizes, hidden), *(p for b in blocks for p in _beside(sizes, b, hidden, output))),
        tuple(q for b in blocks for q in _loop(b, delay, bias)),
        inputs="layer0",
        outputs="image0",
        exchanges=tuple(x for b in blocks for x in _exchanges(b)),
        plasticity=tuple(
            p
            for b in blocks
            for p in (Plasticity(f"E{b}", recirculation), Plasticity(f"D{b}", recirculation, post=_input(b)))
        ),
        local=True,
    ), Protocol(cycles=1, window=window)


def _input(block: int) -> str:
    """The population that a block reconstructs."""
    return "layer0" if block == 1 else f"inner{block - 1}"


def _layers(sizes: Sequence[int], hidden: str) -> list[Population]:
    above = [Population(f"layer{b}", size, hidden, mixes=True) for b, size in enumerate(sizes) if b]
    return [Population("layer0", sizes[0], mixes=True), *above]


def _beside(sizes: Sequence[int], block: int, hidden: str, output: str) -> list[Population]:
    """What a block adds at the site of the layer that it reconstructs: its output and, above the first, its input."""
    size, site = sizes[block - 1], f"layer{block - 1}"
    image = Population(f"image{block - 1}", size, output if block == 1 else hidden, site=site)
    return [image] if block == 1 else [Population(_input(block), size, site=site, mixes=True), image]


def _loop(block: int, delay: int, bias: bool) -> list[Projection]:
    up = Projection(f"E{block}", _input(block), f"layer{block}", delay, bias)
    return [up, Projection(f"D{block}", f"layer{block}", f"image{block - 1}", delay, bias)]


def _exchanges(block: int) -> list[Exchange]:
    closing = [Exchange(f"image{block - 1}", _input(block), Carries.OUTPUT)]
    return closing if block == 1 else [Exchange(f"layer{block - 1}", _input(block), Carries.INPUT), *closing]
