"""Carries out a campaign in a folder: its members one after the other, each in a run folder, then what is made of all.

`members.json` says what has become of each member; it is written after each, so that `resume` knows where to go on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from circuitsim import data
from circuitsim.errors import BadInput, ConfigError, DataError, Diverged, Interrupted, RunFolderError
from circuitsim.runs import runfolder, signals, tables, training
from circuitsim.runs.config import build, replicas
from circuitsim.runs.files import remove_partial
from circuitsim.runs.request import Conclusion, Request, refuse_init
from circuitsim.runs.scenario import Campaign, Member, MemberRun, Scenario, expect_circuits, load_scenario

COMPLETE, DIVERGED, SKIPPED = "complete", "diverged", "skipped"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
Runs = dict[str, MemberRun]


def run(campaign: Campaign, request: Request, console: Console) -> Conclusion:
    """Check the request and all members, then start the folder and carry the members out."""
    runfolder.check_free(request.out, request.overwrite)
    refuse_init(request, "campaign")
    for key in request.vary:
        raise ConfigError(
            f"--vary {key}",
            got=f"a key of {campaign.name}, a campaign",
            expected="--set: its keys say which runs there are",
            remedy="Make a campaign for each value.",
        )
    settings = build(campaign.settings, request.values)
    members = _named_apart(campaign, campaign.members(settings))
    config = runfolder.describe(campaign.name, [settings], {}, request.backend)
    config["members"] = [asdict(member) for member in members]
    skipped = _some_left(members, _checked(members, request.out, request.backend))
    runfolder.clear(request.out)
    runfolder.write_json(request.out / runfolder.CONFIG, config)
    return carry_out(request.out, campaign, config, skipped, console)


def resume(campaign: Campaign, folder: Path, config: Mapping[str, Any], console: Console) -> Conclusion:
    """Go on with the first member that has not ended; those that were skipped are tried again."""
    ended = {name: one for name, one in _read(folder, config).items() if one.state != SKIPPED}
    left = [member for member in _members(folder, config) if member.name not in ended]
    skipped = _checked(left, folder, str(config["backend"]))
    return carry_out(folder, campaign, config, _some_left([*ended, *left], ended | skipped), console)


def carry_out(folder: Path, campaign: Campaign, config: Mapping[str, Any], runs: Runs, console: Console) -> Conclusion:
    """Carry out the members that have not ended, and write what the campaign makes of all.

    Raises
    ------
    Diverged : at the end, naming the members that did. Interrupted : the folder has what is needed to go on.
    """
    members, runs = _members(folder, config), dict(runs)
    try:
        with signals.noted() as received:
            for number, member in enumerate(members):
                if member.name not in runs:
                    if received:
                        raise Interrupted(f"interrupted before member {member.name}", folder)
                    _say(console, f"member {member.name} ({number + 1} of {len(members)}): {member.scenario}")
                    runs[member.name] = _member(folder, member, config, console, received)
                rows = [_row(runs[one.name]) for one in members if one.name in runs]
                runfolder.write_json(folder / runfolder.PROGRESS, rows)
        return _finished(folder, campaign, config, [runs[member.name] for member in members])
    except KeyboardInterrupt:
        raise Interrupted("interrupted outside of training", folder) from None


def _member(
    folder: Path, member: Member, config: Mapping[str, Any], console: Console, received: list[int]
) -> MemberRun:
    """Run a member, or go on with it; what has become of it."""
    own, scenario = _folder(folder, member), _scenario(member)
    try:
        if (own / runfolder.CONFIG).exists():
            ended = training.resume(scenario, own, runfolder.read_config(own), console, received)
        else:
            request = Request(member.values, member.vary, str(config["backend"]), own, overwrite=True)
            ended = training.run(scenario, request, console, received)
    except Diverged as error:
        return MemberRun(member, own, DIVERGED, str(error))
    except Interrupted as error:
        raise Interrupted(f"member {member.name}: {error.where}", folder) from None
    return MemberRun(member, own, COMPLETE, "; ".join(ended.notes))


def _finished(folder: Path, campaign: Campaign, config: Mapping[str, Any], runs: Sequence[MemberRun]) -> Conclusion:
    """Write metrics.parquet of all members and what the campaign makes of them; Diverged names those that did."""
    remove_partial(folder)
    ran = [one for one in runs if one.state != SKIPPED]
    frames = {one.member.name: tables.read_frame(one.folder / runfolder.METRICS) for one in ran}
    tables.write_frame(folder / runfolder.METRICS, tables.of_members(frames))
    campaign.finish(folder, runs, config)
    diverged = [f"member {one.member.name}: {one.reason}" for one in runs if one.state == DIVERGED]
    if diverged:
        raise Diverged(
            f"{len(diverged)} of {len(runs)} members diverged, what they did is in {folder}: {'; '.join(diverged)}"
        )
    notes = [f"member {one.member.name}: {one.state}: {one.reason}" for one in runs if one.reason]
    return Conclusion(folder, tuple(notes))


def _named_apart(campaign: Campaign, members: Sequence[Member]) -> Sequence[Member]:
    """Refuse members whose names cannot be those of folders beside one another, and a campaign without any."""
    names = [member.name for member in members]
    wrong = [name for name in names if not _NAME.fullmatch(name) or names.count(name) > 1]
    if wrong or not names:
        raise ConfigError(
            f"members of campaign {campaign.name}",
            got=repr(wrong[0]) if wrong else "none",
            expected="names of letters, digits, dots, hyphens and underscores, each once",
            remedy="Change its settings, or its function `members`.",
        )
    return members


def _checked(members: Sequence[Member], folder: Path, backend: str) -> Runs:
    """Build each member's study and let it go again: whatever would be refused later is refused now.

    Returns
    -------
    The optional members whose data are missing, as skipped.
    """
    skipped: Runs = {}
    for member in members:
        try:
            scenario = _scenario(member)
            settings = replicas(scenario.settings, member.values, member.vary)
            missing = data.missing(settings[0].dataset) if member.optional else None
            if missing is not None:
                skipped[member.name] = MemberRun(member, _folder(folder, member), SKIPPED, str(missing))
            else:
                training.make_study(scenario, settings, backend)
        except BadInput as error:
            what = f"member {member.name}: {error.what}"
            raise type(error)(what, got=error.got, expected=error.expected, remedy=error.remedy) from None
    return skipped


def _some_left(members: Sequence[object], runs: Runs) -> Runs:
    """Refuse a campaign all of whose members are skipped."""
    skipped = [run.reason for run in runs.values() if run.state == SKIPPED]
    if len(skipped) == len(members):
        raise DataError("campaign", got=skipped[0], expected="data for one member at least", remedy="Fetch some.")
    return runs


def _scenario(member: Member) -> Scenario:
    return expect_circuits(load_scenario(member.scenario), "scenario")


def _folder(folder: Path, member: Member) -> Path:
    return folder / runfolder.MEMBERS / member.name


def _members(folder: Path, config: Mapping[str, Any]) -> list[Member]:
    try:
        return [Member(**one) for one in config["members"]]
    except (LookupError, TypeError) as error:
        raise _unreadable(folder / runfolder.CONFIG, error) from None


def _row(run: MemberRun) -> dict[str, str]:
    return {"name": run.member.name, "state": run.state, "reason": run.reason}


def _read(folder: Path, config: Mapping[str, Any]) -> Runs:
    """What members.json says; nothing where there is none yet."""
    path = folder / runfolder.PROGRESS
    members = {member.name: member for member in _members(folder, config)}
    try:
        rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        named = {row["name"]: (members[row["name"]], row["state"], row["reason"]) for row in rows}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _unreadable(path, error) from None
    return {name: MemberRun(m, _folder(folder, m), state, reason) for name, (m, state, reason) in named.items()}


def _unreadable(path: Path, error: Exception) -> RunFolderError:
    return RunFolderError(
        f"run folder {path}", got=str(error), expected="the file that the run wrote", remedy="Start the run again."
    )


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
