"""The figures and tables of `mirror-search`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitsim.analysis.averages import COLUMN, summary
from circuitsim.analysis.reports.maps import Matrix, draw_matrices
from circuitsim.analysis.reports.page import number, plural, two_digits
from circuitsim.analysis.reports.portfolio import Exhibit, write_portfolio
from circuitsim.analysis.reports.search_plots import Searched, draw_history, draw_slices
from circuitsim.runs.tables import HELD_OUT
from circuitsim.scenarios.figures import exhibit, frame
from circuitsim.scenarios.mirror_search.runs import COMPARED, MIRROR
from circuitsim.scenarios.mirror_search.settings import SEARCHED

if TYPE_CHECKING:
    import pandas as pd

TITLE = "mirror-search – does the best weight mirror of one depth serve another?"
BALANCE = "balance"  # the norm of B over that of W at which rate and decay balance
ERROR = "held-out error (%)"
NORM = "norm of B / norm of W"
LABELS = {
    "rate": "rate (per pass)",
    "decay": "decay (per pass)",
    "scale": "noise, SD",
    BALANCE: "rate · SD² / decay",
}


def finish(folder: Path, metrics: pd.DataFrame, config: Mapping[str, Any]) -> None:
    """Write figures, tables and report."""
    depths = list(dict.fromkeys(metrics[metrics["stage"] == "transfer"]["depth"]))
    searches = [_searched(metrics, depth) for depth in depths]
    table = transfer_table(metrics, depths)
    exhibits = [_history(searches, config), _slices(searches), _transfer(table, depths, config), _best(searches)]
    write_portfolio(folder, TITLE, _lead(table, depths), exhibits, config, remarks=_remarks(metrics, searches, config))


def _searched(metrics: pd.DataFrame, depth: str) -> Searched:
    """Return a depth's trials: means over seeds, and the norm of B at balance in a layer of linear neurons."""
    rows = metrics[(metrics["stage"] == "search") & (metrics["depth"] == depth) & (metrics["metric"] == "error")]
    trials = rows[rows["split"] == HELD_OUT].groupby("trial")[["value", *SEARCHED]].mean().sort_index()
    tried = {key: trials[key].to_numpy(np.float64) for key in SEARCHED}
    tried[BALANCE] = tried["rate"] * tried["scale"] ** 2 / tried["decay"]
    return Searched(depth, trials["value"].to_numpy(np.float64), tried)


COLUMNS = ["depth", "trial", *LABELS.values(), ERROR]


def _trial(search: Searched, place: int) -> tuple[Any, ...]:
    return (search.name, place + 1, *(search.tried[key][place] for key in LABELS), search.values[place])


def _trials(searches: Sequence[Searched]) -> list[tuple[Any, ...]]:
    return [_trial(search, place) for search in searches for place in range(len(search.values))]


def _history(searches: Sequence[Searched], config: Mapping[str, Any]) -> Exhibit:
    caption = (
        f"Mean over {plural(config['seeds'], 'seed')} after {plural(config['epochs'], 'epoch')} without the examples "
        f"held out, {100 * config['held_out']:g} % of the training examples; a seed that diverged counts as 100 %. The "
        f"first {config['startup']} trials are drawn at random, later ones proposed by a tree-structured Parzen "
        "estimator."
    )
    image = draw_history(searches, ERROR)
    return exhibit("history", "Held-out error by trial", caption, COLUMNS, _trials(searches), image)


def _slices(searches: Sequence[Searched]) -> Exhibit:
    caption = (
        "The same trials against each parameter. Later ones are darker, the best is ringed. The last column is the "
        "norm of B over that of W at which rate and decay balance in a layer of linear neurons."
    )
    image = draw_slices(searches, LABELS, ERROR)
    return exhibit("slices", "Held-out error by parameter", caption, COLUMNS, _trials(searches), image)


def transfer_table(metrics: pd.DataFrame, depths: Sequence[str]) -> pd.DataFrame:
    """Return errors and angles over seeds at the end, a row for each depth and each kind of feedback."""
    rows = metrics[metrics["stage"] == "transfer"]
    found = []
    for depth in depths:
        own = rows[rows["depth"] == depth]
        for label, part in _ways(own, depths):
            error = part[(part["metric"] == "error") & (part["split"] == "test")]["value"].to_numpy()
            angles = part[part["metric"].str.startswith("angle/W")].groupby("seed")["value"].mean().to_numpy()
            deltas = part[part["metric"] == "angle/delta1"]["value"].to_numpy()
            norms = part[part["metric"].str.startswith("norm_ratio/W")]["value"].to_numpy()
            norm = float(norms.mean()) if norms.size else np.nan
            lost = int((part["metric"] == "diverged").sum())
            pairs = (value for values in (error, angles, deltas) for value in summary(values)[:3])
            found.append((depth, label, *pairs, norm, len(error), lost))
    return frame(_COLUMNS, found)


_COLUMNS = (
    "tested at",
    "feedback",
    "test error (%)",
    "SD of test error",
    f"{COLUMN} of test error",
    "angle of B and Wᵀ (degrees)",
    "SD of angle",
    f"{COLUMN} of angle",
    "angle of errors at layer 1 (degrees)",
    "SD of errors' angle",
    f"{COLUMN} of errors' angle",
    NORM,
    "seeds",
    "diverged",
)


