"""What fmcctl check finds: one edge a rule, the example without a finding, and samples against the decision."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kemi.directory import values
from kemi.directory.audit import RULES, audit
from kemi.directory.audit.shapes import _analysed
from kemi.directory.document import Document, Route, Tenant
from kemi.directory.nodes import spell
from kemi.directory.yamlfile import load, parse
from kemi.numbering.canonicalise import is_e164, reader
from kemi.numbering.plan import PLANS, plan_of
from kemi.routing.egress import route_trunks
from kemi.routing.explain import call_from, explain
from kemi.routing.policy import allowed

CHECKOUT = Path(__file__).parents[2]
GOOD = (CHECKOUT / "examples" / "company.yaml").read_text()

# Rule: what to replace in the example by what, and the findings (rule, place, text, what to do).
CASES: dict[str, tuple[list[tuple[str, str]], list[tuple[str, str, str]]]] = {
    "e164_bare before national": (
        [("calling: [national, national_trunk, international_prefix]", "calling: [e164_bare, national]")],
        [
            (
                "shape_ambiguous",
                "trunks.legacy-landline.ingress.calling[1]",
                "e164_bare before it takes part of national: 9711234567 is +9711234567, not +79711234567",
            )
        ],
    ),
    "national before e164_bare": (
        [("calling: [national, national_trunk, international_prefix]", "calling: [national, e164_bare]")],
        [("shape_ambiguous", "trunks.legacy-landline.ingress.calling[1]", "is +79711234567, not +97")],
    ),
    "e164_bare before national_trunk": (
        [("calling: [national, national_trunk, international_prefix]", "calling: [e164_bare, national_trunk]")],
        [("shape_ambiguous", "trunks.legacy-landline.ingress.calling[1]", "not +7")],
    ),
    "local of one digit less than an NSN": (
        [
            ("called_from: To ", 'area_code: "8"\n    called_from: To '),
            ("calling: [national, national_trunk, international_prefix]", "calling: [local, e164_bare]"),
        ],
        [("shape_ambiguous", "trunks.legacy-landline.ingress.calling[1]", "local before it takes part of")],
    ),
    "00 is an international prefix already": (
        [
            ("called_from: To ", "prefixes: {international: ['00']}\n    called_from: To "),
            (
                "calling: [national, national_trunk, international_prefix]",
                "calling: [international_prefix, international_00]",
            ),
        ],
        [
            (
                "shape_superfluous",
                "trunks.legacy-landline.ingress.calling[1]",
                "international_00 never matches: international_prefix before it takes all of it",
            )
        ],
    ),
    "a shape that is listed twice": (
        [
            ("called_from: To ", "prefixes: {trunk: '0', international: ['00']}\n    called_from: To "),
            ("calling: [national, national_trunk, international_prefix]", "calling: [e164, e164, national]"),
        ],
        [("shape_superfluous", "trunks.legacy-landline.ingress.calling[1]", "e164 is there twice")],
    ),
    "an international prefix that is the trunk prefix of the plan": (
        [
            ("called_from: To ", "prefixes: {international: ['8']}\n    called_from: To "),
            (
                "calling: [national, national_trunk, international_prefix]",
                "calling: [international_prefix, national_trunk]",
            ),
        ],
        [("shape_ambiguous", "trunks.legacy-landline.ingress.calling[1]", "89112345678 is +9112345678, not +79112345678")],
    ),
    "extension where nobody dials": (
        [("called: [national, national_trunk]", "called: [national, national_trunk, extension]")],
        [("shape_never", "trunks.legacy-landline.ingress.called[2]", "only a subscriber")],
    ),
    "local without an area code": (
        [('    area_code: "495" ', "    ")],
        [("shape_never", "trunks.mvno-main.ingress.called[5]", "local matches nothing here")],
    ),
    "rewrite rules": (
        [
            (
                "calling: [national, national_trunk, international_prefix]",
                """calling: [national]
      rewrite:
        - {name: first, match: "{caller}#{did}", replace: "{caller}"}
        - {name: second, role: calling, match: "{a}#{b}", replace: "{b}"}
        - {name: same, match: "7{a}", replace: "7{a}"}
        - {name: apart, match: "9{a}#", replace: "9{a}"}""",
            )
        ],
        [
            (
                "rewrite_hidden",
                "trunks.legacy-landline.ingress.rewrite[1]",
                "finds nothing to change: rule first before it makes {caller} of such texts",
            ),
            ("rewrite_nothing", "trunks.legacy-landline.ingress.rewrite[2]", "changes nothing: 7{a} becomes 7{a}"),
        ],
    ),
    "a mobile network without extensions, and a second one": (
        [
            ("called: [service, extension, e164,", "called: [service, e164,"),
            (
                "  legacy-landline: ",
                """  second:
    {kind: mvno, peers: ["sip:127.0.0.1:7060"], accept_from: ["127.0.0.1:7060"],
     ingress: {calling: [e164], called: [extension, e164]}}
  legacy-landline: """,
            ),
        ],
        [
            ("extension_not_read", "trunks.mvno-main.ingress.called", "nobody who calls from here"),
            ("second_mobile_network", "trunks.second.kind", "all of them ring on mvno-main"),
        ],
    ),
    "a trunk without numbers, and one without use": (
        [
            ('    numbers: ["+74957654321"]', ""),
            (', caller_id: "+74957654321"', ""),
            (
                "routes: ",
                """  spare:
    {kind: carrier, peers: ["sip:127.0.0.1:7061"], accept_from: ["127.0.0.1:7061"], numbers: ["+74950000000"]}
