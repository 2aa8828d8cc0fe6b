"""Random numbers keyed by (seed, object, tick): no stream is shared, so nothing can shift one."""

from __future__ import annotations

import hashlib

import numpy as np

_MASK = (1 << 64) - 1


def generator(seed: int, name: str, tick: int = 0) -> np.random.Generator:
    """Return the generator that belongs to one object at one time.

    A counter-based Philox generator whose key is (seed, hash of the object's name) and whose counter starts at
    (0, 0, 0, tick). Equal arguments give equal numbers whatever else was drawn before.

    Parameters
    ----------
    seed : integer >= 0.
    name : the object's name; renaming an object changes its numbers, adding another does not.
    tick : integer >= 0, for example the epoch of a permutation.

    Source
    ------
    Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
    """
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    key = np.array([seed & _MASK, int.from_bytes(digest, "little")], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, 0, tick], dtype=np.uint64)))
