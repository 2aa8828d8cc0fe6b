"""Figures of a report: their files and sizes, their axes, what they average, and what is not drawn."""

from __future__ import annotations

import base64
import re

import numpy as np
import pandas as pd
import pytest
from test_report import COLUMNS, REC, Checked, measured, metrics, render, report

from circuitsim.analysis.averages import COLUMN, half_width, summary
from circuitsim.analysis.reports.page import two_digits
from circuitsim.analysis.reports.panels import Panel, by_number, draw_panels
from circuitsim.analysis.reports.plots import LOGARITHMIC, drawing, inline
from circuitsim.analysis.reports.portfolio import Exhibit, write_portfolio
from circuitsim.analysis.reports.report import Reconstructions, write_report
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.errors import ConfigError
from circuitsim.runs.design import Stage
from circuitsim.runs.periods import Period, periods_of
from circuitsim.runs.themes import THEMES, theme, themed
from circuitsim.scenarios.figures import without_rounding

POINTS = 72.0  # an inch


def svg(uri):
    return base64.b64decode(uri.partition(",")[2]).decode()


def width(text):
    """Return the width of a drawing in inches."""
    return float(re.search(r'<svg [^>]*\bwidth="([0-9.]+)pt"', text)[1]) / POINTS


def panels(count):
    curves = {"a": np.ones((3, 2)), "b": np.zeros((3, 2))}
    return draw_panels([Panel(f"panel {n}", "epoch", "value", np.arange(3), curves) for n in range(count)], ["a", "b"])


def test_each_figure_is_a_drawing_and_a_table(tmp_path):
    originals = np.random.default_rng(0).random((2, 8))
    shown = report(
        metrics=metrics(4, rule=["rec", "rec", "bp", "bp"], seed=[1, 2, 1, 2]),
        varied=("rule", "seed"),
        reconstructions=Reconstructions(originals, {"rec": originals / 2}, (1, 2, 4)),
    )
    write_report(tmp_path / "report.html", shown)
    drawn = {path.stem for path in (tmp_path / "figures").glob("*.svg")}
    assert drawn == {path.stem for path in (tmp_path / "figures").glob("*.csv")}
    assert drawn == {
        *("test-mse", "train-mse", "test-bce", "train-bce"),
        *("circuit", "circuit-timetable", "reconstructions", "seconds"),
    }
    curve = pd.read_csv(tmp_path / "figures/test-mse.csv")
    assert list(curve.columns) == ["group", "epoch", "mean", "SD", COLUMN, "least", "greatest", "replicas"]
    first = curve.iloc[0]
    values = [0.1 / (1 + replica) for replica in (2, 3)]
    assert (first["group"], first["epoch"], first["replicas"]) == ("bp", 0, 2)
    assert first["mean"] == pytest.approx(np.mean(values)) and first["SD"] == pytest.approx(np.std(values, ddof=1))
    timetable = pd.read_csv(tmp_path / "figures/circuit-timetable.csv")
    assert len(timetable) == len(REC[0][1].entries) and "recirculation cycle" in set(timetable["phase"])
    pixels = pd.read_csv(tmp_path / "figures/reconstructions.csv")
    np.testing.assert_allclose(pixels["rec"], originals.ravel() / 2)
    for path in (tmp_path / "figures").glob("*.svg"):
        assert "<svg" in path.read_text() and "</svg>" in path.read_text()


def test_labels_that_give_one_name_get_files_of_their_own(tmp_path):
    circuits = (("lam 0,5", REC[0][1]), ("lam 0/5", REC[0][1]))
    write_report(tmp_path / "report.html", report(circuits=circuits, audit=None))
    assert {path.stem for path in (tmp_path / "figures").glob("circuit*.svg")} == {
        *("circuit-lam-0-5", "circuit-lam-0-5-2", "circuit-lam-0-5-timetable", "circuit-lam-0-5-timetable-2"),
    }


def test_themes_have_the_widths_of_a_page_and_of_columns():
    sizes = {}
    for name in THEMES:
        with themed(name):
            drawn = [svg(panels(count).uri) for count in (1, 2, 3, 7)]
            sizes[name] = [round(width(text), 2) for text in drawn]
    alone = round(6.8 * 8 / 9.5, 2)  # a panel is no wider than 6.8 inches as it is drawn
    assert sizes == {"page": [6.8, 10.5, 10.5, 10.5], "column": [3.3] * 4, "columns": [alone, 7.0, 7.0, 7.0]}
    assert theme() is THEMES["page"]


