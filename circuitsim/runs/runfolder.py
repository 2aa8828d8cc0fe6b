"""The run folder: what is in it, when each file is written, and what makes a folder one."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import safetensors.numpy
from pydantic import BaseModel, Field, ValidationError
from safetensors import SafetensorError
from threadpoolctl import threadpool_info

from circuitsim.environment import versions_of
from circuitsim.errors import RunFolderError, TensorError
from circuitsim.runs.config import Settings, build
from circuitsim.runs.files import remove_partial, write_bytes
from circuitsim.runs.ownership import LOCK, check_unowned, owned
from circuitsim.runs.periods import Period
from circuitsim.runs.products import product_library
from circuitsim.runs.themes import PAGE, ThemeName
from circuitsim.runs.trust import check_kinds, check_links

CONFIG, METRICS, INITIAL, FINAL = "config.json", "metrics.parquet", "initial.safetensors", "final.safetensors"
LOG = "metrics.jsonl"  # of a run that trains: the rows of METRICS, appended as they come
PROGRESS, AUDIT = "members.json", "audit.json"  # of a campaign; of a run that trains circuits
FILES = (CONFIG, METRICS, LOG, INITIAL, FINAL, PROGRESS, AUDIT, "report.html")
CHECKPOINTS, FIGURES, MEMBERS = "checkpoint", "figures", "members"
KEPT = "kept"  # a computation's intermediate results
FOLDERS = (CHECKPOINTS, FIGURES, KEPT, MEMBERS)
ANEW = "Put it back, or start the run anew in another folder."  # what this one still has stays
S = TypeVar("S", bound=Settings)
_DRAWN = (".svg", ".csv")  # what is in the folder of figures
_VERSIONED = ("circuitsim", "numpy", "numba", "scipy", "sympy", "networkx", "pandas")


def check_free(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that cannot be made, or that holds something; with `overwrite`, only an earlier run may be
    replaced. Changes nothing."""
    check_place(folder)
    held = {path.name for path in folder.iterdir()} - {LOCK} if folder.exists() else set()
    if held and not overwrite:
        raise refused(folder, f"a folder with {len(held)} files", "a new or empty folder", "Add --overwrite.")
    check_links(folder, (*FILES, *FOLDERS))
    foreign = next(_foreign(folder), None) if held else None
    if foreign:
        raise refused(
            folder,
            f"{foreign.relative_to(folder)}, which no run wrote",
            "an earlier run's folder",
            "Move it, or choose another --out.",
        )


def check_place(folder: Path) -> None:
    """Refuse a path on which a file lies where a folder must be."""
    if folder.exists() and not folder.is_dir():
        raise refused(folder, "a file", "a folder, or nothing", "Choose another --out.")
    parent = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    if not parent.is_dir():
        raise refused(folder, f"{parent}, which is a file", "folders all the way", "Choose another --out.")


def _foreign(folder: Path) -> Iterator[Path]:
    """Yield the files that no run writes into its folder."""
    for path in sorted(folder.iterdir()):
        if path.name in (*FILES, CHECKPOINTS, KEPT, LOCK) or path.name.endswith(".partial"):
            continue
        if path.name == FIGURES and path.is_dir():
            yield from (one for one in sorted(path.iterdir()) if one.suffix not in (*_DRAWN, ".partial"))
        elif path.name == MEMBERS and path.is_dir():
            for one in sorted(path.iterdir()):
                yield from _foreign(one) if one.is_dir() else (one,)
        else:
            yield path


@contextmanager
def claimed(folder: Path, overwrite: bool) -> Iterator[None]:
    """Own a folder, made if need be, and empty it of an earlier run; RunFolderError where another run was faster."""
    folder.mkdir(parents=True, exist_ok=True)
    check_unowned(folder)  # members of a campaign, which may be resumed by themselves
    with owned(folder):
        check_free(folder, overwrite)
        _clear(folder)
        yield


