"""Files for other programs say what the simulator computes, or refuse by name what they cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from running import circuitsim, settings, skip_report, vary

import circuitsim as cs
from circuitsim.circuit.connectivity import Reverse
from circuitsim.circuits.autoencoder import circular_autoencoder
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.circuits.layers import parse_layers
from circuitsim.circuits.nest import nested_autoencoder
from circuitsim.circuits.networks import NETWORKS, untied
from circuitsim.circuits.stack import stacked_autoencoders
from circuitsim.circuits.tourbillon import tourbillon
from circuitsim.circuits.twin import tourbillonize
from circuitsim.errors import BadInput, CircuitError, ConfigError

IMAGE = (3, 12, 12)
LAYERS = ["conv 4 3", "maxpool 3/2 same", "drop .5", "conv 4 2/2 valid", "dense 5"]
MIXED = ["local 3 3", "conv 3 3", "sum", "meanpool 3/2 same", "upsample 2", "maxpool 2", "dense 4"]


def _classifier(layers: Any, **more: Any) -> tuple[cs.Circuit, cs.Protocol]:
    return layered_classifier(parse_layers(layers, IMAGE), **more)


def _gated() -> tuple[cs.Circuit, cs.Protocol]:
    """A gate, the reverse of a convolution, and elu."""
    convolution = cs.Convolution(3, 2)
    small = convolution.output_shape((2, 6, 6), 3)
    populations = (
        cs.Population("x", shape=(2, 6, 6)),
        cs.Population("value", shape=small, activation="elu"),
        cs.Population("back", shape=(2, 6, 6), activation="saturated-half"),
        cs.Population("y", shape=(2, 6, 6), combine=cs.Combine.PRODUCT),
    )
    projections = (
        cs.Projection("V", "x", "value", bias=True, connectivity=convolution),
        cs.Projection("R", "value", "back", weights=cs.Transposed("V"), connectivity=Reverse(convolution)),
        cs.Projection("G", "back", "y", connectivity=cs.OneToOne()),
        cs.Projection("D", "x", "y"),
    )
    return cs.Circuit("gated", populations, projections, inputs="x", outputs="y"), cs.Protocol()


def _twin() -> tuple[cs.Circuit, cs.Protocol]:
    made = tourbillonize(layered_classifier([7, 5, 3])[0])
    return made.circuit, made.protocol


CIRCUITS: dict[str, Any] = {
    "autoencoder": lambda: circular_autoencoder([7, 4, 7]),
    "deep autoencoder": lambda: circular_autoencoder([7, 5, 3, 5, 7], "bp", hidden="relu", output="identity"),
    "convolutional autoencoder": lambda: circular_autoencoder(parse_layers(["conv 4 5", "conv 3 5"], IMAGE)),
    "stack": lambda: stacked_autoencoders([7, 5, 3]),
    "nest": lambda: nested_autoencoder([6, 5, 6], [3]),
    "tourbillon": lambda: tourbillon([7, 5, 3], channel="decoders"),
    "twin": _twin,
    "classifier": lambda: layered_classifier([7, 5, 4, 3], "fa", loss="hinge", hidden="saturated"),
    "images": lambda: _classifier(LAYERS, hidden="logistic"),
    "untied": lambda: _classifier(untied(LAYERS), hidden="relu"),
    "sums": lambda: _classifier(MIXED),
    "simpnet": lambda: _classifier(NETWORKS["simpnet"]),
    "gated": _gated,
}


def _outputs(simulator: cs.Simulator, x: np.ndarray) -> np.ndarray:
    return np.concatenate([fired for _, fired, _ in simulator.outputs(x)], axis=1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CIRCUITS)
def test_onnx_computes_the_simulator_s_outputs(name: str, dtype: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    from onnx.reference import ReferenceEvaluator

    circuit, protocol = CIRCUITS[name]()[:2]
    made = cs.Simulator(circuit, protocol, batch=3, seeds=[1, 2], dtype=dtype)
    rng = np.random.default_rng(0)
    for key, values in made.tensors().items():
        made.load(key, rng.normal(scale=0.4, size=values.shape).astype(dtype))
    x = rng.random((5, circuit.population(circuit.inputs).size)).astype(dtype)
    expected = _outputs(made, x)
    for replica in (0, 1):
        path = cs.export(made, tmp_path / "circuit.onnx", replica=replica)
        onnx.checker.check_model(str(path), full_check=True)
        (found,) = ReferenceEvaluator(str(path)).run(None, {circuit.inputs: x})
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected[replica], rtol=0, atol=1e-5 if dtype == "float32" else 1e-12)


def test_graphml_has_the_circuit_s_parts(tmp_path: Path) -> None:
    circuit, _ = _classifier(LAYERS, feedback="fa")
    graph = nx.read_graphml(cs.export(circuit, tmp_path / "circuit.graphml"))
    assert dict(graph.nodes(data="size")) == {p.name: p.size for p in circuit.populations}
    edges = [data for _, _, data in graph.edges(data=True)]
    assert {e["name"] for e in edges if e["kind"] == "projection"} == {q.name for q in circuit.projections}
    assert sum(e["kind"] == "exchange" for e in edges) == len(circuit.exchanges)
    assert next(e for e in edges if e["name"] == "W1")["connectivity"] == "Convolution"


def test_nir_has_the_linear_parts(tmp_path: Path) -> None:
    nir = pytest.importorskip("nir", reason="nir is not installed")
    populations = tuple(cs.Population(name, shape=shape) for name, shape in (("x", (2, 6, 6)), ("h", (3, 6, 6))))
    circuit = cs.Circuit(
        "linear",
        (*populations, cs.Population("y", 4)),
        (cs.Projection("C", "x", "h", bias=True, connectivity=cs.Convolution(3)), cs.Projection("D", "h", "y")),
        inputs="x",
        outputs="y",
    )
    made = cs.Simulator(circuit, cs.Protocol(), batch=2)
    graph = nir.read(str(cs.export(made, tmp_path / "circuit.nir")))
    assert {name: type(node).__name__ for name, node in graph.nodes.items()} == {
        "x": "Input", "C": "Conv2d", "D.flat": "Flatten", "D": "Linear", "y.output": "Output"
    }  # fmt: skip
    np.testing.assert_array_equal(graph.nodes["D"].weight, made.tensors()["D.weight"][0])
    np.testing.assert_array_equal(graph.nodes["C"].weight, made.tensors()["C.weight"][0])
    assert graph.edges == [("x", "C"), ("C", "D.flat"), ("D.flat", "D"), ("D", "y.output")]


def _sent(made: Any, name: str, tmp_path: Path, **more: Any) -> str:
    with pytest.raises(BadInput) as refused:
        cs.export(made, tmp_path / name, **more)
    assert not list(tmp_path.iterdir())
    return str(refused.value).replace(str(tmp_path), "DIR")


def test_what_a_format_cannot_say_is_refused_by_name(tmp_path: Path) -> None:
    circuit, protocol = layered_classifier([4, 3, 2])
    made = cs.Simulator(circuit, protocol, batch=2)
    assert _sent(made, "a.pt", tmp_path) == (
        "export to DIR/a.pt: got the suffix '.pt'; expected one of .onnx, .nir, .graphml. Choose one of these."
    )
    assert _sent(circuit, "a.onnx", tmp_path) == (
        "export to DIR/a.onnx: got a circuit, which has no weights; expected a simulator. Pass a Simulator of it."
    )
    assert _sent(made, "a.onnx", tmp_path, replica=1) == (
        "export to DIR/a.onnx: got replica 1; expected one from 0 to 0. Choose one of these."
    )
    pytest.importorskip("nir", reason="nir is not installed")
    assert _sent(made, "a.nir", tmp_path) == (
        "export of population layer1: got activation tanh; expected what NIR, whose rate neurons are linear has. "
        "Leave it out, or export another format."
    )


def test_a_clocked_circuit_is_no_forward_pass(tmp_path: Path) -> None:
    circuit, _ = _gated()
    with pytest.raises(CircuitError, match=r"export of circuit .*: got a clocked presentation; expected a forward"):
        cs.export(cs.Simulator(circuit, cs.Protocol(clock=cs.Clock(steps=4)), batch=2), tmp_path / "a.onnx")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circuitsim.analysis.exports.export.find_spec", lambda name: None)
    circuit, protocol = layered_classifier([4, 3, 2])
    with pytest.raises(ConfigError, match=r"got no package onnx; .* Install it: pip install 'circuitsim\[export\]'\."):
        cs.export(cs.Simulator(circuit, protocol, batch=2), tmp_path / "a.onnx")


def test_the_command_writes_the_circuit_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    from onnx.reference import ReferenceEvaluator

    skip_report(monkeypatch)
    folder, file = tmp_path / "run", tmp_path / "circuit.onnx"
    assert circuitsim("run", "autoencoder", *settings(epochs=1), *vary(seed="1,2"), "--out", folder) == 0
    assert circuitsim("export", folder, file, "--replica", 1) == 0
    made = cs.load_run(folder).simulator(1)
    x = np.random.default_rng(0).random((4, 64))
    (found,) = ReferenceEvaluator(str(file)).run(None, {"layer0": x})
    np.testing.assert_allclose(found, _outputs(made, x)[0], rtol=0, atol=1e-12)
    capsys.readouterr()
    assert circuitsim("export", folder, file) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert circuitsim("export", folder, tmp_path / "a.pt") == 2
    assert "expected one of .onnx, .nir, .graphml" in " ".join(capsys.readouterr().err.split())
