"""Downloads into the user's cache folder; a file appears there only whole and with its published checksum."""

from __future__ import annotations

import logging
from pathlib import Path

from circuitsim.data.locate import VARIABLE, cache_folder
from circuitsim.data.registry import PinnedFile, Source
from circuitsim.errors import DataError

# Seconds to connect and between two pieces of an answer: without a network a user should not wait for the defaults.
_TIMEOUT = (5, 30)


def download(source: Source) -> Path:
    """Download what is missing of `source`, or damaged, into the cache folder, and return its folder there."""
    cache = cache_folder()
    if cache is None:
        raise DataError(
            f"download of data set '{source.name}'",
            got="a user without a home folder",
            expected="a folder for downloads",
            remedy=f"Set HOME or XDG_CACHE_HOME to a folder, or {VARIABLE} to one that holds {source.name}/.",
        )
    folder = cache / source.name
    for pinned in source.downloads:
        _download_file(source, pinned, folder)
    return folder


def _download_file(source: Source, pinned: PinnedFile, folder: Path) -> None:
    """Try every mirror; raise DataError with what each answered."""
    failures = []
    for mirror in source.mirrors:
        address = mirror + pinned.public_name
        try:
            return _retrieve(address, pinned.packed or pinned.digest, pinned.public_name, folder)
        # OSError: no network, a refusal, a timeout (requests' errors are OSErrors), a full disk; ValueError: checksum.
        except (OSError, ValueError) as error:
            failures.append(f"{address} ({_reason(error)})")
    what = f"download of data set '{source.name}', file {pinned.public_name}"
    got = "no file from " + "; ".join(failures)
    wanted = ", ".join(f"{source.name}/{each.public_name}" for each in source.downloads)
    remedy = f"Connect to the network and try again, or set {VARIABLE} to a folder that holds {wanted}."
    raise DataError(what, got=got, expected="the published file", remedy=remedy)


def _reason(error: Exception) -> str:
    """Enough of `error` to tell no network, a refusal and a wrong checksum apart; requests' own text fills a screen."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:100]}..." if len(text) > 100 else f"{type(error).__name__}: {text}"


def _retrieve(address: str, digest: str, name: str, folder: Path) -> None:
    """Through pooch: it writes to a temporary file, compares the checksum, then renames; an intact file is kept."""
    import pooch  # type: ignore[import-untyped, unused-ignore]

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)  # it announces every download otherwise
    try:
        downloader = pooch.HTTPDownloader(progressbar=False, timeout=_TIMEOUT)
        pooch.retrieve(address, known_hash=digest, fname=name, path=folder, downloader=downloader)
    finally:
        logger.setLevel(level)
