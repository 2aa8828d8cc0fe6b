"""A study: all replicas of a run, in cohorts that share a circuit, shown the same data in step.

Holds the counters of a run, its metrics, and what a checkpoint must have; knows nothing of files.
"""

from __future__ import annotations

import hashlib
import json
import time
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from circuitsim.data import Dataset
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import ConfigError, Diverged
from circuitsim.randomness import generator
from circuitsim.runs.config import Settings
from circuitsim.runs.groups import Cohort, cohorts, order_key, renumbering
from circuitsim.runs.scenario import Figures, Scenario

MetricRow = tuple[int, int, str, str, float]


class Study:
    """All replicas of a run and how far they are.

    Parameters
    ----------
    scenario : what is run. settings : one for each replica. data : the data set. backend : the kernels.
    """

    def __init__(self, scenario: Scenario, settings: Sequence[Settings], data: Dataset, backend: str) -> None:
        self.scenario, self.settings, self.data, self.backend = scenario, tuple(settings), data, backend
        self.common = settings[0]
        capacity = min(self.common.batch, len(data.train))
        self.cohorts = cohorts(scenario, settings, partial(Simulator, batch=capacity, backend=backend))
        self.epochs = _epochs(self.cohorts, self.common)
        for cohort in self.cohorts:
            cohort.simulator.use(data.train, data.train_labels)
        self._prepare()
        self.epoch = 0  # the epoch in progress, counted from 0
        self.batch = 0  # batches of it that are done
        self.seconds = 0.0  # training time of the epoch in progress
        self.sums: list[dict[str, list[float]]] = [{} for _ in self.cohorts]  # of what its batches showed
        self.metrics: list[MetricRow] = []
        for cohort in self.cohorts:
            self._enter(cohort)

    @property
    def batches(self) -> int:
        """Presentations in an epoch."""
        full, rest = divmod(len(self.data.train), self.common.batch)
        return full + (1 if rest and not (self.common.drop_last and full) else 0)

    def train_epoch(self, stretch: float = 0.0) -> Iterator[int]:
        """Go through the rest of the epoch in progress; yield the number of batches done after each, or now and then.

        Parameters
        ----------
        stretch : seconds, about, for which batches may follow each other with nothing between; 0: each by itself.
        """
        orders = {key: self._order(s) for key, s in {order_key(s): s for s in self.settings}.items()}
        while self.batch < self.batches:
            begin = time.perf_counter()
            count = self._together(stretch)
            for cohort, sums in zip(self.cohorts, self.sums, strict=True):
                if cohort.simulator.state.alive.any():
                    self._present(cohort, self._rows(cohort, orders, count), sums)
            self.batch += count
            self.seconds += time.perf_counter() - begin
            yield self.batch
        for cohort in self.cohorts:
            with renumbering(cohort, f"epoch {self.epoch + 1}"):
                cohort.simulator.drain()

    def _enter(self, cohort: Cohort) -> None:
        """Let a cohort's presentations and rates be those of the epoch in progress."""
        period, begin = cohort.design.period(self.epoch)
        cohort.simulator.change_protocol(period.protocol)
        with np.errstate(over="ignore", invalid="ignore"):  # rates beyond all range are found as divergence
            cohort.simulator.set_parameters(period.parameters)
            factor = np.array([s.lr_decay for s in cohort.settings]) ** (self.epoch - begin)
            cohort.simulator.set_rates(factor, cohort.design.decaying)

    def end_epoch(self) -> None:
        """Measure both splits after an epoch that has been gone through."""
        epoch = self.epoch + 1
        self.measure(epoch)
        for cohort, sums in zip(self.cohorts, self.sums, strict=True):
            means = {metric: np.array(values) / self.batch for metric, values in sums.items()}
            self._add(cohort, epoch, "train", means)
        self.metrics += [(r, epoch, "train", "seconds", self.seconds) for r in self.alive()]
        self.epoch, self.batch, self.seconds, self.sums = epoch, 0, 0.0, [{} for _ in self.cohorts]
        for cohort in self.cohorts:
            self._enter(cohort)  # now: a checkpoint has what the neurons of the next presentation remember

    def begin(self) -> None:
        """Do what comes before training, and measure what there is to learn from."""
        for cohort in self.cohorts:
            with renumbering(cohort, "before training"):
                cohort.simulator.mirror(cohort.design.passes_before)
        self.measure(0)

    def measure(self, epoch: int) -> None:
        """Add the metrics of both splits; Diverged where one is not finite (with "drop", where no replica is left)."""
        data = self.data
        for cohort in self.cohorts:
            for split, x, y in (("train", data.train, data.train_labels), ("test", data.test, data.test_labels)):
                measured = self.scenario.evaluate(cohort.simulator, x, y)
                self._check_finite(cohort, measured, epoch, split)
                self._add(cohort, epoch, split, measured)
            self._add(cohort, epoch, "train", self.scenario.inspect(cohort.simulator, cohort.settings[0], data))
        self._check_alive(epoch)

    def _add(self, cohort: Cohort, epoch: int, split: str, measured: Figures) -> None:
        """Add the finite figures of the replicas that are alive."""
        alive = cohort.simulator.state.alive
        self.metrics += [
            (replica, epoch, split, metric, float(values[index]))
            for metric, values in measured.items()
            for index, replica in enumerate(cohort.members)
            if alive[index] and np.isfinite(values[index])
        ]

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
        data = self.data
        for x in (data.train, data.test, data.train_labels, data.test_labels):
            if x is None:
                continue
            found.update(zlib.crc32(x.data).to_bytes(4, "big"))  # several times as fast: the data are large
        return found.hexdigest()

    def snapshot(self) -> dict[str, np.ndarray]:
        """All that `restore` needs to continue to the same bits."""
        counters = {
            "epoch": self.epoch,
            "batch": self.batch,
            "seconds": self.seconds,
            "sums": self.sums,
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
        self.sums, self.metrics = counters["sums"], [tuple(row) for row in counters["metrics"]]
        for index, cohort in enumerate(self.cohorts):
            self._enter(cohort)
            prefix = f"cohort{index}/"
            own = {name.removeprefix(prefix): a for name, a in snapshot.items() if name.startswith(prefix)}
            cohort.simulator.restore(own)

    def _prepare(self) -> None:
        """Tensors that follow from settings and data, each replica's own."""
        for cohort in self.cohorts:
            each = [self.scenario.prepare(settings, self.data) for settings in cohort.settings]
            for name in dict.fromkeys(name for one in each for name in one):
                values = cohort.simulator.tensors()[name].copy()
                for index, one in enumerate(each):
                    values[index] = one.get(name, values[index])
                cohort.simulator.load(name, values)

    def _order(self, settings: Settings) -> np.ndarray:
        count = len(self.data.train)
        if not settings.shuffle:
            return np.arange(count)
        return generator(settings.data_seed, "order of presentations", self.epoch).permutation(count)

    def _together(self, stretch: float) -> int:
        """Batches that follow each other now: full ones of one cohort, of which nobody looks at each by itself."""
        if not self.batch or len(self.cohorts) > 1 or self.scenario.presented:
            return 1
        full = len(self.data.train) // self.common.batch - self.batch
        every = self.common.checkpoint_every or self.batches
        due = every - (self.epoch * self.batches + self.batch) % every
        return max(1, int(min(stretch * self.batch / max(self.seconds, 1e-9), full, due)))

    def _rows(self, cohort: Cohort, orders: dict[tuple[int, bool], np.ndarray], count: int) -> np.ndarray:
        """The examples of the next batches, (presentation, batch) or (presentation, replica, batch)."""
        size = self.common.batch
        each = range(self.batch, self.batch + count)
        return np.stack([cohort.rows(orders, slice(k * size, (k + 1) * size)) for k in each])

    def _present(self, cohort: Cohort, rows: np.ndarray, sums: dict[str, list[float]]) -> None:
        with renumbering(cohort, f"epoch {self.epoch + 1}"):
            cohort.simulator.present_each(rows)
        self._check_alive(self.epoch + 1)
        if self.scenario.presented:
            for metric, values in self.scenario.presented(cohort.simulator, self.data, rows[0]).items():
                sums[metric] = (np.array(sums.get(metric, 0.0)) + values).tolist()

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


def _epochs(found: Sequence[Cohort], common: Settings) -> int:
    """Epochs of a run: of all periods of a development together, else as set."""
    each = [cohort.design.periods for cohort in found]
    lengths = sorted({sum(p.epochs for p in periods) if periods else common.epochs for periods in each})
    if len(lengths) > 1:
        raise ConfigError(
            "periods of the replicas' circuits",
            got=f"{' and '.join(map(str, lengths))} epochs in all",
            expected="as many in every replica",
            remedy="Vary keys that leave the length of the development as it is, or make several runs.",
        )
    return lengths[0]