def _clear(folder: Path) -> None:
    """Remove what an earlier run left in a folder; config.json goes first."""
    (folder / CONFIG).unlink(missing_ok=True)
    for name in FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
    remove_partial(folder)
    for name in FILES:
        (folder / name).unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_bytes(path, json.dumps(content, indent=2).encode())


def read_json(path: Path) -> Any:
    """Read a JSON file of a run folder; RunFolderError where it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise unreadable(path, error) from None


def describe(
    scenario: str,
    settings: Sequence[Settings],
    vary: Mapping[str, Sequence[Any]],
    backend: str,
    used_instead: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the content of config.json: every key with the value used (a list if varied), the seed, and versions.

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
        "threads": threads_of(backend),
        **product_library(backend),
        "versions": {
            "python": platform.python_version(),
            **versions_of(_VERSIONED),
            "blas": "; ".join(sorted(set(blas))),
            "machine": platform.machine(),
        },
    }


def threads_of(backend: str) -> int:
    """Return the number of threads that a backend's kernels use; results keep their bits for one number alone."""
    if backend != "numba":
        return 1
    from circuitsim.kernels.cpu.threads import thread_count  # here, since Numba takes long to import

    return thread_count()


def _used(values: list[Any], varied: bool) -> Any:
    """One value for all replicas where they agree and it was not asked to vary, else the list."""
    return values if varied or any(value != values[0] for value in values) else values[0]


class _Given(BaseModel):
    settings: list[dict[str, Any]] = Field(min_length=1)
    folder: str = ""
    code: dict[str, str] = {}
    periods: list[Period] = []


class _Config(BaseModel):
    """The part of config.json that `resume` needs."""

    scenario: str
    given: _Given
    vary: dict[str, list[Any]]
    backend: str
    theme: ThemeName = PAGE


def read_config(folder: Path) -> dict[str, Any]:
    """Read config.json of a run folder without links."""
    path = folder / CONFIG
    check_links(folder, (*FILES, *FOLDERS))
    check_kinds(folder, FILES, FOLDERS)
    try:
        config = json.loads(path.read_text(encoding="utf-8-sig"))
        config["theme"] = _Config.model_validate(config).theme
    except FileNotFoundError:
        raise refused(folder, f"no {CONFIG}", "a run folder", "Name the --out of an earlier run.") from None
    except ValidationError as error:
        raise _misfit(folder, error) from None
    except (OSError, ValueError, RecursionError) as error:
        raise unreadable(path, error) from None
    return config  # type: ignore[no-any-return]


def _misfit(folder: Path, error: ValidationError) -> RunFolderError:
    """Return the error for a config.json that no run wrote."""
    first = error.errors()[0]
    if first["loc"][:1] == ("given",) and len(first["loc"]) > 1:
        got = f"settings that cannot be read ({_told(error)})"
        return refused(folder, got, "config.json as the run wrote it", ANEW)
    if first["type"] in ("missing", "model_type"):
        got, expected = "a file without the run's settings", "the file that the run wrote"
        return refused(folder / CONFIG, got, expected, ANEW)
    return unreadable(folder / CONFIG, error)


def _told(error: Exception) -> str:
    """Return what an error says, of several faults the first."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}"


def read_settings(folder: Path, config: Mapping[str, Any], model: type[S]) -> list[S]:
    """The settings of each replica, as a run's config.json gives them."""
    try:
        settings = [build(model, one) for one in config["given"]["settings"]]
        _ = settings[0], [getattr(settings[0], key) for key in config["vary"]]
    except (TypeError, LookupError, AttributeError) as error:
        raise refused(
            folder, f"settings that cannot be read ({error})", "config.json as the run wrote it", ANEW
        ) from None
    return settings


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


def unreadable(path: Path, error: Exception) -> RunFolderError:
    """Return the error for a file of the run folder that is not as the run wrote it."""
    return refused(path, _told(error), "the file that the run wrote", ANEW)


def refused(path: Path, got: str, expected: str, remedy: str) -> RunFolderError:
    """Return the error for a run folder, or a file in it, that cannot be used."""
    return RunFolderError(f"run folder {path}", got=got, expected=expected, remedy=remedy)
