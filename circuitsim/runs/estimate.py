"""Estimates of a run's time: a few presentations and part of an evaluation, timed."""

from __future__ import annotations

from time import perf_counter

from circuitsim.runs.study import Study

TRIAL = 2  # presentations that are timed, after one that compiles and binds
EVALUATED = 200  # examples whose evaluation is timed


def estimated_seconds(study: Study) -> float:
    """Return the seconds that all epochs of a study will take, evaluations included; the study is of no use then."""
    training = study.train_epoch()
    next(training)
    begin, done = perf_counter(), 0
    for _ in zip(range(TRIAL), training, strict=False):
        done += 1
    presentation = (perf_counter() - begin) / done if done else study.seconds
    examples = len(study.data.train) + len(study.data.test)
    passes = study.epochs + 1
    return study.epochs * study.batches * presentation + passes * examples * _seconds_of_example(study)


def in_words(seconds: float) -> str:
    """Write a time with the unit that suits it."""
    for unit, size in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} seconds"


def _seconds_of_example(study: Study) -> float:
    x = study.data.train[:EVALUATED]
    taken = []
    for _ in range(2):  # the first one compiles
        begin = perf_counter()
        for group in study.groups:
            y = study.data.answers(real=group.design.circuit.real_targets)[0]
            study.scenario.evaluate(group.simulator, x, None if y is None else y[:EVALUATED])
        taken.append(perf_counter() - begin)
    return min(taken) / len(x)
