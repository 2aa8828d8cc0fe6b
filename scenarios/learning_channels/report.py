"""The tables and figures of `learning-channels`, with the audit's and the paper's verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from circuitsim.analysis.averages import COLUMN, MEANING, summary
from circuitsim.analysis.reports.page import number
from circuitsim.analysis.reports.panels import draw_panels
from circuitsim.analysis.reports.portfolio import Exhibit, notes_of, write_portfolio
from circuitsim.runs.scenario import MemberRun
from circuitsim.scenarios.figures import BANDS, SPLITS, Curves, Measured, by, epoch_panel, exhibit, measured
from circuitsim.scenarios.learning_channels.drawings import drawings
from circuitsim.scenarios.learning_channels.verdicts import PAPER, Agreement, agreement, asymmetry, audited, changed

TITLE = "learning-channels – what a standard autoencoder needs to learn"
SHOWN = {  # titles of the groups' figures
    "outputs": "Outputs alone come back (rows 1 to 3)",
    "errors": "Errors come back, or nothing does (rows 4 to 6)",
    "mixed": "Outputs come back beside a local error (rows 7 and 8)",
    "circular": "Circular layouts",
}
BESIDE = ("bp", "top")
AUDIT = "audit.json"  # a member writes it last, but for its report
Runs = Mapping[tuple[str, str], Measured]  # by data set and group


def finish(folder: Path, runs: Sequence[MemberRun], config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    ran = {_place(one): one for one in measured(folder, runs) if (one.run.folder / AUDIT).exists()}
    tables = [_table(ran, dataset) for dataset in _datasets(ran)]
    circular = [_layouts(ran, dataset) for dataset in _datasets(ran) if (dataset, "circular") in ran]
    figures = [_course(ran, group) for group in SHOWN if _datasets(ran)]
    exhibits = [*tables, *figures, *circular, *drawings()]
    write_portfolio(folder, TITLE, _lead(tables), exhibits, config, notes=notes_of(runs), remarks=_REMARKS)


def _place(one: Measured) -> tuple[str, str]:
    dataset, _, group = one.name.rpartition("-")
    return dataset, group


def _datasets(ran: Runs) -> list[str]:
    """Return the data sets whose references have run."""
    return [dataset for dataset, group in ran if group == "references"]


def _errors(ran: Runs, dataset: str, group: str, split: str = "test") -> Curves:
    """Return the error of each layout of a group."""
    return ran[dataset, group].curves("mse", by("layout"), split) if (dataset, group) in ran else {}


def _table(ran: Runs, dataset: str) -> Exhibit:
    """Return Table 5 with the results."""
    beside = _errors(ran, dataset, "references")
    rows = []
    for group in ("references", "outputs", "errors", "mixed"):
        if (dataset, group) not in ran:
            continue
        learns, verdicts = changed(ran[dataset, group].run), audited(ran[dataset, group].run)
        for layout, errors in _errors(ran, dataset, group).items():
            verdict, expected = PAPER.get(layout, ("", None))
            found = agreement(expected, errors[-1], beside["top"][-1])
            numbers = _numbers(errors, beside)
            rows.append((layout, learns[layout], *numbers, found.below, verdicts[layout], verdict, found.text))
    header = [
        "channels",
        "what learns",
        "test error before",
        "after",
        "SD",
        COLUMN,
        "fall, of BP's (%)",
        "seeds below TOP",
    ]
    columns = [*header, "audit", "the paper (Table 5, Appendix B)", "agrees"]
    caption = (
        f"{dataset}: mean squared error per unit, means and standard deviations over seeds. {MEANING} "
        "BP falls by 100 %, TOP by "
        f"{number(_fall(beside['top'], beside))} %. A row counts as deep learning where the error of every seed ends "
        "below TOP's of the same seed. Where the paper's verdict is open (–), nothing can disagree."
    )
    return exhibit(f"table5-{dataset}", f"Table 5 on {dataset}", caption, columns, rows)


def _numbers(errors: np.ndarray, beside: Curves) -> tuple[float, ...]:
    """Return the error before and after training, its deviation and interval, and its relative fall."""
    return float(errors[0].mean()), *summary(errors[-1])[:3], _fall(errors, beside)


def _fall(errors: np.ndarray, beside: Curves) -> float:
    """Return the fall of the error in percent of backpropagation's, over the seeds that have not diverged."""
    left = np.isfinite(errors[-1]) & np.isfinite(beside["bp"][-1])
    if not left.any():
        return np.nan
    own, whole = (float((e[0, left] - e[-1, left]).mean()) for e in (errors, beside["bp"]))
    return 100 * own / whole


