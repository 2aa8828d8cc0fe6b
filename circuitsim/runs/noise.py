"""The file of noise that a run reads (`--noise`): its arrays, whether they fit, and its hash."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from circuitsim.engine.noise import firing_given
from circuitsim.errors import CircuitError, TensorError
from circuitsim.runs.config import TrainingSettings
from circuitsim.runs.runfolder import read_tensors, refused
from circuitsim.runs.study import Study

ARRAYS = "an .npz or .safetensors file, with an array (passes, batch, neurons) for each population that fires noise"


def take_noise(study: Study) -> None:
    """Give a study's circuits the noise of the file that its settings name, if they name one.

    Raises
    ------
    TensorError : the file is none, or names, shapes or the number of passes do not fit.
    """
    if (path := _path(study.common)) is None:
        return
    arrays = _read(path)
    for group in study.groups:
        design = group.design
        needed = design.passes_before + study.epochs * study.batches * design.protocol.passes
        _check(path, arrays, sorted(firing_given(design.circuit).values()), needed)
        try:
            group.simulator.use_noise(arrays)
        except CircuitError as error:
            raise TensorError(f"noise {path}", got=error.got, expected=error.expected, remedy=error.remedy) from None


def described(settings: TrainingSettings) -> dict[str, str]:
    """Return what config.json has of the file: its path as given, and its SHA-256; nothing where there is none."""
    path = _path(settings)
    return {} if path is None else {"file": str(settings.noise_file()), "sha256": _digest(path)}


def check_same(folder: Path, settings: TrainingSettings, before: Mapping[str, Any]) -> None:
    """Raise RunFolderError where the file is not the one with which a run began."""
    now = described(settings).get("sha256")
    if now != before.get("sha256"):
        raise refused(
            folder,
            f"noise {settings.noise_file()} with the SHA-256 {now}",
            f"the file with which the run began, {before.get('sha256')}",
            "Put that file back, or start the run anew in another folder.",
        )


def _path(settings: TrainingSettings) -> Path | None:
    name = settings.noise_file()
    return None if name is None else Path(settings.located(name))


def _read(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a file by name."""
    if path.suffix == ".safetensors":
        return read_tensors(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                _refuse(path, "a single array without a name", ARRAYS, "Save it with numpy.savez.")
            return dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        _refuse(path, str(error).strip(), ARRAYS, "Name a whole file.")


def _check(path: Path, arrays: Mapping[str, np.ndarray], firing: list[str], needed: int) -> None:
    if sorted(arrays) != firing:
        remedy = f"Name the arrays {', '.join(firing)}." if firing else "Leave noise out."
        _refuse(path, f"arrays named {', '.join(sorted(arrays)) or 'nothing'}", f"one for each of {firing}", remedy)
    passes = min((len(values) if values.ndim else 0) for values in arrays.values())
    if passes < needed:
        expected = f"at least {needed}: those before training, and those after each update of every epoch"
        _refuse(path, f"{passes} passes", expected, "Give more, or set fewer epochs.")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse(path: Path, got: str, expected: str, remedy: str) -> NoReturn:
    raise TensorError(f"noise {path}", got=got, expected=expected, remedy=remedy)
