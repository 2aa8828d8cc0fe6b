"""The report of `recirculation-theory`: each statement, how many starts agree, and what is so where they do not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.portfolio import Exhibit, write_portfolio
from circuitsim.analysis.theory import figures, figures_basins
from circuitsim.analysis.theory.checks_circuits import EXAMPLES
from circuitsim.analysis.theory.statements import STATEMENTS

if TYPE_CHECKING:
    import pandas as pd

TITLE = "recirculation-theory – what Baldi & Sadowski 2018 state of linear circuits, checked"
CAPTION = (
    "What is marked “here” is not in the paper, but said in place of what fails, or beside it. Starts are "
    "uniform; an "
    "end is reached where |P − end| < 10⁻⁶. --set seed= draws others. "
    "With several seeds counts are sums; curves of single systems are the first seed's."
)


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write the figures, the tables and the report."""
    table = verdicts(metrics)
    first = metrics[metrics["replica"] == metrics["replica"].min()]  # where curves are of single systems
    made = (_gaps(metrics), _symmetry(first), _constants(first), _basins(metrics), _flow(metrics))
    exhibits = [one for one in (*made, _circuits(first), _single(first)) if one is not None]
    statements = Exhibit("statements", "Statements", CAPTION, table)
    write_portfolio(folder, TITLE, lead(table), [statements, *exhibits], config, remarks=_remarks())


def verdicts(metrics: pd.DataFrame) -> pd.DataFrame:
    """One row for each statement that was checked: starts, how many agree, and what fails."""
    import pandas as pd

    counts = metrics[metrics["metric"].isin(("starts", "agree"))]
    sums = counts.groupby(["case", "metric"])["value"].sum().unstack()
    rows = []
    for one in STATEMENTS:
        if one.case in sums.index:
            starts, agree = int(sums.loc[one.case, "starts"]), int(sums.loc[one.case, "agree"])
            fails = one.fails if agree < starts else ""
            command = f"circuitsim run recirculation-theory --set part={one.part}"
            rows.append((one.case, "here" if one.ours else "paper", one.claim, starts, agree, fails, command))
    columns = ["statement", "by", "claim", "starts", "agree", "where it fails", "command"]
    return pd.DataFrame(rows, columns=columns)


def lead(table: pd.DataFrame) -> str:
    """How many of the paper's statements hold, and which do not."""
    printed = table[table["by"] == "paper"]
    false = printed[printed["agree"] < printed["starts"]]
    told = "; ".join(f"{row.statement} ({row.agree} of {row.starts})" for row in false.itertuples())
    whole = f"Of {len(printed)} statements of the paper {len(printed) - len(false)} hold for every start drawn"
    return f"{whole}. The others: {told}." if told else f"{whole}."


def _has(metrics: pd.DataFrame, metric: str) -> bool:
    return bool((metrics["metric"] == metric).any())


def _gaps(metrics: pd.DataFrame) -> Exhibit | None:
    if not _has(metrics, "gap"):
        return None
    slopes = metrics[metrics["metric"] == "slope"].groupby("case", as_index=False)["value"].median()
    caption = (
        "The circuit's full-batch presentations are steps of Euler's method: the gap to the equations at time 1 "
        "falls as "
        "the rate. Recirculation of outputs and of errors coincide. Lines are medians over seeds."
    )
    numbers = slopes.rename(columns={"value": "slope (three smallest rates)"})
    return Exhibit("gap", "Equations as the limit of circuits", caption, numbers, figures.gaps(metrics))


def _symmetry(metrics: pd.DataFrame) -> Exhibit | None:
    if not _has(metrics, "asymmetry"):
        return None
    caption = (
        "Left: the smallest circuit in which a symmetric start does not stay symmetric. Right: recirculation "
        "rests where "
        "the top is optimal for whatever the layer below has come to; backpropagation goes on to the least error."
    )
    numbers = metrics[metrics["metric"].isin(("excess", "rate of rec", "change in circuit", "gradient", "error"))]
    image = figures.symmetry(metrics)
    return Exhibit("symmetry", "Symmetry and critical points", caption, numbers[["metric", "case", "value"]], image)


