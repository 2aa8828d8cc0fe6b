"""ONNX models of the gallery's circuits compute what their simulators compute."""

from __future__ import annotations

import contextlib
import io
import os
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import circuitsim as cs
from circuitsim.engine.simulator import Simulator
from circuitsim.timetable import schedule

GALLERY = sorted((Path(__file__).parents[2] / "examples/gallery").glob("plot_*.py"))
WITHOUT = {"plot_12_audit_step"}  # a page about code that is no circuit
CLOSE = 1e-5


def circuits_of(page: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[cs.Circuit, cs.Protocol]]:
    """Run a page, and return the circuits of all its simulators and timetables, each once, with their protocols."""
    found: dict[cs.Circuit, cs.Protocol] = {}
    made, planned = Simulator.__init__, schedule.make_schedule

    def noted(self: Simulator, circuit: cs.Circuit, protocol: cs.Protocol, **options: Any) -> None:
        made(self, circuit, protocol, **options)
        found.setdefault(circuit, protocol)

    def scheduled(circuit: cs.Circuit, protocol: cs.Protocol) -> cs.Schedule:
        done = planned(circuit, protocol)  # a page may show how one is refused
        found.setdefault(circuit, protocol)
        return done

    with monkeypatch.context() as patched:
        patched.setattr(Simulator, "__init__", noted)
        patched.setattr(schedule, "make_schedule", scheduled)
        with contextlib.redirect_stdout(io.StringIO()):
            runpy.run_path(str(page), run_name="__main__")
    return list(found.items())


def feedforward(circuit: cs.Circuit, protocol: cs.Protocol) -> bool:
    """Return whether one pass of single examples gives the outputs."""
    alone = not any(p.centres or p.norm is not None for p in circuit.populations if not p.feedback)
    return protocol.clock is None and not any(q.lag for q in circuit.projections) and alone


def randomly_weighted(circuit: cs.Circuit, protocol: cs.Protocol) -> cs.Simulator:
    """Return a simulator whose weights and biases are random numbers of the size of first weights."""
    one, random = cs.Simulator(circuit, protocol, batch=5, seeds=(3,)), np.random.default_rng(0)
    for name, array in one.tensors().items():
        scale = 0.3 if name.endswith(".bias") else max(float(array.std()), 1e-3)
        one.load(name, random.normal(0, scale, array.shape[1:]).astype(array.dtype))
    return one


@pytest.mark.nightly
@pytest.mark.parametrize("page", GALLERY, ids=lambda page: page.stem)
def test_models_agree_with_simulators(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = pytest.importorskip("onnx.reference")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "MPLBACKEND", "agg")
    if page.stem == "plot_10_recording":
        pytest.importorskip("xarray")
    found = circuits_of(page, monkeypatch)
    assert found or page.stem in WITHOUT
    for circuit, protocol in found:
        one = randomly_weighted(circuit, protocol)
        if not feedforward(circuit, protocol):
            with pytest.raises(cs.BadInput, match=r"^export of "):
                cs.export(one, tmp_path / "refused.onnx")
            continue
        path = tmp_path / "model.onnx"
        path.unlink(missing_ok=True)
        cs.export(one, path)
        x = np.random.default_rng(1).random((20, circuit.population(circuit.inputs).size)).astype(np.float32)
        (computed,) = reference.ReferenceEvaluator(str(path)).run(None, {circuit.inputs: x})
        expected = np.concatenate([fired[0] for _, fired, _ in one.outputs(x)])
        assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(computed, expected, rtol=CLOSE, atol=CLOSE, err_msg=circuit.name)
