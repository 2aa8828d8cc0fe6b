"""A run folder from elsewhere: names that leave it, links, and code that it would have executed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from running import SMALL, circuitsim, installed, outcome, run, skip_report, tree

from circuitsim.runs.config import Settings
from circuitsim.runs.scenario import Campaign, Member

RULE = """from pathlib import Path
Path({marker!r}).touch()
def mine(pre, post, w):
    return (post.at(0) - post.at(1)) * pre.at(0)
"""


class PairSettings(Settings):
    pass


def _members(settings: PairSettings) -> Sequence[Member]:
    return [Member("first", "autoencoder", SMALL), Member("second", "autoencoder", SMALL | {"rule": "bp"})]


PAIR = Campaign("pair", "two members", PairSettings, _members, lambda folder, runs, config: None)


@pytest.fixture(autouse=True)
def _ready(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)
    installed(monkeypatch, PAIR)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file that is there once the user's rule has been executed."""
    (tmp_path / "rules.py").write_text(RULE.format(marker=str(tmp_path / "executed")))
    return tmp_path / "executed"


def _edited(path: Path, change: Any) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_code_is_executed_only_with_consent(
    marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(Path("run"), rule="rules.py:mine") == 0
    expected = outcome(tmp_path / "run")
    before = hashlib.sha256(Path("rules.py").read_bytes()).hexdigest()
    assert json.loads(Path("run/config.json").read_text())["given"]["code"] == {"rules.py": before}
    with Path("rules.py").open("a") as file:
        file.write("# another end\n")
    now = hashlib.sha256(Path("rules.py").read_bytes()).hexdigest()
    marker.unlink()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    capfd.readouterr()
    kept = tree(tmp_path / "run")
    assert circuitsim("resume", "../run") == 2
    assert capfd.readouterr().err == (
        f"circuitsim: run folder ../run: got code in rules.py, to be executed (SHA-256 when the run started: {before}; "
        f"now: {now}); expected code only from files that you trust. "
        "Read the file; then, if you trust it: circuitsim resume --trust ../run.\n".replace("run.\n", "run\n")
    )
    assert not marker.exists() and tree(tmp_path / "run") == kept
    (tmp_path / "rules.py").write_text(RULE.format(marker=str(marker)))
    from circuitsim.scenarios.own_functions import _executed

    _executed.cache_clear()  # as in another process
    assert circuitsim("resume", "--trust", "../run") == 0
    assert marker.exists() and outcome(tmp_path / "run") == expected


def test_code_of_a_campaign_s_member_needs_consent_too(
    marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert circuitsim("run", "pair", "--out", "run") == 0
    Path("run/members.json").unlink()
    config = Path("run/config.json")
    _edited(config, lambda content: content["members"][1]["values"].update(rule=f"{tmp_path}/rules.py:mine"))
    assert circuitsim("resume", "run") == 2
    assert re.search(
        r"got code in .*rules\.py, to be .*\(SHA-256 when the run started: unknown;", capfd.readouterr().err
    )
    _edited(config, lambda content: content["members"][1]["values"].update(rule="bp"))
    member = Path("run/members/second/config.json")
    _edited(member, lambda content: content["given"]["settings"][0].update(rule=f"{tmp_path}/rules.py:mine"))
    assert circuitsim("resume", "run") == 2
    assert "run folder run/members/second: got code in" in capfd.readouterr().err
    assert not marker.exists()


@pytest.mark.parametrize("name", ["../../outside", "/tmp/outside", "..", "a/b", "", ".hidden", "first"])
def test_names_of_members_that_leave_the_folder_are_refused(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert circuitsim("run", "pair", "--out", tmp_path / "deep" / "run") == 0
    folder = tmp_path / "deep" / "run"
    (folder / "members.json").unlink()
    _edited(folder / "config.json", lambda content: content["members"][1].update(name=name))
    before = tree(tmp_path)
    assert circuitsim("resume", folder) == 2
    expected = (
        f"members of campaign pair: got {name!r}; expected names of letters, digits, dots, hyphens and underscores"
    )
    assert expected in capfd.readouterr().err
    assert tree(tmp_path) == before


MEMBERS = {
    '[{"name": "../x", "state": "complete", "reason": ""}]': "'../x'; expected the file that the run wrote",
    '[{"name": "first", "state": "done", "reason": ""}]': "0.state: Input should be 'complete', 'diverged' or",
    '[{"name": "first"}]': "0.state: Field required",
    "{}": "content: Input should be a valid array",
    "[": "content: Invalid JSON: EOF while parsing",
}


@pytest.mark.parametrize("content", MEMBERS)
def test_outcomes_that_no_campaign_wrote(content: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert circuitsim("run", "pair", "--out", tmp_path / "run") == 0
    (tmp_path / "run" / "members.json").write_text(content)
    assert circuitsim("resume", tmp_path / "run") == 2
    assert f"members.json: got {MEMBERS[content]}" in capfd.readouterr().err


@pytest.mark.parametrize("command", ["resume", "run"])
@pytest.mark.parametrize("place", ["checkpoint", "figures", "kept", "members", "members/first", "report.html"])
def test_links_in_a_run_folder_are_not_followed(
    place: str, command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, outside = tmp_path / "run", tmp_path / "outside"
    assert run(folder, epochs=1) == 0
    outside.mkdir()
    for number in range(3):
        (outside / f"{number:012d}.checkpoint").write_bytes(b"of another run")
    if (folder / place).exists():
        (folder / place).rename(tmp_path / "old")
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).symlink_to(outside)
    before = tree(outside)
    capfd.readouterr()
    assert (run(folder, "--overwrite") if command == "run" else circuitsim("resume", folder)) == 2
    err = capfd.readouterr().err
    text = f"run folder {folder}: got {place}, a link to {outside}; expected files and folders of its own. Put what it"
    assert text in err
    assert tree(outside) == before
