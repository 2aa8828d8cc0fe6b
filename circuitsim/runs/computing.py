"""Runs of computations: the numbers are written whole or not at all, then the figures."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim import kernels
from circuitsim.errors import ConfigError, Interrupted, RunFolderError
from circuitsim.runs import runfolder, signals, tables
from circuitsim.runs.products import check_products
from circuitsim.runs.run import Run
from circuitsim.runs.scenario import Computation

if TYPE_CHECKING:
    import pandas as pd

PROGRESS_INTERVAL = 2.0  # seconds between lines of progress, at least


class ComputationRun(Run[Computation]):
    """A run that computes the numbers of each replica."""

    @classmethod
    def check_options(
        cls, scenario: Computation, vary: Mapping[str, Sequence[Any]], backend: str, init: Path | None
    ) -> None:
        """Refuse first weights, and a backend that the computation does not use."""
        super().check_options(scenario, vary, backend, init)
        kernels.backend(backend)
        if backend not in scenario.backends:
            raise ConfigError(
                f"backend of computation {scenario.name}",
                got=repr(backend),
                expected=" or ".join(scenario.backends),
                remedy="Leave --backend out.",
            )

    def check(self, init: Path | None) -> None:
        """Refuse settings that cannot be computed."""
        for one in self.settings:
            self.scenario.check(one)

    def restore(self) -> None:
        """Check the settings again unless all numbers are written."""
        if not self._numbers.exists():
            check_products(self.folder, self.config)
            self.check(None)

    def carry_out(self) -> None:
        """Compute the numbers unless the folder has them, then write what the computation makes of them.

        Raises
        ------
        Interrupted : the folder has all numbers or none; or `keeps`, and the folder has what was done.
        """
        received: list[int] = []
        try:
            with signals.at_once() as received:
                self.finish(self.scenario.finish, self._read_or_compute())
        except (KeyboardInterrupt, Exception) as error:
            if not (received or isinstance(error, KeyboardInterrupt)):
                raise
            kept = f"{runfolder.KEPT}/ has those that were" if self.scenario.keeps else "and none are kept"
            where = "in its figures" if self._numbers.exists() else f"before its numbers were complete, {kept}"
            raise Interrupted(f"computation {self.scenario.name}: interrupted {where}", self.folder) from None

    def _read_or_compute(self) -> pd.DataFrame:
        """Return the numbers: those that are written, unless their file is damaged."""
        if self._numbers.exists():
            try:
                return tables.read_frame(self._numbers, own=True)
            except RunFolderError as error:
                self.show(f"{error.what}: {error.got}; it is computed again", "yellow")
                self.check(None)
        tables.write_frame(self._numbers, self._computed())
        return tables.read_frame(self._numbers)

    @property
    def _numbers(self) -> Path:
        return self.folder / runfolder.METRICS

    def _computed(self) -> pd.DataFrame:
        """The numbers of all replicas, one below the other."""
        import pandas as pd

        further: tuple[Any, ...] = ()
        if self.scenario.keeps:
            kept = self.folder / runfolder.KEPT
            kept.mkdir(exist_ok=True)
            further = (kept, self.backend, self.show)
        begin, shown, parts = time.monotonic(), 0.0, []
        for replica, one in enumerate(self.settings):
            frame = self.scenario.compute(one, *further)
            frame.insert(0, "replica", replica)
            parts.append(frame)
            seconds = time.monotonic() - begin
            if seconds - shown >= PROGRESS_INTERVAL or replica + 1 == len(self.settings):
                shown = seconds
                self.show(f"computed {replica + 1} of {len(self.settings)}  {seconds:.1f} s")
        found = pd.concat(parts, ignore_index=True)
        if found.empty:  # columns without rows have no kind of their own
            found = found.astype({"replica": int, "epoch": int, "value": float})
        return tables.with_varied(found, self.settings, list(self.vary))
