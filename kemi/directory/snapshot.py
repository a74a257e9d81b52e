"""The snapshot: a node's copy of the directory in LMDB, read by the SIP workers, written by the sync agent.

Each generation is a directory of its own below `settings.snapshot`; the link `current` names the one in use.
A change of the directory is written into the generation in one transaction; a rebuild makes a new generation
beside it and moves the link. Layout of a generation's one database, all values msgpack:

    "c"                          Content: what it holds as a whole, and the checksum of that
    "d" number                   Did
    "e" tenant NUL extension     Subscriber
    "g"                          Globals: what every call needs, decoded when it changes and kept
    "m" msisdn                   Subscriber
    "r"                          Head: the revision
    "t" tenant                   Tenant

Trunks and routes are few and stand in Globals. All others are many: they are looked up in the memory map,
which all workers share, so a worker's own memory does not grow with them.

What a broken file could do to a process that has it mapped is worse than an exception. So the writer leaves a
seal beside it (kemi.directory.seal), and a reader opens nothing whose seal does not fit.

No SQL here: this module is imported by the SIP workers.
"""

import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, cast

import lmdb
import msgspec

from kemi.directory import seal
from kemi.numbering.model import Rewrite
from kemi.routing.model import Device, Did, Egress, Prefixes, Route, Subscriber, Tenant, Trunk

LAYOUT = 2
"""Number of this layout: raise it with every change that a reader of the old code would misread.

A key that is new and has a default is no such change; another default is, since defaults are not written.
"""

MEDIA_SET = 1
"""Kamailio's dispatcher set of the media servers."""

FIRST_TRUNK_SET = 100
"""Dispatcher sets of trunks have this number or a higher one."""

MAX_READERS = 1024
"""Processes that may read one snapshot at once; the first that opens it decides."""

MODE = 0o660
"""Rights of its files: the directory holds people's numbers, and readers take a lock in one of them."""

MAP_SIZE = 64 << 20
"""Bytes of the memory map to begin with; the writer doubles it as needed, readers follow."""

LOOK_SECONDS = 0.25
"""How often a reader looks, at the beginning of a call, whether there is a new generation."""

TENANTS_KEPT = 4096
"""Tenants that a reader keeps decoded."""


class Globals(msgspec.Struct, frozen=True):
    """The small part of the directory. `sets` maps a trunk's name to its dispatcher set.

    `trunks` and `routes` are in the order that routing.model.Directory asks for; `registering` are the
    trunks at which the edge should register.
    """

    trunks: tuple[Trunk, ...] = ()
    routes: tuple[Route, ...] = ()
    sets: Mapping[str, int] = {}
    media: tuple[str, ...] = ()
    registering: tuple[str, ...] = ()


class Head(msgspec.Struct, frozen=True):
    """The revision that the snapshot is of, and when that was made; `globals` changes when Globals do."""

    revision: int
    at: int
    globals: int


class Content(msgspec.Struct, frozen=True):
    """What the writer says of the whole: of `checksum` each record but this one is a part.

    `fields` tells which fields the code that wrote it knew.
    """

    layout: int
    fields: int
    checksum: int


class SnapshotError(Exception):
    """There is no snapshot to read, or none that can be trusted; the message says what to do."""


def checksum(key: bytes, value: bytes) -> int:
    """A record's part of the checksum; the parts are added, so that order means nothing."""
    return zlib.crc32(value, zlib.crc32(key))


def fields() -> int:
    """A number that changes with the fields of what is written, and with their defaults."""
    written = (Globals, Trunk, Egress, Prefixes, Rewrite, Route, Tenant, Device, Subscriber, Did)
    known = [
        (struct.__name__, field.name, field.default, field.default_factory, field.type)
        for struct in written
        for field in msgspec.structs.fields(struct)
    ]
    return zlib.crc32(repr(known).encode())


def subscriber_key(tenant: str, extension: str) -> bytes:
    """Where a subscriber stands by extension."""
    return f"e{tenant}\0{extension}".encode()


_Get = Callable[[bytes], bytes | None]
_T = TypeVar("_T")

decode_globals = msgspec.msgpack.Decoder(Globals).decode
decode_head = msgspec.msgpack.Decoder(Head).decode
decode_content = msgspec.msgpack.Decoder(Content).decode
decode_subscriber = msgspec.msgpack.Decoder(Subscriber).decode
_did = msgspec.msgpack.Decoder(Did).decode
_tenant = msgspec.msgpack.Decoder(Tenant).decode

_monotonic = time.monotonic


