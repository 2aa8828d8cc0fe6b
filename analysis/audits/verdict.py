"""The audit as an object: the content of audit.json, which shows its verdict and remedies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Audit(dict[str, Any]):
    """A locality audit, with the keys of audit.json: `local`, `findings`, `certificates`, `window` and others."""

    @property
    def local(self) -> bool:
        """True if labels are the only findings."""
        return bool(self["local"])

    @property
    def findings(self) -> list[Mapping[str, Any]]:
        """The findings, each with its kind, projection, rule, reading and remedy."""
        return list(self["findings"])

    def __repr__(self) -> str:
        return f"<Audit: {self._verdict}>"

    def __str__(self) -> str:
        lines = [f"{self._verdict[0].upper()}{self._verdict[1:]}."]
        each = self.get("circuits", [self])  # of a run, one for each circuit
        stated = [one["statement"]["text"] for one in each if "statement" in one]
        lines += dict.fromkeys([*stated, *(f"{line}." for one in each for line in one.get("transposes", ()))])
        for found in self.findings:
            lines.append(f"- {found['kind']} in {found['projection']}: reads {found['read']}.")
            lines.append(f"  Remedy: {found['remedy']}.")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from circuitsim.analysis.reports.notebook import audit_html

        return audit_html(self)

    @property
    def _verdict(self) -> str:
        kinds = dict.fromkeys(str(found["kind"]) for found in self.findings if found["kind"] != "label")
        return "local in space and time" if self.local else f"not local: {', '.join(kinds)}"
