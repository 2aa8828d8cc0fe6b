"""Figures of a run as files of their own: NAME.svg in the folder of figures, NAME.csv with the numbers behind it."""

from __future__ import annotations

import base64
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from circuitsim.analysis.reports.page import Image
from circuitsim.runs.files import write_bytes
from circuitsim.runs.runfolder import FIGURES

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 80  # characters of a file's name
_SVG = "data:image/svg+xml"


class FigureFiles:
    """Figures that a report has shown, by the name of their files."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Image | None, pd.DataFrame]] = {}

    def keep(self, name: str, image: Image | None, numbers: pd.DataFrame) -> None:
        """Keep a figure under a name that is free.

        Parameters
        ----------
        name : in words. image : None for a table alone. numbers : what the figure shows.
        """
        plain = re.sub(r"[^A-Za-z0-9.+-]+", "-", name).strip("-.")[:LONGEST] or "figure"
        free, count = plain, 1
        while free in self._kept:
            count += 1
            free = f"{plain}-{count}"
        self._kept[free] = image, numbers

    def write(self, folder: Path) -> None:
        """Write the files of all figures into a run folder."""
        for name, (image, numbers) in self._kept.items():
            write_figure(folder, name, numbers, image)


def write_figure(folder: Path, name: str, numbers: pd.DataFrame, image: Image | None) -> None:
    """Write figures/NAME.csv and, of a figure, figures/NAME.svg into a run folder."""
    (folder / FIGURES).mkdir(exist_ok=True)
    write_bytes(folder / FIGURES / f"{name}.csv", numbers.to_csv(index=False).encode("utf-8", "backslashreplace"))
    if image is not None:
        write_bytes(folder / FIGURES / f"{name}.svg", svg_of(image))


def svg_of(image: Image) -> bytes:
    """Return an image as SVG; the pixels of a photograph are embedded in one."""
    content = base64.b64decode(image.uri.partition(",")[2])
    if image.uri.startswith(_SVG):
        return content
    width, height = struct.unpack(">II", content[16:24])  # of a PNG's first chunk
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{image.width}" '
        f'height="{image.width * height / width:.0f}">'
        f'<image width="{width}" height="{height}" href="{image.uri}"/></svg>'
    ).encode()
