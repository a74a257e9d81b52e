"""Reads all of a snapshot, as nobody else does: python -m kemi.directory.verify GENERATION | --seal SNAPSHOT.

Exit status 0 where it is whole, 1 with the reason where it is not. It may be killed by what it reads, so it
is a process of its own. With --seal it is run before Kamailio starts: it does nothing where the snapshot is
sealed, and seals it where it is whole.
"""

import sys
from pathlib import Path

import lmdb
import msgspec

from kemi.directory import seal
from kemi.directory.snapshot import LAYOUT, checksum, decode_content


def fault(generation: Path) -> str:
    """What is wrong with a generation; "" where nothing is. Nobody may write to it meanwhile."""
    try:
        # Without a lock it makes no lock file of its own where that is missing.
        with (
            lmdb.open(str(generation), readonly=True, create=False, lock=False) as env,
            env.begin() as txn,
        ):
            return _walk(txn, env.stat()["entries"])
    except (lmdb.Error, msgspec.DecodeError, OSError) as error:
        return str(error)


def _walk(txn: lmdb.Transaction, entries: int) -> str:
    content = decode_content(txn.get(b"c") or b"")
    if content.layout != LAYOUT:
        return f"layout {content.layout}, and {LAYOUT} is read here"
    total = seen = 0
    for key, value in txn.cursor():
        seen += 1
        if key != b"c":
            total += checksum(bytes(key), bytes(value))
    if seen != entries:
        return f"{seen} records instead of {entries}"
    if total != content.checksum:
        return "the checksum of its records is another"
    return ""


def seal_where_whole(path: Path) -> str:
    """Verify the generation in use, and seal it where it is not; gives what is wrong with it."""
    name = seal.current(path)
    if name is None:
        return f"there is no snapshot in {path}"
    try:
        seal.check(path / name)
    except seal.BrokenError:
        with seal.alone(path):
            why = fault(path / name)
            if not why:
                seal.put(path / name)
            return why
    return ""


def main(arguments: list[str]) -> int:
    """Verify what is named."""
    path = Path(arguments[-1])
    why = seal_where_whole(path) if arguments[0] == "--seal" else fault(path)
    if why:
        sys.stdout.write(f"{why}\n")
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
