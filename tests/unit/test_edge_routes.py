"""What kamailio/routes/ strip, and what Python takes them to strip."""

import re

import ksr

ksr.install()

from kemi import settings  # noqa: E402  kemi.edge must find the fake
from kemi.edge import request  # noqa: E402
from kemi.identity import HEADERS  # noqa: E402
from kemi.routing import headers  # noqa: E402

ROUTES = "".join(path.read_text() for path in (settings.CHECKOUT / "kamailio" / "routes").glob("*.cfg"))
OURS = re.compile(r"X-FMC-[A-Z]\w+")


def removed(route: str) -> set[str]:
    """Headers that a route removes by name."""
    body = re.search(rf"^route\[{route}\] {{\n(.*?)^}}", ROUTES, re.DOTALL | re.MULTILINE)
    assert body
    return set(re.findall(r'remove_hf\("([^"]+)"\)', body[1]))


def test_every_header_of_ours_is_removed_by_name():
    """The names that the edge writes and reads, and that media servers do."""
    files = [*(settings.CHECKOUT / "kemi").rglob("*.py"), *(settings.CHECKOUT / "asterisk").glob("*.conf")]
    named = {name for path in files for name in OURS.findall(path.read_text())}
    assert named
    assert removed("STRIP_LATER") == named


def test_what_is_stripped_is_not_taken_for_carried():
    """Else a trunk would be left out because of what it is never sent; or not be, because of what it is."""
    replaced = {"contact", "m", "route"}
    short = {"y"}
    stripped = removed("STRIP_IDENTITY") | removed("STRIP_PLACE")
    assert {name.lower() for name in stripped} == request._NOT_CARRIED - replaced - short


def test_where_the_handset_is_is_stripped_unless_it_calls_for_help():
    """From whatever the decision may let go, after it; and from everything later."""
    body = re.search(r"^route\[INVITE\] {\n(.*?)^}", ROUTES, re.DOTALL | re.MULTILINE)
    assert body
    _, *cases = re.split(r"^        case (-?\d):\n", body[1], flags=re.MULTILINE)
    strips = {
        code: "route(STRIP_PLACE);" in code_of for code, code_of in zip(cases[::2], cases[1::2], strict=True)
    }
    assert strips == {"1": True, "2": True, "3": False, "-1": False}


def test_every_identity_header_is_stripped():
    """Nothing that says who calls or who is called passes unread. Kamailio itself replaces the others."""
    assert removed("STRIP_IDENTITY") >= set(HEADERS) - {"From", "To", "Route"}


def test_only_headers_that_identity_knows_are_read():
    read = {*headers.MEDIA_HEADERS, *headers.TRUNK_HEADERS, *headers.MOBILE_HEADERS}
    assert read <= set(HEADERS)
    assert {name for name, _, _ in request._CONNECTED} <= set(HEADERS)
    assert set(HEADERS) >= headers.MAY_REPEAT
