"""The audit for a person at a terminal: the verdict, findings with their remedies, readings, measurements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

Audit = Mapping[str, Any]


def as_text(audit: Audit) -> list[RenderableType]:
    """What to print, in order.

    Parameters
    ----------
    audit : of one circuit, as `analysis.audits.audit.examine` gives it.
    """
    return [
        *_verdict(audit),
        *_findings(audit),
        Text("\nWhat rules read, and how many ticks old it is at the moment of use", style="bold"),
        _readings(audit),
        *_tried(audit),
        *_scorecard(audit),
        Text(f"\nThis covers {audit['covers']['circuit']}, sha256 {audit['covers']['sha256'][:16]}."),
    ]


def _verdict(audit: Audit) -> Iterator[Text]:
    violations = [f for f in audit["findings"] if f["kind"] != "label"]
    verdict = "local in space and time" if audit["local"] else f"NOT local: {_count(len(violations), 'finding')}"
    yield Text(f"{audit['label']}: {verdict}", style="bold green" if audit["local"] else "bold red")


def _findings(audit: Audit) -> Iterator[RenderableType]:
    for finding in audit["findings"]:
        rule = f", rule {finding['rule']}" if finding["rule"] else ""
        lag = "" if finding["lag"] is None else f", {_count(finding['lag'], 'tick')} old"
        yield Text(f"\n{finding['kind']} in {finding['projection']}{rule}", style="bold")
        yield Text(f"    reads {finding['read']}{lag}\n    remedy: {finding['remedy']}")


def _readings(audit: Audit) -> Table:
    table = _table("projection", "rule", "reads", "window")
    for number, certificate in enumerate(audit["certificates"]):
        name = certificate["projection"]
        first = number == 0 or audit["certificates"][number - 1]["projection"] != name
        window = str(audit["window"].get(name, "")) if first else ""
        table.add_row(name, certificate["rule"], ", ".join(map(_reading, certificate["reads"])), window)
    return table


def _reading(read: Mapping[str, Any]) -> str:
    cycle = "" if read["cycle"] is None else f".at({read['cycle']})"
    old = "" if not read["lag"] else f" {read['lag']} old"
    return f"{read['place']}{cycle}{old}"


def _tried(audit: Audit) -> Iterator[Text]:
    if "intervention" in audit:
        yield Text("\nWhat was tried", style="bold")
        yield Text(audit["intervention"]["summary"])


def _scorecard(audit: Audit) -> Iterator[RenderableType]:
    if "scorecard" not in audit:
        return
    yield Text("\nFive problems, and costs, measured", style="bold")
    table = _table("problem", "measured")
    for problem, measured in scores(audit["scorecard"]):
        table.add_row(problem, measured)
    yield table


def scores(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The scorecard in words: pairs of a problem and what was measured."""
    return [
        ("labels", f"{100 * card['labels']['fraction']:.0f} % of synapses change otherwise when the labels do"),
        ("locality", _kinds(card["locality"]["findings"])),
        ("symmetry", _symmetry(card["symmetry"])),
        ("distances", _distances(card["distances"])),
        ("modularity", _modularity(card["modularity"])),
        ("operations", f"{card['costs']['operations']['total']:,} synaptic operations a presentation and example"),
        ("memory", _memory(card["costs"])),
        ("wires", _wires(card["costs"]["wires"])),
    ]


def _kinds(findings: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} ({count})" for kind, count in findings.items()) or "no findings"


def _symmetry(symmetry: Mapping[str, Any]) -> str:
    if not symmetry["channels"]:
        return "no error is sent down"
    if symmetry["required"] is None:
        return "no symmetry required: feedback and forward weights at about 90 degrees"
    return f"feedback within {symmetry['required']:.0f} degrees of the forward weights required"


def _distances(distances: Mapping[str, Any]) -> str:
    length = f", length {distances['length']:.3g}" if distances.get("length") is not None else ""
    return f"an error travels up to {_count(distances['hops'], 'hop')}, {_count(distances['ticks'], 'tick')}{length}"


def _modularity(modularity: Mapping[str, Any]) -> str:
    stages = [", ".join(name for part in stage for name in part) for stage in modularity["stages"]]
    order = "; then ".join(stages) if len(stages) > 1 else "all learn together"
    return f"an update needs {100 * modularity['mean_fraction']:.0f} % of the other projections; {order}"


def _memory(costs: Mapping[str, Any]) -> str:
    neurons = costs["neurons"]
    kept = sorted({kind for kinds in costs["synapses"].values() for kind in kinds})
    snapshots = _count(neurons["snapshots"], "snapshot")
    return f"up to {snapshots} a neuron for {_count(neurons['ticks'], 'tick')}; synapses keep {', '.join(kept)}"


def _wires(wires: Mapping[str, Any]) -> str:
    channels = _count(wires["learning_channels"], "learning channel")
    declared = {kind: count for kind, count in wires["nonlocal"].items() if kind != "label"}
    nonlocal_ = f", non-local {_kinds(declared)}" if declared else ""
    return f"{wires['synapses']:,} synapses, {wires['lines']:,} lines between colocated neurons, {channels}{nonlocal_}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
