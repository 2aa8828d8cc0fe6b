"""The data sets that consist of files: what each file must contain, byte for byte, and where to download it.

Checksums, each found alike in at least two independent public sources unless said otherwise:

- MNIST, unpacked: those of the original distribution; packed: those that torchvision (`datasets/mnist.py`) lists.
- Fashion-MNIST, packed: the table in the data set's own README (github.com/zalandoresearch/fashion-mnist), also in
  torchvision; unpacked: published by several projects that read the unpacked files. No copy was at hand to compare.
- CIFAR-10, archive: the author's page (www.cs.toronto.edu/~kriz/cifar.html); unpacked batches: published by projects
  that fetch that archive. No copy was at hand to compare.
- CIFAR-10 in Parquet: computed from the pair of files in use here, a copy with JPEG images in a shuffled order.

MD5 guards against accidents, not against malice, but it is what the authors of these sets publish.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PinnedFile:
    """One file and what it must contain.

    Parameters
    ----------
    name : file name, in the data set's folder.
    digest : "md5:..." or "sha256:..." of the content.
    size : bytes of the content, or None where only the digest is pinned.
    packed : digest of the public `name`.gz, where the file may also lie there packed by gzip; else None.
    """

    name: str
    digest: str
    size: int | None = None
    packed: str | None = None

    @property
    def public_name(self) -> str:
        """The name under which the file is published."""
        return self.name if self.packed is None else self.name + ".gz"

    @property
    def candidates(self) -> tuple[str, ...]:
        """The names to look for, best first."""
        return (self.name,) if self.packed is None else (self.public_name, self.name)


@dataclass(frozen=True)
class Form:
    """One of the layouts in which a data set is published; `reader` names the function that reads it."""

    reader: str
    files: tuple[PinnedFile, ...]


@dataclass(frozen=True)
class Source:
    """A data set of files: its layouts, best first, and the addresses of the one that is downloaded."""

    name: str
    what: str
    forms: tuple[Form, ...]
    downloads: tuple[PinnedFile, ...]
    mirrors: tuple[str, ...]


def _idx(name: str, digest: str, size: int, packed: str) -> PinnedFile:
    return PinnedFile(name, "md5:" + digest, size, "md5:" + packed)


def _batch(name: str, digest: str) -> PinnedFile:
    return PinnedFile(f"cifar-10-batches-bin/{name}.bin", "md5:" + digest, 30_730_000)


_MNIST = (
    _idx("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb", 47_040_016, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
    _idx("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624", 60_008, "d53e105ee54ea40749a09fcbcd1e9432"),
    _idx("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea", 7_840_016, "9fb629c4189551a2d022fa330f9573f3"),
    _idx("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637", 10_008, "ec29112dd5afa0611ce80d1b7f02629c"),
)
_FASHION = (
    _idx("train-images-idx3-ubyte", "f4a8712d7a061bf5bd6d2ca38dc4d50a", 47_040_016, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    _idx("train-labels-idx1-ubyte", "9018921c3c673c538a1fc5bad174d6f9", 60_008, "25c81989df183df01b3e8a0aad5dffbe"),
    _idx("t10k-images-idx3-ubyte", "8181f5470baa50b63fa0f6fddb340f0a", 7_840_016, "bef4ecab320f06d8554ea6380940ec79"),
    _idx("t10k-labels-idx1-ubyte", "15d484375f8d13e6eb1aabb0c3f46965", 10_008, "bb300cfdad3c16e7a12a480ee83cd310"),
)
_CIFAR_PARQUET = (
    PinnedFile(
        "train-00000-of-00001.parquet",
        "sha256:92e83f6b34ee439b62b4c532bfc4110b9c6e7a5d7006e8a6272c5f465a1b2404",
        15_740_620,
    ),
    PinnedFile(
        "test-00000-of-00001.parquet",
        "sha256:f23093564ce06d8ca12d785d780def2c6859fb4643a5385ab057c2a843ced3ce",
        3_146_366,
    ),
)
_CIFAR_ARCHIVE = PinnedFile("cifar-10-binary.tar.gz", "md5:c32a1d4ab5d03f1284b67883e8d87530")
_CIFAR_BATCHES = (
    _batch("data_batch_1", "5dd7e06a14cb22eb9f671a540d1b7c25"),
    _batch("data_batch_2", "5ea93a67294ea407fff1d09f752e9692"),
    _batch("data_batch_3", "942cd6a4bcdd0dd3c604fbe906cb4421"),
    _batch("data_batch_4", "ae636b3ba5c66a11e91e8cb52e771fcb"),
    _batch("data_batch_5", "53f37980c15c3d472c316c40844f3f0d"),
    _batch("test_batch", "803d5f7f4d78ea53de84dbe85f74fb6d"),
)

SOURCES: dict[str, Source] = {
    "mnist": Source(
        "mnist",
        "60,000 + 10,000 handwritten digits, 784 features (28 x 28), 10 classes",
        (Form("idx", _MNIST),),
        _MNIST,
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    ),
    "fashion-mnist": Source(
        "fashion-mnist",
        "60,000 + 10,000 articles of clothing, 784 features (28 x 28), 10 classes",
        (Form("idx", _FASHION),),
        _FASHION,
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
    ),
    "cifar10": Source(
        "cifar10",
        "50,000 + 10,000 colour images, 3,072 features (3 x 32 x 32), 10 classes",
        (Form("parquet", _CIFAR_PARQUET), Form("archive", (_CIFAR_ARCHIVE,)), Form("batches", _CIFAR_BATCHES)),
        (_CIFAR_ARCHIVE,),
        ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"),
    ),
}
