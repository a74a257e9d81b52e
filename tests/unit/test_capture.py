import struct
from array import array
from pathlib import Path

import pytest

from demo.audio import PCMA, PCMU, tone, tone_seconds
from demo.capture import Wire
from demo.pcap import Packet, read_pcap
from demo.sip import Message

HERE = ("127.0.0.1", 20000)
THERE = ("127.0.0.1", 10000)

INVITE = (
    b"INVITE sip:79990000201@127.0.0.1:6060 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK2\r\n"
    b'f: "Client" <sip:79161234567@127.0.0.1>;tag=1\r\n'
    b"To: <sip:79990000201@127.0.0.1>\r\n"
    b"i: abc\r\n"
    b"CSeq: 7 INVITE\r\n"
    b"P-Asserted-Identity: <tel:+79161234567>\r\n"
    b"Subject: one\r\n two\r\n"
    b"Content-Type: application/sdp\r\n\r\n"
    b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 20000 RTP/AVP 8\r\n"
)
RINGING = b"SIP/2.0 180 Ringing\r\nCall-ID: abc\r\nCSeq: 7 INVITE\r\n\r\n"


def frame(source: tuple[str, int], target: tuple[str, int], payload: bytes, *, protocol: int = 17) -> bytes:
    udp = struct.pack(">HHHH", source[1], target[1], 8 + len(payload), 0) if protocol == 17 else b""
    content = udp + payload
    addresses = b"".join(bytes(map(int, host.split("."))) for host, _ in (source, target))
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(content), 0, 0, 64, protocol, 0) + addresses
    return bytes(12) + b"\x08\x00" + ip + content


def pcap(path: Path, frames: list[bytes], *, order: str = "<", magic: int = 0xA1B2C3D4) -> Path:
    records = [
        struct.pack(f"{order}IIII", 100, n, len(data), len(data)) + data for n, data in enumerate(frames)
    ]
    path.write_bytes(struct.pack(f"{order}IHHIIII", magic, 2, 4, 0, 0, 262144, 1) + b"".join(records))
    return path


def rtp(stamp: int, samples: array[int], *, ssrc: int = 1, kind: int = 8) -> bytes:
    law = PCMU if kind == 0 else PCMA
    return struct.pack(">BBHII", 0x80, kind, 0, stamp % 2**32, ssrc) + law.encode(samples)


def packets(*, stamp: int, at: float, pcm: array[int], ssrc: int = 1, kind: int = 8) -> list[Packet]:
    return [
        Packet(at + n / 8000, 17, THERE, HERE, rtp(stamp + n, pcm[n : n + 160], ssrc=ssrc, kind=kind))
        for n in range(0, len(pcm), 160)
    ]


def test_message_is_read() -> None:
    message = Message.parse(INVITE)
    assert message is not None
    assert (message.method, message.status, message.call_id) == ("INVITE", None, "abc")
    assert len(message.headers["via"]) == 2
    assert (message.user(""), message.user("From")) == ("79990000201", "79161234567")
    assert message.user("P-Asserted-Identity") == "+79161234567"
    assert message.user("Diversion") == ""
    assert message.header("Subject") == "one two"
    assert message.audio == ("127.0.0.1", 20000)


def test_response_is_read() -> None:
    message = Message.parse(RINGING)
    assert message is not None
    assert (message.method, message.status, message.audio) == ("INVITE", 180, None)


@pytest.mark.parametrize("payload", [b"", b"\r\n\r\n", rtp(0, tone(400, 0.02)), b"GET / HTTP/1.1\r\n\r\n"])
def test_what_is_no_message_is_none(payload: bytes) -> None:
    assert Message.parse(payload) is None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B2C3D4, 1e-6), (0xA1B23C4D, 1e-9)])
def test_packets_are_read(tmp_path: Path, order: str, magic: int, unit: float) -> None:
    frames = [frame(THERE, HERE, INVITE), frame(THERE, HERE, b"\x03\x03", protocol=1), bytes(60)]
    first, second = read_pcap(pcap(tmp_path / "a.pcap", frames, order=order, magic=magic))
    assert (first.at, first.source, first.target, first.payload) == (100, THERE, HERE, INVITE)
    assert second == Packet(100 + unit, 1, ("127.0.0.1", 0), ("127.0.0.1", 0), b"\x03\x03")


def test_a_file_still_being_written_reads_to_its_last_whole_packet(tmp_path: Path) -> None:
    path = pcap(tmp_path / "a.pcap", [frame(THERE, HERE, b"one"), frame(THERE, HERE, b"two")])
    path.write_bytes(path.read_bytes()[:-1])
    assert [packet.payload for packet in read_pcap(path)] == [b"one"]
    path.write_bytes(b"")
    assert list(read_pcap(path)) == []


def test_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(b"\x0a\x0d\x0d\x0a" + bytes(100))
    with pytest.raises(ValueError, match="classic pcap"):
        list(read_pcap(tmp_path / "a.pcap"))


def test_messages_are_found_by_who_received_them() -> None:
    edge, peer = ("127.0.0.1", 5060), ("127.0.0.1", 6060)
    wire = Wire([Packet(1, 17, edge, peer, INVITE), Packet(2, 17, peer, edge, RINGING)])
    assert [seen.at for seen in wire.received(peer, "INVITE")] == [1]
    assert [seen.at for seen in wire.received(edge, "INVITE", status=180)] == [2]
    assert list(wire.received(edge, "INVITE")) == []
    assert [seen.at for seen in wire.dialog("abc")] == [1, 2]
    assert (wire.packets_to("127.0.0.1"), wire.packets_to("127.0.66.6")) == (2, 0)


@pytest.mark.parametrize("kind", [0, 8])
def test_audio_is_heard(kind: int) -> None:
    wire = Wire(packets(stamp=2**32 - 4000, at=5.0, pcm=tone(520, 1.0), kind=kind))
    heard = wire.heard(HERE)
    assert len(heard) == 8000
    assert tone_seconds(heard, 520) == pytest.approx(1.0)
    assert len(wire.heard(THERE)) == 0


def test_what_did_not_arrive_is_silence() -> None:
    all_of_it = packets(stamp=0, at=5.0, pcm=tone(520, 3.0))
    heard = Wire(all_of_it[:50] + all_of_it[100:]).heard(HERE)
    assert len(heard) == 24000
    assert tone_seconds(heard, 520) == pytest.approx(2.0)
    assert not any(heard[8000:16000])


def test_a_new_source_goes_on_at_its_time_of_arrival() -> None:
    first = packets(stamp=100, at=5.0, pcm=tone(520, 1.0))
    second = packets(stamp=70000, at=7.0, pcm=tone(1040, 1.0), ssrc=2)
    heard = Wire(first + second).heard(HERE)
    assert len(heard) == 24000
    assert tone_seconds(heard[16000:], 1040) == pytest.approx(1.0)


def test_other_payloads_are_no_audio() -> None:
    dtmf = Packet(5.0, 17, THERE, HERE, rtp(0, tone(520, 0.02), kind=101))
    assert len(Wire([dtmf]).heard(HERE)) == 0
