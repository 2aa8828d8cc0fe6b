"""Data sets by name: digits, MNIST, Fashion-MNIST, CIFAR-10, random data of low rank, or a user's .npz file.

Files are looked for in the folder that the environment variable CIRCUITSIM_DATA names, then in the user's cache folder,
and are downloaded there if they are in neither. Each is checked against its published checksum whenever it is read.
"""

from __future__ import annotations

from circuitsim.data.catalogue import DatasetEntry, fetch, load, missing, names, path, shape_of
from circuitsim.data.dataset import Dataset, sorted_by_class
from circuitsim.data.preprocessing import holding_out, preprocessed, shifted

__all__ = [
    "Dataset",
    "DatasetEntry",
    "fetch",
    "holding_out",
    "load",
    "missing",
    "names",
    "path",
    "preprocessed",
    "shape_of",
    "shifted",
    "sorted_by_class",
]
