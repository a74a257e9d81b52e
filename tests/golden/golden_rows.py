"""Reads the golden table (table/*.yaml) and says what the code makes of a row, in the table's own notation.

table/README.md tells how to read a row.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from kemi.directory import values
from kemi.directory.yamlfile import parse
from kemi.routing.connected import connected
from kemi.routing.explain import explain
from kemi.routing.memory import MemoryDirectory
from kemi.routing.model import Call, Fmc, Trunk
from kemi.routing.writing import ANONYMOUS

TABLE = Path(__file__).parent / "table"
FILES = sorted(path for path in TABLE.glob("*.yaml") if path.stem != "base")
HOST = "edge"

SHORT_NAMES = {
    "PAI": "P-Asserted-Identity",
    "PPI": "P-Preferred-Identity",
    "RPID": "Remote-Party-ID",
    "PSU": "P-Served-User",
    "PCPI": "P-Called-Party-ID",
}
LONG_NAMES = {name: short for short, name in SHORT_NAMES.items()}
ADDRESSES = frozenset({"From", "To", "Diversion", *SHORT_NAMES.values()})
CARRYING = (
    "From", "To", "P-Asserted-Identity", "Remote-Party-ID", "P-Preferred-Identity", "Privacy", "Diversion",
    "History-Info",
)  # fmt: skip
"""What can tell a number on a trunk, beside the Request-URI; `out` lists all of them."""


class Row(msgspec.Struct, frozen=True):
    """One row with what its file says for all rows; `place` names it in tests."""

    theme: str
    number: int
    given: Mapping[str, Any]
    profiles: str

    @property
    def place(self) -> str:
        words = re.sub(r"[^0-9A-Za-zА-Яа-я+*#]+", "-", self.given["why"]).strip("-")
        return f"{self.theme}-{self.number:02d}-{words[:60]}"


def rows(path: Path, key: str = "rows") -> list[Row]:
    """The rows of a file. Every scalar of a row is a text: 0112 and +7 stay what they are."""
    text = path.read_text(encoding="utf-8")
    told = yaml.load(text, yaml.CBaseLoader)  # noqa: S506  it makes nothing but texts, lists and mappings
    profiles = _profiles(text)
    return [
        Row(path.stem, number, _merged(told.get("call", {}), given), profiles)
        for number, given in enumerate(told.get(key, ()), 1)
    ]


def all_rows(key: str = "rows") -> Iterator[Row]:
    for path in FILES:
        yield from rows(path, key)


def _profiles(text: str) -> str:
    """A provisioning file: the base, and over it what a theme's `profiles` says."""
    base = yaml.load((TABLE / "base.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
    return str(yaml.dump(_merged(base, yaml.load(text, yaml.CSafeLoader)["profiles"]), sort_keys=False))


def _merged(under: Any, over: Any) -> Any:
    if isinstance(under, dict) and isinstance(over, dict):
        return under | {name: _merged(under.get(name), value) for name, value in over.items()}
    return over


@cache
def _directory(text: str, route: tuple[str, ...]) -> MemoryDirectory:
    """The profiles as the product reads them. A trunk that names no address gets one."""
    document = yaml.load(text, yaml.CSafeLoader)
    for at, entry in enumerate(document["trunks"].values(), 1):
        entry.setdefault("peers", [f"sip:10.0.0.{at}"])
        entry.setdefault("accept_from", [f"10.0.0.{at}"])
    if route:
        document["routes"] = [{"prefix": "+", "trunks": list(route)}]
    return values.directory(parse(yaml.dump(document, allow_unicode=True, sort_keys=False), "profiles"))


def directory_of(row: Row) -> MemoryDirectory:
    """The directory of a row; `route` of the row says on which trunks everything leaves."""
    return _directory(row.profiles, tuple(row.given.get("route", ())))


# From the table's notation to the wire.


def _wire(header: str, text: str) -> str:
    """A header's value: a user part alone stands for an address of the peer."""
    if header not in ADDRESSES or text == "" or re.search(r'[<":]', text):
        return text
    host = HOST if header == "To" else "gw"
    return ", ".join(
        f"<sip:{user}@{host}>{semicolon}{parameters}"
        for user, semicolon, parameters in (one.partition(";") for one in text.split(", "))
    )


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    named = {SHORT_NAMES.get(name, name): text for name, text in given.items() if name != "RURI"}
    return {name: _wire(name, text) for name, text in named.items()}


def call_of(row: Row) -> Call:
    """The INVITE of a row."""
    given = row.given
    told = given.get("in", {})
    ruri = told.get("RURI", "")
    return Call(
        source=given["from"],
        ruri=ruri if ":" in ruri else f"sip:{ruri}@{HOST}",
        headers=_headers(told),
        fmc=msgspec.convert(given["fmc"], Fmc) if given["from"] == "media" else None,
        media_up=given.get("media") != "down",
        carried=given.get("carried", ""),
    )


# From the wire to the table's notation.


def shortened(text: str, peer: str = "") -> str:
    """A value without what is the same everywhere: our own host, or the peer's where it belongs."""
    if text == ANONYMOUS:
        return "Anonymous"
    for host in filter(None, (HOST, peer)):
        text = re.sub(rf"<sip:([^@<>]*)@{re.escape(host)}>", r"\1", text)
        text = re.sub(rf"<sip:([^@<>]*)@{re.escape(host)}([;?])", r"<\1\2", text)
    return text


def number(value: Mapping[str, Any]) -> str:
    """A number of the record: what it is, and the rules that led there."""
    return f"{value['value']} via {' > '.join(step['rule'] for step in value['trail'])}"


def _target(target: Mapping[str, Any], trunk: Trunk | None) -> dict[str, str]:
    scheme, _, peer = ("sip:media" if trunk is None else trunk.peers[0]).partition(":")
    uri = re.fullmatch(rf"{scheme}:([^@]*)@{re.escape(peer)}", target["uri"])
    shown = {"RURI": uri[1] if uri else target["uri"]}
    for name in CARRYING:
        if name in target["headers"]:
            host = peer.partition(";")[0] if name == "To" else ""
            shown[LONG_NAMES.get(name, name)] = shortened(target["headers"][name], host)
    if target.get("masked"):
        shown["Contact"] = "masked"
    return shown


def _told(leg: Mapping[str, Any], row: Row) -> dict[str, Any]:
    """Where a leg goes, and with which numbers."""
    directory = directory_of(row)
    return {
        target.get("trunk", "media"): _target(target, directory.trunk(target.get("trunk", "")))
        for target in leg["targets"]
    }


def actual(row: Row) -> dict[str, Any]:
    """What the code makes of a row: `out` and `record`, all there is of both."""
    if "sender" in row.given:
        return _connected(row)
    legs = explain(call_of(row), directory_of(row), HOST)["legs"]
    out: dict[str, Any] = {}
    for leg in legs:
        if leg["action"] == "reject":
            out["reject"] = f"{leg['status']} {leg['reason']}"
        out |= _told(leg, row)
    first = legs[0]
    record = {
        key: first[key] for key in ("direction", "reason", "tenant", "subscriber", "service", "degraded")
    }
    record |= {"calling": number(first["calling"]), "called": number(first["called"])}
    record |= {"calling_header": first["calling_header"], "called_header": first["called_header"]}
    record["identity"] = {_short_name(header): number(value) for header, value in first["identity"].items()}
    record["steps"] = [step["why"] for leg in legs for step in leg["steps"]]
    return {"out": out, "record": record}


def _short_name(header: str) -> str:
    name, bracket, index = header.partition("[")
    return LONG_NAMES.get(name, name).replace("Request-URI", "RURI") + bracket + index


def _connected(row: Row) -> dict[str, Any]:
    directory = directory_of(row)
    given = row.given
    sides = [
        None if given[side] == "media" else directory.trunk(given[side]) for side in ("sender", "receiver")
    ]
    told = connected(_headers(given["in"]), sides[0], sides[1], given.get("called"), HOST)
    return {
        "out": {LONG_NAMES.get(name, name): shortened(text) for name, text in told.headers.items()},
        "record": {
            "identity": {
                _short_name(header): number(msgspec.to_builtins(value))
                for header, value in told.identity.items()
            }
        },
    }


# What a row expects, and where the code says something else.


def expected(row: Row) -> dict[str, Any]:
    """`out` and `record` of a row with the table's abbreviations written out."""
    given = row.given
    out = given.get("out")
    if isinstance(out, str):
        out = {"reject": out.removeprefix("reject ")}
    if out is not None and "sender" not in given:
        first = {"media": out["media"]} if "media" in out else {}
        out = {
            where: told if where == "reject" else _spelt(told, where) for where, told in (first | out).items()
        }
    return {"out": out, "record": given.get("record", {})}


def _spelt(told: Mapping[str, str], where: str) -> dict[str, str]:
    spelt: dict[str, str] = {}
    for name, value in sorted(told.items(), key=lambda item: item[0] not in ("to", "caller")):
        if name == "to":
            spelt |= {"RURI": value} if where == "media" else {"RURI": value, "To": value}
        elif name == "caller":
            spelt |= {"From": value, "PAI": value}
        else:
            spelt[name] = value
    return spelt


def differences(row: Row) -> list[str]:
    """Where the code differs from a row, one line each; nothing where it does as the row says."""
    want, got = expected(row), actual(row)
    found = []
    if want["out"] is not None:
        # A leg that is listed is listed whole: media is one leg, all trunks together are the other.
        legs = [name == "media" for name in want["out"]] if "sender" not in row.given else []
        listed = {name: told for name, told in got["out"].items() if not legs or (name == "media") in legs}
        if "sender" not in row.given and list(want["out"]) != list(listed):
            found.append(f"goes to {', '.join(listed)}, not to {', '.join(want['out'])}")
        found += _compared("out", want["out"], listed)
    for key, value in want["record"].items():
        if key == "says":
            if not any(value in step for step in got["record"]["steps"]):
                found.append(f"no step says {value!r} but:\n    " + "\n    ".join(got["record"]["steps"]))
        elif key == "identity":
            have = got["record"]["identity"]
            some = {header: have[header] for header in value if header in have}
            wanted = {header: text for header, text in value.items() if text != "-"}
            found += _compared("record.identity", wanted, some)
        else:
            found += _compared("record", {key: value}, {key: got["record"][key]})
    return found


def _compared(where: str, want: Mapping[str, Any], got: Mapping[str, Any]) -> list[str]:
    found = []
    for name in dict.fromkeys([*want, *got]):
        wanted, have = want.get(name), got.get(name)
        if isinstance(wanted, dict) and isinstance(have, dict):
            found += _compared(f"{where}.{name}", wanted, have)
        elif wanted != have:
            found.append(
                f"{where}.{name}\n    table: {wanted or '(nothing)'}\n    code:  {have or '(nothing)'}"
            )
    return found
