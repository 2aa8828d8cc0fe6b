"""Print the lowest version of each dependency that pyproject.toml allows, as requirements for pip."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path


def lowest(requirement: str) -> str:
    """Return a requirement for the lowest version.

    >>> lowest("numpy>=2.0")
    'numpy==2.0'
    >>> lowest("scipy>=1.13; sys_platform != 'linux'")
    'scipy==1.13'
    """
    found = re.fullmatch(r"([A-Za-z0-9_.-]+)>=([0-9.]+)(?:;.*)?", requirement)
    if found is None:
        raise ValueError(f"{requirement}: expected a name, >= and a version")
    return f"{found[1]}=={found[2]}"


def main() -> None:
    """Print those of the package, and of the extras that are named."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [one for name in sys.argv[1:] for one in project["optional-dependencies"][name]]
    print("\n".join(dict.fromkeys(map(lowest, [*project["dependencies"], *extras]))))


if __name__ == "__main__":
    main()
