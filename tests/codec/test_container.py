"""Files survive packing; every damage is refused in one line."""

import binascii
import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlf_jax.codec.container import Header, ParsedFile, pack, parse
from dlf_jax.entropy_coding.rates import in_steps
from dlf_jax.errors import UserError

HEADER = Header(b"\x01\x02\x03", 2, 768, 512)


@given(
    st.binary(min_size=3, max_size=3),
    st.integers(0, 9000).map(in_steps),
    st.integers(1, 10_000),
    st.integers(1, 10_000),
    st.binary(max_size=50),
)
def test_any_file_round_trips(model_id, rate, width, height, payload):
    header = Header(model_id, rate, width, height)
    data = pack(header, payload)
    assert parse(data) == ParsedFile(header, payload, len(data), intact=True)


def test_literal_file():
    head = b"DLF\x01" + b"\x01\x02\x03" + b"\x02" + b"\x80\x06" + b"\x80\x04"
    checksum = binascii.crc_hqx(head + b"payload", 0).to_bytes(2, "big")
    assert pack(HEADER, b"payload") == head + checksum + b"payload"
    assert len(head + checksum) == 14


def test_literal_file_between_two_rate_points():
    header = dataclasses.replace(HEADER, rate=1.40625)
    head = b"DLF\x02" + b"\x01\x02\x03" + b"\x2d" + b"\x80\x06" + b"\x80\x04"
    checksum = binascii.crc_hqx(head + b"payload", 0).to_bytes(2, "big")
    assert pack(header, b"payload") == head + checksum + b"payload"


def test_every_truncation_is_refused():
    data = pack(HEADER, b"some payload")
    for length in range(len(data)):
        with pytest.raises(UserError) as caught:
            parse(data[:length])
        want = "empty" if length == 0 else "truncated or damaged"
        assert want in str(caught.value)


def test_every_change_of_a_byte_is_refused():
    data = pack(HEADER, b"some payload")
    for place in range(len(data)):
        for value in set(range(256)) - {data[place]}:
            broken = bytearray(data)
            broken[place] = value
            with pytest.raises(UserError):
                parse(bytes(broken))


@settings(max_examples=300)
@given(st.binary(max_size=30))
def test_arbitrary_bytes_are_refused_or_parsed(data):
    for prefix in (b"", b"DLF\x01", b"DLF\x02"):
        try:
            parse(prefix + data)
        except UserError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n", "not a DLF file"),
        (b"DLX" + bytes(20), "not a DLF file"),
        (b"DLF\x03" + bytes(20), "newer version"),
        (b"DLF\x21" + bytes(20), "newer version"),
        (pack(Header(b"abc", 0, 0, 5), b""), "0 x 5 pixels"),
        (b"DLF\x01abc" + b"\xff" * 20, "damaged"),
    ],
)
def test_error_messages(data, message):
    with pytest.raises(UserError, match=message):
        parse(data)


def test_damage_of_the_payload_can_be_accepted():
    data = pack(Header(b"abc", 1, 20, 30), b"payload")
    found = parse(data[:-3], damaged=True)
    assert (found.header, found.payload) == (Header(b"abc", 1, 20, 30), b"payl")
    assert found.num_bytes == len(data) - 3 and not found.intact
    assert parse(data, damaged=True).intact
    with pytest.raises(UserError, match="damaged"):
        parse(data[:5], damaged=True)
