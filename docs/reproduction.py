"""Write the table of all items of the sources into results.md, from the results that the repository keeps.

python docs/reproduction.py           writes it
python docs/reproduction.py --check   exits with 1 if the page has another one
"""

from __future__ import annotations

import sys
from pathlib import Path

from circuitsim.scenarios.reproduce.items import items
from circuitsim.scenarios.reproduce.report import kept_table, markdown

PAGE = Path(__file__).parent / "results.md"
BEGIN = "<!-- made by docs/reproduction.py from the results in scenarios/reproduce/results: edit nothing below -->"
END = "<!-- end of what docs/reproduction.py makes -->"


def written(page: str) -> str:
    """Return the page with the table as the kept results give it."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{markdown(kept_table(items()))}\n{END}{after}"


def main() -> int:
    """Write the page, or compare it."""
    page = PAGE.read_text(encoding="utf-8")
    if "--check" in sys.argv[1:]:
        return int(page != written(page))
    PAGE.write_text(written(page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
