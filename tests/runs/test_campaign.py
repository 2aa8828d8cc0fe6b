"""Campaigns: members in run folders of their own; a stop at any moment, and `resume`, change no bit."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pydantic
import pytest
from pydantic import Field
from running import ENTRIES, SMALL, circuitsim, installed, measured, metrics, nightly, outcome, skip_report, tree

from circuitsim import data
from circuitsim.analysis.reports import portfolio
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import DataError
from circuitsim.runs import config, estimate, scenario, tables
from circuitsim.runs.config import Settings, build
from circuitsim.runs.lookup import load_scenario
from circuitsim.runs.runfolder import read_tensors
from circuitsim.runs.scenario import Campaign, Member, MemberRun, expect_circuits
from circuitsim.runs.study import Study
from circuitsim.runs.training import make_study

CLASSES = {"sizes": [64, 5, 10], "train_limit": 40, "test_limit": 20, "batch": 8, "epochs": 2, "lr": 0.1}


class TourSettings(Settings):
    seeds: int = Field(2, ge=1, description="a whole number >= 1")
    lr: float = Field(0.1, ge=0, description="a number >= 0")
    missing: bool = Field(False, description="true or false")


def _members(settings: TourSettings) -> list[Member]:
    seeds = list(range(settings.seeds))
    found = [
        Member("first", "autoencoder", SMALL | {"lr": settings.lr}, {"rule": ["rec", "bp"], "seed": seeds}),
        Member("rates", "autoencoder", SMALL, {"lr": [0.1, [0.1, 0.2]]}),
        Member("last", "classifier", CLASSES, {"feedback": ["bp", "fa"], "seed": seeds}),
    ]
    absent = Member("absent", "classifier", CLASSES | {"dataset": "nowhere.npz"}, optional=True)
    return [absent, *found] if settings.missing else found


def _finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    told = [
        f"{run.member.name} {run.state} {len(metrics(run.folder)) if run.state != 'skipped' else 0}" for run in runs
    ]
    (folder / "report.html").write_text(f"{config['scenario']}: {', '.join(told)}")


TOUR = Campaign("tour", "three members", TourSettings, _members, _finish, quick={"seeds": 1})
NAMES = ("first", "rates", "last")
ROWS = {"config.json", "metrics.parquet", "members.json", "members", "report.html"}


@pytest.fixture(autouse=True)
def _ready(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    installed(monkeypatch, TOUR)


def _wanting(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Install the campaign with its first member changed."""

    def members(settings: TourSettings) -> list[Member]:
        first, *rest = _members(settings)
        return [replace(first, **changes), *rest]

    installed(monkeypatch, replace(TOUR, members=members))


def _outcomes(out: Path) -> list[tuple[bytes, bytes]]:
    return [outcome(out / "members" / name) for name in NAMES]


def _states(out: Path) -> dict[str, str]:
    return {row["name"]: row["state"] for row in json.loads((out / "members.json").read_text())}


