"""What a snapshot's files are known by: the link to the generation in use, and the seal on its data.

The writer notes size, inode and time of change of what it wrote. Where they are others, somebody else wrote
there, or the writer was killed before it was done: then nobody maps the file before it has been read as a
whole (kemi.directory.verify). After a start of the machine that is always so.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

CURRENT = "current"
"""The link to the generation in use."""

DATA = "data.mdb"

_SEAL = "seal.json"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Seal(msgspec.Struct, frozen=True):
    """The data file as it was left by whoever wrote or verified it last."""

    inode: int
    size: int
    modified: int
    boot: str


class BrokenError(Exception):
    """The data is not what its writer left there; the message says in which way."""


_seal = msgspec.json.Decoder(Seal).decode


def current(path: Path) -> str | None:
    """The name of the generation in use; None where there is none."""
    try:
        return os.readlink(path / CURRENT)  # noqa: PTH115  Path.readlink takes three times as long
    except OSError:
        return None


def _of(generation: Path) -> Seal:
    found = os.stat(generation / DATA)  # noqa: PTH116  as above
    return Seal(found.st_ino, found.st_size, found.st_mtime_ns, _BOOT.read_text())


def put(generation: Path) -> None:
    """Seal what was written; raises OSError."""
    _replace(generation / _SEAL, msgspec.json.encode(_of(generation)))


def check(generation: Path) -> None:
    """Raise BrokenError where the data is not as it was sealed."""
    try:
        found, sealed = _of(generation), _seal((generation / _SEAL).read_bytes())
    except FileNotFoundError as error:
        raise BrokenError(f"{error.filename} is missing") from error
    except (OSError, msgspec.DecodeError) as error:
        raise BrokenError(f"its seal cannot be read: {error}") from error
    if found.size < sealed.size:
        raise BrokenError(f"{DATA} has {found.size} bytes instead of {sealed.size}")
    if found.boot != sealed.boot:
        raise BrokenError(f"{DATA} was not verified since the machine started")
    if found != sealed:
        raise BrokenError(f"{DATA} is not as it was written")


def switch(path: Path, name: str) -> None:
    """Make a generation the one in use, also in a power cut."""
    descriptor, made = tempfile.mkstemp(dir=path, prefix=f".{CURRENT}.")
    os.close(descriptor)
    Path(made).unlink()
    Path(made).symlink_to(name)
    Path(made).replace(path / CURRENT)
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the snapshot against other writers; waits for one that writes now."""
    path.mkdir(parents=True, exist_ok=True)
    with (path / "writer.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _replace(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            # mkstemp makes it private; Kamailio may run as another user of the group.
            os.fchmod(descriptor, 0o640)
            file.write(content)
        Path(name).replace(path)
    except OSError:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
