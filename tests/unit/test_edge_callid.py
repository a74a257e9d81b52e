"""Ids of calls and legs: UUID version 7."""

import os
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kemi.edge import callid


def test_is_a_uuid_of_version_7_with_the_time_of_now():
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(callid.new())
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= after


def test_all_differ_and_sort_by_time(monkeypatch):
    made = []
    for millisecond in range(1_790_000_000_000, 1_790_000_002_000):
        monkeypatch.setattr(time, "time_ns", lambda now=millisecond: now * 1_000_000)
        made.append(callid.new())
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_the_same_millisecond_is_not_the_same_id(monkeypatch):
    monkeypatch.setattr(time, "time_ns", lambda: 1_790_000_000_000_000_000)
    assert len({callid.new() for _ in range(10_000)}) == 10_000


@given(st.binary(min_size=10, max_size=10), st.integers(0, 2**48 - 1))
def test_every_id_is_valid(random, millisecond):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "urandom", lambda _: random)
        patch.setattr(time, "time_ns", lambda: millisecond * 1_000_000)
        made = callid.new()
    assert callid.valid(made)
    assert str(uuid.UUID(made)) == made
    assert uuid.UUID(made).int >> 80 == millisecond


@given(st.text())
def test_other_text_is_not_valid(text):
    assert not callid.valid(text)


@pytest.mark.parametrize(
    "text",
    [
        "01938f6e-0000-4000-8000-000000000001",
        "01938f6e-0000-7000-c000-000000000001",
        "01938F6E-0000-7000-8000-000000000001",
        "01938f6e-0000-7000-8000-000000000001\n",
        " 01938f6e-0000-7000-8000-000000000001",
        "01938f6e000070008000000000000001",
        "01938f6e-0000-7000-8000-00000000000\u0661",
    ],
)
def test_almost_an_id(text):
    assert not callid.valid(text)
