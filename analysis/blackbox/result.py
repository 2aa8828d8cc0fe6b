"""The result of a black-box audit: verdict, findings, dependencies and coverage."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import pandas as pd

from circuitsim.locality import Finding, is_local


@dataclass(frozen=True, repr=False)
class StepAudit:
    """Result of `audit_step`.

    Attributes
    ----------
    findings : what the updates read that locality does not permit, and labels.
    dependencies : a table, a row for each update and a column for each weight array and batch entry that can be
        changed: "own" (the synapse itself), "signals" (through activities that wires carry), the kind of a finding,
        or "" (no dependence).
    angles : degrees between each feedback matrix as given and the transpose that it faces.
    coverage : what was tested. limits : what was not. seed : of all that was drawn; the same seed gives the same audit.
    """

    findings: tuple[Finding, ...]
    dependencies: pd.DataFrame
    angles: dict[str, float]
    coverage: str
    limits: tuple[str, ...]
    seed: int

    @property
    def local(self) -> bool:
        """True if labels are the only findings."""
        return is_local(self.findings)

    def __repr__(self) -> str:
        kinds = ", ".join(dict.fromkeys(finding.kind for finding in self.findings if finding.kind != "label"))
        return f"<StepAudit: {f'not local: {kinds}' if kinds else 'no violation of locality found'}>"

    def _repr_html_(self) -> str:
        """Return what `print` shows, and the table of dependencies, for notebooks."""
        return f"<pre>{html.escape(str(self))}</pre>{self.dependencies.to_html()}"

    def __str__(self) -> str:
        wrong = [finding for finding in self.findings if finding.kind != "label"]
        lines = [f"Not local: {len(wrong)} finding(s)." if wrong else "No violation of locality found."]
        lines += [f"- {f.kind} in {f.projection}: reads {f.read}. Remedy: {f.remedy}." for f in self.findings]
        for pair, angle in self.angles.items():
            equal = "; learning starts as backpropagation" if angle < 1 else ""
            lines.append(f"Angle at the start, {pair}: {angle:.1f} degrees{equal}.")
        lines += [f"Tested: {self.coverage}", *(f"Not tested: {limit}" for limit in self.limits)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as values that JSON can hold."""
        return {
            "local": self.local,
            "findings": [finding.row() for finding in self.findings],
            "dependencies": self.dependencies.to_dict(orient="index"),
            "angles": dict(self.angles),
            "coverage": self.coverage,
            "limits": list(self.limits),
            "seed": self.seed,
        }
