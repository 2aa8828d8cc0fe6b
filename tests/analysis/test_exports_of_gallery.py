"""Every feedforward circuit of the gallery computes in ONNX's reference evaluator what the simulator computes."""

from __future__ import annotations

import runpy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import skip_report

import circuitsim as cs
from circuitsim.circuit.circuit import Circuit
from circuitsim.errors import CircuitError
from circuitsim.timetable.protocol import Protocol
from circuitsim.timetable.schedule import Schedule

GALLERY = sorted((Path(__file__).parents[2] / "examples/gallery").glob("*.py"))
WITHOUT = {"plot_12_audit_step"}  # a training step of NumPy, no circuit
CLOCKED = {"plot_13_recurrent"}  # computes its outputs over several steps
ATOL = 1e-5


def scheduled(page: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Circuit, Protocol]]:
    """Run a page; return each distinct circuit of which it made a timetable, with the protocol."""
    found: dict[tuple[str, ...], tuple[Circuit, Protocol]] = {}
    make = Schedule.__init__

    def made(self: Schedule, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        forward = [(p.name, p.shape, p.activation) for p in self.circuit.populations], self.circuit.projections
        if not self.protocol.mirror:
            found.setdefault(tuple(map(repr, forward)), (self.circuit, self.protocol))

    skip_report(monkeypatch, experiments=True)
    monkeypatch.setenv("MPLBACKEND", "agg")
    with monkeypatch.context() as patch:
        patch.setattr(Schedule, "__init__", made)
        runpy.run_path(str(page), run_name="__main__")
    return list(found.values())


@pytest.mark.nightly
@pytest.mark.parametrize("page", GALLERY, ids=lambda page: page.stem)
def test_onnx_computes_the_outputs_of_the_gallery_s_circuits(
    page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    if page.stem == "plot_10_recording":
        pytest.importorskip("xarray", reason="xarray is not installed")
    circuits = scheduled(page, monkeypatch)
    assert (circuits == []) == (page.stem in WITHOUT)
    for circuit, protocol in circuits:
        check = partial(compared, circuit, protocol, tmp_path / "circuit.onnx")
        if page.stem in CLOCKED:
            with pytest.raises(CircuitError, match="expected a forward pass of one step"):
                check()
        else:
            check()


def compared(circuit: Circuit, protocol: Protocol, path: Path) -> None:
    """Compare the outputs for random weights and examples."""
    from onnx.reference import ReferenceEvaluator

    made = cs.Simulator(circuit, protocol, batch=3, seeds=[1, 2], dtype="float32")
    rng = np.random.default_rng(0)
    for key, values in made.tensors().items():
        scale = 3 / np.sqrt(max(values[0, 0].size, 10))  # outputs of deep circuits depend on their inputs then
        made.load(key, rng.normal(scale=scale, size=values.shape).astype(np.float32))
    x = rng.normal(scale=2, size=(5, circuit.population(circuit.inputs).size)).astype(np.float32)
    expected = np.concatenate([fired for _, fired, _ in made.outputs(x)], axis=1)
    assert expected.std(axis=1).max() > 10 * ATOL
    for replica in (0, 1):
        (found,) = ReferenceEvaluator(str(cs.export(made, path, replica=replica))).run(None, {circuit.inputs: x})
        np.testing.assert_allclose(found, expected[replica], rtol=0, atol=ATOL, err_msg=circuit.name)