def _constants(metrics: pd.DataFrame) -> Exhibit | None:
    if not _has(metrics, "drift"):
        return None
    caption = "Three solutions of eq. 40 with L = 5 by DOP853, rtol 10⁻¹¹; markers on the right are where they start."
    worst = metrics[metrics["metric"] == "drift"].groupby("case", as_index=False)["value"].max()
    numbers = worst.rename(columns={"value": "largest drift"})
    return Exhibit("invariants", "Invariants along solutions", caption, numbers, figures.constants(metrics))


def _basins(metrics: pd.DataFrame) -> Exhibit | None:
    if not _has(metrics, "limit"):
        return None
    caption = (
        "Each mark is a random start of A*[1, 1, 1], by what P came to. Theorems 6.1, 6.2 and 6.3 say P → 1 for "
        "all. "
        "“eq. 51”: the printed equation for all layers; “top as 40”: the top compares what layer 0 remembers."
    )
    ends = metrics[metrics["metric"].str.startswith("ends at") | (metrics["metric"] == "unsettled")]
    numbers = ends.pivot_table(index="case", columns="metric", values="value", aggfunc="sum").reset_index()
    return Exhibit("basins", "Where starts end", caption, numbers, figures_basins.basins(metrics))


def _flow(metrics: pd.DataFrame) -> Exhibit | None:
    cases = metrics[metrics["case"].str.startswith("Theorem 6.4") & (metrics["metric"] == "agree")]
    if not len(cases):
        return None
    caption = "The paper's Figure 3. Grey: orbits, on which (P − B) / √B is constant. Arrows have equal lengths."
    numbers = cases.groupby("case", as_index=False)["value"].sum()
    return Exhibit("flow", "The flow of A*[1, N, 1]", caption, numbers, figures_basins.flow())


def _circuits(metrics: pd.DataFrame) -> Exhibit | None:
    """Counterexamples in the simulator."""
    import pandas as pd

    found = metrics.set_index(["metric", "case"])["value"]
    rows = []
    for one in (one for one in EXAMPLES if ("P of circuit", one.label) in found.index):
        p = [found[f"P {what}", one.label] for what in ("foretold", "of equations", "of circuit")]
        rows.append((one.label, f"{math.prod(one.weights):g}", *map(_spelled, p), f"{one.time:g}", f"{one.rate:g}"))
    columns = ["statement and start", "P(0)", "limit of P", "equations", "simulated circuit", "at time", "rate"]
    caption = (
        "Nought is approached as −1/t, so P is not there yet. −∞: the simulator stops at a value that is not finite."
    )
    return (
        Exhibit("circuits", "Counterexamples in the simulator", caption, pd.DataFrame(rows, columns=columns))
        if rows
        else None
    )


def _spelled(value: float) -> str:
    return "−∞" if value == -math.inf else number(value)


def _single(metrics: pd.DataFrame) -> Exhibit | None:
    names = ("a_1 of circuit", "a_1 of equations", "P of dead circuit", "dead circuit overflows")
    found = metrics[metrics["metric"].isin(names)]
    if not len(found):
        return None
    caption = (
        "A*[1, 1, 1, 1] from (1, 0, 1), rate 0.01, at time 10; and whether 2000 presentations at rate 0.5 overflow (1)."
    )
    return Exhibit("dead", "A weight of nought, and one that grows below it", caption, found[["metric", "value"]])


def _remarks() -> list[str]:
    return [
        "Where a start ends does not depend on the pace at which its orbit is traversed, so starts are followed "
        "at a pace "
        "at which no weight changes by more than a factor e in a unit; what is foretold in place of a false "
        "statement comes "
        "from the invariants of eq. 42, which leave one dimension, by other code.",
        "Theorem 6.3 is printed with eq. 51 for h = 1 ... L. That is the circuit whose top compares what layer L "
        "computed "
        "in cycles n and m (top_rule own). The text's rule at layer 0 (top_rule same) gives da_L/dt without the "
        "last factor "
        "P; the theorem fails there too, otherwise. beta only scales time, and with beta = 0 nothing moves.",
    ]