def test_a_drawing_wider_than_a_column_shrinks_to_it_and_a_page_keeps_it():
    def drawn():
        with drawing(20, 2) as figure:
            figure.add_axes((0.1, 0.2, 0.8, 0.7))
            return inline(figure, "wide")

    with themed("column"):
        image = drawn()
        assert width(svg(image.uri)) == pytest.approx(3.3, abs=0.01) and image.width == round(3.3 * 96)
    assert width(svg(drawn().uri)) == pytest.approx(20, abs=0.01)


def test_an_unknown_theme_is_refused():
    with (
        pytest.raises(
            ConfigError,
            match=r"--theme wide: got an unknown theme; expected one of page, column, columns\. Choose one of these; "
            r"column is 3\.3 inches wide, columns 7\.",
        ),
        themed("wide"),
    ):
        pass


def test_an_axis_is_linear_unless_the_title_says_otherwise(monkeypatch):
    found = {}

    def kept(figure, *arguments, **options):
        found.update({ax.get_title(loc="left"): ax.get_yscale() for ax in figure.axes if ax.get_title(loc="left")})
        return inline(figure, *arguments, **options)

    for module in ("panels", "learning_curves"):
        monkeypatch.setattr(f"circuitsim.analysis.reports.{module}.inline", kept)
    frame = metrics(1, value=lambda r, e: 0.5 ** (e * 4))
    frame.loc[frame["metric"] == "bce", "value"] = 3.0 + frame["epoch"]
    render(measured(frame))
    fall = np.array([[1.0], [0.01]])
    draw_panels([Panel("p", "x", "y", np.arange(2), {"a": fall}, logarithmic=True)], ["a"])
    draw_panels([Panel("q", "x", "y", np.arange(2), {"a": fall})], ["a"])
    assert {title.removesuffix(LOGARITHMIC): scale for title, scale in found.items()} == {
        **dict.fromkeys(("mse on test data", "mse on train data", "p"), "log"),
        **dict.fromkeys(("bce on test data", "bce on train data", "q"), "linear"),
    }
    assert {title for title in found if title.endswith(LOGARITHMIC)} == {
        title for title, scale in found.items() if scale == "log"
    }


def test_what_is_averaged_is_stated():
    one, three = (Checked(render(measured(metrics(n, seed=list(range(n))), varied=("seed",)))).text for n in (1, 3))
    assert "arithmetic means over the 3 replicas of a group" in " ".join(three.split())
    assert "means over" not in one
    values = [0.1 / (4 + replica) for replica in range(3)]
    half, deviation = half_width(np.array(values)), np.std(values, ddof=1)
    assert f"{np.mean(values):#.4g} ± {half:#.2g} ({deviation:#.2g})" in three


@pytest.mark.parametrize(
    ("value", "spelt"),
    [(0.0123456, "0.012"), (0.1, "0.10"), (12.34, "12"), (1234.5, "1200"), (np.nan, "–"), (None, "–")],
)
def test_spreads_have_two_digits(value, spelt):
    assert two_digits(value) == spelt


def test_rounding_is_no_panel():
    noise = np.random.default_rng(0).normal(scale=1e-7, size=4)
    rows = [(0, e, "train", "norm_ratio/W2", 1 + noise[e]) for e in range(4)]
    rows += [(0, e, "train", "angle/W2", 1e-6 * (1 + e)) for e in range(4)]
    rows += [(0, e, "train", "angle/W3", 45.0 - 0.01 * e) for e in range(4)]
    page = Checked(render(measured(pd.concat([metrics(), pd.DataFrame(rows, columns=COLUMNS)]))))
    drawn = [image["alt"].split()[0] for image in page.images if "/W" in image["alt"]]
    assert drawn == ["angle/W3"]
    assert "not drawn: norm_ratio/W2 1.000, angle/W2" in page.text


def test_groups_of_one_result_share_the_first_place():
    frame = metrics(3, value=lambda r, e: 0.1 if r < 2 else 0.2, rule=["rec", "bp", "top"])
    lead = re.search('<p class="lead">(.*?)</p>', render(measured(frame, varied=("rule",))))[1]
    assert "rec, bp have the lowest test mse, 0.1000. The others: top (0.2000)" in lead


def test_settings_that_were_changed_come_first():
    config = {"lr": 0.1, "sizes": [8, 3, 8], "rule": ["rec", "bp"], "epochs": 3, "batch": 100}
    config |= {"scenario": "autoencoder", "vary": {"rule": ["rec", "bp"]}, "given": {"keys": ["epochs", "rule"]}}
    found = render(measured(metrics(2, rule=["rec", "bp"]), varied=("rule",), config=config))
    settings = found[found.index("<h2>Settings</h2>") :]
    keys = re.findall("<tr><td>([a-z]+)</td>", settings)
    assert keys == ["rule", "epochs", "lr", "sizes", "batch", "scenario"]
    assert all(f">{how}</td>" in settings for how in ("varied", "set; default 10"))
    assert "All other settings: 4" in settings


