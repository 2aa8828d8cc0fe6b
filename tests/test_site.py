"""The documentation's site: every public name has a place, its pages' programs run, and its links lead somewhere."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import circuitsim as cs

ROOT = Path(__file__).parent.parent
SITE = ROOT / "docs/site"
GALLERY = sorted((ROOT / "examples/gallery").glob("*.py"))
PAGES = [SITE / "index.md", SITE / "getting-started.md", *sorted((SITE / "howto").glob("[!i]*.md"))]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.M | re.S)


def loaded(path: Path) -> ModuleType:
    """A Python file of the site that lies in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def documented() -> dict[str, set[str]]:
    """The names that the reference documents, by module."""
    found: dict[str, set[str]] = {}
    for page in (SITE / "api").glob("*.rst"):
        module = ""
        for directive, name in re.findall(r"^\.\. (currentmodule|auto\w+):: (\S+)$", page.read_text("utf-8"), re.M):
            if directive == "currentmodule":
                module = name
            elif directive != "automodule":
                found.setdefault(module, set()).add(name)
    return found


def test_every_public_name_has_a_place_in_the_reference() -> None:
    found = documented()
    packages = {"circuits", "data", "scenarios"}
    assert found.pop("circuitsim") == set(cs.__all__) - packages
    assert found == {f"circuitsim.{name}": set(getattr(cs, name).__all__) for name in ("circuits", "data")}
    listed = (SITE / "api/index.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(\w+)`", listed)) >= set(cs.__all__)


def test_every_public_name_has_a_docstring() -> None:
    for name in cs.__all__:
        assert (getattr(cs, name).__doc__ or "").strip(), name


def test_a_function_that_returns_a_circuit_is_one_after_its_module_was_imported() -> None:
    for name in cs.circuits.__all__:
        importlib.import_module(getattr(cs.circuits, name).__module__)
        assert callable(getattr(cs.circuits, name)), name


def test_the_gallery_has_a_title_and_a_picture_on_each_page() -> None:
    assert len(GALLERY) >= 15
    for path in GALLERY:
        text = path.read_text(encoding="utf-8")
        code = compile(text, path, "exec", dont_inherit=True)
        title, line = (code.co_consts[0] or "").strip().splitlines()[:2]
        assert set(line) == {"="} and len(line) == len(title), path.name
        assert "figure, ax" in text or ".plot(" in text, path.name


def test_pages_of_the_repository_exist_and_their_links_too() -> None:
    shown = loaded(SITE / "_ext/repository_pages.py")
    pages = shown.pages_of(SITE)
    assert {"docs/design.md", "docs/locality.md", "docs/results.md", "docs/performance.md"} <= set(pages)
    for source, page in pages.items():
        text = shown.shown(source, page, pages, SITE)
        for target in re.findall(r"\]\(([^)#:\s]+)[)#]", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)):
            assert ((SITE / page).parent / target).exists(), (source, target)


def test_docstrings_are_put_in_the_form_that_numpydoc_reads() -> None:
    prepared = loaded(SITE / "_ext/house_docstrings.py").prepared
    items = ["x : the examples. y, z : classes,", "    from 0.", "", "They are copied.", ""]
    lines = ["One sentence.", "", "Parameters", "----------", *items, "Returns", "-------", "A `Run`: it", "stays."]
    assert prepared(lines) == [
        "One sentence.",
        "",
        *("They are copied.", "", ""),
        *("Parameters", "----------", "x", "    the examples.", "y, z", "    classes,", "    from 0.", ""),
        *("Returns", "-------", "A `Run`: it stays.", ""),
    ]


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    check = loaded(SITE / "check_links.py")
    (tmp_path / "a.html").write_text('<a href="b.html#there">x</a><a href="#no">y</a><a href="https://e.org">z</a>')
    (tmp_path / "b.html").write_text('<p id="there"><img src="c.png">')
    assert check.broken_links(tmp_path) == ["a.html: no anchor #no", "b.html: no file c.png"]


@pytest.mark.nightly
def test_a_wide_page_is_found(tmp_path: Path) -> None:
    check = loaded(SITE / "check_widths.py")
    if check.browser() is None:
        pytest.skip("no Chromium")
    (tmp_path / "a.html").write_text('<!doctype html><article><div style="width: 600px">x</div></article>')
    (tmp_path / "b.html").write_text("<!doctype html><article>short</article>")
    on_top = '<div style="overflow: hidden; width: 50px"><p style="width: 90px">cut</p></div>'
    on_top += '<h2 style="margin-top: -40px">x</h2>'
    (tmp_path / "c.html").write_text(f"<!doctype html><main>{on_top}<img src='no.png'></main>")
    wide, narrow, covered = check.measured(tmp_path)
    assert wide[:1] == ("a.html",) and wide[1] >= 600 and wide[2] == ["DIV."] and narrow == ("b.html", 390, [], [], [])
    assert covered[2] == [] and covered[3][0].endswith("no.png") and covered[4] == ["DIV.", "P. on H2."]
    assert [len(check.faults(row, 390)) for row in (wide, narrow, covered)] == [1, 0, 3]


def program(page: Path) -> str:
    """The blocks of a page as one program; lines for a shell are passed to it, in the same order."""
    parts = ["import subprocess"]
    for language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "sh":
            text = f'if __name__ == "__main__":\n    subprocess.run(["bash", "-euc", {text!r}], check=True)\n'
        parts.append(text)
    return "\n".join(parts)


@pytest.mark.nightly
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_programs_of_a_page_run(page: Path, tmp_path: Path) -> None:
    if page.stem == "recording":
        pytest.importorskip("xarray")
    text = program(page)
    assert len(text.splitlines()) > 2
    (tmp_path / "page.py").write_text(text, encoding="utf-8")
    there = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        env={**os.environ, "PATH": there, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.nightly
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """Without running the gallery, which `.ci/docs` does."""
    for package in ("sphinx", "sphinx_gallery", "numpydoc", "myst_parser", "furo"):
        pytest.importorskip(package)
    copy = tmp_path / "repository"
    shutil.copytree(ROOT / "docs", copy / "docs", ignore=shutil.ignore_patterns("gallery"))
    shutil.copytree(ROOT / "examples", copy / "examples")
    for name in ("CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, copy / name)
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", copy / "docs/site", tmp_path / "built"],
        env={**os.environ, "CIRCUITSIM_GALLERY": "False"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert loaded(SITE / "check_links.py").broken_links(tmp_path / "built") == []
