"""INVITEs out of captures: every link layer, both formats, fragments, streams; whatever bytes they are."""

import random
import struct
from datetime import UTC, datetime
from io import BufferedReader, BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import (
    AT,
    ETHERNET,
    LOOP,
    NULL,
    RAW,
    SLL,
    SLL2,
    SYN,
    TCP,
    block,
    enhanced,
    in_link,
    interface,
    invite,
    ipv4,
    ipv6,
    ipv6_fragment,
    pcap,
    section,
    tagged,
    tcp,
    udp,
)

from kemi.replay.packets import Fragments, Part, packet_of
from kemi.replay.reading import UnknownFileError, invites
from kemi.replay.streams import LONGEST_GAP, Segment, Streams

INVITE = invite()
RTP = b"\x80\x08" + bytes(170)


def read(data: bytes):
    """The INVITEs of a file, and the remarks on it."""
    notes: list[str] = []
    return list(invites(BufferedReader(BytesIO(data)), notes.append)), notes


def ethernet(*packets: bytes) -> bytes:
    return pcap(*(in_link(ETHERNET, packet) for packet in packets))


@pytest.mark.parametrize("link", [ETHERNET, NULL, RAW, LOOP, SLL, SLL2])
@pytest.mark.parametrize("packet", [ipv4(udp(INVITE)), ipv6(udp(INVITE))], ids=["v4", "v6"])
def test_link_layers(link, packet):
    (found,), notes = read(pcap(in_link(link, ipv4(udp(RTP))), in_link(link, packet), link=link))
    assert notes == []
    host = "198.51.100.7" if packet[0] >> 4 == 4 else "2001:db8::7"
    assert (found.where, found.place, found.source, found.data) == ("packet", 2, (host, 5060), INVITE)
    assert found.cut is None


def test_vlan_tags():
    assert len(read(pcap(tagged(ipv4(udp(INVITE)))))[0]) == 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
