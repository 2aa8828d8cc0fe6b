"""Neurons that keep their own time, by hand: tick after tick, without events, deltas or a heap.

At every tick S is summed anew from what all sources emitted `delay` ticks before; nothing here is kept up to date by
adding changes. A circular autoencoder with biases, one recirculation, the rule (O_i(0) - O_i(1)) O_j(0).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from circuitsim.asynchrony import Timing
from circuitsim.randomness import generator

Tensors = dict[str, np.ndarray]


@dataclass
class Handwritten:
    """A circuit of tanh neurons with a logistic top, shown examples by `present`."""

    sizes: list[int]
    delay: int
    timing: Timing
    seed: int
    tensors: Tensors
    lr: float
    emits: dict[int, float] = field(default_factory=dict)
    remembers: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.layers, self.top = range(len(self.sizes)), len(self.sizes) - 1
        self.now, t = 0, self.timing
        self.history = {h: [np.zeros(n)] for h, n in enumerate(self.sizes)}  # emissions after each tick, from -1 on
        self.kept = {h: np.zeros(n) for h, n in enumerate(self.sizes)}
        self.memory = {h: [np.zeros(n), np.zeros(n)] for h, n in enumerate(self.sizes)}
        self.slice = dict.fromkeys(self.layers, 1)
        self.fires: dict[int, list[tuple[int, int]]] = defaultdict(list)  # tick: (layer, neuron), once for each tick
        self.updates: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.period: dict[tuple[int, int], int] = {}
        self.pending = {name: np.zeros_like(tensor) for name, tensor in self.tensors.items()}
        self.delays = {
            h: self.delay + generator(self.seed, f"delays of A{h}").integers(0, t.delays + 1, self.sizes[h - 1])
            for h in self.layers[1:]
        }

    def present(self, x: np.ndarray) -> None:
        t, begin = self.timing, self.now
        hop = self.delay + t.patience
        cycle = hop * self.top + t.patience
        for h in self.layers:
            starts = [begin + h * hop, begin + h * hop + t.hold * cycle]
            for c, start in enumerate([*starts, starts[1] + cycle]):
                self.period[start, h] = c
            late = generator(self.seed, f"jitter of layer{h}", begin)
            for c, start in enumerate(starts):
                count = t.ticks * (1 if c else t.hold)
                for k in range(1 if h == 0 and c == 0 else count):
                    clamped = h == 0 and c == 0
                    drawn = late.integers(0, t.jitter + 1, self.sizes[h])
                    for i, later in enumerate(drawn):
                        self.fires[start + k * (hop * self.top) // t.ticks + (0 if clamped else int(later))].append(
                            (h, i)
                        )
        self.x = x
        end = begin + hop * self.top + (t.hold + 1) * cycle
        while self.now <= end:
            self.step()
        self.propose(begin, end)
        self.apply(end)  # those that do not wait

    def step(self) -> None:
        """One tick: time slices begin, weights change, neurons compute; layer 0 takes layer L's activity last."""
        for h in self.layers:
            c = self.period.pop((self.now, h), None)
            if c:
                self.memory[h][c - 1] = self.kept[h].copy()
            if c is not None:
                self.slice[h] = min(c, 1)
        self.apply(self.now)
        emitted = {h: self.history[h][-1].copy() for h in self.layers}
        for h, i in sorted(self.fires.pop(self.now, []), key=lambda who: who[0] or len(self.sizes)):
            self.fire(h, i, emitted)
        for h in self.layers:
            self.history[h].append(emitted[h])
        self.now += 1

    def fire(self, h: int, i: int, emitted: dict[int, np.ndarray]) -> None:
        if h == 0 and self.slice[0] == 0:
            emitted[0][i] = self.kept[0][i] = self.x[i]
            return
        value = emitted[self.top][i] if h == 0 else self.computed(h, i)
        mixes = h < self.top
        membrane = self.timing.fraction("membrane", f"layer{h}") if mixes else 1.0
        trace = self.timing.fraction("trace", f"layer{h}") if mixes else 1.0
        if membrane < 1 or trace < 1:
            emitted[h][i] += membrane * (value - emitted[h][i])
            self.kept[h][i] += trace * (emitted[h][i] - self.kept[h][i])
            return
        e, m = (d.get(h, 0.0) if mixes and self.slice[h] else 0.0 for d in (self.emits, self.remembers))
        held = self.memory[h][0][i]
        emitted[h][i] = e * held + (1 - e) * value
        self.kept[h][i] = m * held + (1 - m) * value

    def computed(self, h: int, i: int) -> float:
        """f(sum_j w_ij O_j(t - d_j) + b_i); nothing was emitted before the first tick."""
        past = self.history[h - 1]
        arrived = [past[max(0, self.now - d + 1)][j] for j, d in enumerate(self.delays[h])]
        s = float(self.tensors[f"A{h}.weight"][i] @ np.array(arrived) + self.tensors[f"A{h}.bias"][i])
        return float(np.tanh(s)) if h < self.top else float(1 / (1 + np.exp(-s)))

    def propose(self, begin: int, end: int) -> None:
        for h in self.layers[1:]:
            first, second = self.memory[h % self.top]
            self.pending[f"A{h}.weight"] += np.outer(first - second, self.memory[h - 1][0])
            self.pending[f"A{h}.bias"] += first - second
            late = generator(self.seed, f"updates of layer{h}", begin).integers(
                0, self.timing.updates + 1, self.sizes[h]
            )
            for i, later in enumerate(late):
                self.updates[end + int(later)].append((h, i))

    def apply(self, tick: int) -> None:
        for h, i in self.updates.pop(tick, []):
            for name in (f"A{h}.weight", f"A{h}.bias"):
                self.tensors[name][i] += self.lr * self.pending[name][i]
                self.pending[name][i] = 0
