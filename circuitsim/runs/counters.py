"""The counters of a study, as a checkpoint has them."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field


class Counters(BaseModel):
    """Numbers that a checkpoint of a study has beside arrays.

    Parameters
    ----------
    epoch : the one in progress, counted from 0. batch : batches of it that are done. seconds : its training time.
    sums : of the epoch's `presented`, by group and metric. fingerprint : of all that decides the rest of the study.
    """

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    epoch: int = Field(ge=0)
    batch: int = Field(ge=0)
    seconds: float = Field(ge=0)
    sums: list[dict[str, list[float]]]
    fingerprint: str

    def expect(self, epochs: int, batches: int, replicas: Sequence[int]) -> None:
        """Raise ValueError unless a study of so many epochs, of so many batches each, can have come this far.

        Parameters
        ----------
        replicas : their number in each group.
        """
        ended = self.epoch == epochs and not self.batch
        fits = ended or (self.epoch < epochs and self.batch <= batches)
        alike = len(self.sums) == len(replicas) and all(
            len(values) == count for own, count in zip(self.sums, replicas, strict=True) for values in own.values()
        )
        if not (fits and alike):
            raise ValueError("its counters are not those of a run with these settings")
