"""Run every scenario with its short settings, and check that its report can be read: figures as they are drawn, pages
in headless Chromium at two widths.

A figure's texts must lie within it and not on each other, and each of its panels must show something. A page must not
scroll sideways, lose a picture, cut text or lay parts on each other.

Run: python tests/pages.py FOLDER [SCENARIO ...]

Runs that are in FOLDER already are drawn again. `FOLDER/screens` then has a picture of each page, to be looked at.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs/site"))

import check_widths  # noqa: E402  (lies beside the site's pages)

from circuitsim.cli import main as command  # noqa: E402
from circuitsim.runs.lookup import scenario_names  # noqa: E402

WIDTHS = (1200, 390)  # pixels
TALLEST = 16_000  # pixels of a picture of a page
LEAST = 1.5  # pixels by which texts must meet, or leave the figure


def texts_of(figure: Figure) -> Iterator[Text]:
    """Yield the texts that are drawn; ticks beyond the ends of an axis are not."""
    yield from figure.texts
    for legend in [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]:
        yield from legend.get_texts()
    for ax in figure.axes:
        yield from ax.texts
        if ax.axison:
            yield from (ax.title, ax._left_title, ax._right_title, ax.xaxis.label, ax.yaxis.label)  # type: ignore[attr-defined]
            for axis in (ax.xaxis, ax.yaxis):
                for tick in axis._update_ticks():  # type: ignore[attr-defined]
                    yield from (tick.label1, tick.label2)


def shows_something(ax: Axes) -> bool:
    """Return whether a panel has a line with a finite point, an image, or another mark."""
    lines = any(np.isfinite(np.asarray(line.get_ydata(), float)).any() for line in ax.lines)
    return bool(lines or ax.images or ax.collections or ax.patches or ax.texts)


def faults_of(figure: Figure) -> list[str]:
    """Return a sentence for each text that is cut or lies on another, and for each empty panel."""
    figure.draw_without_rendering()
    renderer: Any = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    found = [f"empty panel {ax.get_title(loc='left')!r}" for ax in figure.axes if not shows_something(ax)]
    shown = [text for text in texts_of(figure) if text.get_visible() and text.get_text().strip()]
    boxes = [(text.get_text(), Text.get_window_extent(text, renderer)) for text in shown]  # without arrows
    width, height = figure.bbox.width + LEAST, figure.bbox.height + LEAST
    for said, box in boxes:
        if box.x0 < -LEAST or box.y0 < -LEAST or box.x1 > width or box.y1 > height:
            found.append(f"text {said!r} leaves the figure")
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        across, up = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        if across > LEAST and up > LEAST:
            found.append(f"text {one!r} lies on {other!r}")
    return found


@contextlib.contextmanager
def figures_checked(faults: list[str]) -> Iterator[None]:
    """Collect the faults of all figures that are drawn meanwhile."""
    save = Figure.savefig

    def checked(self: Figure, *arguments: Any, **options: Any) -> None:
        dpi = self.get_dpi()
        faults.extend(dict.fromkeys(faults_of(self)))
        self.set_dpi(dpi)
        save(self, *arguments, **options)

    Figure.savefig = checked  # type: ignore[method-assign]
    try:
        yield
    finally:
        Figure.savefig = save  # type: ignore[method-assign]


def carry_out(scenario: str, folder: Path, *options: str) -> list[str]:
    """Run a scenario, or draw its run again, with options of both commands; return the faults of its figures."""
    faults: list[str] = []
    asked = (
        ["resume", str(folder)]
        if (folder / "config.json").exists()
        else ["run", scenario, "--quick", "--out", str(folder)]
    )
    said = io.StringIO()
    with (
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        contextlib.suppress(SystemExit),
        figures_checked(faults),
    ):
        command([*asked, *options])
    if not (folder / "report.html").exists():
        reason = " ".join(said.getvalue().split())
        if "circuitsim data fetch" in reason:
            print(f"{scenario}: skipped: {reason[-300:]}")
        else:
            faults.append(f"no report: {reason[-300:]}")
    return [f"{scenario}: {fault}" for fault in faults]


def picture(page: Path, width: int, path: Path) -> None:
    """Write a picture of a page."""
    with tempfile.TemporaryDirectory() as profile:
        asked = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        asked += [f"--window-size={width},{TALLEST}", f"--screenshot={path}", page.resolve().as_uri()]
        subprocess.run([check_widths.browser() or "chromium", *asked], capture_output=True, timeout=120, check=True)


def pages_checked(folder: Path) -> list[str]:
    """Return the faults of all pages below a folder, and write pictures of those of the runs in it."""
    screens = folder / "screens"
    screens.mkdir(exist_ok=True)
    found: list[str] = []
    for width in WIDTHS:
        rows = check_widths.measured(folder, width)
        found += [f"at {width} pixels: {fault}" for row in rows for fault in check_widths.faults(row, width)]
        for page in sorted(folder.glob("*/report.html")):
            picture(page, width, screens / f"{page.parent.name}-{width}.png")
    return found


def main(arguments: Sequence[str]) -> int:
    """Print the faults; return 1 if there are any."""
    folder, names = Path(arguments[0]), list(arguments[1:]) or scenario_names()
    folder.mkdir(parents=True, exist_ok=True)
    faults = []
    for name in names:
        found = carry_out(name, folder / name)
        print(*found, f"{name}: {len(found)} faults of figures", sep="\n", flush=True)
        faults += found
    if check_widths.browser() is None:
        print("no Chromium: pages were not checked")
    else:
        found = pages_checked(folder)
        print(*found, f"{len(found)} faults of pages", sep="\n")
        faults += found
    return int(bool(faults))


if __name__ == "__main__":
    matplotlib.use("agg")
    sys.exit(main(sys.argv[1:]))