def test_what_a_campaign_leaves(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert circuitsim("run", "tour", "--out", out) == 0
    assert {path.name for path in out.iterdir()} == ROWS
    assert all({path.name for path in (out / "members" / name).iterdir()} == ENTRIES for name in NAMES)
    assert _states(out) == dict.fromkeys(NAMES, "complete")
    config = json.loads((out / "config.json").read_text())
    assert (config["scenario"], config["seeds"], config["lr"]) == ("tour", 2, 0.1)
    assert [member["name"] for member in config["members"]] == list(NAMES)
    frame = metrics(out)
    assert list(frame.columns[:6]) == ["member", "replica", "epoch", "split", "metric", "value"]
    for name in NAMES:
        own = metrics(out / "members" / name)
        part = frame[frame["member"] == name]
        np.testing.assert_array_equal(part["value"].to_numpy(), own["value"].to_numpy())
    assert set(frame[frame["member"] == "rates"]["lr"].dropna()) == {"0.1", "[0.1, 0.2]"}
    shown = capfd.readouterr().out
    assert "member rates (2 of 3): autoencoder\n" in shown
    assert shown.endswith(f"done: {out}\nreport: {out / 'report.html'}\n")


def test_a_member_is_an_ordinary_run(tmp_path: Path) -> None:
    assert circuitsim("run", "tour", "--out", tmp_path / "run") == 0
    sets = [part for key, value in CLASSES.items() for part in ("--set", f"{key}={value}")]
    options = [*sets, "--vary", "feedback=bp,fa", "--vary", "seed=0,1"]
    assert circuitsim("run", "classifier", "--out", tmp_path / "alone", *options) == 0
    assert outcome(tmp_path / "alone") == outcome(tmp_path / "run" / "members" / "last")
    again = tmp_path / "run" / "members" / "last"
    assert circuitsim("resume", again) == 0


REFUSED = {
    "--set seeds=0": "key seeds: got 0; expected a whole number >= 1. Correct the value of seeds.",
    "--set lr=fast": "key lr: got 'fast'; expected a number >= 0. Correct the value of lr.",
    "--vary lr=0.1,0.2": "--vary lr: got a key of tour, a campaign; expected --set: its keys say which runs there are. "
    "Make a campaign for each value.",
    "--init w.safetensors": "--init w.safetensors: got first weights for a campaign; expected a scenario that trains",
    "--seed 3": "--seed 3: got tour, which draws nothing; expected no seed. Leave it out.",
    "--backend jax": "member first: backend: got 'jax'; expected one of numpy, numba, cupy.",
}


@pytest.mark.parametrize("options", REFUSED)
def test_refused(options: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("run", "tour", "--out", tmp_path / "run", *options.split()) == 2
    assert capfd.readouterr().err.startswith(f"circuitsim: {REFUSED[options]}")
    assert not list(tmp_path.iterdir())


MEMBERS = {
    "a value": ({"values": SMALL | {"lr": -1.0}, "vary": {}}, "member first: key lr: got -1.0; expected a number >= 0"),
    "a key": (
        {"values": {"feedback": "bp"}},
        "member first: key feedback: got 'bp'; expected one of augment_shift, batch",
    ),
    "data": ({"values": SMALL | {"dataset": "no.npz"}}, "member first: data file no.npz: got no such file; expected"),
    "a limit": (
        {"values": SMALL | {"train_limit": 9999}, "optional": True},
        "member first: train_limit of data set 'digits': got 9999; expected a whole number, at least 1 and at most",
    ),
    "a window": ({"values": SMALL | {"window": 1}}, "member first: rule"),
    "its scenario": ({"scenario": "gone"}, "member first: scenario gone: got an unknown name; expected one of"),
    "its kind": (
        {"scenario": "feedback-ode"},
        "member first: scenario feedback-ode: got a computation; expected a scenario that trains circuits of its own.",
    ),
    "a name": (
        {"name": "a/b"},
        "members of campaign tour: got 'a/b'; expected names of letters, digits, dots, hyphens and underscores, each "
        "once. Change its settings, or its function `members`.",
    ),
    "first weights of no one": (
        {"begins": "rates", "tensors": ("A1.weight",)},
        "member first: got first weights of 'rates'; expected the name of a member before it. Put that member first.",
    ),
    "a name twice": ({"name": "last"}, "members of campaign tour: got 'last'; expected names of"),
}


@pytest.mark.parametrize("what", MEMBERS)
def test_a_wrong_member_is_refused_before_anything_starts(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    changes, message = MEMBERS[what]
    _wanting(monkeypatch, **changes)
    assert circuitsim("run", "tour", "--out", tmp_path / "run") == 2
    assert capfd.readouterr().err.startswith(f"circuitsim: {message}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["schedule tour", "audit tour", "trace tour --out t.json"])
def test_it_has_no_circuit_of_its_own(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert circuitsim(*command.split()) == 2
    assert capfd.readouterr().err == (
        f"circuitsim: {command.split()[0]} tour: got a campaign; expected a scenario that trains circuits of its own. "
        "Name the scenario of its members: autoencoder, classifier.\n"
    )


def test_a_member_without_data_is_skipped_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "run"
    assert circuitsim("run", "tour", "--set", "missing=true", "--set", "seeds=1", "--out", out) == 0
    reason = "data file nowhere.npz: got no such file; expected a file. Correct the path."
    assert f"member absent: skipped: {reason}\n" in capfd.readouterr().out
    assert _states(out) == {"absent": "skipped"} | dict.fromkeys(NAMES, "complete")
    assert (out / "report.html").read_text().startswith("tour: absent skipped 0, first complete")
    before = _outcomes(out)
    x, y = np.random.default_rng(0).random((60, 64)), np.arange(60) % 10
    np.savez(tmp_path / "nowhere.npz", x=x, y=y, x_test=x[:20], y_test=y[:20])
    assert circuitsim("resume", out) == 0
    assert _states(out) == dict.fromkeys(("absent", *NAMES), "complete")
    assert _outcomes(out) == before


def test_no_member_has_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    installed(monkeypatch, replace(TOUR, members=lambda _: _members(TourSettings(missing=True))[:1]))
    assert circuitsim("run", "tour", "--out", tmp_path / "run") == 2
    assert capfd.readouterr().err == (
        "circuitsim: campaign: got data file nowhere.npz: got no such file; expected a file. Correct the path.; "
        "expected data for one member at least. Fetch some.\n"
    )
    assert not list(tmp_path.iterdir())


def test_a_member_that_diverges_is_named_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    wild = SMALL | {"hidden": "identity", "output": "identity", "lr": 500.0, "dtype": "float32"}
    _wanting(monkeypatch, values=wild, vary={})
    out = tmp_path / "run"
    for command in (["run", "tour", "--out", out], ["resume", out]):
        assert circuitsim(*command) == 3
        err = capfd.readouterr().err
        assert err.startswith(
            f"circuitsim: 1 of 3 members diverged, what they did is in {out}: member first: epoch 1: "
        )
        assert err.count("\n") == 1
        assert _states(out) == {"first": "diverged", "rates": "complete", "last": "complete"}
        assert {path.name for path in out.iterdir()} == ROWS
        assert set(metrics(out)["member"]) == set(NAMES)


def _signalling(monkeypatch: pytest.MonkeyPatch, of: type, method: str, at: int, number: int = signal.SIGINT) -> None:
    """Send this process a signal, once, after so many calls of a method."""
    done, original = [0], getattr(of, method)

    def called(self: Any, *arguments: Any) -> Any:
        found = original(self, *arguments)
        done[0] += 1
        if done[0] == at:
            os.kill(os.getpid(), number)
        return found

    monkeypatch.setattr(of, method, called)
    monkeypatch.setattr("circuitsim.runs.training.CHECK_INTERVAL", 0.0)  # every batch is a call


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign that was left alone."""
    out = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        skip_report(patch)
        installed(patch, TOUR)
        assert circuitsim("run", "tour", "--out", out) == 0
    return out


def _same(out: Path, whole: Path) -> None:
    assert _outcomes(out) == _outcomes(whole)
    pd.testing.assert_frame_equal(measured(out), measured(whole))
    for name in ("members.json", "report.html"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


# two groups of 5 batches in 3 epochs: presentations 1 to 30 are the first member's, 45 the second's, 65 the last's
@pytest.mark.parametrize(
    ("of", "method", "at", "where"),
    [
        (Simulator, "present_each", 7, "member first: interrupted in epoch 1 after 4 of 5 batches"),
        (Study, "end_epoch", 3, "interrupted before member rates"),
        nightly(Simulator, "present_each", 38, "member rates: interrupted in epoch 2 after 3 of 5 batches"),
        nightly(Simulator, "present_each", 60, "member last: interrupted in epoch 2 after 3 of 5 batches"),
    ],
)
def test_interrupt_and_resume_give_the_same_bits(
    of: type, method: str, at: int, where: str, whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        _signalling(patch, of, method, at)
        assert circuitsim("run", "tour", "--out", out) == 130
    assert capfd.readouterr().err == f"circuitsim: {where}; go on with: circuitsim resume {out}\n"
    ended = {name: tree(out / "members" / name) for name in _states(out)} if (out / "members.json").exists() else {}
    assert circuitsim("resume", out) == 0
    _same(out, whole)
    assert ended == {name: tree(out / "members" / name) for name in ended}


def test_an_interrupt_after_the_last_epoch_lets_it_finish(whole: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _signalling(patch, Study, "end_epoch", 8)
        assert circuitsim("run", "tour", "--out", tmp_path / "run") == 0
    _same(tmp_path / "run", whole)


def test_resume_of_a_complete_campaign_trains_nothing(whole: Path, tmp_path: Path) -> None:
    before = tree(whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("circuitsim.runs.training.make_study", None)
        assert circuitsim("resume", whole) == 0
    assert tree(whole) == before


@pytest.mark.parametrize("name", ["members.json", "config.json"])
def test_resume_with_unreadable_files(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert circuitsim("run", "tour", "--quick", "--out", out) == 0
    text = json.loads((out / name).read_text())
    if name == "config.json":
        text["members"][0]["colour"] = "red"
    else:
        text[0].pop("state")
    (out / name).write_text(json.dumps(text))
    assert circuitsim("resume", out) == 2
    assert f"run folder {out / name}: got " in capfd.readouterr().err


def _changed_table(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def edit(member: Path) -> None:
        change(pd.read_parquet(member / "metrics.parquet")).to_parquet(member / "metrics.parquet", index=False)

    return edit


def _flipped(member: Path) -> None:
    """One bit of the values: Parquet files have no checksums unless they are asked for."""
    path = member / "metrics.parquet"
    content = bytearray(path.read_bytes())
    content[content.index(np.float64(pd.read_parquet(path)["value"].iloc[0]).tobytes())] ^= 1
    path.write_bytes(content)


OTHERS = "metrics.parquet: a file that cannot be read (ValueError: other rows than were written); it is written again"
DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "one bit": (_flipped, OTHERS),
    "other values": (_changed_table(lambda t: t.assign(value=0.5)), OTHERS),
    "no rows": (_changed_table(lambda t: t.iloc[:0]), OTHERS),
    "another order": (_changed_table(lambda t: t.iloc[::-1]), OTHERS),
    "words": (_changed_table(lambda t: t.assign(value="x")), "metrics.parquet: a file that cannot be read"),
    "a column less": (_changed_table(lambda t: t.drop(columns="epoch")), "metrics.parquet: a file that cannot be read"),
    "no weights": (lambda member: (member / "final.safetensors").unlink(), "final.safetensors: "),
    "audit": (lambda member: (member / "audit.json").write_bytes(b'{"hash'), "audit.json: "),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_altered_in_a_finished_member_is_written_again(
    damage: str, whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, (change, told) = tmp_path / "run", DAMAGES[damage]
    shutil.copytree(whole, out)
    change(out / "members" / "rates")
    assert circuitsim("resume", out) == 0
    said = capfd.readouterr().out.replace("\n", "")
    assert "member rates: " in said and told in said and said.count("it is written again") == 1
    assert tree(out) == tree(whole)


@pytest.mark.nightly
def test_overwrite_replaces_an_earlier_campaign(whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert circuitsim("run", "tour", "--quick", "--out", out) == 0
    assert circuitsim("run", "tour", "--out", out) == 2
    (out / "members" / "first" / "notes.txt").write_text("not ours")
    assert circuitsim("run", "tour", "--out", out, "--overwrite") == 2
    assert "got members/first/notes.txt, which no run wrote" in capfd.readouterr().err
    (out / "members" / "first" / "notes.txt").unlink()
    assert circuitsim("run", "tour", "--out", out, "--overwrite") == 0
    _same(out, whole)


@pytest.mark.parametrize("at", [nightly(3), nightly(33), nightly(47), 64])
def test_killed_and_resumed(at: int, whole: Path, tmp_path: Path) -> None:
    """SIGKILL in a process of its own, within the first member, the second, and twice the last."""
    out = tmp_path / "run"
    child = os.fork()
    if child == 0:
        with pytest.MonkeyPatch.context() as patch:
            _signalling(patch, Simulator, "present_each", at, signal.SIGKILL)
            circuitsim("run", "tour", "--out", out)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert "report.html" not in {path.name for path in out.iterdir()}
    assert circuitsim("resume", out) == 0
    _same(out, whole)


def test_missing_data_are_named_without_a_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCUITSIM_DATA", str(tmp_path))
    monkeypatch.setattr("circuitsim.data.locate.cache_folder", lambda: tmp_path / "cache")
    assert str(data.missing("fashion-mnist")) == (
        "data set 'fashion-mnist': got no files here; expected its files. Run `circuitsim data fetch fashion-mnist`, "
        "or set CIRCUITSIM_DATA to a folder that holds fashion-mnist/."
    )
    assert data.missing("digits") is None
    with pytest.raises(DataError, match="name of a data set: got 'mnst'"):
        data.missing("mnst")


def test_the_campaign_of_the_design_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs" / "design.md").read_text(encoding="utf-8")
    source = next(part for part in text.split("```python\n") if part.startswith("class DepthSettings")).partition(
        "```"
    )[0]
    made = dict(vars(pydantic)) | vars(scenario) | vars(config) | vars(tables) | vars(portfolio)
    exec(source.replace('"lr": 0.1', '"lr": 0.1, "epochs": 1, "train_limit": 200'), made)
    installed(monkeypatch, made["SCENARIO"])
    assert circuitsim("run", "depth", "--set", "seeds=2", "--out", tmp_path / "run") == 0
    table = pd.read_csv(tmp_path / "run" / "figures" / "error.csv")
    assert set(table["member"]) == {"depth-1", "depth-2", "depth-3"}
    assert len(table) == 3 * 2 * 2
    assert (table["min"] < table["max"]).any()


def test_a_member_begins_with_weights_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def members(settings: TourSettings) -> list[Member]:
        first, _, _ = _members(settings)
        return [first, Member("after", "autoencoder", SMALL, begins="first", tensors=("A1.weight",))]

    installed(monkeypatch, replace(TOUR, members=members))
    assert circuitsim("run", "tour", "--out", tmp_path / "run") == 0
    ended = read_tensors(tmp_path / "run" / "members" / "first" / "final.safetensors")
    begun = read_tensors(tmp_path / "run" / "members" / "after" / "initial.safetensors")
    assert ended["A1.weight"].ndim == 3
    assert np.array_equal(begun["A1.weight"], ended["A1.weight"][0])
    assert not np.array_equal(begun["A2.weight"], ended["A2.weight"][0])


def test_an_estimate_of_the_time_comes_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    installed(monkeypatch, replace(TOUR, estimated=lambda settings: settings.seeds == 1))
    assert circuitsim("run", "tour", "--set", "seeds=1", "--out", tmp_path / "run") == 0
    shown = capfd.readouterr().out
    lines = [line for line in shown.splitlines() if "about" in line]
    assert [line.partition(": about")[0] for line in lines] == [
        "member first",
        "member rates",
        "member last",
        "all members",
    ]
    assert lines[-1].endswith("; a run that is interrupted goes on with `resume`")
    assert shown.index(lines[-1]) < shown.index("member first (1 of 3)")


def test_an_estimate_counts_presentations_and_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that moves by one at each look: two presentations in one second, an evaluation in one second."""
    scenario = expect_circuits(load_scenario("autoencoder"), "test")
    study = make_study(scenario, [build(scenario.settings, SMALL)], "numba")
    looks = iter(range(1000))
    monkeypatch.setattr(estimate, "perf_counter", lambda: float(next(looks)))
    expected = 3 * 5 * (1 / 2) + 4 * 60 * (1 / 40)
    assert estimate.estimated_seconds(study) == expected
    assert [estimate.in_words(s) for s in (3.0, 150.0, 9000.0, 1e6)] == [
        "3 seconds",
        "2.5 minutes",
        "2.5 hours",
        "11.6 days",
    ]