def test_pcap_of_either_order_and_unit(order, magic):
    (found,), _ = read(pcap(in_link(ETHERNET, ipv4(udp(INVITE))), order=order, magic=magic))
    assert found.at == datetime.fromtimestamp(AT / 1e9, UTC)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_with_two_interfaces_and_two_sections(order):
    one, other = in_link(ETHERNET, ipv4(udp(INVITE))), in_link(SLL, ipv4(udp(INVITE)))
    data = (
        section(order)
        + interface(ETHERNET, order)
        + interface(SLL, order, resolution=9)
        + block(5, bytes(12), order)
        + enhanced(one, 0, order=order)
        + enhanced(other, 1, AT, order=order)
        + enhanced(one, 7, order=order)
        + section("<")
        + interface(ETHERNET)
        + block(3, struct.pack("<I", len(one)) + one)
        + block(
            2,
            struct.pack("<HHIIII", 0, 0, AT // 1000 >> 32, AT // 1000 & 0xFFFFFFFF, len(one), len(one)) + one,
        )
    )
    found, notes = read(data)
    moment = datetime.fromtimestamp(AT / 1e9, UTC)
    assert [(each.place, each.at) for each in found] == [(1, moment), (2, moment), (4, None), (5, moment)]
    assert notes == []


def test_a_cut_file_is_read_to_its_last_whole_packet():
    whole = ethernet(ipv4(udp(INVITE)), ipv4(udp(INVITE)))
    found, notes = read(whole[:-1])
    assert (len(found), notes) == (1, ["ends in the middle of packet 2"])
    found, notes = read(section() + interface() + enhanced(in_link(ETHERNET, ipv4(udp(INVITE))))[:-9])
    assert (found, notes) == ([], ["ends in the middle of a block, after packet 0"])


def test_a_broken_length_ends_the_file():
    found, notes = read(ethernet(ipv4(udp(INVITE))) + b"\xff" * 32)
    assert (len(found), notes) == (1, ["broken after packet 1: the rest was not read"])


def test_a_link_type_that_is_not_read_is_told():
    assert read(pcap(bytes(60), bytes(60), link=105)) == (
        [],
        ["2 packets are of link type 105, which is not read here"],
    )


def test_a_capture_that_kept_only_the_beginning_of_packets():
    long = invite("X-Long: " + "9" * 400, body="v=0\r\n" * 200)
    frame = in_link(ETHERNET, ipv4(udp(long)))
    (enough,), _ = read(pcap(frame, cut=1000))
    (short,), _ = read(pcap(frame, cut=300))
    assert enough.cut is None
    assert short.cut == "a part of it is not in the capture"
    assert short.data.startswith(b"INVITE")


# -- fragments -------------------------------------------------------------------------------------------

LONG = invite("X-Long: " + "9" * 3000)


def fragments(size: int = 1480, identity: int = 7) -> list[bytes]:
    whole = udp(LONG)
    return [
        ipv4(whole[at : at + size], fragment=at, more=at + size < len(whole), identity=identity)
        for at in range(0, len(whole), size)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_fragments_in_any_order(seed):
    parts = fragments(400)
    random.Random(seed).shuffle(parts)  # noqa: S311  an order, no secret
    found, _ = read(ethernet(parts[0], *parts))
    assert [each.data for each in found] == [LONG]


def test_fragments_of_two_datagrams_and_of_ipv6():
    one, other = fragments(identity=1), fragments(identity=2)
    found, _ = read(ethernet(*(part for pair in zip(one, other, strict=True) for part in pair)))
    assert [each.data for each in found] == [LONG, LONG]
    whole = udp(LONG)
    found, _ = read(
        ethernet(ipv6_fragment(whole[1480:], 1480, more=False), ipv6_fragment(whole[:1480], 0, more=True))
    )
    assert [each.data for each in found] == [LONG]


def test_a_lost_fragment_makes_an_unreadable_invite():
    (found,), _ = read(ethernet(*fragments(1480)[:-1]))
    assert found.cut
    assert found.data.startswith(b"INVITE")
    assert read(ethernet(*fragments(1480)[1:]))[0] == []


def test_fragments_are_bounded_in_number_and_age():
    held = Fragments(most=10)
    gone = []
    for identity in range(50):
        part = packet_of(fragments(identity=identity)[0], 0, whole=True)
        assert isinstance(part, Part)
        gone += held.take(part, at=identity)
    assert len(gone) == 40
    gone += held.take(part, at=31_000_000_000)
    assert len(gone) == 50
    assert len(held.rest()) == 1


# -- streams ---------------------------------------------------------------------------------------------

OTHER = b"OPTIONS sip:edge SIP/2.0\r\nVia: SIP/2.0/TCP a\r\nContent-Length: 0\r\n\r\n"
BODIED = invite(call_id="bodied", body="v=0\r\n\r\nINVITE sip:not@one SIP/2.0\r\n" * 30)
STREAM = INVITE + OTHER + b"\r\n\r\n" + BODIED + LONG
EXPECTED = [b"a@b", b"bodied", b"a@b"]


def segments(data: bytes = STREAM, size: int = 333, start: int = 2**32 - 700) -> list[bytes]:
    return [ipv4(tcp(data[at : at + size], start + at), TCP) for at in range(0, len(data), size)]


def call_ids(packets) -> list[bytes]:
    found, _ = read(ethernet(*packets))
    return [each.data.split(b"Call-ID: ")[1].split(b"\r")[0] for each in found if not each.cut]


OPENING = ipv4(tcp(b"", 2**32 - 701, flags=SYN), TCP)


@pytest.mark.parametrize("size", [1, 7, 333, 1460, 60000])
@pytest.mark.parametrize(
    "opening", [[], [OPENING], [OPENING, OPENING]], ids=["joined late", "from SYN on", "SYN twice"]
)
def test_messages_of_a_stream(size, opening):
    # No single letter begins a message: of a stream joined so late the first is lost.
    expected = EXPECTED if opening or size > 1 else []
    assert call_ids([*opening, *segments(size=size)]) == expected


@pytest.mark.parametrize("seed", range(8))
def test_segments_out_of_order_and_again(seed):
    chance = random.Random(seed)  # noqa: S311  as above
    sent = segments(size=200)
    sent = sorted((*sent, *chance.sample(sent, 5)), key=lambda each: sent.index(each) + chance.uniform(0, 4))
    assert call_ids([OPENING, *sent]) == EXPECTED


def test_segments_that_overlap():
    start = 2**32 - 700
    packets = [
        ipv4(tcp(STREAM[max(0, at - 50) : at + 200], start + max(0, at - 50)), TCP)
        for at in range(0, len(STREAM), 200)
    ]
    assert call_ids([OPENING, *packets]) == EXPECTED


def test_a_lost_segment_costs_its_message_and_no_other():
    # In segments of a message each, as they are sent.
    messages = [INVITE, BODIED, *([INVITE] * 300)]
    packets, at = [], 100
    for number, message in enumerate(messages):
        if number == 1:
            packets.append(ipv4(tcp(message[:150], at), TCP))
        else:
            packets.append(ipv4(tcp(message, at), TCP))
        at += len(message)
    found, _ = read(ethernet(*packets))
    assert [bool(each.cut) for each in found] == [False, True, *([False] * 300)]


def test_http_and_other_streams_are_not_kept():
    streams = Streams()
    for port in range(3000):
        flow = (b"abcd", port, b"efgh", 80)
        list(streams.take(Segment(flow, 0, True, b"", 1, AT)))
        list(streams.take(Segment(flow, 1, False, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + b"x" * 1000, 1, AT)))
    assert streams._bytes < 1000
    assert list(streams.rest()) == []


def test_streams_are_bounded():
    streams = Streams(most=10, most_bytes=50_000)
    heard = []
    for port in range(100):
        flow = (b"abcd", port, b"efgh", 5060)
        heard += streams.take(Segment(flow, 0, False, INVITE[:-10], port, AT))
        for hole in range(20):
            heard += streams.take(Segment(flow, 5000 + hole * 2000, False, bytes(1000), port, AT))
    assert len(streams._streams) <= 10
    assert streams._bytes <= 50_000
    assert not any(each.whole for each in heard)
    heard += streams.rest()
    assert len(heard) == 100
    assert streams._bytes == 0


def test_a_head_without_an_end_is_given_up():
    streams = Streams()
    flow = (b"abcd", 1, b"efgh", 5060)
    sequence = 0
    for data in (INVITE[:-2], *[b"X-More: " + b"9" * 1390 + b"\r\n"] * 100):
        list(streams.take(Segment(flow, sequence, False, data, 1, AT)))
        sequence += len(data)
    assert streams._bytes < LONGEST_GAP * 2


# -- anything --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "hint"), [(b"", "no SIP"), (b"\x1f\x8b\x08\x00", "gunzip"), (b"\0" * 100, "no SIP")]
)
def test_a_file_that_is_none_of_these(data, hint):
    with pytest.raises(UnknownFileError, match=hint):
        read(data)


def test_a_capture_without_packets():
    assert read(pcap()) == ([], [])
    assert read(pcap()[:10]) == ([], [])
    assert read(section()) == ([], [])


SEEDS = [
    ethernet(ipv4(udp(INVITE)), *fragments(800), OPENING, *segments()),
    pcap(in_link(SLL2, ipv6(udp(INVITE))), tagged(ipv4(udp(LONG))), link=SLL2),
    section()
    + interface()
    + enhanced(in_link(ETHERNET, ipv4(udp(INVITE))))
    + section(">")
    + interface(1, ">"),
    b"198.51.100.7:5060 -> 192.0.2.1:5060\n" + INVITE,
    b"",
]


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=0, max_size=6)), max_size=12),
    st.integers(0, 6000),
)
def test_any_bytes_are_read_or_refused(seed, damages, length):
    data = bytearray(seed)
    for at, piece in damages:
        data[at : at + len(piece)] = piece
    try:
        found, notes = read(bytes(data[: length or None]))
    except UnknownFileError:
        pass
    else:
        assert all(each.place >= 1 for each in found)
        assert all(isinstance(note, str) for note in notes)


@given(st.binary(max_size=400))
def test_any_bytes_behind_a_magic(data):
    for magic in (
        b"\xd4\xc3\xb2\xa1",
        b"\xa1\xb2\x3c\x4d",
        b"\x0a\x0d\x0d\x0a" + bytes([28, 0, 0, 0]) + b"\x4d\x3c\x2b\x1a",
        b"",
    ):
        try:
            read(magic + data)
        except UnknownFileError:
            assert not magic
