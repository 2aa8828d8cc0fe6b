"""The page on Python: each of its programs runs as it is printed, in order."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import circuitsim as cs

PAGE = Path(__file__).parent.parent / "docs/python.md"


@pytest.mark.nightly
def test_the_programs_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("xarray")
    names: dict[str, object] = {"cs": cs}
    programs = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(programs) == 5
    for program in programs:
        if "simulator.record" in program:
            run = names["run"]
            assert isinstance(run, cs.Run)
            names |= {"simulator": run.simulator(replica=0), "batches": np.arange(400).reshape(40, 10)}
        exec(program, names)
    recording, sweep, own = names["recording"], names["sweep"], names["SCENARIO"]
    assert isinstance(recording, cs.Recording) and len(recording.presentations) == 4
    assert isinstance(sweep, cs.Sweep) and len(sweep.table) == 6 and (tmp_path / "sweep/metrics.parquet").is_file()
    assert isinstance(own, cs.Scenario)
