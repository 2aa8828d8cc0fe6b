"""Report of `recirculation-theory`: each statement, how many starts agree, and the correction of false ones."""

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

TITLE = "recirculation-theory – statements of Baldi & Sadowski 2018 on linear circuits, checked"
CAPTION = (
    "Statements marked “here” are not in the paper; they correct or complement it. Starts are uniform; P has reached "
    "its limit if |P − limit| < 10⁻⁶. --set seed= draws other starts. With several seeds, counts are sums, and curves "
    "of single systems are those of the first seed."
)


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write the figures, the tables and the report."""
    table = verdicts(metrics)
    first = metrics[metrics["replica"] == metrics["replica"].min()]  # for curves of single systems
    made = (_gaps(metrics), _symmetry(first), _constants(first), _basins(metrics), _flow(metrics))
    exhibits = [one for one in (*made, _circuits(first), _single(first)) if one is not None]
    statements = Exhibit("statements", "Statements", CAPTION, table)
    write_portfolio(folder, TITLE, lead(table), [statements, *exhibits], config, remarks=REMARKS)


def verdicts(metrics: pd.DataFrame) -> pd.DataFrame:
    """Make one row for each statement that was checked: starts, how many agree, and where it fails."""
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
    """Count the statements of the paper that hold, and name the others."""
    printed = table[table["by"] == "paper"]
    false = printed[printed["agree"] < printed["starts"]]
    others = "; ".join(f"{row.statement} ({row.agree} of {row.starts})" for row in false.itertuples())
    held = f"{len(printed) - len(false)} of {len(printed)} statements of the paper hold for every start drawn"
    return f"{held}. The others: {others}." if others else f"{held}."


def _has(metrics: pd.DataFrame, metric: str) -> bool:
    return bool((metrics["metric"] == metric).any())


def _gaps(metrics: pd.DataFrame) -> Exhibit | None:
    if not _has(metrics, "gap"):
        return None
    slopes = metrics[metrics["metric"] == "slope"].groupby("case", as_index=False)["value"].median()
    caption = (
        "Full-batch presentations of the circuit are Euler steps of the equations: the gap at time 1 falls in "
        "proportion to the rate. Recirculation of outputs and of errors coincide. Lines are medians over seeds."
    )
    numbers = slopes.rename(columns={"value": "slope (three smallest rates)"})
    return Exhibit("gap", "Equations as the limit of circuits", caption, numbers, figures.gaps(metrics))


def _symmetry(metrics: pd.DataFrame) -> Exhibit | None:
    if not _has(metrics, "asymmetry"):
        return None
    caption = (
        "Left: the smallest circuit in which a symmetric start does not stay symmetric. Right: recirculation stops "
        "when the top layer is optimal for the layer below; backpropagation continues to the least error."
    )
    numbers = metrics[metrics["metric"].isin(("excess", "rate of rec", "change in circuit", "gradient", "error"))]
    image = figures.symmetry(metrics)
    return Exhibit("symmetry", "Symmetry and critical points", caption, numbers[["metric", "case", "value"]], image)


def _constants(metrics: pd.DataFrame) -> Exhibit | None:
    if not _has(metrics, "drift"):
        return None
    worst = metrics[metrics["metric"] == "drift"].groupby("case", as_index=False)["value"].max()
    caption = (
        "Solutions of eq. 40 with L = 5 by DOP853, rtol 10⁻¹¹; markers are the starts. The invariants of eq. 42 change "
        f"by {worst['value'].max():.1e} at most: rounding and the solver's tolerance."
    )
    numbers = worst.rename(columns={"value": "largest drift"})
    return Exhibit("invariants", "Invariants along solutions", caption, numbers, figures.constants(metrics))


def _basins(metrics: pd.DataFrame) -> Exhibit | None:
    if not _has(metrics, "limit"):
        return None
    caption = (
        "Each mark is a random start of A*[1, 1, 1], by the limit of P. Theorems 6.1, 6.2 and 6.3 state P → 1 for all. "
        "“eq. 51”: the printed equation for all layers; “top as 40”: the top compares memories of layer 0."
    )
    ends = metrics[metrics["metric"].str.startswith("ends at") | (metrics["metric"] == "unsettled")]
    numbers = ends.pivot_table(index="case", columns="metric", values="value", aggfunc="sum").reset_index()
    return Exhibit("basins", "Limits of all starts", caption, numbers, figures_basins.basins(metrics))


def _flow(metrics: pd.DataFrame) -> Exhibit | None:
    cases = metrics[metrics["case"].str.startswith("Theorem 6.4") & (metrics["metric"] == "agree")]
    if not len(cases):
        return None
    caption = "The paper's Figure 3. Grey: orbits, on which (P − B) / √B is constant. All arrows have the same length."
    numbers = cases.groupby("case", as_index=False)["value"].sum()
    return Exhibit("flow", "The flow of A*[1, N, 1]", caption, numbers, figures_basins.flow())


def _circuits(metrics: pd.DataFrame) -> Exhibit | None:
    """Make the table of counterexamples in the simulator."""
    import pandas as pd

    found = dict(zip(zip(metrics["metric"], metrics["case"], strict=True), metrics["value"], strict=True))
    rows = []
    for one in (one for one in EXAMPLES if ("P of circuit", one.label) in found):
        p = [found[f"P {what}", one.label] for what in ("foretold", "of equations", "of circuit")]
        rows.append((one.label, f"{math.prod(one.weights):g}", *map(_spelled, p), f"{one.time:g}", f"{one.rate:g}"))
    columns = ["statement and start", "P(0)", "limit of P", "equations", "simulated circuit", "at time", "rate"]
    caption = "P approaches zero as −1/t and has not reached it. −∞: the simulator stops at a non-finite value."
    table = pd.DataFrame(rows, columns=columns)
    return Exhibit("circuits", "Counterexamples in the simulator", caption, table) if rows else None


def _spelled(value: float) -> str:
    return "−∞" if value == -math.inf else number(value)


def _single(metrics: pd.DataFrame) -> Exhibit | None:
    names = ("a_1 of circuit", "a_1 of equations", "P of dead circuit", "dead circuit overflows")
    found = metrics[metrics["metric"].isin(names)]
    if not len(found):
        return None
    caption = "A*[1, 1, 1, 1] from (1, 0, 1), rate 0.01, at time 10; 1 if 2000 presentations at rate 0.5 overflow."
    return Exhibit("dead", "A zero weight, and a weight below it that grows", caption, found[["metric", "value"]])


REMARKS = (
    "The end of a start does not depend on the speed along its orbit, so starts are followed at a speed at which no "
    "weight changes by more than a factor e per unit. Limits predicted in place of a false statement come from the "
    "invariants of eq. 42, which leave one dimension, by separate code.",
    "Theorem 6.3 is printed with eq. 51 for h = 1 ... L. This is the circuit whose top compares activities of layer L "
    "in cycles n and m (top_rule own). The rule of the text at layer 0 (top_rule same) gives da_L/dt without the last "
    "factor P; the theorem fails there too, in another way. beta only scales time, and with beta = 0 nothing moves.",
)
