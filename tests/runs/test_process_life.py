"""A run's process: in any thread, with or without a reader of its output, until a signal tells it to stop."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from running import circuitsim, outcome, run, skip_report

from circuitsim.cli.console import LastingStream, terminal
from circuitsim.runs import signals
from circuitsim.runs.progress import RunProgress

STOPPING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]


@pytest.fixture(autouse=True)
def _without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_report(monkeypatch)


def test_a_run_in_another_thread(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(run, tmp_path / "beside").result() == 0
    assert run(tmp_path / "main") == 0
    assert outcome(tmp_path / "beside") == outcome(tmp_path / "main")


@contextmanager
def unread() -> Iterator[io.TextIOWrapper]:
    """A pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        yield stream


def test_a_run_goes_on_when_nobody_reads_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with unread() as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert run(tmp_path / "run") == 0
    err = capfd.readouterr().err
    assert err == "circuitsim: nobody reads this output any more; the run goes on to its end\n"
    assert (tmp_path / "run" / "final.safetensors").exists()


def test_other_commands_end_quietly_when_nobody_reads_their_output(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with unread() as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert circuitsim("data", "list") == 0
        print("what Python flushes at its exit goes nowhere")
    assert capfd.readouterr().err == ""


def test_a_full_disk_below_the_output_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w") as stream:
        lasting = LastingStream(stream)
        lasting.write("a table")
        with pytest.raises(OSError, match="No space"):
            lasting.flush()
        monkeypatch.setattr(stream, "flush", lambda: None)
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def test_characters_that_the_output_lacks_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", plain)
    terminal().print("λ of r\udce9sultats")
    assert plain.buffer.getvalue() == b"\\u03bb of r\\udce9sultats\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_leaves_a_checkpoint(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "whole", checkpoint_every=1) == 0
    batches: list[int] = []

    def presented(_: RunProgress) -> None:
        batches.append(len(batches))
        if len(batches) == 7:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patched:
        patched.setattr(RunProgress, "presented", presented)
        assert run(tmp_path / "run", checkpoint_every=1) == 130
    assert "interrupted in epoch 2 after" in capfd.readouterr().err
    assert circuitsim("resume", tmp_path / "run") == 0
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


def test_signals_that_are_ignored_stay_so() -> None:
    """`nohup` ignores SIGHUP for the program that it starts."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.noted() as received:
            os.kill(os.getpid(), signal.SIGHUP)
            assert received == []
        with signals.at_once():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", STOPPING)
def test_signals_interrupt_what_keeps_nothing(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), signals.at_once():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before
