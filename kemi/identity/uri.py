r"""Addresses as they stand in SIP headers.

The grammar that is read here (RFC 3261 section 25.1, RFC 3966 section 3), as far as numbers need it:

    value       =  address *("," address)                  History-Info, P-Asserted-Identity and others
    address     =  name-addr / addr-spec, then attributes
    name-addr   =  [ display-name ] "<" addr-spec ">"      display-name may be quoted and hold < > and ,
    addr-spec   =  ("sip:" | "sips:") [user [":" password] "@"] host [":" port] params ["?" headers]
                /  "tel:" number params
    user        =  number params                           percent-encoded; RFC 3966, RFC 4694, RFC 4904
    params      =  *(";" name ["=" value])
    attributes  =  *(";" name ["=" (value / quoted)])      belong to the header, not to the URI
    headers     =  name "=" value *("&" name "=" value)    percent-encoded

More is read than is allowed: a comma in a display name without quotes, parameters of a tel URI without angle
brackets. Nothing is refused: what is no such address is carried whole, so that it can be shown and counted.

Every expression is possessive or ends at a character that it excludes, and what finds no end is not looked
at again: the work is in proportion to the length, whatever stands there.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from urllib.parse import unquote

import msgspec

__all__ = ["MOST", "PLAIN", "Address", "addresses", "uri_of", "user_of"]

MOST = 10
"""Addresses of one header that are read; an honest call has fewer."""

_MOST_PARAMETERS = 32

_QUOTED = r'"(?:[^"\\]++|\\.)*+"'
# The same, or all that follows where the quotes are not closed.
_QUOTED_OR_REST = r'"(?:[^"\\]++|\\.?)*+"?'
_BETWEEN = ", \t\r\n"
# A bare URI ends at a comma. Only the user part of a sip URI may hold one, where no other URI begins there.
_BARE = re.compile(
    rf'[\s,]*+((?:sips?:(?:(?:[^\s<>"@,]++|,(?!(?:sips?|tel):))*+@)?|tel:)(?:[^,<"]++|{_QUOTED_OR_REST})*+)',
    re.IGNORECASE | re.DOTALL,
)
_NAMED = re.compile(
    rf'[\s,]*+({_QUOTED}[^<]*+|(?!")[^<]*+)<([^>]++)>((?:[^",]++|{_QUOTED_OR_REST})*+)', re.DOTALL
)
_PARAMETER = re.compile(rf";\s*+([^\s=;]++)\s*+(?:=\s*+({_QUOTED}|[^;]*+))?+", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PORT = re.compile(r":\d*\Z", re.ASCII)

# Of a tel URI without angle brackets these parameters are the URI's, all others the header's.
_TEL_PARAMETERS = frozenset(
    {
        *("isub", "isub-encoding", "ext", "phone-context"),  # RFC 3966, RFC 4715
        *("npdi", "rn", "rn-context", "cic", "cic-context"),  # RFC 4694
        *("tgrp", "trunk-context"),  # RFC 4904
        *("enumdi", "verstat"),  # RFC 4759, 3GPP TS 24.229
    }
)

# Nearly every address on the wire is one of these: a plain number in angle brackets, or a bare URI. Read in
# one step; everything else goes the long way, to the same result.
PLAIN = re.compile(
    r'(?:(?:"[^"\\]*+")?+[^<",]*+<(?:sips?:([0-9+*#]{1,32})@[^<>]*+|tel:([0-9+*#]{1,32}))>'
    r'|(?:sips?:([0-9+*#]{1,32})@[^<>"]*+|tel:([0-9+*#]{1,32}))\Z)'
)


class Address(msgspec.Struct, frozen=True, gc=False):
    """One address of a header.

    `user` is decoded, without password and with its own parameters: `79161234567;phone-context=+7`. It is ""
    where the URI has only a host, and for another scheme, or none, all that stood there. `scheme` is in small
    letters and "" where there is none; `host` has no port. Names in the mappings are in small letters, values
    without quotes; `headers` are those of the URI, decoded.
    """

    display: str
    scheme: str
    user: str
    host: str
    params: Mapping[str, str]
    attributes: Mapping[str, str]
    headers: Mapping[str, str]


def addresses(value: str, most: int = MOST) -> tuple[Address, ...]:
    """Read the addresses of a header's value, at most so many."""
    return tuple(_address(*part) for part in islice(_parts(value), most))


