"""Progress of a run: the remaining time is shown once, on a terminal, in a notebook and in a pipe."""

from __future__ import annotations

import io
import re
import sys
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console
from running import SMALL, skip_report

import circuitsim as cs
from circuitsim import compilation
from circuitsim.api import start
from circuitsim.runs.progress import RunProgress
from circuitsim.runs.study import Study


def shown(monkeypatch: pytest.MonkeyPatch, console: Console) -> None:
    """Run a small autoencoder whose progress goes to a console."""
    skip_report(monkeypatch)
    monkeypatch.setattr("circuitsim.runs.progress._SHOWN", 1e9)
    monkeypatch.setattr(
        "circuitsim.runs.progress.tell_of_compilation", lambda tell: None
    )  # as with kernels in the cache
    monkeypatch.setattr(start, "console", lambda progress: console)
    cs.run("autoencoder", **SMALL)


def test_a_terminal_has_a_bar_with_the_time_and_lines_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = io.StringIO()
    shown(monkeypatch, Console(file=stream, force_terminal=True, width=120))
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    assert "━" in text and re.search(r"epoch 3/3  test mse [0-9.]+ *$", text, re.M)
    assert "left" not in text


def test_a_pipe_has_lines_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    shown(monkeypatch, Console(file=stream, width=200))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4 and all(line.count("left") == (number > 0) for number, line in enumerate(lines))


def test_a_notebook_has_one_output_that_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs: list[list[dict[str, str]]] = []

    class Handle:
        def __init__(self, content: dict[str, str]) -> None:
            outputs.append([content])

        def update(self, content: dict[str, str], raw: bool) -> None:
            assert raw
            outputs[-1].append(content)

    def display(content: dict[str, str], *, raw: bool, display_id: bool) -> Handle:
        assert raw and display_id
        return Handle(content)

    module: Any = ModuleType("IPython.display")
    module.display = display
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    console = Console(file=io.StringIO())
    console.is_jupyter = True
    shown(monkeypatch, console)
    (one,) = outputs
    texts = [content["text/plain"] for content in one[1:]]
    assert all(text.count("left") <= 1 for text in texts) and any("batches/s" in text for text in texts)
    assert re.fullmatch(r"epoch 3/3  test mse [0-9.]+", texts[-1])
    assert '<progress value="15" max="15">' in one[-1]["text/html"]


def test_python_shows_nothing_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    skip_report(monkeypatch)
    cs.run("autoencoder", **SMALL)
    assert capfd.readouterr() == ("", "")
    quiet = start.console(False)
    assert quiet.quiet


def test_a_first_run_says_that_it_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(compilation, "_told", [])
    progress = RunProgress(cast(Study, SimpleNamespace(epoch=0, batches=1, batch=0, epochs=1)), Console(file=stream))
    with progress:
        compilation.tell()
        compilation.tell()
    assert stream.getvalue() == "compiling kernels for this machine, once: about ten seconds\n"
