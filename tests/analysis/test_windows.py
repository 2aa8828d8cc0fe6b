"""Windows against closed forms, and the figure against the table."""

from __future__ import annotations

import pandas as pd
import pytest

from circuitsim.analysis.reports.window_plot import draw_windows
from circuitsim.analysis.scores.windows import FEEDBACK, LOOP, STACK, window_table


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return window_table(range(2, 11), range(1, 11))


def windows(frame: pd.DataFrame, family: str, depth: int) -> list[int]:
    """The windows of one circuit's projections, from the lowest to the top."""
    chosen = frame[(frame["family"] == family) & (frame["depth"] == depth)].sort_values("layer")
    return list(chosen["window"])


@pytest.mark.parametrize("depth", range(2, 11))
def test_feedback_needs_the_way_up_and_down(frame: pd.DataFrame, depth: int) -> None:
    assert windows(frame, FEEDBACK, depth) == [2 * (depth - h) + 1 for h in range(1, depth + 1)]


@pytest.mark.parametrize("depth", range(2, 11))
def test_recirculation_needs_the_way_around(frame: pd.DataFrame, depth: int) -> None:
    assert windows(frame, LOOP, depth) == [depth + 1] * (depth - 1) + [depth]


@pytest.mark.parametrize("blocks", range(1, 11))
def test_a_stack_needs_the_way_around_one_block(frame: pd.DataFrame, blocks: int) -> None:
    assert windows(frame, STACK, 2 * blocks) == [3, 2] * blocks


def test_no_window_depends_on_the_number_of_neurons() -> None:
    pd.testing.assert_frame_equal(window_table([4], [2], size=2), window_table([4], [2], size=5))


def test_the_figure_shows_the_longest_windows_with_labels_and_units(frame: pd.DataFrame) -> None:
    (ax,) = draw_windows(frame).axes
    drawn = {tuple(zip(*line.get_data(), strict=True)) for line in ax.lines}
    assert drawn == {
        tuple((depth, 2 * depth - 1) for depth in range(2, 11)),
        tuple((depth, depth + 1) for depth in range(2, 11)),
        tuple((2 * blocks, 3) for blocks in range(1, 11)),
    }
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("depth (layers of synapses)", "longest window (ticks)")
    assert {text.get_text() for text in ax.texts} == {
        "feedback alignment\n+2 ticks a layer",
        "one recirculating loop\n+1 tick a layer",
        "stack of recirculating blocks\n3 ticks at any depth",
    }


def test_lines_differ_in_more_than_colour(frame: pd.DataFrame) -> None:
    (ax,) = draw_windows(frame).axes
    for style in (lambda line: line.get_marker(), lambda line: line.get_color()):
        assert len({style(line) for line in ax.lines}) == 3


def test_a_line_that_is_not_straight_gets_no_slope(frame: pd.DataFrame) -> None:
    bent = frame[(frame["family"] == LOOP) & (frame["depth"] < 6)].copy()
    bent.loc[bent["depth"] == 5, "window"] += 3
    (ax,) = draw_windows(bent).axes
    assert [text.get_text() for text in ax.texts] == [LOOP]
