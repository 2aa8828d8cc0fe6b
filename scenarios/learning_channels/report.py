"""The tables and figures of `learning-channels`: what learns, how far, what the audit says, what the paper says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.panels import Panel, draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit, write_portfolio
from circuitsim.runs.runfolder import METRICS
from circuitsim.runs.scenario import MemberRun
from circuitsim.runs.tables import read_frame
from circuitsim.scenarios.learning_channels.drawings import drawings
from circuitsim.scenarios.learning_channels.verdicts import PAPER, Agreement, agreement, asymmetry, audited, changed

if TYPE_CHECKING:
    import pandas as pd

TITLE = "learning-channels – what a standard autoencoder needs to learn"
SHOWN = {  # figures: the members' group, and what is said of it
    "outputs": "Outputs alone come back (rows 1 to 3)",
    "errors": "Errors come back, or nothing does (rows 4 to 6)",
    "mixed": "Outputs come back beside a local error (rows 7 and 8)",
    "circular": "Circular layouts",
}
BESIDE = ("bp", "top")
BANDS = (
    "Lines are means over seeds of the logarithm; bands reach from the least to the greatest seed; epoch 0 is before "
    "training."
)
AUDIT = "audit.json"  # what a member writes last but its report
Runs = Mapping[tuple[str, str], MemberRun]  # by data set and group


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    ran = {_place(run): run for run in runs if (run.folder / AUDIT).exists()}
    metrics = read_frame(folder / METRICS)
    tables = [_table(metrics, ran, dataset) for dataset in _datasets(ran)]
    circular = [_layouts(metrics, ran, dataset) for dataset in _datasets(ran) if (dataset, "circular") in ran]
    figures = [_course(metrics, ran, group) for group in SHOWN if _datasets(ran)]
    notes = [f"{run.member.name}: {run.state}: {run.reason}" for run in runs if run.reason]
    exhibits = [*tables, *figures, *circular, *drawings()]
    write_portfolio(folder, TITLE, _lead(tables), exhibits, config, notes=notes, remarks=_REMARKS)


def _place(run: MemberRun) -> tuple[str, str]:
    dataset, _, group = run.member.name.rpartition("-")
    return dataset, group


def _datasets(ran: Runs) -> list[str]:
    """Those of which there is something to compare with."""
    return [dataset for dataset, group in ran if group == "references"]


def _errors(metrics: pd.DataFrame, ran: Runs, dataset: str, group: str, split: str = "test") -> dict[str, np.ndarray]:
    """The error of each layout of a group, (epochs, seeds), all members' epochs; NaN where a seed has diverged."""
    if (dataset, group) not in ran:
        return {}
    member = ran[dataset, group].member
    own = metrics[(metrics["member"] == member.name) & (metrics["split"] == split) & (metrics["metric"] == "mse")]
    epochs, seeds = range(int(metrics["epoch"].max()) + 1), member.vary["seed"]
    found = {}
    for layout in member.vary["layout"]:
        table = own[own["layout"] == layout].pivot(index="epoch", columns="seed", values="value")
        found[layout] = table.reindex(index=epochs, columns=seeds).to_numpy(np.float64)
    return found


def _table(metrics: pd.DataFrame, ran: Runs, dataset: str) -> Exhibit:
    """Table 5 with what came out."""
    beside = _errors(metrics, ran, dataset, "references")
    rows = []
    for group in ("references", "outputs", "errors", "mixed"):
        if (dataset, group) not in ran:
            continue
        learns, verdicts = changed(ran[dataset, group]), audited(ran[dataset, group])
        for layout, errors in _errors(metrics, ran, dataset, group).items():
            said, expected = PAPER.get(layout, ("", None))
            found = agreement(expected, errors[-1], beside["top"][-1])
            numbers = _numbers(errors, beside)
            rows.append((layout, learns[layout], *numbers, found.below, verdicts[layout], said, found.text))
    header = ["channels", "what learns", "test error before", "after", "SD", "fall, of BP's (%)", "seeds below TOP"]
    table = _frame(rows, [*header, "audit", "the paper (Table 5, Appendix B)", "agrees"])
    caption = (
        f"{dataset}: mean squared error per unit, means and standard deviations over seeds. BP falls by 100 %, TOP by "
        f"{number(_fall(beside['top'], beside))} %. Deep learning is taken to have happened where the error ends below "
        "TOP's of the same seed, in all seeds; where the paper's verdict is open (–), nothing can disagree."
    )
    return Exhibit(f"table5-{dataset}", f"Table 5 on {dataset}", caption, table)


