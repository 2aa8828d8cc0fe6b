"""Run the blocks of README.md in a fresh folder: lines for a shell as they are printed, and Python programs."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.M | re.S)
TESTS = ".venv/bin/pytest -n auto"


def blocks(text: str) -> list[tuple[str, str]]:
    """Return the language and the text of each block, in order.

    >>> blocks("a\\n```sh\\nls\\n```\\nb\\n```python\\nx = 1\\n```\\n")
    [('sh', 'ls\\n'), ('python', 'x = 1\\n')]
    """
    return BLOCK.findall(text)


def run(language: str, text: str, folder: Path) -> None:
    """Run a block in a folder; CalledProcessError where a command of it fails."""
    begin = time.perf_counter()
    command = ["bash", "-euxo", "pipefail", "-c", text] if language == "sh" else [".venv/bin/python", "-c", text]
    subprocess.run(command, cwd=folder, check=True)
    print(f"--- {language} block done in {time.perf_counter() - begin:.0f} s", flush=True)


def main() -> None:
    """Run all blocks; the first failure ends it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    if "--collect" in sys.argv:
        if TESTS not in text:
            raise SystemExit(f"README.md has no line with {TESTS}")
        text = text.replace(TESTS, ".venv/bin/pytest --collect-only -qq")
    with tempfile.TemporaryDirectory() as place:
        files = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", place], input=files, check=True)
        for language, block in blocks(text):
            run(language, block, Path(place))
    print("every block of README.md ran")


if __name__ == "__main__":
    main()
