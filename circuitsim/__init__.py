"""circuitsim: learning in physical circuits, local in space and time or saying where it is not."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as `typing` has it, whose import takes time in which Ctrl-C would be a traceback
if TYPE_CHECKING:
    from typing import Any

    from circuitsim import circuits, data, scenarios
    from circuitsim.analysis.audits.verdict import Audit
    from circuitsim.analysis.blackbox.audit_step import audit_step
    from circuitsim.analysis.exports.export import export
    from circuitsim.api.auditing import audit
    from circuitsim.api.comparing import Comparison, compare
    from circuitsim.api.result import Run, load_run
    from circuitsim.api.start import resume, run
    from circuitsim.api.sweep_result import Sweep
    from circuitsim.api.sweeping import sweep
    from circuitsim.asynchrony import AsynchronousSimulator, Timing
    from circuitsim.circuit.circuit import Circuit
    from circuitsim.circuit.connectivity import (
        Convolution,
        Dense,
        LocallyConnected,
        MaxPool,
        MeanPool,
        OneToOne,
        Resize,
        Table,
        Upsample,
    )
    from circuitsim.circuit.parts import (
        Carries,
        Combine,
        Exchange,
        Mirror,
        Noise,
        Plasticity,
        Population,
        Projection,
    )
    from circuitsim.circuit.weights import Copied, Fixed, Own, Signs, Tied, Transposed
    from circuitsim.engine.decisions import Readout, decisions
    from circuitsim.engine.hooks import Hook
    from circuitsim.engine.recording import Recording
    from circuitsim.engine.simulator import Simulator
    from circuitsim.errors import BadInput, CircuitsimError, Diverged, Interrupted
    from circuitsim.rules import Activation, Rule, local_activation, local_rule
    from circuitsim.runs.config import TrainingSettings
    from circuitsim.runs.design import Design
    from circuitsim.runs.scenario import Scenario
    from circuitsim.timetable.protocol import Clock, Protocol, Updates
    from circuitsim.timetable.schedule import Schedule, make_schedule

# the module of each public name; imported when first asked for, so that the command line starts quickly
_MODULES = {
    "Audit": "analysis.audits.verdict",
    "audit_step": "analysis.blackbox.audit_step",
    "audit": "api.auditing",
    "export": "analysis.exports.export",
    **dict.fromkeys(("Comparison", "compare"), "api.comparing"),
    **dict.fromkeys(("Run", "load_run"), "api.result"),
    **dict.fromkeys(("resume", "run"), "api.start"),
    "Sweep": "api.sweep_result",
    "sweep": "api.sweeping",
    **dict.fromkeys(("AsynchronousSimulator", "Timing"), "asynchrony"),
    "Circuit": "circuit.circuit",
    **dict.fromkeys(
        ("Convolution", "Dense", "LocallyConnected", "MaxPool", "MeanPool", "OneToOne", "Resize", "Table", "Upsample"),
        "circuit.connectivity",
    ),
    **dict.fromkeys(
        ("Carries", "Combine", "Exchange", "Mirror", "Noise", "Plasticity", "Population", "Projection"),
        "circuit.parts",
    ),
    **dict.fromkeys(("Copied", "Fixed", "Own", "Signs", "Tied", "Transposed"), "circuit.weights"),
    **dict.fromkeys(("Readout", "decisions"), "engine.decisions"),
    "Hook": "engine.hooks",
    "Recording": "engine.recording",
    "Simulator": "engine.simulator",
    **dict.fromkeys(("BadInput", "CircuitsimError", "Diverged", "Interrupted"), "errors"),
    **dict.fromkeys(("Activation", "local_activation"), "rules.activation"),
    **dict.fromkeys(("Rule", "local_rule"), "rules.rule"),
    "TrainingSettings": "runs.config",
    "Design": "runs.design",
    "rate_factor": "runs.rates",
    "Scenario": "runs.scenario",
    **dict.fromkeys(("Clock", "Protocol", "Updates"), "timetable.protocol"),
    **dict.fromkeys(("Schedule", "make_schedule"), "timetable.schedule"),
}
_PACKAGES = ("circuits", "data", "scenarios")

__all__ = [
    "Activation",
    "AsynchronousSimulator",
    "Audit",
    "BadInput",
    "Carries",
    "Circuit",
    "CircuitsimError",
    "Clock",
    "Combine",
    "Comparison",
    "Convolution",
    "Copied",
    "Dense",
    "Design",
    "Diverged",
    "Exchange",
    "Fixed",
    "Hook",
    "Interrupted",
    "LocallyConnected",
    "MaxPool",
    "MeanPool",
    "Mirror",
    "Noise",
    "OneToOne",
    "Own",
    "Plasticity",
    "Population",
    "Projection",
    "Protocol",
    "Readout",
    "Recording",
    "Resize",
    "Rule",
    "Run",
    "Scenario",
    "Schedule",
    "Signs",
    "Simulator",
    "Sweep",
    "Table",
    "Tied",
    "Timing",
    "TrainingSettings",
    "Transposed",
    "Updates",
    "Upsample",
    "audit",
    "audit_step",
    "circuits",
    "compare",
    "data",
    "decisions",
    "export",
    "load_run",
    "local_activation",
    "local_rule",
    "make_schedule",
    "rate_factor",
    "resume",
    "run",
    "scenarios",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"circuitsim.{_MODULES[name]}"), name)
    if name in _PACKAGES:
        return import_module(f"circuitsim.{name}")
    if name == "__version__":
        return import_module("importlib.metadata").version("circuitsim")
    raise AttributeError(f"module 'circuitsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