routes: """,
            ),
        ],
        [
            ("nobody_shown", "trunks.wholesale.numbers", "calls that leave on it are anonymous"),
            ("trunk_unused", "trunks.spare", "no route and no DID names it"),
            ("number_leads_nowhere", "trunks.spare.numbers[0]", "+74950000000 leads nowhere"),
        ],
    ),
    "no media server": (
        [('media: ["sip:127.0.0.1:5080"]', "media: []")],
        [("media_empty", "media", "no media server")],
    ),
    "no mobile network": (
        [
            (
                "kind: mvno  ",
                "trusted: true\n    kind: carrier  ",
            ),
            (
                "called: [service, extension, e164, national_trunk, international_prefix, local]",
                "called: [e164]",
            ),
        ],
        [
            ("sims_without_network", "trunks", "no trunk is of kind mvno: 3 SIMs cannot ring"),
            ("trunk_unused", "trunks.mvno-main", ""),
        ],
    ),
    "routes": (
        [
            ('  - {prefix: "+", ', '  - {prefix: "+7495", trunks: [wholesale]}\n  - {prefix: "+49", trunks: [wholesale]}\n  - {prefix: "+0", trunks: [wholesale]}\n  - {prefix: "+", ')
        ],
        [
            ("route_repeats", "routes[1].trunks[0]", "wholesale is tried already for +7495"),
            ("route_unreached", "routes[2].prefix", "no tenant may call a number that begins with +49"),
            ("prefix_impossible", "routes[3].prefix", "no number begins with +0"),
        ],
    ),
    "a route below longer ones": (
        [
            (
                '  - {prefix: "+", ',
                '  - {prefix: "+374", trunks: [wholesale]}\n'
                + "".join(f'  - {{prefix: "+374{digit}", trunks: [wholesale]}}\n' for digit in range(10))
                + '  - {prefix: "+", ',
            ),
            ('"+375"]', '"+374"]'),
        ],
        [("route_unreached", "routes[1].prefix", "routes of longer prefixes take all of a number")],
    ),
    "allowed without a route": (
        [('prefix: "+",', 'prefix: "+7812",'), ('"+375"]', '"+375", "+89"]')],
        [
            ("prefix_impossible", "tenants.company.outbound.allow[2]", "no number begins with +89"),
            ("allow_partly_without_route", "tenants.company.outbound.allow[0]", "begins with +70"),
            ("allow_without_route", "tenants.company.outbound.allow[1]", "no route leads out for a number that begins with +375"),
        ],
    ),
    "a caller_id that no route leads to": (
        [('"+7495", trunks: [legacy-landline, wholesale]', '"+7495", trunks: [wholesale]')],
        [("caller_id_not_shown", "tenants.company.caller_id", "no route of company leaves on legacy-landline")],
    ),
    "a caller_id of who may call nobody": (
        [('allow: ["+7", "+375"]', "allow: []")],
        [
            ("route_unreached", "routes[0].prefix", ""),
            ("route_unreached", "routes[1].prefix", "no tenant may call any number"),
            ("caller_id_not_shown", "tenants.company.caller_id", "company may call nothing outside"),
            ("caller_id_not_shown", "tenants.company.subscribers.203.caller_id", ""),
        ],
    ),
    "numbers of another tenant": (
        [
            (
                "tenants:\n",
                """tenants:
  other:
    caller_id: "+74957654321"
    outbound: {allow: ["+7495"]}
    subscribers: {"301": {msisdn: "+79990000301"}}
