"""Labels of groups of replicas: the values of the varied keys that they have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circuitsim.analysis.reports.groups import SEEDS, TELLING, telling
from circuitsim.runs.config import spell

if TYPE_CHECKING:
    from circuitsim.runs.study import Study


def label_of(study: Study, members: tuple[int, ...], varied: tuple[str, ...]) -> str:
    """Return the values of the varied keys, without seeds, that some replicas have in common."""
    parts = []
    for key in varied:
        values = {spell(getattr(study.settings[replica], key)).strip("'") for replica in members}
        if key not in SEEDS and len(values) == 1:
            parts.append(f"{key} {values.pop()}" if key not in TELLING else values.pop())
    return ", ".join(parts) or telling(study.settings[members[0]].model_dump()) or study.scenario.name
