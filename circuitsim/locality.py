"""Definition of locality: places, accesses, certificates, and the verdict that the build consults.

A synapse may read its presynaptic neuron, its postsynaptic neuron and itself, no further back than a window u
(Baldi & Sadowski 2018, eqs. 13-15). A neuron may also read its own incoming synapses. Everything else is a finding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import Enum

from circuitsim.errors import CircuitError

Key = tuple[str, str, int | None]
"""The address of an array: owner, quantity, cycle (None: it outlives the cycle)."""
BEFORE = -1
"""In the place of a cycle: the neurons' last activity of the presentation before."""


class Place(str, Enum):
    """Place of a quantity, seen from one synapse."""

    SYNAPSE = "synapse"
    PRE = "pre"
    POST = "post"
    TRACE = "trace"  # the synapse's own trace
    THIRD = "third"  # a declared third factor: neurons colocated with the target, or one that broadcasts
    NEURON = "neuron"  # the postsynaptic neuron's own incoming synapses
    REMOTE = "remote"  # anywhere else: only by declaration, and always a finding


class Mode(str, Enum):
    """Kind of access of a phase to an array. Added contributions commute; a write replaces."""

    READ = "read"
    ADD = "add"
    WRITE = "write"


@dataclass(frozen=True)
class Access:
    """Access to one array: its owner, quantity and cycle (None: the array outlives the cycle)."""

    mode: Mode
    owner: str
    quantity: str
    cycle: int | None = None

    @property
    def key(self) -> Key:
        """The array's address."""
        return self.owner, self.quantity, self.cycle


@dataclass(frozen=True, order=True)
class Reading:
    """One quantity that a rule reads: its place and, for a neuron's activity, its cycle."""

    place: Place
    cycle: int | None = None


@dataclass(frozen=True)
class Certificate:
    """All readings of a traced rule: the evidence for locality in space."""

    rule: str
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class Wire:
    """A declared non-local wire: `projection` (and its `rule`) uses it; `read` describes what it brings."""

    kind: str
    projection: str
    read: str
    rule: str = ""


@dataclass(frozen=True)
class Finding:
    """A violation: the quantity read, its place, its age (`lag`, ticks), and a remedy."""

    kind: str
    projection: str
    rule: str
    read: str
    place: str
    lag: int | None
    remedy: str

    def row(self) -> dict[str, object]:
        """Return the finding as a mapping, as in audit.json."""
        return asdict(self)


REMEDIES = {
    "weight-transport": "give the feedback projection weights and rules of its own, or recirculate",
    "weight-sharing": "give each location its own weights",
    "lateral": "let each neuron use its own input and its own synapses alone",
    "remote-target": "bring the target through a projection, or use a circular circuit",
    "remote-error": "carry the error through a declared projection to a colocated feedback neuron",
    "time-window": "widen the window or shorten the delays",
    "causality": "evaluate the rule after what it reads exists",
    "third-factor": "none is needed where a physical system broadcasts this number; say how",
    "tampering": "change weights by a rule of the circuit, or by load(), which is written down",
    "label": "none is needed: labels do not make a circuit non-local",
}


def verdict(wires: Iterable[Wire], ages: Iterable[tuple[str, str, Reading, int]], window: int) -> tuple[Finding, ...]:
    """Judge a circuit by its declared wires and the ages of its rules' readings.

    Parameters
    ----------
    wires : the circuit's declared non-local wires.
    ages : rows of (projection, rule, reading, age in ticks at the moment of use; negative: not yet written).
    window : ticks that a neuron remembers.

    Returns
    -------
    The findings, in the order of the arguments; a circuit without findings is local in space and time.
    """
    found = [Finding(w.kind, w.projection, w.rule, w.read, "remote", None, REMEDIES[w.kind]) for w in wires]
    for projection, rule, reading, age in ages:
        kind = "causality" if age < 0 else "time-window" if age > window else None
        if kind:
            read = f"{reading.place.value}.at({reading.cycle})"
            found.append(Finding(kind, projection, rule, read, reading.place.value, age, REMEDIES[kind]))
    return tuple(found)


def is_local(findings: Iterable[Finding]) -> bool:
    """Return whether labels are the only findings."""
    return all(finding.kind == "label" for finding in findings)


def refuse_nonlocal(circuit: str, findings: Iterable[Finding]) -> None:
    """Raise CircuitError for findings in a circuit that is declared local."""
    found = [finding for finding in findings if finding.kind != "label"]
    if found:
        first = found[0]
        raise CircuitError(
            f"circuit {circuit}",
            got=f"{len(found)} finding(s), first {first.kind} in {first.projection}, which reads {first.read}",
            expected="no non-local wire in a circuit declared local",
            remedy=f"{first.remedy[0].upper()}{first.remedy[1:]}; or build it with local=False.",
        )