def _ways(rows: pd.DataFrame, depths: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    """Return the rows of each depth's settings, then of the feedback that they are compared with."""
    found = [(_from(source), rows[rows["source"] == source]) for source in depths]
    return found + [(feedback, rows[rows["feedback"] == feedback]) for feedback in COMPARED]


def _from(depth: str) -> str:
    return f"wm of {depth}"


def _transfer(table: pd.DataFrame, depths: Sequence[str], config: Mapping[str, Any]) -> Exhibit:
    matrices = [
        _matrix(table, depths, "Test error", ("test error (%)", "SD of test error"), logarithmic=True),
        _matrix(table, depths, "Angle of B and Wᵀ, mean over layers", ("angle of B and Wᵀ (degrees)", "SD of angle")),
        _matrix(table, depths, "Norm of B over norm of W", (NORM, None), logarithmic=True),
    ]
    caption = (
        f"Rows are settings, columns the depths at which they were used: mean ± SD over {config['test_seeds']} seeds "
        "that no search used, trained with all training examples. On the diagonal each depth has its own setting."
    )
    return Exhibit("transfer", "Do settings transfer?", caption, table, draw_matrices(matrices, "tested at"))


def _matrix(
    table: pd.DataFrame, depths: Sequence[str], title: str, keys: tuple[str, str | None], *, logarithmic: bool = False
) -> Matrix:
    """Return settings by depths of a column of means and a column of deviations, if there is one."""
    labels, columns = [*map(_from, depths), *COMPARED], list(depths)

    def cells(key: str) -> np.ndarray:
        found = table.pivot(index="feedback", columns="tested at", values=key).loc[labels, columns]
        return np.asarray(found.to_numpy(np.float64))

    means = cells(keys[0])
    deviations = cells(keys[1]) if keys[1] is not None else np.full(means.shape, np.nan)
    return Matrix(title, keys[0], labels, columns, means, deviations, logarithmic)


def _best(searches: Sequence[Searched]) -> Exhibit:
    rows = [_trial(search, search.least) for search in searches]
    caption = "The trial of least error at each depth, the first of equals."
    return exhibit("best", "The best settings", caption, COLUMNS, rows)


def _lead(table: pd.DataFrame, depths: Sequence[str]) -> str:
    sentences = []
    for depth in depths:
        rows = table[table["tested at"] == depth].set_index("feedback")["test error (%)"]
        others = "; ".join(f"{label} {number(rows[label])}" for label in rows.index if label != _from(depth))
        sentences.append(f"{depth}: its own wm {number(rows[_from(depth)])}; {others}")
    return f"Test error in percent. {'. '.join(sentences)}."


def _remarks(metrics: pd.DataFrame, searches: Sequence[Searched], config: Mapping[str, Any]) -> list[str]:
    found = [
        "Nayebi 2020 (slides on the role of feedback) and Kunin et al. 2020 search the same three parameters on "
        "ResNet-18 and find that the best weight mirror does not transfer to other architectures. Here circuits are "
        "small and layered, and differ in depth alone.",
        "Feedback weights k times as large as forward ones make steps h layers below the top k to the power h times as "
        "large. A search may exploit that; then the best setting of one depth is too strong or too weak for another. "
        "The lr is the same for wm, bp and fa and not searched: an error below that of bp need not come from better "
        "directions.",
    ]
    for search in searches:
        for other in (one.name for one in searches if one.name != search.name):
            mean, error = paired(metrics, search.name, other)
            found.append(
                f"At {search.name} the test error with the setting of {other} differs from that with its own by "
                f"{mean:+.3g} points, with a standard error of {two_digits(error)} over paired seeds."
            )
    found.append(f"To train the first depth with its best setting: {command(searches[0], config)}")
    return found


def paired(metrics: pd.DataFrame, depth: str, other: str) -> tuple[float, float]:
    """Return the increase of a depth's test error with another depth's setting: mean over seeds, standard error."""
    rows = metrics[(metrics["stage"] == "transfer") & (metrics["depth"] == depth) & (metrics["split"] == "test")]
    errors = rows[(rows["metric"] == "error") & (rows["feedback"] == "wm")]
    by_seed = errors.pivot(index="seed", columns="source", values="value")
    mean, deviation, *_ = summary((by_seed[other] - by_seed[depth]).to_numpy())
    return mean, deviation / float(np.sqrt(len(by_seed)))


def command(search: Searched, config: Mapping[str, Any]) -> str:
    """Return the command that trains a depth with its own best setting, as for the matrix."""
    best = {key: float(search.tried[key][search.least]) for key in SEARCHED}
    mirror = ", ".join(f"{key} = {_toml(value)}" for key, value in {**MIRROR, **best}.items())
    keys = {key: config[key] for key in ("dataset", "train_limit", "test_limit", "lr", "batch", "epochs",
                                         "angle_examples")}  # fmt: skip
    keys |= {"sizes": f"[{search.name.replace('-', ',')}]", "feedback": "wm", "data_seed": config["seed"]}
    first = config["seed"] + config["seeds"]
    seeds = ",".join(str(first + place) for place in range(config["test_seeds"]))
    sets = " ".join(f"--set {key}={value}" for key, value in keys.items() if value is not None)
    return f"circuitsim run classifier {sets} --set 'mirror={{ {mirror} }}' --vary seed={seeds}"


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else repr(value)
