"""What a node can say of itself: its snapshot, its peers as Kamailio probes them, its spool, its agents."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import lmdb
import msgspec

from kemi.agent import rpc
from kemi.agent.alone import held
from kemi.calls import spool
from kemi.directory.snapshot import MEDIA_SET, Globals
from kemi.settings import Settings

Health: TypeAlias = Literal["up", "trying", "down", "disabled", "not probed", "not loaded", "unknown"]
"""What Kamailio has found out about a peer by OPTIONS, or that it has not."""


class Peer(msgspec.Struct, frozen=True):
    """A trunk's peer or a media server."""

    uri: str
    health: Health


class TrunkState(msgspec.Struct, frozen=True):
    """A trunk's peers. `registration` is None where the trunk asks for none."""

    name: str
    peers: tuple[Peer, ...]
    registration: str | None = None


class Follow(msgspec.Struct, frozen=True):
    """How the sync agent gets on, in its own words; times are seconds since the epoch.

    `current_at` is when the snapshot was last seen to be the newest revision. What is a hindrance is in
    `database`, `hindrance` and `reload`, each "" where there is none; `doing` is what takes long just now.
    """

    at: float
    current_at: float | None = None
    database: str = ""
    hindrance: str = ""
    reload: str = ""
    doing: str = ""


class NodeState(msgspec.Struct, frozen=True):
    """A node as it sees itself at a moment, in seconds since the epoch.

    `revision` is the snapshot's, `revision_at` when that was made (microseconds); None where there is no
    snapshot to be trusted, and `snapshot` says why. `kamailio` is "" where it answers.
    """

    at: float
    revision: int | None
    revision_at: int | None = None
    snapshot: str = ""
    kamailio: str = ""
    trunks: tuple[TrunkState, ...] = ()
    media: tuple[Peer, ...] = ()
    spool: int | None = None
    agents: dict[str, bool] = {}
    follow: Follow | None = None


NOT_REGISTERED = "not supported yet"
"""What is said of a trunk that asks for a registration: nothing registers yet."""


def sync_lock(settings: Settings) -> Path:
    """What the sync agent holds while it runs."""
    return settings.run / "sync.lock"


def ship_lock(settings: Settings) -> Path:
    """What the ship agent holds while it runs."""
    return settings.spool / "ship.lock"


def follow_file(settings: Settings) -> Path:
    """Where the sync agent leaves its Follow every second, for this node without SQL."""
    return settings.run / "sync.json"


def observe(
    settings: Settings,
    small: Globals | None,
    *,
    revision: int | None,
    revision_at: int | None,
    snapshot: str,
    follow: Follow | None,
) -> NodeState:
    """The state of this node; what its snapshot says is given, because only one in a process may open it."""
    health, kamailio = _probed(settings)
    known = Globals() if small is None else small
    return NodeState(
        at=time.time(),
        revision=revision,
        revision_at=revision_at,
        snapshot=snapshot,
        kamailio=kamailio,
        trunks=tuple(
            TrunkState(
                trunk.name,
                _peers(trunk.peers, health, known.sets.get(trunk.name, 0)),
                NOT_REGISTERED if trunk.name in known.registering else None,
            )
            for trunk in known.trunks
        ),
        media=_peers(known.media, health, MEDIA_SET),
        spool=_depth(settings),
        agents={"sync": held(sync_lock(settings)), "ship": held(ship_lock(settings))},
        follow=follow,
    )


_Probed: TypeAlias = dict[tuple[int, str], Health]


def _peers(uris: tuple[str, ...], probed: _Probed | None, number: int) -> tuple[Peer, ...]:
    if probed is None:
        return tuple(Peer(uri, "unknown") for uri in uris)
    return tuple(Peer(uri, probed.get((number, uri), "not loaded")) for uri in uris)


def _probed(settings: Settings) -> tuple[_Probed | None, str]:
    try:
        listed = rpc.call(settings.kamailio_rpc, "dispatcher.list")
        return dict(_destinations(listed, 0)), ""
    except rpc.UnreachableError as error:
        return None, str(error)
    except rpc.RefusedError as error:
        # So it says also where no destination is loaded at all.
        return {}, "" if "No Destination Sets" in str(error) else str(error)


def _destinations(node: Any, number: int) -> Iterator[tuple[tuple[int, str], Health]]:
    """Sets, URIs and flags in the nested answer of dispatcher.list."""
    if isinstance(node, dict):
        number = int(node.get("ID", number))
        if "URI" in node:
            yield (number, str(node["URI"])), _health(str(node["FLAGS"]))
        for value in node.values():
            yield from _destinations(value, number)
    elif isinstance(node, list):
        for value in node:
            yield from _destinations(value, number)


def _health(flags: str) -> Health:
    """By the flags of dispatcher: A active, T trying, I inactive, D disabled; then P where it is probed."""
    match flags[:1]:
        case "A":
            return "up" if "P" in flags else "not probed"
        case "T":
            return "trying"
        case "I":
            return "down"
        case "D":
            return "disabled"
    return "unknown"


def _depth(settings: Settings) -> int | None:
    try:
        return spool.waiting(settings.spool)
    except (OSError, lmdb.Error):
        return None


def write_follow(settings: Settings, follow: Follow) -> None:
    """Leave it for `fmcctl status` of this node; raises OSError."""
    path = follow_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_suffix(".new")
    made.write_bytes(msgspec.json.encode(follow))
    made.replace(path)


def read_follow(settings: Settings) -> Follow | None:
    """What the sync agent last left."""
    try:
        return msgspec.json.decode(follow_file(settings).read_bytes(), type=Follow)
    except (OSError, msgspec.DecodeError):
        return None


def as_json(state: NodeState) -> dict[str, Any]:
    """For the database."""
    built: dict[str, Any] = json.loads(msgspec.json.encode(state))
    return built


def from_json(held: dict[str, Any]) -> NodeState | None:
    """From the database; None where a node of another version wrote what is not read here."""
    try:
        return msgspec.convert(held, NodeState)
    except msgspec.ValidationError:
        return None