def test_a_development_is_marked_on_the_curves(monkeypatch):
    _, protocol = circular_autoencoder([4, 2, 4])
    periods = periods_of([Stage(1, protocol, name="block 1"), Stage(2, protocol, name="block 1"), Stage(1, protocol)])
    assert periods == (Period(0, 3, "block 1"), Period(3, 4, ""))
    found = []

    def kept(figure, *arguments, **options):
        found.append([text.get_text() for ax in figure.axes for text in ax.texts])
        return inline(figure, *arguments, **options)

    monkeypatch.setattr("circuitsim.analysis.reports.learning_curves.inline", kept)
    two = (Period(0, 2, "block 1"), Period(2, 3, "fine-tuning"))
    text = Checked(render(measured(metrics(), periods=two))).text
    assert found[:4] == [["block 1", "fine-tuning"]] * 4
    assert "Periods: block 1 (epochs 1 to 2), fine-tuning (epoch 3)." in text


def axes_of(monkeypatch, panel):
    """Return the axes of a panel as it is drawn."""
    found = []

    def kept(figure, *arguments, **options):
        found.extend(figure.axes)
        return inline(figure, *arguments, **options)

    monkeypatch.setattr("circuitsim.analysis.reports.panels.inline", kept)
    draw_panels([panel], list(panel.curves))
    return found[0]


def test_numbers_lie_at_their_places(monkeypatch):
    curves = {"a": np.ones((4, 1))}
    near, far = np.array([0.0, 0.5, 1.0, 4.0]), np.array([0.0, 3.0, 30.0, 3600.0])
    ax = axes_of(monkeypatch, Panel("p", "cycles", "y", curves=curves, **by_number(near)))
    assert ax.get_xscale() == "linear" and ax.get_xlabel() == "cycles"
    assert list(ax.lines[0].get_xdata()) == list(near)
    ax = axes_of(monkeypatch, Panel("p", "degrees", "y", curves=curves, **by_number(far)))
    assert ax.get_xlabel() == "degrees (logarithmic from 3)"
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "3", "30", "3600"]
    places = ax.transData.transform([(one, 1.0) for one in far])[:, 0]
    steps = np.diff(places)
    assert steps[2] / steps[1] == pytest.approx(np.log10(3600 / 30) / np.log10(30 / 3), rel=1e-6)


def test_values_within_a_factor_of_five_have_a_linear_axis(monkeypatch):
    for last, scale in ((0.3, "linear"), (0.1, "log")):
        curves = {"a": np.array([[1.0], [last]])}
        ax = axes_of(monkeypatch, Panel("p", "x", "y", np.arange(2), curves, logarithmic=True))
        assert ax.get_yscale() == scale and ax.get_title(loc="left").endswith(LOGARITHMIC) == (scale == "log")


def test_a_deviation_of_rounding_is_none():
    assert summary(np.array([1.0, 1.0 + 2e-16, 1.0]))[1:3] == (0.0, 0.0)
    assert summary(np.array([1.0, 1.0 + 1e-6, 1.0]))[1] == pytest.approx(1e-6 / np.sqrt(3), rel=1e-6)
    assert without_rounding(4e-6) == 0.0 and without_rounding(-0.5) == -0.5 and without_rounding(4e-6, 1e-9) == 4e-6


def test_columns_of_a_table_are_written_by_their_kind(tmp_path):
    numbers = pd.DataFrame({"depth": [2.0, 4.0], "mean": [0.5, 12.3456], "SD": [0.123, 4.567], "SD of x": [1.234, 0]})
    long = pd.DataFrame({"row": range(400)})
    shown = [Exhibit("a", "A", "", numbers), Exhibit("b", "B", "", long)]
    write_portfolio(tmp_path, "title", "lead", shown, {})
    page = (tmp_path / "report.html").read_text()
    rows = [re.findall("<td[^>]*>(.*?)</td>", row) for row in re.findall("<tr>(.*?)</tr>", page)[1:3]]
    assert rows == [["2", "0.5000", "0.12", "1.2"], ["4", "12.35", "4.6", "0"]]
    assert "The first 300 of 400 rows; figures/b.csv has all." in page
    assert len(pd.read_csv(tmp_path / "figures/b.csv")) == 400
