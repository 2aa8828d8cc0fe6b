"""A study: all replicas of a run, in groups that share a circuit, trained in step on the same data.

It holds the counters, the metrics and the state that a checkpoint stores, and reads and writes no files.
"""

from __future__ import annotations

import hashlib
import json
import time
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from circuitsim.data import Dataset
from circuitsim.engine.acts import definition
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import Diverged
from circuitsim.runs import tables
from circuitsim.runs.base import Figures, LearningScenario
from circuitsim.runs.config import TrainingSettings
from circuitsim.runs.counters import Counters
from circuitsim.runs.groups import ReplicaGroup, common_epochs, make_groups, renumbering
from circuitsim.runs.metrics_log import MetricRow
from circuitsim.runs.of_rules import changing
from circuitsim.runs.orders import OrderKey, order_key, order_of_epoch
from circuitsim.runs.rates import rate_factors
from circuitsim.runs.translations import images_of_epoch
from circuitsim.runs.watching import RunWatch, WeightWatch

if TYPE_CHECKING:
    import pandas as pd


class Study:
    """All replicas of a run, and their progress.

    Parameters
    ----------
    scenario : the experiment. settings : one for each replica. data : the data set. backend : the kernels.
    """

    def __init__(
        self, scenario: LearningScenario, settings: Sequence[TrainingSettings], data: Dataset, backend: str
    ) -> None:
        self.scenario, self.settings, self.data, self.backend = scenario, tuple(settings), data, backend
        self.common = settings[0]
        capacity = min(self.common.batch, len(data.train))
        self.groups = make_groups(scenario, settings, partial(Simulator, batch=capacity, backend=backend))
        self.presented = scenario.presented(self.common)
        self.epochs = common_epochs(self.groups, self.common)
        for group in self.groups:
            group.simulator.use(data.train, self._answers(group))
        self.watch = RunWatch(self.groups)
        self._prepare()
        self.epoch = 0  # the epoch in progress, counted from 0
        self.batch = 0  # batches of it that are done
        self.seconds = 0.0  # training time of the epoch in progress
        self.sums: list[dict[str, list[float]]] = [{} for _ in self.groups]  # of the epoch's `presented`
        self.metrics: list[MetricRow] = []
        for group in self.groups:
            self.enter(group)
        self.watch.seal()

    @property
    def batches(self) -> int:  # presentations in an epoch
        full, rest = divmod(len(self.data.train), self.common.batch)
        return full + (1 if rest and not (self.common.drop_last and full) else 0)

    def train_epoch(self, interval: float = 0.0) -> Iterator[int]:
        """Train through the rest of the epoch in progress; yield the number of batches done.

        Parameters
        ----------
        interval : approximate seconds of training between yields; 0: yield after each batch.
        """
        known = {order_key(settings): settings for settings in self.settings}
        orders = {key: order_of_epoch(settings, self.data, self.epoch) for key, settings in known.items()}
        self.watch.begin_epoch()
        while self.batch < self.batches:
            begin = time.perf_counter()
            count = self._batches_in(interval)
            for group, watch, sums in zip(self.groups, self.watch.of, self.sums, strict=True):
                if group.simulator.state.alive.any():
                    self._present(group, watch, self._rows(group, orders, count), sums)
            self.batch += count
            self.seconds += time.perf_counter() - begin
            yield self.batch
        for group in self.groups:
            with renumbering(group, f"epoch {self.epoch + 1}"):
                group.simulator.drain()
        self.watch.end_epoch()

    def enter(self, group: ReplicaGroup) -> None:
        """Set a group's protocol, parameters, rates and images to those of the epoch in progress."""
        stage, begin = group.design.stage(self.epoch)
        group.simulator.change_protocol(stage.protocol)
        if self.common.augment_shift:
            shown = images_of_epoch(self.data, self.common, self.epoch)
            group.simulator.use(shown, self._answers(group))
        with np.errstate(over="ignore", invalid="ignore"):  # rates out of range are found as divergence
            numbers = changing(group.design.circuit, group.settings, self.epoch - begin)
            group.simulator.set_parameters({**stage.parameters, **numbers})
            group.simulator.set_rates(rate_factors(group.settings, self.epoch - begin), group.design.decaying)

    def end_epoch(self) -> None:
        """Measure both splits after the last batch of an epoch, and begin the next."""
        epoch = self.epoch + 1
        self.measure(epoch)
        for group, sums in zip(self.groups, self.sums, strict=True):
            means = {metric: np.array(values) / self.batch for metric, values in sums.items()}
            self._add(group, epoch, "train", means)
        self.metrics += [MetricRow(r, epoch, "train", "seconds", self.seconds) for r in self.alive()]
        self.epoch, self.batch, self.seconds, self.sums = epoch, 0, 0.0, [{} for _ in self.groups]
        for group in self.groups:
            self.enter(group)  # now, since a checkpoint stores the memories of the next stage's neurons

    def begin(self) -> None:
        """Run mirror mode before training, and measure both splits."""
        for group in self.groups:
            with renumbering(group, "before training"):
                group.simulator.mirror(group.design.passes_before)
        self.watch.seal()
        self.measure(0)

    def measure(self, epoch: int) -> None:
        """Add the metrics of both splits.

        Raises
        ------
        Diverged : a metric is not finite; with `on_divergence = "drop"`, no replica is left.
        """
        data, scenario = self.data, self.scenario
        for group, watch in zip(self.groups, self.watch.of, strict=True):
            for split, x, y in data.splits(self.common.train_measured, real=group.design.circuit.real_targets):
                measured = watch.look("evaluate", scenario.evaluate, group.simulator, x, y)
                self._check_finite(group, measured, epoch, split)
                self._add(group, epoch, split, measured)
            seen = group.simulator, group.settings[0], data
            self._add(group, epoch, "test", watch.look("examine", scenario.examine, *seen))
            self._add(group, epoch, "train", watch.look("inspect", scenario.inspect, *seen))
        self._check_alive(epoch)

    def _add(self, group: ReplicaGroup, epoch: int, split: str, measured: Figures) -> None:
        """Add the finite figures of the replicas that are alive."""
        alive = group.simulator.state.alive
        self.metrics += [
            MetricRow(replica, epoch, split, metric, float(values[index]))
            for metric, values in measured.items()
            for index, replica in enumerate(group.members)
            if alive[index] and np.isfinite(values[index])
        ]

    def alive(self) -> list[int]:
        """Return the replicas that have not diverged."""
        return sorted(
            replica
            for group in self.groups
            for index, replica in enumerate(group.members)
            if group.simulator.state.alive[index]
        )

    def summary(self, vary: Sequence[str]) -> list[dict[str, str]]:
        """Return the last test metrics, a row for the replicas that differ only in their seeds."""
        return tables.summary(self.metrics, self.settings, self.epoch, vary)

    def tensors(self) -> dict[str, np.ndarray]:
        """Return all weights and biases by name.

        With several replicas they have a leading replica axis, and NaN for a replica that lacks the tensor.
        """
        merged: dict[str, np.ndarray] = {}
        for group in self.groups:
            for name, values in group.simulator.tensors().items():
                if len(self.settings) == 1:
                    merged[name] = values[0].copy()
                    continue
                blank = np.full((len(self.settings), *values.shape[1:]), np.nan, values.dtype)
                merged.setdefault(name, blank)[list(group.members)] = values
        return dict(sorted(merged.items()))

    def load(self, name: str, values: np.ndarray, *, by_replica: bool = False) -> None:
        """Load a tensor into every replica that has it; `by_replica`: each its own, by the leading axis."""
        for group in self.groups:
            if name in group.simulator.tensors():
                group.simulator.load(name, values[list(group.members)] if by_replica else values)

    def metrics_frame(self, vary: Sequence[str]) -> pd.DataFrame:
        """Return the metrics as a table: replica, epoch, split, metric, value, and each varied key."""
        import pandas as pd

        frame = pd.DataFrame(self.metrics, columns=list(tables.COLUMNS))
        return tables.with_varied(frame, self.settings, vary)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of settings, circuits with their rules, and data: all that decides the rest of the study."""
        found = hashlib.sha256(json.dumps([s.model_dump() for s in self.settings]).encode())
        for group in self.groups:
            found.update(group.design.circuit.text.encode())
        data = self.data
        for x in (data.train, data.test, *data.answers(real=False), *data.answers(real=True)):
            if x is not None:  # CRC: the data are large, and SHA-256 is slower
                found.update(zlib.crc32(x.data).to_bytes(4, "big"))
        return found.hexdigest()

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return the state from which `restore` continues to the same bits, without the metrics so far."""
        counters = Counters(
            epoch=self.epoch, batch=self.batch, seconds=self.seconds, sums=self.sums, fingerprint=self.fingerprint
        )
        arrays = {
            f"group{index}/{name}": array
            for index, group in enumerate(self.groups)
            for name, array in group.simulator.snapshot().items()
        } | {"watch": self.watch.snapshot()}
        return {**arrays, "counters": np.frombuffer(counters.model_dump_json().encode(), np.uint8)}

    def restore(self, snapshot: dict[str, np.ndarray]) -> None:
        """Restore a snapshot of the same study; the metrics until then are not in it.

        Raises
        ------
        ValueError : the snapshot is of other settings, rules or data, or its counters are none of this study.
        """
        counters = Counters.model_validate_json(snapshot["counters"].tobytes())
        if counters.fingerprint != self.fingerprint:
            raise ValueError("its settings, rules or data are not those of now")
        counters.expect(self.epochs, self.batches, [len(group.members) for group in self.groups])
        self.epoch, self.batch, self.seconds = counters.epoch, counters.batch, counters.seconds
        self.sums, self.metrics = counters.sums, []
        for index, group in enumerate(self.groups):
            self.enter(group)
            prefix = f"group{index}/"
            own = {name.removeprefix(prefix): a for name, a in snapshot.items() if name.startswith(prefix)}
            group.simulator.restore(own)
        self.watch.restore(snapshot["watch"])

    def _answers(self, group: ReplicaGroup) -> np.ndarray | None:
        """Return the classes, or the real-valued targets, of the training examples."""
        return self.data.answers(real=group.design.circuit.real_targets)[0]

    def _prepare(self) -> None:
        """Load the tensors that follow from a replica's settings and the data."""
        for group in self.groups:
            each = [self.scenario.prepare(settings, self.data) for settings in group.settings]
            group.simulator.acts.note("scenario function", "prepare", definition(self.scenario.prepare))
            for name in dict.fromkeys(name for one in each for name in one):
                values = group.simulator.tensors()[name].copy()
                for index, one in enumerate(each):
                    values[index] = one.get(name, values[index])
                group.simulator.load(name, values)

    def _batches_in(self, interval: float) -> int:
        """Number of full batches for one call, about `interval` seconds of them; 1 if something looks at each batch."""
        if not self.batch or len(self.groups) > 1 or self.presented:
            return 1
        full = len(self.data.train) // self.common.batch - self.batch
        every = self.common.checkpoint_every or self.batches
        due = every - (self.epoch * self.batches + self.batch) % every
        return max(1, int(min(interval * self.batch / max(self.seconds, 1e-9), full, due)))

    def _rows(self, group: ReplicaGroup, orders: dict[OrderKey, np.ndarray], count: int) -> np.ndarray:
        """The examples of the next batches, (presentation, batch) or (presentation, replica, batch)."""
        size, each = self.common.batch, range(self.batch, self.batch + count)
        return np.stack([group.rows(orders, slice(k * size, (k + 1) * size)) for k in each])

    def _present(self, group: ReplicaGroup, watch: WeightWatch, rows: np.ndarray, sums: dict[str, list[float]]) -> None:
        first = not self.batch and not self.epoch & (self.epoch + 1)  # of epochs 1, 2, 4, 8 and so on
        if first:
            watch.remember(rows)
        with renumbering(group, f"epoch {self.epoch + 1}"):
            group.simulator.present_each(rows)
        if first:
            watch.presented()
        self._check_alive(self.epoch + 1)
        if self.presented:
            watch.seal()
            seen = group.simulator, self.data, rows[0]
            for metric, values in watch.look("presented", self.presented, *seen).items():
                sums[metric] = (np.array(sums.get(metric, 0.0)) + values).tolist()

    def _check_alive(self, epoch: int) -> None:
        if not self.alive():
            raise Diverged(f"epoch {epoch}: every replica has diverged. Lower lr, or set max_norm.")

    def _check_finite(self, group: ReplicaGroup, measured: dict[str, np.ndarray], epoch: int, split: str) -> None:
        state = group.simulator.state
        finite = np.logical_and.reduce([np.isfinite(values) for values in measured.values()])
        lost = np.flatnonzero(state.alive & ~finite)
        if lost.size and self.common.on_divergence == "stop":
            top = group.design.circuit.incoming[group.design.circuit.outputs][-1].name
            raise Diverged(
                f"epoch {epoch}: projection {top}, replica {group.members[lost[0]]}: evaluation of the {split} split "
                f"gave values that are not finite. Lower lr, or set max_norm."
            )
        state.alive[lost] = False
