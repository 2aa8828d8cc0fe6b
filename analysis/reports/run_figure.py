"""Curves of runs as a matplotlib figure, which notebooks display and programs can change."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from circuitsim.analysis.reports.groups import Results
from circuitsim.analysis.reports.learning_curves import NAMES
from circuitsim.analysis.reports.panels import WIDTH, Grid, Panel, draw_on
from circuitsim.analysis.reports.periods import head_for
from circuitsim.analysis.reports.plots import STYLE
from circuitsim.runs.periods import Period, periods_until

COLUMNS = 2


class CurvesFigure(Figure):
    """A figure that notebooks display without pyplot."""

    def _repr_html_(self) -> str:
        """Return the figure as a picture."""
        buffer = io.StringIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")
            self.savefig(buffer, format="svg", metadata={"Date": None})
        return buffer.getvalue()[buffer.getvalue().index("<svg") :]


def curves_figure(results: Results, chosen: Sequence[tuple[str, str]], periods: Sequence[Period] = ()) -> CurvesFigure:
    """Draw a panel for each (split, metric): mean over seeds, and a band from the least to the greatest.

    Parameters
    ----------
    results : metrics by group. chosen : the pairs to draw, at least one.
    periods : of a development, marked on the curves.
    """
    labels = [group.label for group in results.groups]
    marked = periods_until(periods, int(results.epochs[-1]))
    panels = [_panel(results, split, metric, marked) for split, metric in chosen]
    grid = Grid(min(COLUMNS, len(panels)), WIDTH, labels, head_for(marked))
    with matplotlib.rc_context(STYLE):
        figure = CurvesFigure(figsize=grid.extent(len(panels)))
        FigureCanvasAgg(figure)
        draw_on(figure, panels, grid)
    return figure


def _panel(results: Results, split: str, metric: str, periods: Sequence[Period]) -> Panel:
    absent = np.full((len(results.epochs), 1), np.nan)
    curves = {group.label: group.series.get((split, metric), absent) for group in results.groups}
    title = f"{metric} on {split} data" if metric in results.data_metrics else metric
    unit = NAMES.get(metric, NAMES.get(metric.partition("/")[0], metric))
    return Panel(title, "epoch", unit, results.epochs, curves, whole="x", periods=periods)
