"""Runs of campaigns: the members one after the other, each in a run folder, then the figures made from all.

`members.json` has the outcome of each member. It is written after each, so that `resume` knows where to continue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter, ValidationError

from circuitsim import data
from circuitsim.errors import BadInput, ConfigError, DataError, Diverged, Interrupted
from circuitsim.runs import runfolder, signals, tables, training
from circuitsim.runs.config import Settings, TrainingSettings, based, replicas
from circuitsim.runs.estimate import estimated_seconds, in_words
from circuitsim.runs.lookup import load_scenario
from circuitsim.runs.ownership import owned
from circuitsim.runs.products import check_products
from circuitsim.runs.run import Run
from circuitsim.runs.scenario import Campaign, Member, MemberRun, Scenario, expect_circuits

COMPLETE, DIVERGED, SKIPPED = "complete", "diverged", "skipped"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class MemberRow(BaseModel):
    """A member's outcome in members.json."""

    name: str
    state: Literal["complete", "diverged", "skipped"]
    reason: str


_MEMBERS, _ROWS = TypeAdapter(list[Member]), TypeAdapter(list[MemberRow])


class CampaignRun(Run[Campaign]):
    """A run whose members are runs of their own."""

    outcomes: dict[str, MemberRun]

    @cached_property
    def members(self) -> Sequence[Member]:
        """The members in order: those in config.json where there is one, else those that the settings ask for."""
        found = self._read_members() if self.config else self.scenario.members(self.settings[0])
        names = [member.name for member in found]
        wrong = [name for name in names if not _NAME.fullmatch(name) or names.count(name) > 1]
        if wrong or not names:
            raise ConfigError(
                f"members of campaign {self.scenario.name}",
                got=repr(wrong[0]) if wrong else "none",
                expected="names of letters, digits, dots, hyphens and underscores, each once",
                remedy="Change its settings, or its function `members`.",
            )
        return found

    @classmethod
    def check_options(
        cls, scenario: Campaign, vary: Mapping[str, Sequence[Any]], backend: str, init: Path | None
    ) -> None:
        """Refuse first weights, and keys to vary."""
        super().check_options(scenario, vary, backend, init)
        for key in vary:
            raise ConfigError(
                f"--vary {key}",
                got=f"a key of {scenario.name}, a campaign",
                expected="--set: its keys say which runs there are",
                remedy="Make a campaign for each value.",
            )

    def check(self, init: Path | None) -> None:
        """Refuse members that cannot run, before any of them starts."""
        self._check_beginnings()
        self.outcomes = self._skipped(self.members)
        if self.scenario.estimated(self.settings[0]):
            self._estimate()

    def describe(self) -> dict[str, Any]:
        """Return the content of config.json, with the members."""
        return super().describe() | {"members": [asdict(member) for member in self.members]}

    def all_settings(self) -> Sequence[Settings]:
        """Return the settings of all members' replicas."""
        return [one for member in self.members for one in self._settings_of(member)]

    def restore(self) -> None:
        """Keep the outcomes of members that have ended; try again those that were skipped."""
        for folder in map(self._folder, self.members):
            if (folder / runfolder.CONFIG).exists():
                runfolder.read_config(folder)  # what cannot be resumed is refused before anything is written
        ended = {run.member.name: run for run in self._read_outcomes() if run.state != SKIPPED and self._whole(run)}
        left = [member for member in self.members if member.name not in ended]
        if left:
            check_products(self.folder, self.config)
        self.outcomes = ended | self._skipped(left)

    def carry_out(self) -> None:
        """Carry out the members that have not ended, and write the files that the campaign makes from all.

        Raises
        ------
        Diverged : at the end, with the names of the members that did. Interrupted : `resume` can continue.
        """
        try:
            with signals.noted() as interrupted:
                for number, member in enumerate(self.members):
                    if member.name not in self.outcomes:
                        if interrupted:
                            raise Interrupted(f"interrupted before member {member.name}", self.folder)
                        self.show(f"member {member.name} ({number + 1} of {len(self.members)}): {member.scenario}")
                        self.outcomes[member.name] = self._outcome(member, interrupted)
                    known = [self.outcomes[one.name] for one in self.members if one.name in self.outcomes]
                    rows = [{"name": run.member.name, "state": run.state, "reason": run.reason} for run in known]
                    runfolder.write_json(self.folder / runfolder.PROGRESS, rows)
            self._finish([self.outcomes[member.name] for member in self.members])
        except KeyboardInterrupt:
            raise Interrupted("interrupted outside of training", self.folder) from None

    def _check_beginnings(self) -> None:
        """Refuse a member that begins with weights of one that does not come before it."""
        names = [member.name for member in self.members]
        for index, member in enumerate(self.members):
            if member.begins and member.begins not in names[:index]:
                raise ConfigError(
                    f"member {member.name}",
                    got=f"first weights of {member.begins!r}",
                    expected="the name of a member before it",
                    remedy="Put that member first.",
                )

    def _estimate(self) -> None:
        """Show how long the members will take, by a short trial of each."""
        total = 0.0
        for member in self.members:
            if member.name not in self.outcomes:
                study = training.make_study(_scenario(member), self._settings_of(member), self.backend)
                seconds = estimated_seconds(study)
                self.show(f"member {member.name}: about {in_words(seconds)}")
                total += seconds
        self.show(f"all members: about {in_words(total)}; a run that is interrupted goes on with `resume`")

    def _whole(self, run: MemberRun) -> bool:
        """Return whether the numbers of a member that has ended can be read; show why not: it is resumed then."""
        try:
            tables.read_frame(run.folder / runfolder.METRICS, own=True)
            runfolder.read_tensors(run.folder / runfolder.FINAL)
            if (audit := run.folder / runfolder.AUDIT).exists():
                runfolder.read_json(audit)
        except BadInput as error:
            self.show(f"member {run.member.name}: {error.what}: {error.got}; it is written again", "yellow")
            return False
        return True

    def _first_weights(self, member: Member, folder: Path) -> Path | None:
        """Write into a folder the tensors that a member takes from another's first replica; None for no such."""
        if not member.begins:
            return None
        earlier = next(one for one in self.members if one.name == member.begins)
        found = runfolder.read_tensors(self._folder(earlier) / runfolder.FINAL)
        several = len(self._settings_of(earlier)) > 1
        path = folder / runfolder.INITIAL
        runfolder.save_tensors(path, {name: found[name][0] if several else found[name] for name in member.tensors})
        return path

    def _outcome(self, member: Member, interrupted: list[int]) -> MemberRun:
        """Start or resume a member, and return its outcome."""
        folder, scenario = self._folder(member), _scenario(member)
        options: dict[str, Any] = {"interrupted": interrupted, "trusted": self.trusted, "theme": self.config["theme"]}
        try:
            if (folder / runfolder.CONFIG).exists():
                with owned(folder):
                    config = runfolder.read_config(folder)
                    ended = training.TrainingRun.resume(scenario, folder, config, self.console, **options)
            else:
                request = (scenario, member.values, member.vary, self.backend, folder, self.console)
                with TemporaryDirectory() as taken:
                    options |= {"overwrite": True, "base": self.base, "init": self._first_weights(member, Path(taken))}
                    ended = training.TrainingRun.start(*request, **options)
        except Diverged as error:
            return MemberRun(member, folder, DIVERGED, str(error))
        except Interrupted as error:
            raise Interrupted(f"member {member.name}: {error.where}", self.folder) from None
        return MemberRun(member, folder, COMPLETE, "; ".join(ended.notes))

    def _finish(self, runs: Sequence[MemberRun]) -> None:
        """Write metrics.parquet of all members and the campaign's files; Diverged if any member did."""
        ran = [run for run in runs if run.state != SKIPPED]
        frames = {run.member.name: tables.read_frame(run.folder / runfolder.METRICS) for run in ran}
        tables.write_frame(self.folder / runfolder.METRICS, tables.of_members(frames))
        self.finish(self.scenario.finish, runs)
        diverged = [f"member {run.member.name}: {run.reason}" for run in runs if run.state == DIVERGED]
        if diverged:
            counted = f"{len(diverged)} of {len(runs)} members diverged"
            raise Diverged(f"{counted}, what they did is in {self.folder}: {'; '.join(diverged)}")
        self.notes = [f"member {run.member.name}: {run.state}: {run.reason}" for run in runs if run.reason]

    def _skipped(self, left: Sequence[Member]) -> dict[str, MemberRun]:
        """Build each member's study once, so that all refusals come now; return the members without data.

        Raises
        ------
        BadInput : a member cannot run. DataError : all members of the campaign lack data.
        """
        skipped = {}
        for member in left:
            missing = self._check_member(member)
            if missing is not None:
                skipped[member.name] = MemberRun(member, self._folder(member), SKIPPED, str(missing))
        if len(skipped) == len(self.members):
            reason = next(iter(skipped.values())).reason
            raise DataError("campaign", got=reason, expected="data for one member at least", remedy="Fetch some.")
        return skipped

    def _check_member(self, member: Member) -> DataError | None:
        """Refuse a member that cannot run; return the error of an optional one whose data are missing."""
        try:
            scenario = _scenario(member)
            settings = self._settings_of(member)
            missing = data.missing(settings[0].located(settings[0].dataset)) if member.optional else None
            if missing is None:
                training.make_study(scenario, settings, self.backend)
        except BadInput as error:
            what = f"member {member.name}: {error.what}"
            raise type(error)(what, got=error.got, expected=error.expected, remedy=error.remedy) from None
        return missing

    def _settings_of(self, member: Member) -> Sequence[TrainingSettings]:
        return based(replicas(_scenario(member).settings, member.values, member.vary), self.base)

    def _folder(self, member: Member) -> Path:
        return self.folder / runfolder.MEMBERS / member.name

    def _read_members(self) -> list[Member]:
        try:
            return _MEMBERS.validate_python(self.config.get("members"))
        except ValidationError as error:
            raise runfolder.unreadable(self.folder / runfolder.CONFIG, error) from None

    def _read_outcomes(self) -> list[MemberRun]:
        """The outcomes in members.json; none if there is no such file yet."""
        path = self.folder / runfolder.PROGRESS
        members = {member.name: member for member in self.members}
        try:
            rows = _ROWS.validate_json(path.read_bytes()) if path.exists() else []
            named = [(members[row.name], row.state, row.reason) for row in rows]
        except (OSError, ValueError, LookupError) as error:
            raise runfolder.unreadable(path, error) from None
        return [MemberRun(member, self._folder(member), state, reason) for member, state, reason in named]


def _scenario(member: Member) -> Scenario:
    return expect_circuits(load_scenario(member.scenario), "scenario")