class SnapshotDirectory:
    """Implements routing.model.Directory for one process. Open it after the fork; it only reads.

    Every call is handled between `begin` and `end`, or in `with reader:`. In between it sees one state of
    the directory, whatever is written meanwhile; `end` matters, because an open transaction keeps the
    writer from using old pages again.

        reader = SnapshotDirectory(settings.snapshot)
        with reader:
            decision = decide(call, reader)

    A new generation is taken up at the beginning of a call. Where it cannot be, because it is gone or is
    damaged, the one that is open goes on serving, and `refused` says why. Raises SnapshotError where there
    is nothing that can be opened.

    `aside` is for a process that is no part of the node, as fmcctl is: it waits a second for a writer that is
    about to seal, and takes none of LMDB's locks, which go by process numbers that are the node's own. It
    may read for a moment only, between two commits.
    """

    def __init__(self, path: Path, *, aside: bool = False) -> None:
        self._path = path
        self._txn: lmdb.Transaction | None = None
        self._get: _Get = _outside_of_a_call
        self._written = -1
        self._known: int | None = None
        self._tenants: dict[str, Tenant] = {}
        self.revision = self.at = 0
        self.refused = ""
        self._load(Globals())
        self._lock = not aside
        deadline = _monotonic() + aside * 1.0
        while True:
            try:
                self._env, self._name = _open(path, lock=self._lock)
                break
            except SnapshotError:
                if _monotonic() >= deadline:
                    raise
                time.sleep(0.01)
        self._look_at = _monotonic() + LOOK_SECONDS

    def _load(self, small: Globals) -> None:
        self.globals = small
        self._sets = small.sets
        self._trunk = {trunk.name: trunk for trunk in small.trunks}

    def begin(self) -> None:
        """Start a call: see the newest state of the directory from here on."""
        if self._txn is not None:
            # The call before died between begin and end.
            self.end()
        if _monotonic() >= self._look_at:
            self._look()
        try:
            # py-lmdb keeps the aborted transaction of the last call and renews it here: 0.1 µs.
            txn = self._env.begin()
        except lmdb.MapResizedError:
            self._env.set_mapsize(0)
            txn = self._env.begin()
        self._txn = txn
        self._get = cast("_Get", txn.get)
        # LMDB's own number of the last commit changes with every revision: no lookup needed to compare.
        written = txn.id()
        if written != self._written:
            self._take()
            self._written = written

    def _take(self) -> None:
        head = decode_head(self._get(b"r") or b"")
        if head.globals != self._known:
            self._load(decode_globals(self._get(b"g") or b""))
            self._known = head.globals
        self._tenants.clear()
        self.revision, self.at = head.revision, head.at

    def _look(self) -> None:
        """Take up a new generation where there is one."""
        self._look_at = _monotonic() + LOOK_SECONDS
        if seal.current(self._path) in (self._name, None):
            return
        try:
            env, name = _open(self._path, lock=self._lock)
        except SnapshotError as error:
            self.refused = str(error)
            return
        self._env.close()
        self._env, self._name = env, name
        self._written, self._known, self.refused = -1, None, ""

    def end(self) -> None:
        """End the call that `begin` started."""
        if self._txn is not None:
            self._txn.abort()
            self._txn = None
            self._get = _outside_of_a_call

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def close(self) -> None:
        """Give the environment back."""
        self.end()
        self._env.close()

    def trunk(self, name: str) -> Trunk | None:
        return self._trunk.get(name)

    def trunks(self) -> Sequence[Trunk]:
        return self.globals.trunks

    def routes(self) -> Sequence[Route]:
        return self.globals.routes

    def trunk_set(self, name: str) -> int:
        """Kamailio's dispatcher set of a trunk; KeyError when there is no such trunk."""
        return self._sets[name]

    def tenant(self, name: str) -> Tenant | None:
        kept = self._tenants.get(name)
        if kept is None:
            kept = self._find("t" + name, _tenant)
            if kept is not None:
                if len(self._tenants) >= TENANTS_KEPT:
                    self._tenants.clear()
                self._tenants[name] = kept
        return kept

    def subscriber(self, tenant: str, extension: str) -> Subscriber | None:
        return self._find(f"e{tenant}\0{extension}", decode_subscriber)

    def subscriber_by_msisdn(self, msisdn: str) -> Subscriber | None:
        return self._find("m" + msisdn, decode_subscriber)

    def did(self, number: str) -> Did | None:
        return self._find("d" + number, _did)

    def _find(self, key: str, decode: Callable[[bytes], _T]) -> _T | None:
        try:
            found = self._get(key.encode())
        except (lmdb.BadValsizeError, UnicodeEncodeError):
            # A text from outside, too long for a key of LMDB (511 bytes) or no text: nobody has that number.
            return None
        return None if found is None else decode(found)


def _open(path: Path, *, lock: bool) -> tuple[lmdb.Environment, str]:
    """Open the current generation and look at what can be told at a glance; gives its name too."""
    name = seal.current(path)
    try:
        if name is None:
            raise SnapshotError(_advice(path, "nothing was written yet"))
        seal.check(path / name)
        env = lmdb.open(
            str(path / name),
            map_size=MAP_SIZE,
            readonly=True,
            create=False,
            max_readers=MAX_READERS,
            lock=lock,
        )
    except (seal.BrokenError, lmdb.Error) as error:
        raise SnapshotError(_advice(path, str(error))) from error
    try:
        with env.begin() as txn:
            layout = decode_content(txn.get(b"c") or b"").layout
    except (lmdb.Error, msgspec.DecodeError) as error:
        env.close()
        raise SnapshotError(_advice(path, f"damaged: {error}")) from error
    if layout != LAYOUT:
        env.close()
        raise SnapshotError(_advice(path, f"layout {layout}, and {LAYOUT} is read here"))
    return env, name


def _advice(path: Path, why: str) -> str:
    return f"no snapshot can be read in {path} ({why}): run 'python -m kemi.agent sync --once'"


def _outside_of_a_call(_: bytes) -> bytes | None:
    raise RuntimeError("the snapshot is read between begin() and end()")
