"""HTML elements of the report. Every value is escaped here, once."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MIDDLING, LONG = 12, 24  # characters; columns with longer cells get a minimum width

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 66rem; background: #fff; color: #1b1b1b;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .75rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; padding-bottom: .2rem; border-bottom: 1px solid #c8c8c8; }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
p, ul { margin: .5rem 0; max-width: 48rem; }
.lead { font-size: 1.05rem; }
.note { border-left: 4px solid #d55e00; background: #fdf3ec; padding: .4rem .8rem; }
.good { border-left: 4px solid #009e73; background: #eef8f4; padding: .4rem .8rem; }
figure { margin: .75rem 0 1rem; width: max(var(--width), 44rem); max-width: 100%; }
figcaption { color: #4a4a4a; font-size: .88rem; margin-top: .25rem; }
img { display: block; height: auto; max-width: 100%; }
.panels { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: flex-start; }
.panels figure { margin: .5rem 0; width: var(--width); }
.scroll { overflow-x: auto; max-width: 100%; background:
  linear-gradient(to right, #fff 40%, #fff0) local, linear-gradient(to left, #fff 40%, #fff0) 100% 0 local,
  linear-gradient(to right, #0005, #0000) scroll, linear-gradient(to left, #0005, #0000) 100% 0 scroll;
  background-size: 2.5rem 100%, 2.5rem 100%, .7rem 100%, .7rem 100%; background-repeat: no-repeat; }
.scroll img { mix-blend-mode: multiply; } /* shadows at the edges show that there is more beside */
.wide { overflow-wrap: normal; }
.wide td { overflow-wrap: break-word; }
table { border-collapse: collapse; font-size: .88rem; margin: .5rem 0; font-variant-numeric: tabular-nums; }
.caption { color: #4a4a4a; font-size: .88rem; }
th, td { padding: .25rem 1rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #e2e2e2; }
thead th { border-bottom: 2px solid #8a8a8a; vertical-align: bottom; }
.number { text-align: right; white-space: nowrap; }
.middling { min-width: 10rem; } .long { min-width: 14rem; }
code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .92em; }
details { margin: .75rem 0; }
details > summary { cursor: pointer; font-weight: 600; padding: .3rem 0; }
@media (max-width: 34rem) { body { padding: 1rem .75rem 3rem; } h1 { font-size: 1.3rem; } }
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  h2, h3, summary { break-after: avoid; } figure, tr, .note, .good { break-inside: avoid; }
  .scroll { overflow: visible; } .scroll img { min-width: 0 !important; }
  details::details-content { content-visibility: visible; display: block; height: auto; }
}
"""


@dataclass(frozen=True)
class Image:
    """Figure for inline display: data URI, natural width in CSS pixels, description in words."""

    uri: str
    width: int
    alt: str


def escape(value: object) -> str:
    """Escape any value as text."""
    return html.escape(str(value), quote=True)


def number(value: float | None) -> str:
    """Format with four significant digits; a dash for missing or non-finite values."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:#.4g}".rstrip(".")


def two_digits(value: float | None) -> str:
    """Format a spread with two significant digits; a dash for missing or non-finite values.

    >>> two_digits(0.0070711), two_digits(123.4), two_digits(9.96), two_digits(0.0)
    ('0.0071', '120', '10', '0')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    rounded = float(f"{value:.1e}")
    return f"{rounded:.0f}" if 10 <= abs(rounded) < 1e6 else f"{rounded:#.2g}"


def plural(count: int, noun: str) -> str:
    """Format a count with its noun."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def paragraph(text: str, kind: str = "") -> str:
    """Wrap plain text as a paragraph."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def section(title: str, *parts: str) -> str:
    """Put parts under a heading; return nothing if all parts are empty."""
    body = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{escape(title)}</h2>\n{body}\n</section>" if body else ""


def heading(title: str) -> str:
    """Make a heading within a section."""
    return f"<h3>{escape(title)}</h3>"


def details(summary: str, *parts: str, opened: bool = False) -> str:
    """Make a part that can be folded."""
    body = "\n".join(part for part in parts if part)
    return f"<details{' open' if opened else ''}>\n<summary>{escape(summary)}</summary>\n{body}\n</details>"


def figure(image: Image, caption: str = "", *, shrink: float = 0.62) -> str:
    """Show an image with its caption; it shrinks to `shrink` of its width before it scrolls."""
    least = f"min-width: {round(image.width * shrink)}px"
    shown = f'<img src="{image.uri}" width="{image.width}" style="{least}" alt="{escape(image.alt)}">'
    below = f"\n<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure style="--width: {image.width}px">\n<div class="scroll">{shown}</div>{below}\n</figure>'


def side_by_side(*figures: str) -> str:
    """Place figures side by side, as many as fit."""
    return '<div class="panels">\n' + "\n".join(figures) + "\n</div>"


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "", numbers: Sequence[int] = ()
) -> str:
    """Make a table of plain text; the columns `numbers` are aligned right."""
    rows = [list(row) for row in rows]
    kinds = [' class="number"' if column in numbers else "" for column in range(len(header))]
    for column in range(len(header)):
        longest = max((len(row[column]) for row in rows), default=0)
        if not kinds[column] and longest > MIDDLING:
            kinds[column] = ' class="long"' if longest > LONG else ' class="middling"'
    head = "".join(f'<th scope="col"{kind}>{escape(h)}</th>' for h, kind in zip(header, kinds, strict=True))
    body = "\n".join(
        "<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    title = f"{paragraph(caption, 'caption')}\n" if caption else ""
    return (
        f'{title}<div class="scroll">\n<table class="wide">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def page(title: str, *parts: str) -> str:
    """Assemble the whole document."""
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )
