"""The audit as text for a terminal: verdict, findings and their remedies, readings, measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from circuitsim.analysis.reports.page import plural

Audit = Mapping[str, Any]


def as_text(audit: Audit) -> list[RenderableType]:
    """Return the parts to print, in order.

    Parameters
    ----------
    audit : of one circuit, from `analysis.audits.examine.examine`.
    """
    return [
        *_verdict(audit),
        *_findings(audit),
        Text("\nReadings of each rule, and their age in ticks when they are used", style="bold"),
        _readings(audit),
        *_tried(audit),
        *_scorecard(audit),
        Text(f"\nThis covers {audit['covers']['circuit']}, sha256 {audit['covers']['sha256'][:16]}."),
    ]


def _verdict(audit: Audit) -> Iterator[Text]:
    violations = [f for f in audit["findings"] if f["kind"] != "label"]
    verdict = "local in space and time" if audit["local"] else f"NOT local: {plural(len(violations), 'finding')}"
    yield Text(f"{audit['label']}: {verdict}", style="bold green" if audit["local"] else "bold red")
    for line in said(audit):
        yield Text(f"    {line}")


def said(audit: Audit) -> list[str]:
    """Return the statement of an audit of one circuit, and a line for feedback that equals a transpose."""
    stated = audit.get("statement", {})
    return [*([stated["text"]] if stated else []), *(f"{line}." for line in audit.get("transposes", ()))]


def _findings(audit: Audit) -> Iterator[RenderableType]:
    for finding in audit["findings"]:
        rule = f", rule {finding['rule']}" if finding["rule"] else ""
        lag = "" if finding["lag"] is None else f", {plural(finding['lag'], 'tick')} old"
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
        yield Text("\nIntervention", style="bold")
        yield Text(audit["intervention"]["summary"])


def _scorecard(audit: Audit) -> Iterator[RenderableType]:
    if "scorecard" not in audit:
        return
    yield Text("\nScorecard: five problems and costs", style="bold")
    table = _table("problem", "measured")
    for problem, measured in scores(audit["scorecard"]):
        table.add_row(problem, measured)
    yield table


def scores(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the scorecard in words: pairs of a problem and its measurement, as far as it was measured."""
    words: dict[str, Callable[[Any], str]] = {
        "labels": lambda labels: f"{100 * labels['fraction']:.0f} % of synaptic changes depend on the labels",
        "locality": lambda locality: _kinds(locality["findings"]),
        "symmetry": _symmetry,
        "distances": _distances,
        "modularity": _modularity,
    }
    costs = card["costs"]
    left = [("not measured", str(card["left"]))] if "left" in card else []
    return [
        *((name, said(card[name])) for name, said in words.items() if name in card),
        ("operations", f"{costs['operations']['total']:,} synaptic operations per presentation and example"),
        ("memory", _memory(costs)),
        ("wires", _wires(costs["wires"])),
        *left,
    ]


def _kinds(findings: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} ({count})" for kind, count in findings.items()) or "no findings"


def _symmetry(symmetry: Mapping[str, Any]) -> str:
    if not symmetry["channels"]:
        return "no error signal is sent down"
    if symmetry["required"] is None:
        return "no symmetry required: feedback lies at about 90 degrees to the forward weights"
    return f"feedback must lie within {symmetry['required']:.0f} degrees of the forward weights"


def _distances(distances: Mapping[str, Any]) -> str:
    length = f", length {distances['length']:.3g}" if distances.get("length") is not None else ""
    hops, ticks = plural(distances["hops"], "hop"), plural(distances["ticks"], "tick")
    return f"an error signal travels up to {hops}, {ticks}{length}"


def _modularity(modularity: Mapping[str, Any]) -> str:
    stages = [", ".join(name for part in stage for name in part) for stage in modularity["stages"]]
    order = "; then ".join(stages) if len(stages) > 1 else "all learn simultaneously"
    return f"an update depends on {100 * modularity['mean_fraction']:.0f} % of the other projections; {order}"


def _memory(costs: Mapping[str, Any]) -> str:
    neurons = costs["neurons"]
    kept = sorted({kind for kinds in costs["synapses"].values() for kind in kinds})
    snapshots = plural(neurons["snapshots"], "snapshot")
    return f"up to {snapshots} per neuron for {plural(neurons['ticks'], 'tick')}; synapses store {', '.join(kept)}"


def _wires(wires: Mapping[str, Any]) -> str:
    channels = plural(wires["learning_channels"], "learning channel")
    declared = {kind: count for kind, count in wires["nonlocal"].items() if kind != "label"}
    nonlocal_ = f", non-local {_kinds(declared)}" if declared else ""
    return f"{wires['synapses']:,} synapses, {wires['lines']:,} lines between colocated neurons, {channels}{nonlocal_}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
