"""The notebook in examples/: it runs from its first cell to its last, and shows no raw object."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parent.parent / "examples/tour.ipynb"


@pytest.mark.nightly
def test_the_tour_runs_and_shows_no_raw_object() -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook: Any = nbformat.read(NOTEBOOK, as_version=4)
    assert len(notebook.cells) == 12
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    shown = [output for cell in notebook.cells for output in cell.outputs]
    for output in shown:
        assert output.output_type in ("display_data", "execute_result", "stream")
        if output.output_type == "execute_result":
            assert output.data.get("text/html"), output.data["text/plain"]
        if output.output_type == "stream":
            assert output.name == "stdout" and not re.search(r"<.* at 0x", output.text)
    html = [output.data["text/html"] for output in shown if output.output_type == "execute_result"]
    assert len(html) == 9 and sum("<svg" in one or "<img" in one for one in html) == 6
    assert "dw = " in html[0] and "local in space and time" in html[3]
    bars = [output for output in shown if output.output_type == "display_data"]
    assert len(bars) >= 2 and all("batches/s" not in bar.data["text/plain"] for bar in bars)
