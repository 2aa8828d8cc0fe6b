"""A plain install has every module of the sources, and puts nothing but `circuitsim` into an environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
ROOTS = {name: ROOT / folder for name, folder in SETUPTOOLS["package-dir"].items()}
BUILD = "from setuptools import build_meta; build_meta.build_wheel('dist')"


def installed(path: Path) -> Path:
    """Return the place of a source file in an environment."""
    name, root = next((name, root) for name, root in ROOTS.items() if path.is_relative_to(root))
    return Path(*name.split("."), path.relative_to(root))


def sources(pattern: str) -> set[Path]:
    """Return the places of all source files whose names match."""
    return {installed(path) for root in ROOTS.values() for path in root.rglob(pattern)}


def test_no_package_is_forgotten() -> None:
    listed = SETUPTOOLS["packages"]
    assert listed == sorted(listed)
    assert set(listed) == {".".join(path.parent.parts) for path in sources("__init__.py")}
    assert {path.parent for path in sources("*.py")} == {path.parent for path in sources("__init__.py")}


def test_an_install_has_the_package_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", minversion="77")
    for root in ROOTS.values():
        shutil.copytree(root, tmp_path / root.name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run([sys.executable, "-c", BUILD], cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        found = {Path(name) for name in archive.namelist()}
    assert {path.parts[0] for path in found} == {"circuitsim", f"circuitsim-{PROJECT['project']['version']}.dist-info"}
    patterns = ("*.py", "*.cu", "*.cuh", "py.typed", "*.toml", "*.parquet", "*.csv.gz")
    expected = set().union(*(sources(pattern) for pattern in patterns))
    assert {path for path in found if path.parts[0] == "circuitsim"} == expected
