"""One way to carry out a run: check all, describe it, clear the folder, carry it out; or continue one that stopped."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from rich.console import Console

from circuitsim.errors import CircuitsimError, ConfigError
from circuitsim.runs import runfolder
from circuitsim.runs.base import AnyScenario
from circuitsim.runs.config import Settings, based, replicas
from circuitsim.runs.files import remove_partial
from circuitsim.runs.ownership import check_unowned, make_new
from circuitsim.runs.themes import PAGE, check_theme, themed
from circuitsim.runs.trust import check_code, digests

RUNS = Path("runs")  # where new run folders lie whose names nobody gave
K = TypeVar("K", bound=AnyScenario)


@dataclass
class Run(ABC, Generic[K]):
    """A run of a scenario in a folder. Each kind of scenario has a subclass, which defines the steps.

    Parameters
    ----------
    scenario : the scenario. settings : one for each replica. vary : the keys that differ between replicas.
    backend : the kernels. folder : the run folder. console : shows progress.
    interrupted : the signals received, where the caller collects them.
    base : the folder in which relative paths among the settings begin. trusted : whether `resume` may execute code
        from files that the settings name.
    """

    scenario: K
    settings: Sequence[Any]
    vary: Mapping[str, Sequence[Any]]
    backend: str
    folder: Path
    console: Console
    interrupted: list[int] | None = None
    base: str = field(default_factory=os.getcwd)
    trusted: bool = False
    config: dict[str, Any] = field(default_factory=dict, init=False)
    """The content of config.json."""
    notes: list[str] = field(default_factory=list, init=False)
    """Remarks on how the run ended."""
    summary: list[dict[str, str]] = field(default_factory=list, init=False)
    """The closing table, row by row."""

    @classmethod
    def start(
        cls,
        scenario: K,
        values: Mapping[str, Any],
        vary: Mapping[str, Sequence[Any]],
        backend: str,
        folder: Path | None,
        console: Console,
        *,
        init: Path | None = None,
        overwrite: bool = False,
        theme: str | None = None,
        **options: Any,
    ) -> Self:
        """Check the whole request, then start a run folder and carry the run out.

        Parameters
        ----------
        values, vary : the keys that are set, and those that are crossed into replicas.
        folder : None: a new one, named after the scenario and the time.
        init : a file of first weights. overwrite : whether an earlier run in the folder may be replaced.
        theme : of the figures.
        options : fields of the run.
        """
        if folder is None:
            runfolder.check_place(RUNS)
        else:
            runfolder.check_free(folder, overwrite)
            check_unowned(folder)
        cls.check_options(scenario, vary, backend, init)
        check_theme(theme or PAGE)
        wanted = folder or RUNS / f"{scenario.name}-{datetime.now():%Y%m%d-%H%M%S}"
        settings = replicas(scenario.settings, values, vary)
        made = cls(scenario, settings, vary, backend, wanted, console, **options)
        based(settings, made.base)
        made.check(init)
        made.config = made.describe() | {"theme": theme or PAGE}
        made.config["given"] |= {"folder": made.base, "code": made.code(), "keys": sorted({*values, *vary})}
        made.folder = folder or make_new(wanted)
        with runfolder.claimed(made.folder, overwrite):
            made.write_first()
            runfolder.write_json(made.folder / runfolder.CONFIG, made.config)
            made.carry_on()
        return made

    @classmethod
    def resume(
        cls,
        scenario: K,
        folder: Path,
        config: dict[str, Any],
        console: Console,
        *,
        theme: str | None = None,
        **options: Any,
    ) -> Self:
        """Continue where the run in a folder stopped; write only the report of a complete one.

        Parameters
        ----------
        theme : of the figures; None: as before.
        """
        if theme is not None:
            check_theme(theme)
        for place in (folder, folder / runfolder.FIGURES, folder / runfolder.CHECKPOINTS):
            remove_partial(place)
        settings = runfolder.read_settings(folder, config, scenario.settings)
        base = str(config["given"].get("folder", ""))
        made = cls(scenario, settings, config["vary"], str(config["backend"]), folder, console, base=base, **options)
        based(settings, base)
        made.config = config
        if not made.trusted:
            check_code(folder, made.code(), config["given"])
        if theme not in (None, config["theme"]):
            made.config["theme"] = theme
            runfolder.write_json(folder / runfolder.CONFIG, config)
        made.restore()
        made.carry_on()
        return made

    @classmethod
    def check_options(cls, scenario: K, vary: Mapping[str, Sequence[Any]], backend: str, init: Path | None) -> None:
        """Refuse options that this kind of scenario does not have."""
        if init is not None:
            raise ConfigError(
                f"--init {init}",
                got=f"first weights for a {scenario.kind}",
                expected="a scenario that trains circuits of its own",
                remedy="Leave --init out.",
            )

    @abstractmethod
    def check(self, init: Path | None) -> None:
        """Refuse a run that cannot be carried out; write nothing."""

    def describe(self) -> dict[str, Any]:
        """Return the content of config.json."""
        return runfolder.describe(self.scenario.reference, self.settings, self.vary, self.backend)

    def all_settings(self) -> Sequence[Settings]:
        """Return the settings of all that the run trains or computes."""
        return self.settings

    def code(self) -> dict[str, str]:
        """Return the files of code that the run executes, each with its SHA-256."""
        return digests(self.scenario.reference, self.all_settings(), self.base)

    def write_first(self) -> None:
        """Write the files that precede config.json, which makes the folder a run folder."""

    @abstractmethod
    def restore(self) -> None:
        """Return to the state in which the run stopped."""

    @abstractmethod
    def carry_out(self) -> None:
        """Do the remaining work and write its files, whatever ends the run."""

    def carry_on(self) -> None:
        """Carry the run out; CircuitsimError where its memory does not suffice, since it can be continued."""
        try:
            self.carry_out()
        except MemoryError as error:
            reason = f"not enough memory: {error}. What was done is in {self.folder}"
            raise CircuitsimError(f"{reason}; where there is more memory, go on with: circuitsim resume") from None

    def finish(self, write: Callable[[Path, Any, Mapping[str, Any]], None], content: Any) -> None:
        """Have the scenario write its files: figures in the run's theme, and the report."""
        with themed(self.config["theme"]):
            write(self.folder, content, self.config)

    def show(self, line: str, style: str = "") -> None:
        """Show the user a line."""
        self.console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