def user_of(value: str) -> str:
    """The user of the first address, decoded and with its own parameters, for numbering to read.

    "" where the URI has only a host. What is no sip, sips or tel URI comes back whole.
    """
    plain = PLAIN.match(value)
    return plain[plain.lastindex or 0] if plain else _user_of_any(value)


def _user_of_any(value: str) -> str:
    first = addresses(value, 1)
    return first[0].user if first else value


def uri_of(value: str) -> str:
    """The addr-spec of the first address; the value itself where there is none."""
    for _, uri, attributes in _parts(value):
        # Without angle brackets every parameter is the header's, not the URI's (RFC 3261 section 20).
        return uri.partition(";")[0].strip() if attributes is None else uri
    return value


def _parts(value: str) -> Iterator[tuple[str, str, str | None]]:
    """Take a value apart: display name, URI, attributes (None: no angle brackets, nothing is separate)."""
    at = 0
    while True:
        bare = _BARE.match(value, at)
        if bare is not None and value[bare.end() : bare.end() + 1] != "<":
            yield "", bare[1].rstrip(), None
            at = bare.end()
            continue
        named = _NAMED.match(value, at)
        if named is None:
            break
        yield named[1].rstrip(), named[2].strip(), named[3]
        at = named.end()
    rest = value[at:].strip(_BETWEEN)
    if rest:
        yield "", rest, None


def _address(display: str, uri: str, attributes: str | None) -> Address:
    scheme, _, rest = uri.partition(":")
    scheme = scheme.rstrip().lower()
    if scheme in ("sip", "sips") and rest:
        user, at, place = rest.partition("@")
        if not at:
            user, place = "", user
        user = user.partition(":")[0]
        place, _, headers = place.partition("?")
        host, _, params = place.partition(";")
        if attributes is None:
            attributes, params = params, ""
        host = _PORT.sub("", host.strip())
    elif scheme == "tel" and rest:
        host = ""
        rest, _, headers = rest.partition("?")
        _, _, params = rest.partition(";")
        user, attributes = _tel(rest) if attributes is None else (rest, attributes)
    else:
        known = scheme.isalnum() and bool(rest)
        return Address(
            _text(display), scheme if known else "", uri, "", {}, _parameters(attributes or ""), {}
        )
    return Address(
        display=_text(display),
        scheme=scheme,
        user=_decoded(user.strip()),
        host=host.lower(),
        params=_parameters(params),
        attributes=_parameters(attributes),
        headers=_headers(headers),
    )


def _tel(text: str) -> tuple[str, str]:
    """The number of a bare tel URI with its own parameters, and the header's parameters behind it."""
    number, *rest = text.split(";", _MOST_PARAMETERS)
    own, others = [number], list[str]()
    for parameter in rest:
        name = parameter.partition("=")[0].strip().lower()
        (own if name in _TEL_PARAMETERS else others).append(parameter)
    return ";".join(own), ";".join(others)


def _text(text: str) -> str:
    """A display name or a value, without its quotes."""
    if text[:1] == '"' and text[-1:] == '"' and len(text) > 1:
        return _ESCAPED.sub(r"\1", text[1:-1])
    return text


def _decoded(text: str) -> str:
    r"""Percent escapes as the characters they stand for; bytes that are no UTF-8 as \xNN.

    Any character may come out, also those that end a header: whoever writes the text escapes it again.
    """
    return unquote(text, errors="backslashreplace") if "%" in text else text


def _parameters(text: str) -> Mapping[str, str]:
    """Parameters by name; of two with the same name the first counts."""
    found: dict[str, str] = {}
    if text:
        for name, value in islice(_pairs(text), _MOST_PARAMETERS):
            found.setdefault(name, value)
    return found


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for parameter in _PARAMETER.finditer(text if text[:1] == ";" else f";{text}"):
        yield parameter[1].lower(), _text((parameter[2] or "").strip())


def _headers(text: str) -> Mapping[str, str]:
    """The headers that a URI carries (RFC 3261 section 19.1.1)."""
    found: dict[str, str] = {}
    if text:
        for header in text.split("&", _MOST_PARAMETERS)[:_MOST_PARAMETERS]:
            name, _, value = header.partition("=")
            found.setdefault(_decoded(name).strip().lower(), _decoded(value).strip())
    return found
