"""Every kind of error in the provisioning file: its line, its key, and what to do."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kemi.directory import values
from kemi.directory.document import Bitrix24, Document
from kemi.directory.yamlfile import DocumentError, dump, load, parse

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "company.yaml"
GOOD = EXAMPLE.read_text(encoding="utf-8")


def errors(text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        parse(text, "f.yaml")
    return caught.value.lines()


def broken(old: str, new: str) -> tuple[list[str], int]:
    """The errors of the example with one text replaced, and the line that was changed."""
    assert GOOD.count(old) >= 1
    line = GOOD[: GOOD.index(old)].count("\n") + 1
    return errors(GOOD.replace(old, new, 1)), line


def test_the_example_is_read_whole():
    document = load(EXAMPLE)
    assert list(document.trunks) == ["mvno-main", "legacy-landline", "wholesale"]
    assert document.trunks["wholesale"].register.expires == 3600
    assert document.trunks["mvno-main"].limits.channels == 300
    company = document.tenants["company"]
    assert company.name == "ООО «Пример»"
    assert company.ivrs["main"].timeout.to == "queue:sales"
    assert company.queues["sales"].members == ("201", "202")
    assert company.schedules["office"].closed_dates == ("2027-01-01",)
    assert company.destinations["crm"] == Bitrix24(
        portal="portal.example", credentials_env="BITRIX24_CREDENTIALS", create_leads=True
    )


def test_what_is_written_is_read_back_equal():
    document = load(EXAMPLE)
    assert parse(dump(document), "f.yaml") == document


def test_the_example_as_values_of_routing():
    directory = values.directory(load(EXAMPLE))
    assert directory.subscriber_by_msisdn("+79990000202").extension == "202"
    assert directory.did("+74951234567").to == "ivr:main"
    assert directory.trunk("legacy-landline").called == ("national", "national_trunk")
    assert directory.tenant("company").outbound_allow == ("+7", "+375")
    assert [route.prefix for route in directory.routes()] == ["+7495", "+"]


CASES = {
    "unknown key with a near one": (
        'msisdn: "+79990000201"',
        'msisd: "+79990000201"',
        "tenants.company.subscribers.201.msisd: is no known key; did you mean msisdn?",
    ),
    "unknown key with no near one": ("on_media_down:", "zzz:", "known are kind, peers"),
    "secret": ("password_env: WHOLESALE", "password: WHOLESALE", "register.password: is a secret"),
    "secret in place of its variable": (
        "BITRIX24_CREDENTIALS",
        '"hunter2!"',
        "credentials_env: must name an environment variable",
    ),
    "trunk named as the media servers": (
        "  legacy-landline:",
        "  media:",
        '"media" stands for the media servers',
    ),
    "text for a number": (
        "channels: 300",
        "channels: many",
        "limits.channels: is text; it must be a whole number",
    ),
    "number above the most": ("channels: 300", "channels: 2147483648", "must be at most 2147483647"),
    "number below the least": ("channels: 300", "channels: 0", "limits.channels: is 0; it must be"),
    "number for a text": (
        'area_code: "495"',
        "area_code: 495",
        'area_code: is a number; it must be text; put it in quotes: "495"',
    ),
    "number for a phone number": (
        'msisdn: "+79990000201"',
        "msisdn: +79990000201",
        'in quotes: "+79990000201"',
    ),
    "text for a boolean": (
        "voicemail: true",
        "voicemail: maybe",
        "voicemail: is text; it must be true or false",
    ),
    "text for a list": ("ring: [mobile]", "ring: mobile", "ring: is text; it must be a list"),
    "list for a mapping": (
        "limits: {channels: 300, calls_per_second: 50}",
        "limits: []",
        "limits: is a list; it must be a mapping",
    ),
    "unknown choice": (
        "kind: mvno ",
        "kind: mvn ",
        'kind: "mvn" is not known; use one of mvno, carrier (did you mean mvno?)',
    ),
    "unknown shape": ("[e164_bare, e164]", "[e164_bear]", 'calling[0]: "e164_bear" is not known'),
    "not E.164": (
        'msisdn: "+79990000201"',
        'msisdn: "89990000201"',
        'msisdn: "89990000201" is no E.164 number; write plus',
    ),
    "too short for its country": ('msisdn: "+79990000201"', 'msisdn: "+7999000020"', "is no E.164 number"),
    "DID that is no number": ('"+74957654321": {trunk', '"4957654321": {trunk', "is no E.164 number"),
    "emergency number as extension": (
        '"203": {',
        '"104": {',
        "subscribers.104: 104 is an emergency number in RU; choose another extension",
    ),
    "extension of another script": ('"203": {', '"٢٠٣": {', "cannot be an extension; use 2 to 6 digits"),
    "extension too long": ('"203": {', '"2034567": {', "cannot be an extension; use 2 to 6 digits"),
    "extension twice": (
        '"202": {',
        '"201": {',
        "subscribers.201: is there twice, first in line 51; remove one",
    ),
    "msisdn twice": (
        "+79990000202",
        "+79990000201",
        "msisdn: +79990000201 is already owned by tenants.company.subscribers.201",
    ),
    "msisdn that is a DID": (
        "+79990000202",
        "+74951234567",
        "numbers.+74951234567: +74951234567 is already owned",
    ),
    "trunk that does not exist, in a route": (
        "trunks: [wholesale]",
        "trunks: [wholsale]",
        'routes[1].trunks[0]: there is no trunk "wholsale"; known are mvno-main',
    ),
    "trunk that does not exist, at a DID": (
        "{trunk: legacy-landline",
        "{trunk: legacy",
        'there is no trunk "legacy"',
    ),
    "subscriber that does not exist": (
        '"subscriber:203"',
        '"subscriber:204"',
        'to: there is no subscriber "204" in company',
    ),
    "queue that does not exist": (
        '"1": "queue:sales"',
        '"1": "queue:sale"',
        'choices.1: there is no queue "sale"',
    ),
    "ivr that does not exist": ('"ivr:main"', '"ivr:mian"', 'there is no ivr "mian"'),
    "schedule that does not exist": ("schedule: office", "schedule: ofice", 'there is no schedule "ofice"'),
    "member that does not exist": (
        'members: ["201", "202"]',
        'members: ["201", "209"]',
        'members[1]: there is no subscriber "209"',
    ),
    "place that is none": ('"subscriber:203"', '"203"', "leads nowhere; write subscriber:EXTENSION"),
    "device that is none": ("ring: [mobile]", "ring: [mobile, device]", "rings a device, but there is none"),
    "no peers": (
        'peers: ["sip:127.0.0.1:6061"]',
        "peers: []",
        "legacy-landline.peers: is empty; name where calls are sent",
    ),
    "no source": (
        'accept_from: ["127.0.0.1:6061"]',
        "accept_from: []",
        "accept_from: is empty; name the addresses",
    ),
    "host name as source": (
        'accept_from: ["127.0.0.1:6061"]',
        'accept_from: ["sbc.example"]',
        "only IP addresses here for now",
    ),
    "host name as peer": (
        'peers: ["sip:127.0.0.1:6061"]',
        'peers: ["sip:sbc.example"]',
        "only IP addresses here for now",
    ),
    "source of two trunks": (
        'accept_from: ["127.0.0.1:6061"]',
        'accept_from: ["127.0.0.1:6060"]',
        "127.0.0.1:6060 is also the address of trunk mvno-main",
    ),
    "source of a media server": (
        'accept_from: ["127.0.0.1:6061"]',
        'accept_from: ["127.0.0.1:5080"]',
        "also the address of a media server",
    ),
    "network with host bits": (
        'accept_from: ["127.0.0.1:6061"]',
        'accept_from: ["10.0.0.1/24"]',
        "did you mean 10.0.0.0/24?",
    ),
    "everybody as source": (
        'accept_from: ["127.0.0.1:6061"]',
        'accept_from: ["0.0.0.0/0"]',
        "is the whole Internet",
    ),
    "port that is none": (
        'accept_from: ["127.0.0.1:6061"]',
        'accept_from: ["127.0.0.1:70000"]',
        "ports are 1 to 65535",
    ),
    "peer that is no URI": (
        'peers: ["sip:127.0.0.1:6061"]',
        'peers: ["127.0.0.1"]',
        "is no SIP URI of a server",
    ),
    "placeholder of a rule that matches nothing": (
        "called: [e164, e164_bare]}",
        'called: [e164], rewrite: [{name: pair, match: "{caller}#{did}", replace: "{called}"}]}',
        "rewrite[0].replace: uses {called}, which match has not",
    ),
    "brace of a rule that is no placeholder": (
        "called: [e164, e164_bare]}",
        'called: [e164], rewrite: [{name: pair, match: "{caller}#{", replace: "{caller}"}]}',
        "rewrite[0].match: ",
    ),
    "country without a plan": ("country: RU", "country: DE", '"DE" has no dial plan here; known are '),
    "time zone": ("Europe/Moscow", "Europe/Moskva", "is no time zone"),
    "opening hours": ("Mon-Fri 09:00-18:00", "Mon-Fri 9-18", "are no opening hours"),
    "date": ("2027-01-01", "2027-13-01", "is no date"),
    "duration": ("180d", "half a year", "is no duration"),
    "destination of unknown kind": (
        "kind: bitrix24",
        "kind: bitrix",
        'destinations.crm.kind: "bitrix" is not known; use one of bitrix24, webhook',
    ),
    "destination without a kind": ("kind: bitrix24, ", "", "destinations.crm.kind: is missing; write one of"),
    "rules of one name": (
        "called: [e164, e164_bare]}",
        'called: [e164], rewrite: [{name: a, match: "1{n}", replace: "{n}"}, {name: a, match: "2", replace: "3"}]}',
        'rewrite[1].name: "a" is also the name of rule 0; the trail would not tell them apart',
    ),
    "assertions of a trunk that is not believed": (
        "called_from: To ",
        "trusted: false\n    identity: [P-Asserted-Identity, From]\n    called_from: To ",
        "trusted: an untrusted trunk is not believed what it asserts, but identity names P-Asserted-Identity; write",
    ),
    "local numbers without an area": (
        "egress: {shape: national_trunk}",
        "egress: {shape: national_trunk, headers: {To: local}}",
        "egress.headers.To: local means nothing without an area code; set area_code",
    ),
    "local callers without an area": (
        "calling: [national, national_trunk, international_prefix]",
        "calling: [local]",
        "ingress.calling[0]: local means nothing without an area code",
    ),
    "national numbers without a country": (
        "egress: {shape: national_trunk}",
        'egress: {shape: e164, headers: {To: national}}\n    country: "001"',
        "egress.headers.To: national means nothing without a country; set country",
    ),
    "prefixes that are one": (
        "egress: {shape: national_trunk}",
        'egress: {shape: national_trunk}\n    prefixes: {trunk: "0", international: ["00", "0"]}',
        "prefixes.international[1]: 0 is also the trunk prefix",
    ),
    "caller_id of a tenant that no trunk owns": (
        'caller_id: "+74951234567" ',
        'caller_id: "+74951234568" ',
        "company.caller_id: no trunk owns +74951234568, so it would never be presented; add it to numbers",
    ),
    "caller_id of a subscriber that no trunk owns": (
        'caller_id: "+74957654321"',
        'caller_id: "+79990000203"',
        "subscribers.203.caller_id: no trunk owns +79990000203",
    ),
    "missing key": ("kind: mvno ", "# ", "trunks.mvno-main.kind: is missing; add it: one of mvno, carrier"),
}


ELSEWHERE = {
    "msisdn that is a DID",
    "missing key",
    "local numbers without an area",
    "national numbers without a country",
    "prefixes that are one",
}
"""Their line is another one than the one that was changed: of the second owner, of the key above, below."""


@pytest.mark.parametrize("case", CASES)
def test_one_mistake_is_one_line_with_its_place(case):
    old, new, text = CASES[case]
    lines, line = broken(old, new)
    (found,) = (each for each in lines if text in each)
    assert found.isprintable()
    assert found.startswith("f.yaml:")
    if case not in ELSEWHERE:
        assert found.startswith(f"f.yaml:{line}: ")


def test_a_secret_is_not_repeated():
    lines, _ = broken("BITRIX24_CREDENTIALS", '"hunter2!"')
    assert not any("hunter2" in line for line in lines)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file():
    text = (
        GOOD.replace("channels: 300", "channels: x")
        .replace("Europe/Moscow", "x")
        .replace("ivr:main", "ivr:x")
    )
    lines = errors(text)
    assert [line.split(": ")[1] for line in lines] == [
        "trunks.mvno-main.limits.channels",
        "tenants.company.numbers.+74951234567.to",
        "tenants.company.schedules.office.timezone",
    ]


def test_a_reference_to_what_could_not_be_read_is_no_second_mistake():
    lines, _ = broken("kind: carrier", "kind: carier")
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('numbers: ["+74951234567"]', "numbers: [+74951234567]"),
        ("kind: carrier", "kind: carier"),
    ],
)
def test_what_a_trunk_owns_that_could_not_be_read_is_no_second_mistake(old, new):
    assert len(broken(old, new)[0]) == 1


def test_a_part_without_trunks_may_name_any_caller_id():
    assert parse('tenants: {a: {caller_id: "+74951234567"}}', "f.yaml").tenants["a"].caller_id


def test_an_untrusted_mobile_network_is_asked_for_from_alone():
    text = GOOD.replace("identity: [P-Served-User, P-Asserted-Identity, From] ", "trusted: false ")
    assert values.directory(parse(text, "f.yaml")).trunk("mvno-main").identity == ("From",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("trunks: {\n  a: b: c}", 2),
        ("a: [", 2),
        ("trunks:\n\ta: 1", 2),
        ("trunks: {}\n--- \ntrunks: {}", 2),
        ("trunks: {}\nx: \x01", 2),
        ("a: *nowhere", 1),
    ],
)
def test_yaml_syntax_errors_have_their_line(text, line):
    (only,) = errors(text)
    assert only.startswith(f"f.yaml:{line}: is not valid YAML: ")
    assert only.isprintable()


def test_a_file_that_says_nothing():
    assert errors("") == ["f.yaml:1: is empty; see examples/company.yaml"]
    assert parse("trunks:\n", "f.yaml") == Document()


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(DocumentError, match="cannot be read"):
        load(tmp_path / "none.yaml")
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("tenants: {a: {name: Пример}}".encode("cp1251"))
    with pytest.raises(DocumentError, match="is not UTF-8 text"):
        load(latin)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
KEYS = st.sampled_from(
    [
        "trunks",
        "routes",
        "media",
        "tenants",
        "a",
        "kind",
        "peers",
        "subscribers",
        "numbers",
        "201",
        "ivrs",
        "to",
        "destinations",
    ]
) | st.text(max_size=4)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)


@given(TREES)
def test_any_tree_is_a_document_or_a_list_of_errors(tree):
    try:
        document = parse(yaml.safe_dump(tree, allow_unicode=True), "f.yaml")
    except DocumentError as error:
        lines = error.lines()
    else:
        lines = []
        assert parse(dump(document), "f.yaml") == document
    assert all(re.match(r"f\.yaml:\d+: ", line) for line in lines)
