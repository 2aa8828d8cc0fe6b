"""Find pages of the built site that are wider than the window, in headless Chromium.

Each page is loaded into a frame of that width, which measures itself.

Run: python docs/site/check_widths.py FOLDER [WIDTH]
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTH = 390  # pixels, of a telephone
SECONDS = 600
PROGRAM = """<!doctype html><body><pre id="found"></pre><script>
const pages = PAGES, found = [];
const frame = document.createElement("iframe");
frame.style.cssText = "width:WIDTHpx;height:800px;border:0";
document.body.append(frame);
function wide(view) {
  const inside = (e) => { for (let p = e.parentElement; p; p = p.parentElement)
    if (view.getComputedStyle(p).overflowX !== "visible" && p !== view.document.body) return true; return false; };
  return [...view.document.querySelectorAll("article *, main *")].filter((e) =>
    e.getBoundingClientRect().right > WIDTH + 1 && !inside(e)).slice(0, 3).map((e) => e.tagName + "." + e.className);
}
function next(k) {
  if (k === pages.length) { document.getElementById("found").textContent = JSON.stringify(found); return; }
  frame.onload = () => {
    const view = frame.contentWindow, root = view.document.scrollingElement;
    const empty = [...view.document.images].filter((i) => i.complete && !i.naturalWidth).map((i) => i.src);
    found.push([pages[k][0], root.scrollWidth, wide(view), empty]);
    next(k + 1);
  };
  frame.src = pages[k][1];
}
next(0);
</script></body>"""


def browser() -> str | None:
    """Return the path of Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def measured(site: Path, width: int = WIDTH) -> list[tuple[str, int, list[str], list[str]]]:
    """Return each page's name, its width, the elements that stand out, and the images that are not there.

    Parameters
    ----------
    site : the folder of the built site. width : of the window, in pixels.
    """
    pages = [(str(path.relative_to(site)), path.resolve().as_uri()) for path in sorted(site.rglob("*.html"))]
    text = PROGRAM.replace("PAGES", json.dumps(pages)).replace("WIDTH", str(width))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "measure.html").write_text(text, encoding="utf-8")
        asked = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--dump-dom"]
        asked += [f"--virtual-time-budget={SECONDS * 1000}", f"--user-data-dir={folder}/profile"]
        command = [browser() or "chromium", *asked, (Path(folder) / "measure.html").as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.S)
    return [tuple(row) for row in json.loads(html.unescape(found[1]) or "[]")] if found else []


def main() -> int:
    """Print the pages that are too wide; return 1 if there are any."""
    site, width = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else WIDTH
    if browser() is None:
        print("no Chromium: widths were not checked")
        return 0
    rows = measured(site, width)
    wrong = [row for row in rows if row[1] > width or row[3]]
    for name, wide, elements, missing in wrong:
        print(f"{name}: {wide} pixels wide in a window of {width}: {', '.join(elements)} {' '.join(missing)}")
    print(f"{len(rows)} pages, {len(wrong)} wider than {width} pixels or with a picture that is not there")
    return int(bool(wrong) or not rows)


if __name__ == "__main__":
    sys.exit(main())
