"""Find pages that do not fit the window, in headless Chromium: too wide, with text cut or on other text, or no picture.

Each page is loaded into a frame of that width, which measures itself with all that is folded opened.

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
const named = (e) => e.tagName + "." + e.className;
const box = (e) => e.getBoundingClientRect();
function wide(view, all) {
  const inside = (e) => { for (let p = e.parentElement; p; p = p.parentElement)
    if (view.getComputedStyle(p).overflowX !== "visible" && p !== view.document.body) return true; return false; };
  return all.filter((e) => box(e).right > WIDTH + 1 && !inside(e)).slice(0, 3).map(named);
}
function cut(view, all) {
  const style = (e) => view.getComputedStyle(e);  // an ellipsis says that there is more
  const hidden = (e) => ["hidden", "clip"].includes(style(e).overflowX) && style(e).textOverflow !== "ellipsis";
  return all.filter((e) => hidden(e) && box(e).width > 2 && e.scrollWidth > e.clientWidth + 1).slice(0, 3).map(named);
}
function overlapping(all) {
  const parts = all.filter((e) => e.matches("h1,h2,h3,p,figure,table,summary,pre,dt,figcaption") && box(e).width > 0);
  const pairs = [];
  for (let i = 0; i < parts.length; i++) {
    const a = box(parts[i]);
    for (let k = i + 1; k < parts.length && k < i + 40; k++) {
      const b = box(parts[k]);
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 2 && down > 2 && !parts[i].contains(parts[k]))
        pairs.push(named(parts[i]) + " on " + named(parts[k]));
    }
  }
  return pairs.slice(0, 3);
}
function next(k) {
  if (k === pages.length) { document.getElementById("found").textContent = JSON.stringify(found); return; }
  frame.onload = () => {
    const view = frame.contentWindow, root = view.document.scrollingElement;
    view.document.querySelectorAll("details").forEach((e) => { e.open = true; });
    const all = [...view.document.querySelectorAll("article *, main *")];
    const absent = (i) => i.complete && !i.naturalWidth;
    const empty = [...view.document.images].filter(absent).map((i) => i.src.slice(0, 200));
    found.push([pages[k][0], root.scrollWidth, wide(view, all), empty, [...cut(view, all), ...overlapping(all)]]);
    next(k + 1);
  };
  frame.src = pages[k][1];
}
next(0);
</script></body>"""
Measured = tuple[str, int, list[str], list[str], list[str]]


def browser() -> str | None:
    """Return the path of Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def measured(site: Path, width: int = WIDTH) -> list[Measured]:
    """Return each page's name and width, elements that stand out, images that are not there, what is cut or covered.

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


def faults(row: Measured, width: int) -> list[str]:
    """Return a sentence for each fault of a page."""
    name, wide, elements, missing, hidden = row
    found = [f"{wide} pixels wide in a window of {width}: {', '.join(elements)}"] if wide > width else []
    found += [f"no picture: {one}" for one in missing] + [f"cut or covered: {one}" for one in hidden]
    return [f"{name}: {one}" for one in found]


def main() -> int:
    """Print the faults of all pages; return 1 if there are any."""
    site, width = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else WIDTH
    if browser() is None:
        print("no Chromium: widths were not checked")
        return 0
    rows = measured(site, width)
    wrong = [told for row in rows for told in faults(row, width)]
    print(*wrong, sep="\n")
    print(f"{len(rows)} pages at {width} pixels, {len(wrong)} faults")
    return int(bool(wrong) or not rows)


if __name__ == "__main__":
    sys.exit(main())
