"""The run folder: what is in it, when each file is written, and what makes a folder one."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError
from threadpoolctl import threadpool_info

from circuitsim.errors import RunFolderError, TensorError
from circuitsim.runs import checkpoint, tables
from circuitsim.runs.config import Keys, build
from circuitsim.runs.files import remove_partial, write_bytes
from circuitsim.runs.study import Study

if TYPE_CHECKING:
    import pandas as pd

CONFIG, METRICS, INITIAL, FINAL = "config.json", "metrics.parquet", "initial.safetensors", "final.safetensors"
PROGRESS = "members.json"  # of a campaign
STUDY = ("study.db", "study.db-journal")  # of a search
FILES = (CONFIG, METRICS, INITIAL, FINAL, PROGRESS, *STUDY, "audit.json", "report.html")
CHECKPOINTS, FIGURES, MEMBERS = "checkpoint", "figures", "members"
FOLDERS = (CHECKPOINTS, FIGURES, MEMBERS)
T = TypeVar("T", bound=Keys)
_DRAWN = (".svg", ".csv")  # what is in the folder of figures
_VERSIONED = ("circuitsim", "numpy", "numba", "scipy", "sympy", "networkx", "pandas", "scikit-learn")


def check_free(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that cannot be written to, or that holds something; with `overwrite`, only an earlier run may be
    replaced. Changes nothing."""
    if folder.exists() and not folder.is_dir():
        raise _refused(folder, "a file", "a folder, or nothing", "Choose another --out.")
    parent = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    if not parent.is_dir():
        raise _refused(folder, f"{parent}, which is a file", "folders all the way", "Choose another --out.")
    held = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if held and not overwrite:
        raise _refused(folder, f"a folder with {len(held)} files", "a new or empty folder", "Add --overwrite.")
    foreign = next(_foreign(folder), None) if held else None
    if foreign:
        raise _refused(
            folder,
            f"{foreign.relative_to(folder)}, which no run wrote",
            "an earlier run's folder",
            "Move it, or choose another --out.",
        )


def _foreign(folder: Path) -> Iterator[Path]:
    """What no run of any kind writes into its folder."""
    for path in sorted(folder.iterdir()):
        if path.name in (*FILES, CHECKPOINTS) or path.name.endswith(".partial"):
            continue
        if path.name == FIGURES and path.is_dir():
            yield from (one for one in sorted(path.iterdir()) if one.suffix not in (*_DRAWN, ".partial"))
        elif path.name == MEMBERS and path.is_dir():
            for one in sorted(path.iterdir()):
                yield from _foreign(one) if one.is_dir() else (one,)
        else:
            yield path


def start(folder: Path, study: Study, config: Mapping[str, Any]) -> None:
    """Clear the folder and write what is known before training; config.json comes last and makes it a run folder."""
    clear(folder)
    save_tensors(folder / INITIAL, study.tensors())
    write_json(folder / CONFIG, config)


