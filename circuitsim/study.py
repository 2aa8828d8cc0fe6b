"""A study: all replicas of a run, in cohorts that share a circuit, shown the same data in step.

Holds the counters of a run, its metrics, and what a checkpoint must have; knows nothing of files.
"""

from __future__ import annotations

import hashlib
import json
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from circuitsim.config import Settings
from circuitsim.data import Dataset
from circuitsim.errors import Diverged
from circuitsim.randomness import generator
from circuitsim.scenario import Design, Scenario
from circuitsim.simulator import Simulator

MetricRow = tuple[int, int, str, str, float]


@dataclass(frozen=True)
class Cohort:
    """Replicas with one circuit and protocol: their numbers in the run, their settings, their simulator."""

    members: tuple[int, ...]
    settings: tuple[Settings, ...]
    design: Design
    simulator: Simulator
    shared: bool

    def rows(self, orders: dict[tuple[int, bool], np.ndarray], batch: slice) -> np.ndarray:
        """The examples of a batch: (batch,) where all members see the same, else (replica, batch)."""
        chosen = [orders[_order_key(s)][batch] for s in self.settings]
        return chosen[0] if self.shared else np.stack(chosen)


class Study:
    """All replicas of a run and how far they are.

    Parameters
    ----------
    scenario : what is run. settings : one for each replica. data : the data set. backend : the kernels.
    """

    def __init__(self, scenario: Scenario, settings: Sequence[Settings], data: Dataset, backend: str) -> None:
        self.scenario, self.settings, self.data = scenario, tuple(settings), data
        self.common = settings[0]
        capacity = min(self.common.batch, len(data.train))
        self.cohorts = _cohorts(scenario, settings, partial(Simulator, batch=capacity, backend=backend))
        for cohort in self.cohorts:
            cohort.simulator.use(data.train)
        self._prepare()
        self.epoch = 0  # the epoch in progress, counted from 0
        self.batch = 0  # batches of it that are done
        self.seconds = 0.0  # training time of the epoch in progress
        self.metrics: list[MetricRow] = []

    @property
    def batches(self) -> int:
        """Presentations in an epoch."""
        full, rest = divmod(len(self.data.train), self.common.batch)
        return full + (1 if rest and not (self.common.drop_last and full) else 0)

    def train_epoch(self) -> Iterator[int]:
        """Go through the rest of the epoch in progress; yield the number of batches done after each."""
        with np.errstate(over="ignore", invalid="ignore"):  # rates beyond all range are found as divergence
            for cohort in self.cohorts:
                cohort.simulator.set_rates(np.array([s.lr_decay for s in cohort.settings]) ** self.epoch)
        orders = {key: self._order(s) for key, s in {_order_key(s): s for s in self.settings}.items()}
        while self.batch < self.batches:
            begin = time.perf_counter()
            part = slice(self.batch * self.common.batch, (self.batch + 1) * self.common.batch)
            for cohort in self.cohorts:
                if cohort.simulator.state.alive.any():
                    self._present(cohort, cohort.rows(orders, part))
            self.batch += 1
            self.seconds += time.perf_counter() - begin
            yield self.batch

    def end_epoch(self) -> None:
        """Measure both splits after an epoch that has been gone through."""
        epoch = self.epoch + 1
        self.measure(epoch)
        self.metrics += [(r, epoch, "train", "seconds", self.seconds) for r in self.alive()]
        self.epoch, self.batch, self.seconds = epoch, 0, 0.0

    def measure(self, epoch: int) -> None:
        """Add the metrics of both splits; Diverged where one is not finite (with "drop", where no replica is left)."""
        for cohort in self.cohorts:
            for split, x in (("train", self.data.train), ("test", self.data.test)):
                measured = self.scenario.evaluate(cohort.simulator, x)
                self._check_finite(cohort, measured, epoch, split)
                self.metrics += [
                    (replica, epoch, split, metric, float(values[index]))
                    for metric, values in measured.items()
                    for index, replica in enumerate(cohort.members)
                    if cohort.simulator.state.alive[index]
                ]
        self._check_alive(epoch)

    def alive(self) -> list[int]:
        """The replicas that have not diverged."""
        return sorted(
            replica
            for cohort in self.cohorts
            for index, replica in enumerate(cohort.members)
            if cohort.simulator.state.alive[index]
        )

    def summary(self, vary: Sequence[str]) -> list[dict[str, str]]:
        """The last test metrics, a row for each group of replicas that differ in no more than their seeds."""
        varied = [key for key in vary if key not in ("seed", "data_seed")]
        groups: dict[tuple[str, ...], dict[str, list[float]]] = {}
        for replica, epoch, split, metric, value in self.metrics:
            if (epoch, split) == (self.epoch, "test"):
                label = tuple(str(getattr(self.settings[replica], key)) for key in varied)
                groups.setdefault(label, {}).setdefault(metric, []).append(value)
        return [
            {
                **dict(zip(varied, label, strict=True)),
                "replicas": str(max(map(len, metrics.values()))),
                **{f"test {metric}": f"{np.mean(values):.4g}" for metric, values in metrics.items()},
            }
            for label, metrics in groups.items()
        ]

    def tensors(self) -> dict[str, np.ndarray]:
        """All weights and biases by name: with one replica without, else with a leading replica axis, NaN where a
        replica lacks the tensor."""
        merged: dict[str, np.ndarray] = {}
        for cohort in self.cohorts:
            for name, values in cohort.simulator.tensors().items():
                if len(self.settings) == 1:
                    merged[name] = values[0].copy()
                    continue
                blank = np.full((len(self.settings), *values.shape[1:]), np.nan, values.dtype)
                merged.setdefault(name, blank)[list(cohort.members)] = values
        return dict(sorted(merged.items()))

    def load(self, name: str, values: np.ndarray) -> None:
        """Give a tensor to every replica that has it."""
        for cohort in self.cohorts:
            if name in cohort.simulator.tensors():
                cohort.simulator.load(name, values)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that decides how the study goes on: settings, circuits with their rules, and the data."""
        found = hashlib.sha256(json.dumps([s.model_dump() for s in self.settings]).encode())
        for cohort in self.cohorts:
            circuit = cohort.design.circuit
            found.update(circuit.text.encode())
        for x in (self.data.train, self.data.test):
            found.update(zlib.crc32(x.data).to_bytes(4, "big"))  # several times as fast: the data are large
        return found.hexdigest()

    def snapshot(self) -> dict[str, np.ndarray]:
        """All that `restore` needs to continue to the same bits."""
        counters = {
            "epoch": self.epoch,
            "batch": self.batch,
            "seconds": self.seconds,
            "metrics": self.metrics,
            "fingerprint": self.fingerprint,
        }
        arrays = {
            f"cohort{index}/{name}": array
            for index, cohort in enumerate(self.cohorts)
            for name, array in cohort.simulator.snapshot().items()
        }
        return {**arrays, "counters": np.frombuffer(json.dumps(counters).encode(), np.uint8)}

    def restore(self, snapshot: dict[str, np.ndarray]) -> None:
        """Go back to a snapshot of the same study; ValueError for one of other settings, rules or data."""
        counters: dict[str, Any] = json.loads(snapshot["counters"].tobytes())
        if counters["fingerprint"] != self.fingerprint:
            raise ValueError("its settings, rules or data are not those of now")
        self.epoch, self.batch, self.seconds = counters["epoch"], counters["batch"], counters["seconds"]
        self.metrics = [tuple(row) for row in counters["metrics"]]
        for index, cohort in enumerate(self.cohorts):
            prefix = f"cohort{index}/"
            own = {name.removeprefix(prefix): a for name, a in snapshot.items() if name.startswith(prefix)}
            cohort.simulator.restore(own)

    def _prepare(self) -> None:
        """Tensors that follow from the data, the same for all members of a cohort with equal settings."""
        for cohort in self.cohorts:
            tensors = cohort.simulator.tensors()
            for index, settings in enumerate(cohort.settings):
                for name, values in self.scenario.prepare(settings, self.data).items():
                    tensors[name][index] = values

    def _order(self, settings: Settings) -> np.ndarray:
        count = len(self.data.train)
        if not settings.shuffle:
            return np.arange(count)
        return generator(settings.data_seed, "order of presentations", self.epoch).permutation(count)

    def _present(self, cohort: Cohort, rows: np.ndarray) -> None:
        try:
            cohort.simulator.present(rows)
        except Diverged as error:
            raise Diverged(f"epoch {self.epoch + 1}: {_renumbered(cohort, error)}") from None
        self._check_alive(self.epoch + 1)

    def _check_alive(self, epoch: int) -> None:
        if not self.alive():
            raise Diverged(f"epoch {epoch}: every replica has diverged. Lower lr, or set max_norm.")

    def _check_finite(self, cohort: Cohort, measured: dict[str, np.ndarray], epoch: int, split: str) -> None:
        state = cohort.simulator.state
        finite = np.logical_and.reduce([np.isfinite(values) for values in measured.values()])
        lost = np.flatnonzero(state.alive & ~finite)
        if lost.size and self.common.on_divergence == "stop":
            top = cohort.design.circuit.incoming[cohort.design.circuit.outputs][-1].name
            raise Diverged(
                f"epoch {epoch}: projection {top}, replica {cohort.members[lost[0]]}: evaluation of the {split} split "
                f"gave values that are not finite. Lower lr, or set max_norm."
            )
        state.alive[lost] = False


def _order_key(settings: Settings) -> tuple[int, bool]:
    return settings.data_seed, settings.shuffle


def _renumbered(cohort: Cohort, error: Diverged) -> Diverged | str:
    """The simulator counts its own replicas; the user counts those of the run."""
    if error.replica is None:
        return error
    return str(error).replace(f"replica {error.replica}:", f"replica {cohort.members[error.replica]}:", 1)


def _cohorts(scenario: Scenario, settings: Sequence[Settings], make: Callable[..., Simulator]) -> list[Cohort]:
    """Group replicas whose circuit and protocol are equal; the others' parameters become arrays over replicas."""
    groups: list[tuple[Design, list[int], list[Design]]] = []
    for index, one in enumerate(settings):
        design = scenario.design(one)
        for first, members, designs in groups:
            if first.circuit == design.circuit and first.protocol == design.protocol:
                members.append(index)
                designs.append(design)
                break
        else:
            groups.append((design, [index], [design]))
    return [_cohort(first, members, designs, settings, make) for first, members, designs in groups]


def _cohort(
    first: Design,
    members: list[int],
    designs: list[Design],
    settings: Sequence[Settings],
    make: Callable[..., Simulator],
) -> Cohort:
    own = tuple(settings[index] for index in members)
    shared = len({_order_key(s) for s in own}) == 1
    simulator = make(
        first.circuit,
        first.protocol,
        seeds=[s.seed for s in own],
        dtype=own[0].dtype,
        parameters={key: np.array([d.parameters[key] for d in designs], np.float64) for key in first.parameters},
        shared=shared,
        on_divergence=own[0].on_divergence,
    )
    return Cohort(tuple(members), own, first, simulator, shared)