""",
            )
        ],
        [
            ("caller_id_of_another", "tenants.other.caller_id", "+74957654321 is a number of company"),
            ("shows_another", "tenants.other.caller_id", "calls of other on legacy-landline show its first number"),
        ],
    ),
    "a DID that cannot be read": (
        [("called: [national, national_trunk]", "called: [local]"), ("called_from: To ", 'area_code: "812"\n    called_from: To ')],
        [
            (
                "did_not_read",
                "tenants.company.numbers.+74951234567",
                "no called shape of legacy-landline (local) can be it",
            )
        ],
    ),
    "a DID that is rewritten": (
        [
            (
                "called: [national, national_trunk]",
                """called: [national]
      rewrite:
        - {name: inside, role: called, match: "{any}495{number}", replace: "812{number}"}
        - {name: first, role: called, match: "495{number}", replace: "812{number}"}""",
            )
        ],
        [("did_rewritten", "tenants.company.numbers.+74951234567", "make another number")],
    ),
    "SIMs that are not known when they call": (
        [("calling: [e164_bare, e164]", "calling: [international_prefix]"), ('"+79990000203"', '"+375291234567"')],
        [],
    ),
    "a SIM of another country": (
        [("calling: [e164_bare, e164]", "calling: [national]"), ('"+79990000203"', '"+375291234567"')],
        [
            (
                "caller_not_read",
                "tenants.company.subscribers.203.msisdn",
                "no calling shape of mvno-main can be +375291234567",
            )
        ],
    ),
    "people without a phone": (
        [
            ('msisdn: "+79990000201", crm_user: 7, ring: [mobile]', "ring: [mobile]"),
            ('msisdn: "+79990000202", ', ""),
            ("ring: [mobile, device]", "ring: [mobile]"),
            ('msisdn: "+79990000203"', "ring: []"),
        ],
        [
            ("no_phone", "tenants.company.subscribers.201", "can neither call nor be called"),
            ("cannot_ring", "tenants.company.subscribers.202.ring", "it has a device, and ring names mobile"),
            ("no_phone", "tenants.company.subscribers.203", ""),
            ("no_answer", "tenants.company.numbers.+74957654321.to", "subscriber 203 cannot ring"),
            ("no_answer", "tenants.company.ivrs.main.choices.2", "subscriber 202 cannot ring"),
            ("queue_rings_nobody", "tenants.company.queues.sales.members", "of 201, 202 none can ring"),
        ],
    ),
    "members of a queue": (
        [
            ('members: ["201", "202"]', 'members: ["201", "202", "201"]'),
            ('msisdn: "+79990000202", ', ""),
            ("ring: [mobile, device], device: {password_env: DISPATCHER_SIP_PASSWORD}", "voicemail: true"),
        ],
        [
            ("no_phone", "tenants.company.subscribers.202", ""),
            ("member_cannot_ring", "tenants.company.queues.sales.members[1]", "202 cannot ring"),
            ("member_twice", "tenants.company.queues.sales.members[2]", "201 is there twice"),
        ],
    ),
    "a suspended SIM": (
        [("crm_user: 8,", "suspended: true,"), ('members: ["201", "202"]', 'members: ["202"]')],
        [
            ("no_answer", "tenants.company.ivrs.main.choices.2", "subscriber 202 is suspended and has no"),
            ("queue_rings_nobody", "tenants.company.queues.sales.members", "of 202 none can ring"),
        ],
    ),
    "a suspended member": (
        [("crm_user: 7,", "suspended: true,")],
        [("member_cannot_ring", "tenants.company.queues.sales.members[0]", "201 is suspended")],
    ),
    "no voicemail": (
        [(", voicemail: true", "")],
        [
            ("no_voicemail", "tenants.company.queues.sales.overflow", "subscriber 201 has no voicemail"),
            ("no_voicemail", "tenants.company.schedules.office.closed_to", ""),
        ],
    ),
    "extensions that hide": (
        [('"203": {', '"122": {'), ("subscriber:203", "subscriber:122")],
        [("extension_hides", "tenants.company.subscribers.122", "a public service of RU")],
    ),
    "an extension that is a local number": (
        [
            ('    area_code: "495" ', '    area_code: "4951" '),
            ('"203": {', '"234567": {'),
            ("subscriber:203", "subscriber:234567"),
        ],
        [("extension_hides", "tenants.company.subscribers.234567", "hides +74951234567 (local)")],
    ),
    "an extension behind local": (
        [
            ('    area_code: "495" ', '    area_code: "4951" '),
            ("called: [service, extension, e164, national_trunk, international_prefix, local]", "called: [local, extension, e164]"),
            ('"203": {', '"234567": {'),
            ("subscriber:203", "subscriber:234567"),
        ],
        [("extension_hidden", "tenants.company.subscribers.234567", "it is taken for +74951234567 (local)")],
    ),
    "a schedule without hours": (
        [('open: ["Mon-Fri 09:00-18:00"]', "open: []"), (', closed_to: "voicemail:201"', "")],
        [
            ("never_opens", "tenants.company.schedules.office.open", "it has no hours"),
            ("closed_to_nobody", "tenants.company.ivrs.main.schedule", "while office is closed"),
        ],
    ),
    "a schedule with empty hours": (
        [('open: ["Mon-Fri 09:00-18:00"]', 'open: ["Mon 09:00-09:00", "Tue 10:00-11:00"]')],
        [("hours_empty", "tenants.company.schedules.office.open[0]", "opens for no time")],
    ),
    "a schedule with empty hours alone": (
        [('open: ["Mon-Fri 09:00-18:00"]', 'open: ["Mon 09:00-09:00"]')],
        [("never_opens", "tenants.company.schedules.office.open", "each of its hours ends when it begins")],
    ),
    "a menu that leads nowhere": (
        [
            ("direct_dial: true ", "direct_dial: false "),
            ('choices: {"1": "queue:sales", "2": "subscriber:202"}', "choices: {}"),
            ('        timeout: {seconds: 5, to: "queue:sales"}\n', ""),
        ],
        [
            ("dead_end", "tenants.company.ivrs.main", "leads nowhere"),
            ("unused", "tenants.company.queues.sales", "no number of company leads to it"),
        ],
    ),
    "loops": (
        [
            ('overflow: "voicemail:201"', 'overflow: "ivr:main"'),
            ('closed_to: "voicemail:201"', 'closed_to: "ivr:main"'),
        ],
        [
            ("loop", "tenants.company.schedules.office.closed_to", "leads round at once: ivr:main → ivr:main"),
            (
                "loop_waiting",
                "tenants.company.queues.sales.overflow",
                "leads round for ever while nobody answers or chooses: ivr:main → queue:sales → ivr:main",
            ),
        ],
    ),
    "what no number leads to": (
        [('to: "ivr:main", crm_routing: responsible', 'to: "subscriber:201"')],
        [
            ("unused", "tenants.company.ivrs.main", ""),
            ("unused", "tenants.company.queues.sales", ""),
            ("unused", "tenants.company.schedules.office", ""),
        ],
    ),
    "no CRM to ask": (
        [("      crm: {kind", "      # crm: {kind")],
        [("crm_missing", "tenants.company.numbers.+74951234567.crm_routing", "company has no CRM")],
    ),
    "recorded without a word": (
        [("announce: [inbound, outbound] ", "announce: [] ")],
        [
            ("recorded_untold", "tenants.company.recording.announce", "inbound calls are recorded"),
            ("recorded_untold", "tenants.company.recording.announce", "outbound calls are recorded"),
        ],
    ),
    "announced without a record": (
        [("policy: all ", "policy: outbound ")],
        [("announce_never", "tenants.company.recording.announce[0]", "inbound calls are not recorded")],
    ),
}  # fmt: skip


def broken(changes: list[tuple[str, str]]) -> Document:
    text = GOOD
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return parse(text, "f.yaml")


@pytest.mark.parametrize("file", ["examples/company.yaml", "demo/demo.yaml"])
def test_nothing_is_found_in(file):
    assert audit(load(CHECKOUT / file)) == []


@pytest.mark.parametrize("case", CASES)
def test_what_is_found(case):
    changes, wanted = CASES[case]
    found = audit(broken(changes))
    assert [(each.rule, spell(each.path)) for each in found] == [(rule, path) for rule, path, _ in wanted]
    for each, (_, _, text) in zip(found, wanted, strict=True):
        assert text in each.text
        assert each.do
        assert each.severity == RULES[each.rule].severity


FOUND_ELSEWHERE = {"refused", "emergency_without_trunk", "shape_hidden"}


def test_every_rule_has_a_case():
    assert {rule for _, wanted in CASES.values() for rule, _, _ in wanted} == RULES.keys() - FOUND_ELSEWHERE


def test_a_directory_that_apply_would_refuse():
    document = load(CHECKOUT / "examples" / "company.yaml")
    company = msgspec.structs.replace(document.tenants["company"], caller_id="+74990000000")
    found = audit(msgspec.structs.replace(document, tenants={"company": company}))
    assert [(each.rule, spell(each.path)) for each in found] == [("refused", "tenants.company.caller_id")]
    assert found[0].do.startswith("add it to numbers")


def test_people_without_any_trunk():
    (first, second) = audit(parse('tenants: {t: {subscribers: {"201": {msisdn: "+79990000201"}}}}', "f"))
    assert (first.rule, second.rule) == ("emergency_without_trunk", "media_empty")


def test_a_shape_that_is_hidden_whole():
    # A plan whose international prefix is its trunk prefix and more: 8 7 and ten digits.
    plan = plan_of("RU", "87", ("8",))
    (found,) = _analysed(("international_prefix", "national_trunk"), plan, None)
    assert found.rule in {"shape_superfluous", "shape_hidden"}
    plan = plan_of("KZ", "0", ("01",))
    assert _analysed(("national_trunk", "international_prefix"), plan, None) == ()
    plan = msgspec.structs.replace(
        plan_of("RU"), nsn=(msgspec.structs.replace(plan_of("RU").nsn[0], begin=("49",)),)
    )
    (found,) = _analysed(("e164_bare", "national"), plan, None)
    assert found.rule == "shape_hidden"
    assert found.text.startswith("national never matches: e164_bare before it takes all of it: 49")


SHAPES = [
    "e164",
    "e164_bare",
    "national_trunk",
    "national",
    "local",
    "international_prefix",
    "international_00",
]


@settings(deadline=None)
@given(
    listed=st.lists(st.sampled_from(SHAPES), min_size=2, max_size=4, unique=True).map(tuple),
    plan=st.sampled_from([*PLANS.values(), plan_of("RU", "0", ("00",))]),
    area=st.sampled_from([None, "495", "8", "17"]),
    texts=st.lists(st.text("0123456789", min_size=5, max_size=15), max_size=20),
)
def test_examples_change_their_meaning_and_hidden_shapes_are_never_read(listed, plan, area, texts):
    whole = reader(listed, plan, area)
    for found in _analysed(listed, plan, area):
        later = listed[found.later]
        alone = reader((later,), plan, area)
        for text in found.examples:
            assert alone.read(text, "called").shape == later
            assert whole.read(text, "called").shape in listed[: found.later]
            if found.rule != "shape_superfluous":
                assert whole.read(text, "called").value != alone.read(text, "called").value
        if found.rule != "shape_ambiguous":
            assert all(whole.read(text, "called").shape != later for text in texts)


prefixes = st.text("01", max_size=3).map(lambda text: f"+7{text}")


@given(
    routes=st.lists(prefixes, max_size=8),
    allow=st.lists(prefixes, max_size=3).map(tuple),
    numbers=st.lists(st.text("01", min_size=10, max_size=10).map(lambda text: f"+7{text}"), max_size=30),
)
def test_routes_and_what_may_be_called_as_calls_are_routed(routes, allow, numbers):
    tenant = Tenant(outbound=msgspec.convert({"allow": allow}, Tenant.__annotations__["outbound"]))
    document = Document(
        trunks=msgspec.convert(
            {
                f"t{index}": {"kind": "carrier", "peers": ["sip:192.0.2.1"], "accept_from": ["192.0.2.1"]}
                for index in range(len(routes))
            },
            Document.__annotations__["trunks"],
        ),
        routes=tuple(Route(prefix, (f"t{index}",)) for index, prefix in enumerate(routes)),
        tenants={"one": tenant},
    )
    found = {(each.rule, spell(each.path)) for each in audit(document)}
    directory = values.directory(document)
    (routed,) = values.tenants(document)
    for number in filter(lambda number: allowed(number, routed), numbers):
        assert is_e164(number[1:])
        taken = {trunk.name for trunk in route_trunks(directory, number)}
        for name in taken:
            assert ("route_unreached", f"routes[{name[1:]}].prefix") not in found
        for index, prefix in enumerate(allow):
            at = f"tenants.one.outbound.allow[{index}]"
            if number.startswith(prefix):
                assert ("allow_without_route", at) not in found or not taken
                if not taken:
                    assert ("allow_without_route", at) in found or ("allow_partly_without_route", at) in found


def test_a_did_that_is_not_read_is_refused_however_it_is_written():
    changes, _ = CASES["a DID that cannot be read"]
    directory = values.directory(broken(changes))
    for called in ("+74951234567", "74951234567", "84951234567", "4951234567", "1234567", "81074951234567"):
        (leg, *_) = explain(call_from("legacy-landline", "9161234567", called), directory, "127.0.0.1:5060")[
            "legs"
        ]
        assert (leg["action"], leg["tenant"]) == ("reject", None)