def clear(folder: Path) -> None:
    """Make the folder, and remove what an earlier run left in it; config.json goes first."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).unlink(missing_ok=True)
    for name in FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
    remove_partial(folder)
    for name in FILES:
        (folder / name).unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_bytes(path, json.dumps(content, indent=2).encode())


def describe_study(study: Study, vary: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """What config.json holds of a study: as of any run, with the windows that its schedules have."""
    windows = {index: c.simulator.schedule.window for c in study.cohorts for index in c.members}
    used = [{"window": windows[index]} for index in range(len(study.settings))]
    return describe(study.scenario.name, study.settings, vary, study.backend, used)


def describe(
    scenario: str,
    settings: Sequence[Keys],
    vary: Mapping[str, Sequence[Any]],
    backend: str,
    used_instead: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """What config.json holds: every key with the value used (a list where varied), the seed, and versions.

    Parameters
    ----------
    used_instead : for each replica, values that were used in the place of those given.
    """
    each = [s.model_dump() for s in settings]
    for one, instead in zip(each, used_instead, strict=False):
        one |= instead
    used = {key: _used([one[key] for one in each], key in vary) for key in each[0]}
    blas = [f"{i['internal_api']} {i['version']}, {i['num_threads']} threads" for i in threadpool_info()]
    return {
        "scenario": scenario,
        **used,
        "replicas": len(settings),
        "vary": {key: list(values) for key, values in vary.items()},
        "given": {"settings": [s.model_dump() for s in settings]},
        "backend": backend,
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _VERSIONED},
            "blas": "; ".join(sorted(set(blas))),
            "machine": platform.machine(),
        },
    }


def _used(values: list[Any], varied: bool) -> Any:
    """One value for all replicas where they agree and it was not asked to vary, else the list."""
    return values if varied or any(value != values[0] for value in values) else values[0]


def read_config(folder: Path) -> dict[str, Any]:
    """Read config.json of a run folder."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _refused(folder, f"no {CONFIG}", "a run folder", "Name the --out of an earlier run.") from None
    except (OSError, ValueError) as error:
        raise _refused(path, str(error), "the file that the run wrote", "Start the run again.") from None
    if not isinstance(config, dict) or not {"scenario", "given", "vary", "backend"} <= config.keys():
        raise _refused(path, "a file without the run's settings", "the file that the run wrote", "Start the run again.")
    return config


def read_settings(folder: Path, config: Mapping[str, Any], model: type[T]) -> list[T]:
    """The settings of each replica, as a run's config.json gives them."""
    try:
        settings = [build(model, one) for one in config["given"]["settings"]]
        _ = settings[0], [getattr(settings[0], key) for key in config["vary"]]
    except (TypeError, LookupError, AttributeError) as error:
        raise _refused(
            folder, f"settings that cannot be read ({error})", "config.json as the run wrote it", "Start the run again."
        ) from None
    return settings


def save_checkpoint(folder: Path, study: Study) -> None:
    """Write a checkpoint of the study."""
    checkpoint.write(folder / CHECKPOINTS, study.epoch * study.batches + study.batch, study.snapshot())


def restore(folder: Path, study: Study) -> list[str]:
    """Take the study to the newest checkpoint that is whole, or leave it at the start; return what was refused."""
    remove_partial(folder)
    refused = []
    for path, content in checkpoint.newest(folder / CHECKPOINTS):
        if isinstance(content, RunFolderError):
            refused.append(str(content))
            continue
        try:
            study.restore(content)
        except (KeyError, ValueError) as error:
            raise _refused(
                path, f"another run's content ({error})", f"that of {CONFIG}", "Put them back, or start the run again."
            ) from None
        return refused
    for name, values in read_tensors(folder / INITIAL).items():
        _restore_initial(study, name, values)
    return refused


def _restore_initial(study: Study, name: str, values: np.ndarray) -> None:
    for cohort in study.cohorts:
        if name in cohort.simulator.tensors():
            cohort.simulator.load(name, values[list(cohort.members)] if len(study.settings) > 1 else values)


def write_metrics(folder: Path, study: Study, vary: Sequence[str]) -> None:
    """Write metrics.parquet."""
    tables.write_frame(folder / METRICS, metrics_frame(study, vary))


def metrics_frame(study: Study, vary: Sequence[str]) -> pd.DataFrame:
    """The metrics of a study: replica, epoch, split, metric, value, and each varied key."""
    import pandas as pd

    frame = pd.DataFrame(study.metrics, columns=list(tables.COLUMNS))
    return tables.with_varied(frame, study.settings, vary)


def save_tensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write a safetensors file, whole or not at all."""
    write_bytes(path, safetensors.numpy.save({k: np.ascontiguousarray(v) for k, v in tensors.items()}))


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Read a safetensors file; TensorError where it is none."""
    try:
        return safetensors.numpy.load(path.read_bytes())
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise TensorError(
            f"weights {path}",
            got=str(error).strip(),
            expected="a safetensors file of float32 or float64 tensors",
            remedy="Name a whole file, such as a run's final.safetensors.",
        ) from None


def _refused(path: Path, got: str, expected: str, remedy: str) -> RunFolderError:
    return RunFolderError(f"run folder {path}", got=got, expected=expected, remedy=remedy)