def _numbers(errors: np.ndarray, beside: Mapping[str, np.ndarray]) -> tuple[float, float, float, float]:
    """Error before and after training, its standard deviation, and its fall relative to that of backpropagation."""
    ends = errors[-1][np.isfinite(errors[-1])]
    deviation = float(ends.std(ddof=1)) if ends.size > 1 else np.nan
    mean = float(ends.mean()) if ends.size else np.nan
    return float(errors[0].mean()), mean, deviation, _fall(errors, beside)


def _fall(errors: np.ndarray, beside: Mapping[str, np.ndarray]) -> float:
    """By how much the error has fallen, in percent of backpropagation's fall; of the seeds that are left."""
    left = np.isfinite(errors[-1]) & np.isfinite(beside["bp"][-1])
    if not left.any():
        return np.nan
    own, whole = (float((e[0, left] - e[-1, left]).mean()) for e in (errors, beside["bp"]))
    return 100 * own / whole


def _course(metrics: pd.DataFrame, ran: Runs, group: str) -> Exhibit:
    """The errors of a group against the epoch, beside BP and TOP; two panels for each data set."""
    panels, numbers, labels = [], [], list(BESIDE)
    for dataset in _datasets(ran):
        for split in ("train", "test"):
            beside = _errors(metrics, ran, dataset, "references", split)
            curves = {name: beside[name] for name in BESIDE} | _errors(metrics, ran, dataset, group, split)
            labels += [label for label in curves if label not in labels]
            epochs = np.arange(len(beside["bp"]))
            error = f"{split} error (mse per unit)"
            panels.append(Panel(dataset, "epoch", error, epochs, curves, logarithmic=True, whole="x"))
            numbers += [(dataset, split, *row) for row in _rows(curves)]
    image = draw_panels(panels, labels, what=f"Error against the epoch, {SHOWN[group]}")
    columns = ["dataset", "split", "layout", "epoch", "mean", "least", "greatest", "seeds"]
    return Exhibit(f"course-{group}", SHOWN[group], BANDS, _frame(numbers, columns), image)


def _rows(curves: Mapping[str, np.ndarray]) -> Iterator[tuple[object, ...]]:
    """A row for each layout and epoch with a seed that is left."""
    for label, errors in curves.items():
        for epoch, values in enumerate(errors):
            known = values[np.isfinite(values)]
            if known.size:
                yield label, epoch, known.mean(), known.min(), known.max(), known.size


def _frame(rows: list[Any], columns: list[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=columns)


def _layouts(metrics: pd.DataFrame, ran: Runs, dataset: str) -> Exhibit:
    """The circular layouts side by side."""
    run = ran[dataset, "circular"]
    apart, verdicts = asymmetry(run), audited(run)
    beside = _errors(metrics, ran, dataset, "references")
    rows = [
        (layout, *_numbers(errors, beside)[:3], apart[layout], verdicts[layout])
        for layout, errors in _errors(metrics, ran, dataset, "circular").items()
    ]
    header = ["layout", "test error before", "after", "SD", "greatest |A2 − A1ᵀ|", "audit"]
    caption = (
        f"{dataset}. Bidirectional and conjoined layouts with the same weights end with the same bits. `symmetric` has "
        "one weight for both directions; `mirrored` has two, which the rules of both directions change alike."
    )
    return Exhibit(f"circular-{dataset}", f"Circular layouts on {dataset}", caption, _frame(rows, header))


def _lead(tables: Sequence[Exhibit]) -> str:
    """How many rows agree, and which do not."""
    told = []
    for exhibit in tables:
        judged = exhibit.numbers[exhibit.numbers["agrees"].isin([Agreement.YES, Agreement.NO])]
        if judged.empty:
            continue
        against = list(judged[judged["agrees"] == Agreement.NO]["channels"])
        said = f"{exhibit.title}: {len(judged) - len(against)} of {len(judged)} verdicts of the paper come out"
        told.append(said + (f"; not {', '.join(against)}." if against else "."))
    return " ".join(told) or "BP and TOP have diverged: there is nothing to compare with. Lower lr."


_REMARKS = [
    "Compared with Baldi & Sadowski 2018, Appendix A (layouts) and Appendix B, Table 5, which has no experiments: its "
    "verdicts are arguments. Output neurons have biases, which start at "
    "the data's mean, as in its section 7.2; hidden neurons have none, as in its equations.",
    "Row 3 is a circular autoencoder only where output and input are one place: then the rule of A2 has the input at "
    "hand (`conjoined`). With an identity of some length between them A2 can follow nothing but the change of its own "
    "neurons, as a hidden layer does; no layer follows the gradient. Where C3 learns, as the highest layer, one does.",
    "Row 7: the table has C = Bᵗ, the text C = B, which alone has the shape; Figure 16 has Aᵗ. All are run but Bᵗ.",
]
