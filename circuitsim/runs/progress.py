"""Progress of a run: a live bar on a terminal or in a notebook, plain lines elsewhere."""

from __future__ import annotations

import time
from itertools import takewhile
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from circuitsim.compilation import tell_of_compilation
from circuitsim.runs.study import Study

_SHOWN = 10.0  # updates of the bar a second, at most


class NotebookBar:
    """One output of a notebook's cell that is replaced as the run goes on."""

    def __init__(self) -> None:
        from IPython.display import display

        self._handle: Any = display({"text/plain": ""}, raw=True, display_id=True)

    def show(self, done: int, total: int, text: str) -> None:
        """Show how much is done, and a text beside it."""
        bar = f'<progress value="{done}" max="{max(total, 1)}"></progress> {text}'
        self._handle.update({"text/plain": text, "text/html": bar}, raw=True)


class RunProgress:
    """Shows batches done, their rate, the remaining time, and each epoch's test error over replicas."""

    def __init__(self, study: Study, console: Console) -> None:
        self._study, self._console = study, console
        self._notebook = NotebookBar() if console.is_jupyter and not console.quiet else None
        self._said = ""
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]:,.0f} batches/s"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        done = study.epoch * study.batches + study.batch
        total = study.epochs * study.batches
        self._task = self._bar.add_task("", total=total, completed=done, epoch=self._epoch(), rate=0.0)
        self._first, self._begun, self._last = done, time.monotonic(), 0.0

    def __enter__(self) -> Self:
        tell_of_compilation(self._compiling)
        if not self._bar.disable:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        tell_of_compilation(None)
        if not self._bar.disable:  # before Rich 15 a bar that is off prints an empty line when it stops
            self._bar.stop()

    def presented(self) -> None:
        """One batch more is done."""
        now = time.monotonic()
        if now - self._last > 1 / _SHOWN:
            self._last = now
            self._bar.update(self._task, completed=self._done(), epoch=self._epoch(), rate=self._rate())
            self._show_in_notebook()

    def measured(self) -> None:
        """An epoch has been measured: say how it stands."""
        study = self._study
        of_epoch = takewhile(lambda row: row.epoch == study.epoch, reversed(study.metrics))
        rows = [(row.metric, row.value) for row in of_epoch if row.split == "test"][::-1]
        name = rows[0][0] if rows else ""  # the scenario's first figure
        errors = [v for metric, v in rows if metric == name]
        spread = f"test {name} {sum(errors) / len(errors):.4g}" if errors else "no replica left"
        if len(errors) > 1:
            spread = f"test {name} {min(errors):.4g} to {max(errors):.4g} ({len(errors)} replicas)"
        self._said = f"epoch {study.epoch}/{study.epochs}  {spread}"
        if self._notebook is not None:
            self._show_in_notebook()
        elif study.epoch and self._bar.disable:
            self._console.print(f"{self._said}  {self._speed()}", highlight=False)
        else:  # the bar has the rate and the remaining time
            self._console.print(self._said, highlight=False)

    def _compiling(self) -> None:
        self._console.print("compiling kernels for this machine, once: about ten seconds", highlight=False)

    def _show_in_notebook(self) -> None:
        if self._notebook is not None:
            total = self._study.epochs * self._study.batches
            going = f"  {self._speed()}" if 0 < self._done() < total else ""
            self._notebook.show(self._done(), total, f"{self._said or f'epoch {self._epoch()}'}{going}")

    def _speed(self) -> str:
        return f"{self._rate():,.0f} batches/s  {self._remaining()} left"

    def _done(self) -> int:
        return self._study.epoch * self._study.batches + self._study.batch

    def _epoch(self) -> str:
        epochs = self._study.epochs
        return f"{min(self._study.epoch + 1, epochs)}/{epochs}"

    def _rate(self) -> float:
        return (self._done() - self._first) / max(time.monotonic() - self._begun, 1e-9)

    def _remaining(self) -> str:
        rest = self._study.epochs * self._study.batches - self._done()
        seconds = round(rest / self._rate()) if self._rate() else 0
        return f"{seconds // 60}:{seconds % 60:02d}"
