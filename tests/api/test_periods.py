"""Periods of a development: kept with the run, and marked on its curves."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from running import SMALL, skip_report

import circuitsim as cs
from circuitsim.errors import RunFolderError
from circuitsim.runs.design import Stage
from circuitsim.runs.periods import Period, periods_until, shared_periods

GROWING = {
    "sizes": [64, 12, 8, 10],
    "train_limit": 40,
    "test_limit": 20,
    "epochs": 2,
    "top_epochs": 1,
    "tuning_epochs": 3,
    "batch": 20,
}
PERIODS = (Period(0, 2, "block 1"), Period(2, 4, "block 2"), Period(4, 5, "top"), Period(5, 8, "fine-tuning"))


def grown(out: Path, **keys: Any) -> cs.Run:
    with pytest.MonkeyPatch.context() as patch:
        skip_report(patch)
        return cs.run("tourbillon", **{**GROWING, **keys}, out=out, progress=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> cs.Run:
    """A stack of two blocks that grow one after the other."""
    return grown(tmp_path_factory.mktemp("periods") / "grown")


def marked(figure: Figure) -> list[tuple[list[str], list[tuple[float, float]]]]:
    """Return the names that each panel has, and the epochs that it shades."""
    found = []
    for ax in figure.axes:
        shades = [one for one in ax.patches if isinstance(one, Rectangle)]
        ends = [(one.get_x(), one.get_x() + one.get_width()) for one in shades]
        found.append(([text.get_text() for text in ax.texts], ends))
    return found


def names(periods: Sequence[Period]) -> list[str]:
    return [one.name for one in periods]


def test_the_periods_of_a_development_are_marked(run: cs.Run) -> None:
    """From the folder alone, and on both splits: every other period is shaded."""
    again = cs.load_run(run.folder)
    assert again.periods == PERIODS
    expected = (names(PERIODS), [(2, 4), (5, 8)])
    assert marked(again.plot("error")) == [expected, expected]
    drawn = again._repr_html_()
    assert all(f"<!-- {name} -->" in drawn for name in names(PERIODS))  # an SVG has each text as a comment


def test_of_a_run_that_stopped_the_periods_until_then_are_marked(run: cs.Run) -> None:
    stopped = cs.load_run(run.folder)
    stopped.metrics = stopped.metrics[stopped.metrics["epoch"] <= 3]
    figure = stopped.plot("error", "test")
    assert marked(figure) == [(["block 1", "block 2"], [(2, 3)])]
    assert figure.axes[0].get_xlim()[1] < 3.5
    assert periods_until(PERIODS, 2) == PERIODS[:1]


def test_names_lie_within_the_figure(run: cs.Run) -> None:
    """Those of short periods stand upright within the axes, the others above them."""
    figure = run.plot("error", "test")
    figure.draw_without_rendering()
    (ax,) = figure.axes
    boxes = [text.get_window_extent() for text in ax.texts]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height for box in boxes)
    assert all(box.y1 < ax.title.get_window_extent().y0 + 20 for box in boxes)


def test_a_run_without_development_has_no_periods(tmp_path: Path) -> None:
    plain = cs.run("autoencoder", **{**SMALL, "epochs": 1}, out=tmp_path / "plain", progress=False)
    assert plain.periods == () and marked(plain.plot("mse", "test")) == [([], [])]
    assert "periods" not in json.loads((tmp_path / "plain" / "config.json").read_text())["given"]


class TwoParts(cs.TrainingSettings):
    """An autoencoder with two periods, of which the first is so long."""

    first: int = 1
    batch: int = 20
    train_limit: int | None = 40
    test_limit: int | None = 20


def two_parts(keys: TwoParts) -> cs.Design:
    circuit, protocol = cs.circuits.circular_autoencoder([64, 4, 64])
    parts = (Stage(keys.first, protocol, name="first"), Stage(3 - keys.first, protocol, name="second"))
    return cs.Design(circuit, protocol, {"lr": 0.1}, stages=parts)


@pytest.mark.parametrize(("first", "expected"), [([1], ["first", "second"]), ([1, 2], [])])
def test_replicas_that_develop_differently_have_no_periods_in_common(
    first: list[int], expected: list[str], tmp_path: Path
) -> None:
    scenario = cs.Scenario("two-parts", "a development", TwoParts, two_parts)
    found = cs.run(scenario, vary={"first": first, "seed": [0, 1]}, out=tmp_path / "run", progress=False)
    assert names(found.periods) == expected
    assert [shown for shown, _ in marked(found.plot("mse", "test"))] == [expected]


def test_periods_that_several_share() -> None:
    assert shared_periods([PERIODS, PERIODS]) == PERIODS
    assert shared_periods([PERIODS, PERIODS[:1]]) == shared_periods([]) == ()


def test_compared_runs_show_the_periods_that_all_have(run: cs.Run, tmp_path: Path) -> None:
    like = grown(tmp_path / "like", seed=1)
    other = grown(tmp_path / "other", tuning_epochs=2)
    assert [names for names, _ in marked(cs.compare([run, like]).plot("error", "test"))] == [names(PERIODS)]
    assert marked(cs.compare([run, other]).plot("error", "test")) == [([], [])]


@pytest.mark.parametrize(
    "wrong", [{"begin": "0", "end": 2, "name": "block 1"}, {"begin": 0, "end": 2}, {**PERIODS[0].__dict__, "more": 1}]
)
def test_periods_that_no_run_wrote_are_refused(run: cs.Run, tmp_path: Path, wrong: dict[str, Any]) -> None:
    config = json.loads((run.folder / "config.json").read_text())
    config["given"]["periods"] = [wrong]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunFolderError, match=re.escape("got settings that cannot be read (given.periods.0.")):
        cs.load_run(tmp_path)