def _course(ran: Runs, group: str) -> Exhibit:
    """Return the errors of a group against the epoch, beside BP and TOP; two panels for each data set."""
    panels, rows, labels = [], [], list(BESIDE)
    for dataset in _datasets(ran):
        for split in SPLITS:
            beside = _errors(ran, dataset, "references", split)
            curves = {name: beside[name] for name in BESIDE} | _errors(ran, dataset, group, split)
            labels += [label for label in curves if label not in labels]
            panels.append(epoch_panel(f"{dataset}, {split}", f"{split} error (mse per unit)", curves, logarithmic=True))
            rows += [(dataset, split, *row) for row in _rows(curves)]
    image = draw_panels(panels, labels, what=f"Error against the epoch, {SHOWN[group]}")
    columns = ["dataset", "split", "layout", "epoch", "mean", "least", "greatest", "seeds"]
    return exhibit(f"course-{group}", SHOWN[group], BANDS, columns, rows, image)


def _rows(curves: Curves) -> list[tuple[Any, ...]]:
    """Return a row for each layout and epoch with a seed that has not diverged."""
    ends = [(label, epoch, summary(one)) for label, v in curves.items() for epoch, one in enumerate(v)]
    return [(label, epoch, found[0], *found[3:]) for label, epoch, found in ends if found[-1]]


def _layouts(ran: Runs, dataset: str) -> Exhibit:
    """Return the circular layouts side by side."""
    run = ran[dataset, "circular"].run
    distances, verdicts = asymmetry(run), audited(run)
    beside = _errors(ran, dataset, "references")
    rows = [
        (layout, *_numbers(errors, beside)[:4], distances[layout], verdicts[layout])
        for layout, errors in _errors(ran, dataset, "circular").items()
    ]
    columns = ["layout", "test error before", "after", "SD", COLUMN, "greatest |A2 − A1ᵀ|", "audit"]
    caption = (
        f"{dataset}. Bidirectional and conjoined layouts with the same weights end with the same bits. `symmetric` has "
        "one weight for both directions; `mirrored` has two, which the rules of both directions change alike. "
        f"{MEANING}"
    )
    return exhibit(f"circular-{dataset}", f"Circular layouts on {dataset}", caption, columns, rows)


def _lead(tables: Sequence[Exhibit]) -> str:
    """Return the number of rows that agree with the paper, and the names of the others."""
    sentences = []
    for table in tables:
        judged = table.numbers[table.numbers["agrees"].isin([Agreement.YES, Agreement.NO])]
        if judged.empty:
            continue
        against = list(judged[judged["agrees"] == Agreement.NO]["channels"])
        finding = f"{table.title}: {len(judged) - len(against)} of {len(judged)} verdicts of the paper come out"
        sentences.append(finding + (f"; not {', '.join(against)}." if against else "."))
    return " ".join(sentences) or "BP and TOP have diverged: there is nothing to compare with. Lower lr."


_REMARKS = [
    "Compared with Baldi & Sadowski 2018, Appendix A (layouts) and Appendix B, Table 5, which has no experiments: its "
    "verdicts are arguments. Output neurons have biases, which start at the data's mean, as in its section 7.2. Hidden "
    "neurons have none, as in its equations.",
    "Row 3 is a circular autoencoder only where output and input are one place: then the rule of A2 can read the input "
    "(`conjoined`). With an identity of some length between them, A2 can follow only the change of its own neurons, as "
    "a hidden layer does, and no layer follows the gradient. Where C3 learns as the highest layer, one does.",
    "Row 7: the table has C = Bᵗ. The text has C = B, the only one of the right shape. Figure 16 has Aᵗ. All but Bᵗ "
    "are run.",
]
