"""What `recirculation-figures` tests in figures 4 to 6: the order of the rules, and how far linear ones are from the
principal subspace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from circuitsim import data
from circuitsim.analysis.optimum import principal_subspace
from circuitsim.analysis.reports.portfolio import Exhibit
from circuitsim.scenarios.recirculation_figures.curves import NAMES, by_rule, panel_title, ran_away
from circuitsim.scenarios.recirculation_figures.series import Curves, Measured, summary

WITHIN = 2.0  # percent of the total variance


def orders(measured: Sequence[Measured]) -> Exhibit:
    """Whether REC is near BP, both below RBP and SRBP, all below TOP."""
    import pandas as pd

    rows = []
    for one in measured:
        curves = one.curves(one.objective, by_rule)
        lost = ran_away(curves)
        means = {label: summary(values[-1, ~lost])[0] for label, values in curves.items()}
        held = [_ordered({label: float(v[-1, k]) for label, v in curves.items()}) for k in np.flatnonzero(~lost)]
        place = (means["REC"] - means["BP"]) / (means["TOP"] - means["BP"])
        found = [
            ", ".join(sorted(label for label, v in curves.items() if ran_away({label: v}).any())) or "–",
            *held_in(held),
        ]
        rows.append((panel_title(one), one.objective, *means.values(), place, int(lost.sum()), *found))
    columns = ["panel", "metric", *NAMES.values(), "place of REC", "seeds run away", "of"]
    columns += ["REC nearer BP", "both below RBP and SRBP", "all below TOP", "all three"]
    caption = (
        "Mean test errors at the end over the seeds in which every rule ended below where it began; the others ran "
        "away. The place of REC is 0 at BP and 1 at TOP. The last columns count seeds: REC is nearer to BP than to the "
        "less of RBP and SRBP; REC and BP are both below RBP and SRBP; all are below TOP."
    )
    return Exhibit("order", "The order of the rules", caption, pd.DataFrame(rows, columns=columns))


def held_in(held: Sequence[tuple[bool, ...]]) -> list[str]:
    """In how many seeds each part of the order is true, and all of them."""
    each = [*zip(*held, strict=True), [all(one) for one in held]] if held else [[]] * 4
    return [f"{sum(part)} of {len(held)}" for part in each]


def _ordered(errors: dict[str, float]) -> tuple[bool, bool, bool]:
    """The three parts of the paper's order."""
    random = min(errors["RBP"], errors["SRBP"])
    near = errors["REC"] - errors["BP"] < random - errors["REC"]
    below = max(errors["REC"], errors["BP"]) < random
    return near, below, all(errors[rule] < errors["TOP"] for rule in ("REC", "BP", "RBP", "SRBP"))


def optimum(measured: Sequence[Measured]) -> Exhibit | None:
    """Linear circuits with one hidden layer against the least error that they can have; None where there are none."""
    import pandas as pd

    rows = []
    for one in (one for one in measured if one.linear and len(one.run.member.values["sizes"]) == 3):
        own = one.run.member.values
        loaded = data.load(own["dataset"], "float32", own["train_limit"], own["test_limit"])
        best = principal_subspace(loaded.train, loaded.test, own["sizes"][1])
        for split in ("train", "test"):
            least = best.error[split], best.variance[split]
            for label, values in one.curves("mse", by_rule, split).items():
                above = np.asarray(best.excess(split, values[-1]))
                mean, deviation, *_ = summary(above)
                rows.append((panel_title(one), split, label, summary(values[-1])[0], *least, mean, deviation))
    columns = ["panel", "split", "rule", "mse", "least mse", "variance", "excess (% of the variance)", "SD of excess"]
    caption = (
        "After the last epoch. The least error is that of the training data's principal subspace through its mean, by "
        f"singular value decomposition; {WITHIN:g} % is what backpropagation must come within."
    )
    if not rows:
        return None
    return Exhibit("optimum", "Above the principal subspace", caption, pd.DataFrame(rows, columns=columns))


def told(measured: Sequence[Measured]) -> list[str]:
    """The last numbers of figures 4 to 6 in words."""
    found = []
    for one in measured:
        curves: Curves = one.curves(one.objective, by_rule)
        last = sorted((float(v[-1].mean()), label) for label, v in curves.items() if np.isfinite(v[-1]).all())
        found.append(f"{panel_title(one)} ({one.objective}): {', '.join(f'{label} {e:.4g}' for e, label in last)}")
    return found
