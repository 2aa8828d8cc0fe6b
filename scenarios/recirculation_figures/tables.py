"""Tests of figures 4 to 6: the order of the rules, and the distance of linear circuits to the principal subspace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuitsim.analysis.averages import COLUMN, MEANING, summary
from circuitsim.analysis.optimum import principal_subspace
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.scenarios.figures import SPLITS, Measured, exhibit, mean
from circuitsim.scenarios.recirculation_figures.curves import NAMES, by_rule, linear, objective, panel_title, ran_away

WITHIN = 2.0  # percent of the total variance


def rule_order(measured: Sequence[Measured]) -> Exhibit:
    """Return whether REC is near BP, both are below RBP and SRBP, and all below TOP."""
    rows = []
    for one in measured:
        curves = one.curves(objective(one), by_rule)
        lost = ran_away(curves)
        means = {label: mean(values[-1, ~lost]) for label, values in curves.items()}
        held = [ordered({label: float(v[-1, k]) for label, v in curves.items()}) for k in np.flatnonzero(~lost)]
        place = (means["REC"] - means["BP"]) / (means["TOP"] - means["BP"])
        found = [
            ", ".join(sorted(label for label, v in curves.items() if ran_away({label: v}).any())) or "–",
            *held_in(held),
        ]
        rows.append((panel_title(one), objective(one), *means.values(), place, int(lost.sum()), *found))
    columns = ["panel", "metric", *NAMES.values(), "place of REC", "seeds run away", "of"]
    columns += ["REC nearer BP", "both below RBP and SRBP", "all below TOP", "all three"]
    caption = (
        "Mean test errors at the end over the seeds in which every rule ended below its initial error; the others ran "
        "away. The place of REC is 0 at BP and 1 at TOP. The last columns count seeds: REC is nearer to BP than to the "
        "lower of RBP and SRBP; REC and BP are both below RBP and SRBP; all are below TOP."
    )
    return exhibit("order", "The order of the rules", caption, columns, rows)


def held_in(held: Sequence[tuple[bool, ...]]) -> list[str]:
    """Write the number of seeds in which each part of the order is true, and in which all are."""
    each = [*zip(*held, strict=True), [all(one) for one in held]] if held else [[]] * 4
    return [f"{sum(part)} of {len(held)}" for part in each]


def ordered(errors: dict[str, float]) -> tuple[bool, bool, bool]:
    """Return the three parts of the paper's order."""
    random = min(errors["RBP"], errors["SRBP"])
    near = errors["REC"] - errors["BP"] < random - errors["REC"]
    below = max(errors["REC"], errors["BP"]) < random
    return near, below, all(errors[rule] < errors["TOP"] for rule in ("REC", "BP", "RBP", "SRBP"))


def optimum(measured: Sequence[Measured]) -> list[Exhibit]:
    """Compare linear circuits with one hidden layer with the least error that they can have, if there are any."""
    rows = []
    for one in (one for one in measured if linear(one) and len(one.values["sizes"]) == 3):
        loaded = one.data()
        best = principal_subspace(loaded.train, loaded.test, one.values["sizes"][1])
        for split in SPLITS:
            least = best.error[split], best.variance[split]
            for label, values in one.curves("mse", by_rule, split).items():
                excess = summary(np.asarray(best.excess(split, values[-1])))[:3]
                rows.append((panel_title(one), split, label, mean(values[-1]), *least, *excess))
    columns = [
        "panel",
        "split",
        "rule",
        "mse",
        "least mse",
        "variance",
        "excess (% of the variance)",
        "SD of excess",
        f"{COLUMN} of excess",
    ]
    caption = (
        "After the last epoch. The least error is that of the training data's principal subspace through its mean, by "
        f"singular value decomposition. Backpropagation must come within {WITHIN:g} % of it. {MEANING}"
    )
    return [exhibit("optimum", "Error above the principal subspace", caption, columns, rows)] if rows else []


def ranking(measured: Sequence[Measured]) -> list[str]:
    """Return the final errors of each panel in words, least first."""
    found = []
    for one in measured:
        curves = one.curves(objective(one), by_rule)
        last = sorted((float(v[-1].mean()), label) for label, v in curves.items() if np.isfinite(v[-1]).all())
        found.append(f"{panel_title(one)} ({objective(one)}): {', '.join(f'{label} {e:.4g}' for e, label in last)}")
    return found
