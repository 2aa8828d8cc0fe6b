"""The exception tree: every message says what object, what it got, what was expected and the remedy."""

from __future__ import annotations

import errno

ADVICE = {
    errno.ENOSPC: "Free some space, then resume.",
    errno.EDQUOT: "Free some space, then resume.",
    errno.EFBIG: "Raise the limit of the size of a file (ulimit -f), then resume.",
}
"""What to do about errors of the operating system in which nothing is wrong with a path."""


class CircuitsimError(Exception):
    """Base of everything that circuitsim raises on purpose; `exit_status` is what the command line returns."""

    exit_status = 1


class BadInput(CircuitsimError):
    """Something that the user gave cannot be used.

    Parameters
    ----------
    what : the object at fault: a key, a file, a rule, a population, a projection.
    got : what was found there.
    expected : what would have been accepted.
    remedy : what to do about it.
    """

    exit_status = 2

    def __init__(self, what: str, *, got: str, expected: str, remedy: str) -> None:
        self.what, self.got, self.expected, self.remedy = what, got, expected, remedy
        super().__init__(f"{what}: got {got}; expected {expected}. {remedy}")

    def __reduce__(self) -> tuple[object, ...]:
        """Keyword-only arguments do not pickle by default; worker processes hand errors back pickled."""
        return _rebuild, (type(self), self.what, self.got, self.expected, self.remedy)


def _rebuild(kind: type[BadInput], what: str, got: str, expected: str, remedy: str) -> BadInput:
    return kind(what, got=got, expected=expected, remedy=remedy)


class ConfigError(BadInput):
    """A setting or an option of the command line."""


class DataError(BadInput):
    """A data set or one of its files."""


class CircuitError(BadInput):
    """A population, projection or circuit that cannot be built."""


class CircuitWarning(UserWarning):
    """A circuit that can be built, and cannot do what it seems to be for."""


class RuleError(BadInput):
    """A learning rule that is not a function of one synapse, or that cannot be traced."""


class ScheduleError(BadInput):
    """A timetable that cannot be kept: a missing cause, or a memory older than the window."""


class TensorError(BadInput):
    """A weight file, or one of the tensors in it."""


class RunFolderError(BadInput):
    """A run folder, or a checkpoint in it."""


class StepError(BadInput):
    """A training step, or its weights, wiring or batch, that cannot be audited."""


class Diverged(CircuitsimError):
    """A value became infinite or not a number; `replica` is the simulator's number of the one concerned."""

    exit_status = 3

    def __init__(self, message: str, replica: int | None = None) -> None:
        self.replica = replica
        super().__init__(message)


class Interrupted(CircuitsimError):
    """The user stopped the run, whose folder has what is needed to go on.

    Parameters
    ----------
    where : how far it was. folder : the run folder.
    """

    exit_status = 130

    def __init__(self, where: str, folder: object) -> None:
        self.where = where
        super().__init__(f"{where}; go on with: circuitsim resume {folder}")
