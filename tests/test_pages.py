"""The check of reports finds what is cut, covered or empty, and finds nothing of it in the reports of scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pages
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from circuitsim.runs.themes import THEMES

SCENARIOS = ("quickstart", "tourbillon", "nest", "stale-feedback", "learning-channels", "feedback-ode", "mirror-search")


def drawn(**options: Any) -> Figure:
    """A figure with one panel."""
    figure = Figure(figsize=(4, 3))
    FigureCanvasAgg(figure)
    figure.add_axes((0.2, 0.2, 0.7, 0.7)).set(**options)
    return figure


def test_a_figure_without_a_fault_has_none() -> None:
    figure = drawn(xlabel="epoch", ylabel="error", title="panel")
    figure.axes[0].plot([0, 1], [1, 2])
    assert pages.faults_of(figure) == []


def test_texts_that_are_cut_or_covered_and_empty_panels_are_found() -> None:
    empty = drawn()
    empty.axes[0].set_title("nothing", loc="left")
    empty.axes[0].plot([0, 1], [np.nan, np.nan])
    assert pages.faults_of(empty) == ["empty panel 'nothing'"]
    cut = drawn(ylabel="a label that is longer than the figure is high, by far, by far")
    cut.axes[0].plot([0, 1])
    assert [one.startswith("text 'a label") and one.endswith("leaves the figure") for one in pages.faults_of(cut)] == [
        True
    ]
    covered = drawn()
    covered.axes[0].plot([0, 1])
    for said in ("one", "other"):
        covered.axes[0].text(0.5, 0.5, said)
    assert pages.faults_of(covered) == ["text 'one' lies on 'other'"]


def test_faults_are_collected_while_figures_are_drawn(tmp_path: Path) -> None:
    faults: list[str] = []
    with pages.figures_checked(faults):
        drawn().savefig(tmp_path / "figure.svg")
    assert faults == ["empty panel ''"] and (tmp_path / "figure.svg").exists()
    drawn().savefig(tmp_path / "figure.svg")
    assert len(faults) == 1


@pytest.mark.nightly
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_s_report_has_no_fault(scenario: str, tmp_path: Path) -> None:
    assert pages.carry_out(scenario, tmp_path / scenario) == []
    if pages.check_widths.browser() is not None:
        assert pages.pages_checked(tmp_path) == []
        assert len(list((tmp_path / "screens").glob("*.png"))) == len(pages.WIDTHS)
    for theme in THEMES:
        assert pages.carry_out(scenario, tmp_path / scenario, "--theme", theme) == []
