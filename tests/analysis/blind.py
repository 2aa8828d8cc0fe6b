"""Cases for the audit by somebody who had not seen its code: what each is, and what a user should be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from circuitsim import Audit, Hook, Simulator
from circuitsim.analysis.audits.examine import examine_simulator
from circuitsim.circuits.classifier import layered_classifier
from circuitsim.errors import CircuitsimError

REFUSED = "refused"


@dataclass(frozen=True)
class Case:
    """A program and its verdict.

    make : builds it, and returns the audit. kind : of the finding, `REFUSED`, or "" for an honest program.
    text : part of what the user sees.
    """

    make: Callable[[], Any]
    kind: str
    text: str
    daily: bool = False

    @property
    def name(self) -> str:
        return self.make.__name__


Adds = Callable[[Callable[[], Any]], Callable[[], Any]]


def collector(cases: list[Case]) -> Callable[..., Adds]:
    """Return a decorator that adds a function to the cases."""

    def case(kind: str = "", text: str = "", daily: bool = False) -> Adds:
        def add(make: Callable[[], Any]) -> Callable[[], Any]:
            cases.append(Case(make, kind, text, daily))
            return make

        return add

    return case


def seen(case: Case) -> str:
    """Return what the user of a case's program is told."""
    try:
        audit = case.make()
    except CircuitsimError as error:
        return f"{REFUSED}: {error}"
    return audit if isinstance(audit, str) else told(audit)


def told(audit: Any) -> str:
    """Return an audit's verdict and findings, one a line."""
    if isinstance(audit, Mapping):
        findings, local = audit["findings"], audit["local"]
        extra = [str(audit.get(key, "")) for key in ("statement", "transposes", "mirrors", "acts") if audit.get(key)]
        extra += [str(audit)] if isinstance(audit, Audit) else []
    else:
        findings, local, extra = audit.findings, audit.local, [str(audit)]
    lines = [f"{_of(f, 'kind')}: {f}" for f in findings]
    return "\n".join([f"local={local}", *lines, *extra])


def _of(finding: Any, key: str) -> str:
    return str(finding[key] if isinstance(finding, Mapping) else getattr(finding, key))


def caught(case: Case, text: str) -> bool:
    """Return whether a text tells what a case expects: its kind at the start of a line, and its words."""
    lines = text.split("\n")
    if not case.kind:
        return case.text in text and not accused(text)
    return case.text in text and any(line.startswith(f"{case.kind}:") for line in lines)


def accused(text: str) -> bool:
    """Return whether a text says that a program is not local, or refuses it."""
    return text.startswith((REFUSED, "local=False"))


def watch(
    function: Callable[..., None],
    *,
    circuit: Any = None,
    after: str = "update",
    third_factor: str = "",
    seeds: tuple[int, ...] = (0,),
    backend: str = "numpy",
    parameters: Any = None,
    bind: Callable[[Simulator], None] | None = None,
    dtype: str = "float32",
) -> Any:
    """Audit a hook in a small classifier by feedback alignment."""
    made, protocol = circuit or layered_classifier([8, 6, 3], "fa", output="logistic")
    random = np.random.default_rng(0)
    simulator = Simulator(
        made, protocol, batch=4, seeds=seeds, backend=backend, dtype=dtype, parameters=parameters,
        hooks=[Hook(function, after=after, third_factor=third_factor)],
    )  # fmt: skip
    x = random.random((20, made.population(made.inputs).size))
    simulator.use(x, random.integers(0, 3, 20) if made.labels else None)
    if bind:
        bind(simulator)
    return examine_simulator(simulator, np.arange(4))
