"""Windows that neurons need as circuits get deeper, from real timetables.

With unit delays, feedback through L layers of synapses needs 2 (L - h) + 1 ticks at layer h; one recirculating loop of
L layers needs L + 1 at hidden layers and L at the top; a stack of circular autoencoders needs 3 at any depth.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from circuitsim.circuit.circuit import Circuit
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.stack import stacked_autoencoders
from circuitsim.timetable.protocol import Protocol
from circuitsim.timetable.schedule import make_schedule

FEEDBACK, LOOP, STACK = "feedback alignment", "one recirculating loop", "stack of recirculating blocks"


def window_table(
    depths: Iterable[int] = range(2, 21), blocks: Iterable[int] = range(1, 11), *, size: int = 2
) -> pd.DataFrame:
    """Tabulate the window in ticks that each projection's rules need, in autoencoders of growing depth.

    Parameters
    ----------
    depths : layers of synapses L of one circular autoencoder, each >= 2.
    blocks : numbers of circular autoencoders in a stack, each >= 1; k blocks have L = 2 k layers of synapses.
    size : neurons of every layer; windows do not depend on it.

    Returns
    -------
    Columns family, depth (layers of synapses), blocks, projection, layer (1 is lowest) and window (ticks).

    Source
    ------
    Baldi & Sadowski 2018, eqs. 13 to 15; Tavakoli, Sadowski & Baldi, Tourbillon, sections 4 and 5.
    """
    rows = []
    for depth in depths:
        for family, rule in ((FEEDBACK, "rbp"), (LOOP, "rec")):
            rows += _rows(family, depth, 1, circular_autoencoder([size] * (depth + 1), rule))
    for count in blocks:
        rows += _rows(STACK, 2 * count, count, stacked_autoencoders([size] * (count + 1)))
    return pd.DataFrame(rows)


def _rows(family: str, depth: int, blocks: int, described: tuple[Circuit, Protocol]) -> list[dict[str, object]]:
    schedule = make_schedule(*described)
    common = {"family": family, "depth": depth, "blocks": blocks}
    order = [q.name for q in schedule.circuit.projections if q.name in schedule.windows]
    return [
        {**common, "projection": name, "layer": layer, "window": schedule.windows[name]}
        for layer, name in enumerate(order, start=1)
    ]
