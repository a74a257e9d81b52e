"""dumpcap itself: needs root and a network of its own."""

import socket
from pathlib import Path

import pytest

from demo.capture import Capture, CaptureError
from demo.pcap import read_pcap

pytestmark = pytest.mark.system


def test_nothing_is_missed_between_enter_and_mark(tmp_path: Path) -> None:
    with (
        Capture(tmp_path / "lo.pcap") as capture,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        target = receiver.getsockname()
        for n in range(500):
            sender.sendto(b"packet %d" % n, target)
        capture.mark()
    seen = [packet.payload for packet in read_pcap(tmp_path / "lo.pcap") if packet.target == target]
    assert seen == [b"packet %d" % n for n in range(500)]


def test_a_capture_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="none0"), Capture(tmp_path / "lo.pcap", interface="none0"):
        pass
