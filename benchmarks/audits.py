"""Measure what the audit of a run costs as circuits get deeper: CPU seconds of its experiments and of its end.

Run: python benchmarks/audits.py --layers 2 5 10 20 40
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import circuitsim as cs
from circuitsim.analysis.audits.ran import RunAudit

PARTS = ("begin", "after_epoch", "end")


def timed(function: Callable[..., Any], spent: dict[str, float], name: str) -> Callable[..., Any]:
    """Return a function that adds the CPU time of its calls to what is spent."""

    def called(*arguments: Any) -> Any:
        begin = time.thread_time()
        try:
            return function(*arguments)
        finally:
            spent[name] += time.thread_time() - begin

    return called


def main() -> None:
    """Print a line for each depth: a classifier of 64 inputs, layers of 10 neurons, two epochs of 200 examples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, nargs="+", default=[2, 5, 10, 20, 40], help="hidden layers")
    spent = dict.fromkeys(PARTS, 0.0)
    for name in PARTS:
        setattr(RunAudit, name, timed(getattr(RunAudit, name), spent, name))
    for layers in parser.parse_args().layers:
        spent.update(dict.fromkeys(PARTS, 0.0))
        keys = {"sizes": [64, *[10] * layers, 10], "epochs": 2, "train_limit": 200, "test_limit": 50, "batch": 20}
        begin = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            cs.run("classifier", out=Path(folder) / "run", progress=False, **keys)
        shown = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in spent.items())
        print(f"{layers} hidden layers: {shown}; the run {time.process_time() - begin:.2f} s", flush=True)


if __name__ == "__main__":
    main()
