"""Judgement of the evidence: which dependences locality permits, what the others are called, and the remedy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from circuitsim.analysis.blackbox.bench import Bench
from circuitsim.analysis.blackbox.broadcast import is_broadcast
from circuitsim.analysis.blackbox.experiments import Evidence
from circuitsim.analysis.blackbox.result import StepAudit
from circuitsim.locality import REMEDIES, Finding

Cells = dict[tuple[str, str], str]
UNLISTED = "; if unlisted synapses carry it, list them in weights and wiring"


def judge(bench: Bench, found: Evidence, third_factor: tuple[str, ...], window: int | None, seed: int) -> StepAudit:
    """Return the result of an audit from its evidence.

    Parameters
    ----------
    third_factor : weights whose update may follow one broadcast number. window : calls that an update may remember.
    """
    permitted = {name for name in third_factor if is_broadcast(bench, name)}
    cells: Cells = {}
    findings = (
        *_transports(found, cells),
        *_unwired(bench, found, cells, permitted),
        *_lateral(bench, found, cells),
        *_mixed(bench, found, cells, permitted),
        *_held(bench, found, cells, permitted),
        *_old(found, window),
        *_labels(bench, found, cells),
    )
    return StepAudit(
        findings,
        _table(bench, found, cells),
        _angles(bench),
        _coverage(bench, found, seed),
        _limits(bench, found),
        seed,
    )


def _finding(kind: str, name: str, read: str, remedy: str = "") -> Finding:
    return Finding(kind, name, "step", read, "remote", None, REMEDIES[kind] + remedy)


def _transports(found: Evidence, cells: Cells) -> Iterator[Finding]:
    for (name, source), transport in found.transports.items():
        kind = "weight-sharing" if transport.shared else "weight-transport"
        cells[name, source] = kind
        hidden = name in found.sums.own  # Adam's first steps, for example, keep the sign of a sum and lose its size
        what = "the signs of the weights" if transport.signs_only and not hidden else "the weights"
        first, second = transport.columns
        yield _finding(
            kind,
            name,
            f"{what} of {source}: {name}{list(transport.reached or '')} follows {source}[{transport.row}, {first}] or "
            f"{source}[{transport.row}, {second}] although no activity does",
        )
    for (name, label), carriers in found.labelled.items():
        for source in sorted(carriers):
            if not any((name, w) in found.transports for w in carriers):
                cells[name, source] = "weight-transport"
                yield _finding(
                    "weight-transport", name, f"{source}, through which {label} arrives backwards, from post to pre"
                )


def _unwired(bench: Bench, found: Evidence, cells: Cells, permitted: set[str]) -> Iterator[Finding]:
    carried = {*found.transports, *((name, w) for (name, _), by in found.labelled.items() for w in by)}
    for (name, site), sources in found.unwired.items():
        if any((name, wire.name) in carried for wire in bench.wiring.into(site)):
            continue  # what happens at the site arrives through the synapses that are used backwards
        biases = {wire.name for wire in bench.wiring.into(site) if wire.pre is None}
        if biases and not biases & sources and not sources & set(bench.wiring.inputs):  # a bias would change activities
            for source in sorted(sources):
                cells[name, source] = "weight-transport"
                yield _finding("weight-transport", name, f"the weights of {source}")
            continue
        cells.update({(name, source): "third factor" if name in permitted else "remote-error" for source in sources})
        if name not in permitted:
            yield _finding(
                "remote-error", name, f"the activity or error of {site}, which no wire carries to it", UNLISTED
            )
    for (name, label), carriers in found.labelled.items():
        site = bench.wiring.labels[label]
        if carriers or (name, site) in found.unwired:
            continue
        cells[name, label] = "third factor" if name in permitted else "remote-target"
        if name not in permitted:
            yield _finding("remote-target", name, f"{label}, which no wire carries to it", UNLISTED)


def _lateral(bench: Bench, found: Evidence, cells: Cells) -> Iterator[Finding]:
    for site, names in found.lateral.items():
        into = {wire.name for wire in bench.wiring.into(site)}
        for name in sorted((names & into or names) - found.sums.layer):
            sources = into | {key for key, at in bench.wiring.inputs.items() if at == site}
            cells.update({(name, source): "lateral" for source in sources})
            yield _finding("lateral", name, f"other neurons of {site}")
    for name, source in sorted(found.rows):
        if name not in found.lateral.get(bench.wiring.wire(source).post, found.sums.layer):
            cells[name, source] = "lateral"
            yield _finding("lateral", name, f"synapses {source} of other neurons")


def _mixed(bench: Bench, found: Evidence, cells: Cells, permitted: set[str]) -> Iterator[Finding]:
    every, layer = found.sums.all_layers, found.sums.layer - found.sums.all_layers - permitted
    if every - permitted:  # a declared number may be the mean of a batch
        cells.update({(name, source): "lateral" for name in every for source in every if name != source})
        read = "one factor that all these updates determine together, such as a clipped norm of all gradients"
        yield _finding("lateral", ", ".join(sorted(every)), read)
    for name in sorted(layer):
        cells[name, name] = "lateral"
        yield _finding("lateral", name, f"one factor that all updates of {name} determine, such as a clipped norm")
    for site, names in found.statistics.items():
        where = f" at {site}" if site else ""
        for name in sorted(names - every):
            cells.update({(name, key): "lateral" for key in bench.wiring.inputs})
            yield _finding(
                "lateral", name, f"statistics over the batch{where}: other examples change an example's share"
            )


def _held(bench: Bench, found: Evidence, cells: Cells, permitted: set[str]) -> Iterator[Finding]:
    """Yield what only the experiments with held activities found."""
    for (reader, source), reading in found.held.items():
        at = bench.wiring.places.get(reader)
        touching = {reader} if at is None else {wire.name for wire in bench.wiring.wires if wire.ends_at(at)}
        explained = any((name, source) in cells for name in touching) or (
            reading.kind == "lateral"
            and any(
                touching & names
                for names in (*found.lateral.values(), *found.statistics.values(), found.sums.all_layers)
            )
        )
        broadcast = touching & permitted and reading.kind in ("remote-error", "remote-target")
        if explained or broadcast:
            continue
        if at is None and source in (*bench.program.given.weights, *bench.program.given.batch):
            cells[reader, source] = reading.kind
        yield _finding(reading.kind, reader, reading.text)


def _old(found: Evidence, window: int | None) -> Iterator[Finding]:
    for name, age in found.ages.items():
        if window is not None and age > window:
            read = f"examples of {_age(found, age)}, with a window of {window}"
            yield Finding("time-window", name, "step", read, "synapse", age, REMEDIES["time-window"])


def _by_age(found: Evidence) -> list[tuple[int, list[str]]]:
    return [(age, [name for name in found.ages if found.ages[name] == age]) for age in sorted({*found.ages.values()})]


def _age(found: Evidence, age: int) -> str:
    return f"{age} calls ago" + (" or more" if age == found.calls - 1 else "")


def _labels(bench: Bench, found: Evidence, cells: Cells) -> Iterator[Finding]:
    for label, site in bench.wiring.labels.items():
        for wire in bench.wiring.into(site):
            if wire.pre is not None and (wire.name, label) in found.depends:
                cells.setdefault((wire.name, label), "label")
                yield _finding("label", wire.name, f"{label}, presented at {site}")


def _table(bench: Bench, found: Evidence, cells: Cells) -> pd.DataFrame:
    given = bench.program.given
    columns = [*given.weights, *given.batch]
    rows = [[cells.get((name, source), _plain(name, source, found)) for source in columns] for name in given.weights]
    return pd.DataFrame(rows, index=list(given.weights), columns=columns)


def _plain(name: str, source: str, found: Evidence) -> str:
    return "" if (name, source) not in found.depends else "own" if name == source else "signals"


def _angles(bench: Bench) -> dict[str, float]:
    weights, order = bench.program.given.weights, bench.wiring.order
    found = {}
    for forward in bench.wiring.wires:
        for back in bench.wiring.wires:
            facing = (back.pre, back.post) == (forward.post, forward.pre) and forward.pre != forward.post
            if facing and order.index(forward.pre or "") < order.index(forward.post):
                a, b = weights[forward.name].T.astype(np.float64), weights[back.name].astype(np.float64)
                norms = float(np.linalg.norm(a) * np.linalg.norm(b))
                if norms:
                    cosine = float(np.clip((a * b).sum() / norms, -1, 1))
                    found[f"{back.name} and the transpose of {forward.name}"] = float(np.degrees(np.arccos(cosine)))
    return found


def _coverage(bench: Bench, found: Evidence, seed: int) -> str:
    given = bench.program.given
    synapses = sum(weight.size for weight in given.weights.values())
    size = len(next(iter(given.batch.values())))
    memory = (
        f"The step remembers earlier calls (seen at call {found.remembers}); {found.calls} calls in a row were compared"
        + "".join(f"; {', '.join(names)} follow examples of {_age(found, age)}" for age, names in _by_age(found))
        if found.remembers
        else f"No memory seen in {found.probed} calls"
    )
    assumed = "".join(f" {label} is taken to be presented at {site}." for label, site in bench.wiring.labels.items())
    return (
        f"all {synapses} synapses as sources and as targets, {found.states} states, batch of {size}, "
        f"seed {seed}, {bench.program.made} calls. {memory}. Wires were cut and weights exchanged between "
        f"twins; {_kept(bench)}.{assumed if bench.wiring.assumed else ''}"
    )


def _kept(bench: Bench) -> str:
    names = bench.program.activities
    return f"activities {', '.join(names)} were held" if names else "no activity was held"


def _limits(bench: Bench, found: Evidence) -> tuple[str, ...]:
    size = len(next(iter(bench.program.given.batch.values())))
    return (
        *(f"weights of {name} read directly: {reason}." for name, reason in found.uncovered.items()),
        *(f"updates of {name}: there were none." for name in sorted(found.silent)),
        *(f"{state}." for state in found.skipped),
        *(("statistics over the batch, which has one example.",) if size == 1 else ()),
        "code that recognises the audit, or acts after more calls or beyond larger values than these.",
    )
