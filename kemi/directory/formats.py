"""What a text of the file may look like. A Format gives None for a good text, else what is wrong with it.

Complaints read on from the text itself and end with what to do: `is no E.164 number; write it …`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from ipaddress import ip_address, ip_network
from typing import Annotated, TypeAlias
from zoneinfo import ZoneInfo

from kemi.numbering.canonicalise import is_e164
from kemi.numbering.plan import PLANS, WORLD
from kemi.numbering.rewrite import complaint_of


@dataclass(frozen=True)
class Format:
    """A rule for a text; `secret` texts are not repeated in a complaint."""

    complain: Callable[[str], str | None]
    secret: bool = False


@dataclass(frozen=True)
class Least:
    """The smallest whole number that makes sense."""

    least: int


@dataclass(frozen=True)
class Filled:
    """A list that must not be empty; `instead` says what to do."""

    instead: str


def _pattern(pattern: str, complaint: str, *, secret: bool = False) -> Format:
    # \d is what a telephone has: the digits of other scripts are no digits of an extension.
    compiled = re.compile(pattern, re.ASCII)
    return Format(lambda text: None if compiled.fullmatch(text) else complaint, secret)


def _e164(text: str) -> str | None:
    if text[:1] == "+" and is_e164(text[1:]):
        return None
    return 'is no E.164 number; write plus, country code and number, like "+74951234567"'


IP_ONLY = "names a host: only IP addresses here for now, a call never waits for DNS"


def _address(text: str) -> str | None:
    host, port, mask = split_address(text)
    try:
        ip = ip_address(host)
    except ValueError:
        if re.search(r"[A-Za-z]", host) and ":" not in host:
            return f"{IP_ONLY}; write the address of {host}"
        return "is no address; write address, address:port or CIDR, like 192.0.2.1:5060 or 192.0.2.0/24"
    if port is not None and not 1 <= port <= 65535:
        return "has no such port; ports are 1 to 65535"
    if mask is not None:
        try:
            # Kamailio takes a mask of 0 for a single address.
            if mask < 1:
                return "is the whole Internet; name the networks of this peer"
            ip_network(f"{ip}/{mask}")
        except ValueError:
            return f"is no network; did you mean {_network(ip.compressed, mask)}?"
    return None


def _network(ip: str, mask: int) -> str:
    try:
        return str(ip_network(f"{ip}/{mask}", strict=False))
    except ValueError:
        return f"{ip}/{ip_address(ip).max_prefixlen}"


def split_address(text: str) -> tuple[str, int | None, int | None]:
    """Take `address[:port]`, `[ipv6]:port` or `address/mask` apart: host, port, mask."""
    host, slash, mask = text.partition("/")
    if slash:
        return host.strip("[]"), None, int(mask) if mask.isdecimal() else -1
    bracketed = re.fullmatch(r"\[(.*)\](?::(\d+))?", text)
    if bracketed:
        return bracketed[1], int(bracketed[2]) if bracketed[2] else None, None
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, int(port) if port.isdecimal() else -1, None
    return text, None, None


_SIP = re.compile(r"sip:(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+)(?::(\d{1,5}))?(?:;transport=(?:udp|tcp))?")


def _sip(text: str) -> str | None:
    found = _SIP.fullmatch(text)
    if not found:
        return "is no SIP URI of a server; write it like sip:192.0.2.1:5060"
    if found[2] and not 1 <= int(found[2]) <= 65535:
        return "has no such port; ports are 1 to 65535"
    return None


def _sip_address(text: str) -> str | None:
    complaint = _sip(text)
    if complaint is None:
        host = _SIP.fullmatch(text)[1].strip("[]")  # type: ignore[index]  # _sip has matched it
        try:
            ip_address(host)
        except ValueError:
            return f"{IP_ONLY}; write the address of {host}"
    return complaint


def _timezone(text: str) -> str | None:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        return "is no time zone; write a name like Europe/Moscow"
    return None


def _date(text: str) -> str | None:
    try:
        date.fromisoformat(text)
    except ValueError:
        return 'is no date; write year-month-day, like "2027-01-01"'
    return None


def _country(text: str) -> str | None:
    if text in PLANS:
        return None
    known = f'known are {", ".join(sorted(set(PLANS) - {WORLD}))}; use "{WORLD}" for a country without a plan'
    if re.fullmatch("[A-Z]{2}", text):
        return f"has no dial plan here; {known}"
    return f"is no ISO 3166 country code; {known}"


_DAY = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_TIME = r"([01]\d|2[0-3]):[0-5]\d"

E164: TypeAlias = Annotated[str, Format(_e164)]
Prefix: TypeAlias = Annotated[
    str,
    _pattern(r"\+\d{0,15}", 'is no prefix of E.164 numbers; write plus and digits, like "+7495" ("+": all)'),
]
Address: TypeAlias = Annotated[str, Format(_address)]
SipUri: TypeAlias = Annotated[str, Format(_sip)]
SipAddress: TypeAlias = Annotated[str, Format(_sip_address)]
Name: TypeAlias = Annotated[
    str,
    _pattern(
        r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}",
        "cannot be a name; use up to 63 Latin letters, digits, - and _, a letter or digit first",
    ),
]
Extension: TypeAlias = Annotated[
    str, _pattern(r"\d{2,6}", 'cannot be an extension; use 2 to 6 digits, like "201"')
]
AreaCode: TypeAlias = Annotated[
    str, _pattern(r"\d{1,6}", 'is no area code; write its digits without the trunk prefix, like "495"')
]
Country: TypeAlias = Annotated[str, Format(_country)]
Environment: TypeAlias = Annotated[
    str,
    _pattern(
        r"[A-Z_][A-Z0-9_]*",
        "must name an environment variable, like SIP_PASSWORD; a secret itself is never written here",
        secret=True,
    ),
]
Duration: TypeAlias = Annotated[
    str, _pattern(r"[1-9]\d{0,4}[dhms]", "is no duration; write a number and d, h, m or s, like 180d")
]
Place: TypeAlias = Annotated[
    str,
    _pattern(
        r"(subscriber|voicemail):\d{2,6}|(ivr|queue):[A-Za-z0-9][A-Za-z0-9_-]{0,62}",
        "leads nowhere; write subscriber:EXTENSION, voicemail:EXTENSION, ivr:NAME or queue:NAME",
    ),
]
Key: TypeAlias = Annotated[str, _pattern(r"[0-9*#]", "is no key of a telephone; use one of 0-9, * and #")]
Hours: TypeAlias = Annotated[
    str,
    _pattern(
        f"{_DAY}(-{_DAY})? {_TIME}-{_TIME}", 'are no opening hours; write them like "Mon-Fri 09:00-18:00"'
    ),
]
Timezone: TypeAlias = Annotated[str, Format(_timezone)]
Date: TypeAlias = Annotated[str, Format(_date)]
Https: TypeAlias = Annotated[
    str, _pattern(r"https?://[^\s/]+\S*", "is no web address; write it like https://host/path")
]
Host: TypeAlias = Annotated[
    str,
    _pattern(r"[A-Za-z0-9.-]+(:\d{1,5})?", "is no host name; write it without https://, like portal.example"),
]
Pattern: TypeAlias = Annotated[
    str,
    Format(complaint_of),
]
TrunkPrefix: TypeAlias = Annotated[
    str, _pattern(r"\d{1,4}", 'is no trunk prefix; write its digits, like "8"')
]
InternationalPrefix: TypeAlias = Annotated[
    str, _pattern(r"\d{1,6}", 'is no international prefix; write its digits, like "810"')
]
Positive: TypeAlias = Annotated[int, Least(1)]
