"""Events that cannot be read are set aside, byte for byte: they neither block the others nor are lost."""

import hashlib
import os
from pathlib import Path


def put(directory: Path, origin: str, raw: bytes) -> Path:
    """Keep `raw` in a file of `directory`, on the disk when this returns; gives the file.

    The name is made of `origin` and the content: doing it twice, after a crash in between, keeps it once.
    """
    path = directory / f"{origin}-{hashlib.sha256(raw).hexdigest()[:16]}"
    directory.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return path
