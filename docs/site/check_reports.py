"""Find pages of runs that are wider than the window, have pictures that do not load, or panels without content.

Run: python docs/site/check_reports.py FOLDER...  (run folders, or folders of them)
"""

from __future__ import annotations

import base64
import re
import shutil
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).parent))

from check_widths import browser, measured

WIDTHS = (1200, 390)
_PICTURE = re.compile(r'<img src="data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)"[^>]* alt="([^"]*)"')
_GROUP = "{http://www.w3.org/2000/svg}g"


def pages(folders: list[Path]) -> list[Path]:
    """Return the report of each run below some folders."""
    return sorted({path for folder in folders for path in folder.rglob("report.html")})


def empty_panels(page: str) -> list[str]:
    """Return the descriptions of figures in which a panel has axes and nothing in them."""
    found = []
    for code, alt in _PICTURE.findall(page):
        drawing = ElementTree.fromstring(base64.b64decode(code))
        panels = [one for one in drawing.iter(_GROUP) if one.get("id", "").startswith("axes_")]
        if any(is_empty(panel) for panel in panels):
            found.append(alt[:100])
    return found


def is_empty(panel: ElementTree.Element) -> bool:
    """Return whether a panel has no more than its axes, its frame and texts."""
    for part in panel:
        name = part.get("id", "")
        frame = name.startswith("patch_") and not any(one.get("clip-path") for one in part.iter())
        if not (frame or name.startswith(("matplotlib.axis", "text_"))):
            return False
    return True


def main() -> int:
    """Print what is wrong; return 1 if anything is."""
    found = pages([Path(name) for name in sys.argv[1:]])
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        for number, path in enumerate(found):
            shutil.copy(path, Path(place) / f"{number:04d}.html")
            for alt in empty_panels(path.read_text(encoding="utf-8")):
                wrong += 1
                print(f"{path}: a panel without content: {alt}")
        for width in WIDTHS if browser() else ():
            for name, wide, elements, missing in measured(Path(place), width):
                if wide > width or missing:
                    wrong += 1
                    path = found[int(Path(name).stem)]
                    what = ", ".join([*elements, *missing])
                    print(f"{path}: {wide} pixels wide in a window of {width}: {what}")
    print(f"{len(found)} pages at {' and '.join(map(str, WIDTHS))} pixels, {wrong} faults")
    return int(bool(wrong) or not found)


if __name__ == "__main__":
    sys.exit(main())
