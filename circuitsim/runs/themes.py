"""Themes of figures: their width and the size of their text, on a page and in the columns of a paper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from circuitsim.errors import ConfigError

DRAWN = 9.5  # points of text at which figures are drawn, before they are scaled to a theme


@dataclass(frozen=True)
class Theme:
    """Sizes of a run's figures.

    Parameters
    ----------
    width : the most that a figure takes, in inches. text : of titles and labels, in points; small print has 7/9 of it.
    columns : the most panels side by side. fits : whether wider drawings are scaled down to the width.
    """

    width: float
    text: float
    columns: int
    fits: bool = True

    @property
    def scale(self) -> float:
        """Ratio of the size on paper to the size at which a figure is drawn."""
        return self.text / DRAWN

    @property
    def room(self) -> float:
        """Width in inches that a figure is drawn for."""
        return self.width / self.scale


ThemeName = Literal["page", "column", "columns"]
PAGE: ThemeName = "page"
THEMES: dict[str, Theme] = {
    "page": Theme(10.5, DRAWN, 3, fits=False),
    "column": Theme(3.3, 7.5, 1),
    "columns": Theme(7.0, 8.0, 2),
}
"""Of a page in a browser (which scrolls wider drawings); of one column of a paper; of two."""

_CURRENT: ContextVar[Theme] = ContextVar("theme", default=THEMES[PAGE])


def check_theme(name: str) -> str:
    """Return the name of a theme; ConfigError where there is no such."""
    if name not in THEMES:
        raise ConfigError(
            f"--theme {name}",
            got="an unknown theme",
            expected=f"one of {', '.join(THEMES)}",
            remedy="Choose one of these; column is 3.3 inches wide, columns 7.",
        )
    return name


def theme() -> Theme:
    """Return the theme in which figures are drawn now."""
    return _CURRENT.get()


@contextmanager
def themed(name: str) -> Iterator[None]:
    """Draw figures in a theme."""
    before = _CURRENT.set(THEMES[check_theme(name)])
    try:
        yield
    finally:
        _CURRENT.reset(before)
