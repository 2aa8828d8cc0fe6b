"""Check the links of the built site: every link to a page, an anchor or a file of the site leads somewhere.

Run: python docs/site/check_links.py FOLDER
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """Addresses and anchors of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.anchors, self.links = path, {""}, set[str]()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what an element is called, and where it leads."""
        found = {name: value for name, value in attrs if value}
        self.anchors |= {found[name] for name in ("id", "name") if name in found and tag != "meta"}
        self.links |= {found[name] for name in ("href", "src") if name in found}


def broken_links(site: Path) -> list[str]:
    """Return a sentence for each link within the site that leads nowhere.

    Parameters
    ----------
    site : the folder of the built site.
    """
    pages = {path.resolve(): Page(path) for path in sorted(site.rglob("*.html"))}
    found = []
    for page in pages.values():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path.resolve()
            anchor = unquote(parts.fragment)
            if not target.exists():
                found.append(f"{page.path.relative_to(site)}: no file {link}")
            elif target in pages and anchor not in pages[target].anchors:
                found.append(f"{page.path.relative_to(site)}: no anchor {link}")
    return found


if __name__ == "__main__":
    wrong = broken_links(Path(sys.argv[1]))
    print("\n".join(wrong) or "every link leads somewhere")
    sys.exit(bool(wrong))
