"""`circuitsim.export`: a circuit in a file of another program's format, which the file's name says."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from circuitsim.circuit.circuit import Circuit
from circuitsim.engine.simulator import Simulator
from circuitsim.errors import ConfigError

FORMATS = {".onnx": "onnx", ".nir": "nir", ".graphml": ""}
"""Suffixes of files, and the package that each needs."""


def export(source: Simulator | Circuit, path: str | Path, replica: int = 0) -> Path:
    """Write a circuit to a file for another program; return its path.

    Parameters
    ----------
    source : a simulator, whose weights go into the file, or, for GraphML, a circuit.
    path : the file. Its suffix chooses the format: `.onnx` (opset 17, the forward pass), `.nir` (the forward pass of
        linear populations) or `.graphml` (populations, projections and exchanges, without weights).
    replica : the replica whose weights are written.

    Raises
    ------
    ConfigError : an unknown suffix, a package that is not installed, a circuit without weights, or no such replica.
    CircuitError : a circuit, or a part of it, that the format cannot express, by name.
    """
    path = Path(path)
    if path.suffix not in FORMATS:
        raise _refused(path, f"the suffix {path.suffix!r}", f"one of {', '.join(FORMATS)}", "Choose one of these.")
    package = FORMATS[path.suffix]
    if package and find_spec(package) is None:
        install = "Install it: pip install 'circuitsim[export]'."
        raise _refused(path, f"no package {package}", f"{package} for this format", install)
    if path.suffix == ".graphml":
        from circuitsim.analysis.exports.graph_file import write as write_graph

        write_graph(source if isinstance(source, Circuit) else source.circuit, path)
        return path
    if isinstance(source, Circuit):
        raise _refused(path, "a circuit, which has no weights", "a simulator", "Pass a Simulator of it.")
    replicas = len(source.state.alive)
    if replica not in range(replicas):
        raise _refused(path, f"replica {replica}", f"one from 0 to {replicas - 1}", "Choose one of these.")
    if package == "onnx":
        from circuitsim.analysis.exports.onnx_file import write
    else:
        from circuitsim.analysis.exports.nir_file import write
    write(source, replica, path)
    return path


def _refused(path: Path, got: str, expected: str, remedy: str) -> ConfigError:
    return ConfigError(f"export to {path}", got=got, expected=expected, remedy=remedy)
