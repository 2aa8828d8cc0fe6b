"""Show Markdown files of the repository as pages of the site, so that nothing is written twice.

A page whose text is `<!-- repository: docs/design.md -->` is that file. Its links to other files of the repository
lead to their pages, or to a copy of the file that can be downloaded.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
MARK = re.compile(r"<!-- repository: (\S+) -->\s*")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s:]+)\)")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s:]+)\)")
FENCE = re.compile(r"(^```.*?^```$)", re.M | re.S)


def pages_of(site: Path) -> dict[str, str]:
    """Return the site's page of each file of the repository that is one, without suffix."""
    found = {}
    for page in sorted(site.rglob("*.md")):
        mark = MARK.match(page.read_text(encoding="utf-8"))
        if mark:
            found[mark[1]] = page.relative_to(site).with_suffix("").as_posix()
    return found


def shown(source: str, page: str, pages: dict[str, str], site: Path) -> str:
    """Return the text of a file of the repository as a page of the site.

    Parameters
    ----------
    source : the file, from the root of the repository. page : its page, without suffix.
    pages : the pages of all files that have one. site : the folder of the site's sources.
    """
    folder, here = (ROOT / source).parent, (site / page).parent

    def link(found: re.Match[str]) -> str:
        text, target = found[1], found[2]
        path, hash_, anchor = target.partition("#")
        if not path:
            return found[0]
        file = os.path.normpath(folder / path)
        name = os.path.relpath(file, ROOT)
        if name in pages:
            return f"[{text}]({os.path.relpath(site / pages[name], here)}.md{hash_}{anchor})"
        if Path(file).is_file():
            return f"{{download}}`{text.replace('`', '')} <{os.path.relpath(file, here)}>`"
        return text

    def picture(found: re.Match[str]) -> str:
        return f"![{found[1]}]({os.path.relpath(folder / found[2], here)})"

    parts = FENCE.split((ROOT / source).read_text(encoding="utf-8"))
    return "".join(part if part.startswith("```") else PICTURE.sub(picture, LINK.sub(link, part)) for part in parts)


def read(app: Any, page: str, text: list[str]) -> None:
    """Replace the text of a page that names a file of the repository."""
    mark = MARK.match(text[0])
    if mark:
        app.env.note_dependency(str(ROOT / mark[1]))
        text[0] = shown(mark[1], page, app.repository_pages, Path(app.srcdir))


def setup(app: Any) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.repository_pages = pages_of(Path(app.srcdir))
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
