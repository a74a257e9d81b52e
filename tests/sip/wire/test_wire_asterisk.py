"""Whole calls with the real media server between them: what each side is sent, in every byte of every packet."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from onwire import (
    ANONYMOUS,
    DIRECTORY,
    LANDLINE,
    MEDIA,
    MVNO,
    SIM,
    WHOLESALE,
    Callee,
    Caller,
    Heard,
    OnWire,
    digits_of,
    named,
    shows,
    sim,
)
from party import HOST

from demo.capture import Capture
from demo.pcap import read_pcap
from demo.provision import provision
from demo.stand import Stand
from kemi import settings

pytestmark = pytest.mark.system

COMPANY, SPARE = "+74951234567", "+74957654321"
HOME = f"<sip:{SIM}@{MVNO[0]}:7050;ob>"


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnWire]:
    directory = tmp_path_factory.mktemp("wire")
    data = directory / "directory.yaml"
    data.write_text(DIRECTORY)
    configured = settings.load(
        {
            "FMC_STATE": str(tmp_path_factory.mktemp("edge")),
            "FMC_LISTEN": HOST,
            "FMC_MEDIA_LISTEN": f"{MEDIA[0]}:{MEDIA[1]}",
        }
    )
    provision(configured, data, pytest.fail)
    # No peer answers the edge's OPTIONS between calls, and none need be thought gone because of that.
    environment = {"FMC_PROBE_SECONDS": "3600"}
    with Stand(configured, environment=environment) as stand, Capture(directory / "wire.pcap") as capture:
        yield OnWire(capture, directory)
        stand.check()


def withheld(called: str) -> Caller:
    """A SIM that says who it is in every place of its INVITE, and asks not to be shown."""
    caller = sim(called, contact=HOME, port=7050, call_id=f"{called}-{SIM[1:]}", origin=SIM[1:])
    sender = f'"{SIM}" <sip:{SIM[1:]}@ims.example;user=phone>'
    return replace(caller, sender=sender, headers=[*caller.headers, "Privacy: id"], later=caller.headers)


def packets(wire: OnWire, host: str, number: str) -> list[bytes]:
    """Whatever was sent to a host, RTP and RTCP too, with digits of the number in it."""
    digits = [one.encode() for one in digits_of(number)]
    sent = [packet.payload for packet in read_pcap(wire.capture.path) if packet.target[0] == host]
    assert sent
    return [payload for payload in sent if any(each in payload for each in digits)]


def ends_there(heard: Heard, ends: str) -> None:
    """The whole call was seen: INVITE, ACK and BYE, from the side that hung up."""
    methods = {one.message.method for one in heard.at(LANDLINE)}
    assert methods >= {"INVITE", "ACK", "BYE"}
    assert len(heard.requests(LANDLINE, "BYE")) == (ends == "caller")


@pytest.mark.parametrize("ends", ["caller", "callee"])
def test_a_withheld_sim_calls_a_landline(wire: OnWire, ends: str) -> None:
    heard = wire.call(withheld("84951112233"), Callee(LANDLINE), ends=ends)
    ends_there(heard, ends)
    invite = heard.request(LANDLINE)
    assert invite.user("") == "84951112233"
    assert invite.header("From").startswith(f"{ANONYMOUS};tag=")
    assert named(invite) == {}
    assert packets(wire, LANDLINE[0], SIM) == packets(wire, LANDLINE[0], COMPANY) == []


def test_a_withheld_sim_calls_a_network_that_honours_it(wire: OnWire) -> None:
    heard = wire.call(withheld("89161112233"), Callee(WHOLESALE))
    invite = heard.request(WHOLESALE)
    assert invite.header("From").startswith(f"{ANONYMOUS};tag=")
    assert named(invite) == {"p-asserted-identity": f"<sip:{SPARE}@{HOST}>", "privacy": "id"}
    assert packets(wire, WHOLESALE[0], SIM) == []
    assert len(packets(wire, WHOLESALE[0], SPARE)) == 1


def test_a_sim_behind_a_did_answers(wire: OnWire) -> None:
    """Its Contact, its assertion and its session description stay on its side."""
    answer = [
        f"P-Asserted-Identity: <sip:{SIM}@ims.example>",
        f"Remote-Party-ID: <sip:{SIM}@ims.example>;party=called",
    ]
    callee = Callee(
        MVNO, early=answer, answer=answer, later=answer, contact=f"<sip:{SIM}@{MVNO[0]}:{MVNO[1]}>"
    )
    caller = Caller(LANDLINE[0], "pbx", "<sip:9167778899@pstn.example>", to=f"<sip:4951234567@{HOST}>")
    heard = wire.call(caller, callee, ends="callee")
    assert heard.request(MVNO).user("") == SIM[1:]
    for reply in heard.replies(heard.caller):
        assert named(reply).items() <= {"p-asserted-identity": f"<sip:84951234567@{HOST}>"}.items()
    assert shows(heard.at(heard.caller), SIM) == packets(wire, LANDLINE[0], SIM) == []
