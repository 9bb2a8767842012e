"""The example of docs/format.md, decoded by the rules it states and by nothing else."""

import re
from pathlib import Path

import numpy as np

from dlf_jax.codec.container import parse
from dlf_jax.entropy_coding.range_coder import Decoder
from dlf_jax.entropy_coding.tables import load_gaussian_tables
from dlf_jax.entropy_coding.token_tables import token_distributions, uniform_frequencies

DOCUMENT = (Path(__file__).parents[2] / "docs" / "format.md").read_text("utf-8")


def example() -> bytes:
    (line,) = re.findall(r"^    (44 4C 46.*)$", DOCUMENT, re.M)
    return bytes.fromhex(line)


def rows() -> dict[int, tuple[int, list[int]]]:
    """First symbol and frequencies of the rows that the example uses."""
    lines = re.findall(r"^\| (\d+) \| (-\d+) \| ([\d ]+) \|$", DOCUMENT, re.M)
    return {int(r): (int(s), list(map(int, f.split()))) for r, s, f in lines}


def crc16(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1 ^ (0x1021 if value & 0x8000 else 0)) & 0xFFFF
    return value


class Stream:
    def __init__(self, payload: bytes):
        self.payload, self.low, self.range, self.words = payload, 0, 2**64 - 1, 2

    def symbol(self, frequencies: list[int]) -> int:
        """Index of the next symbol, given frequencies out of 2^24."""
        assert sum(frequencies) == 2**24
        place = int.from_bytes(
            self.payload.ljust(4 * self.words, b"\0")[: 4 * self.words]
        )
        unit, index, before = self.range // 2**24, 0, 0
        while place >= self.low + unit * (before + frequencies[index]):
            before += frequencies[index]
            index += 1
        self.low, self.range = self.low + unit * before, unit * frequencies[index]
        if self.range < 2**32:
            self.low, self.range = self.low * 2**32, self.range * 2**32
            self.words += 1
        return index

    def equally_likely(self, size: int) -> int:
        share = 2**24 // size
        return self.symbol([share] * (size - 1) + [2**24 - share * (size - 1)])

    def of_counts(self, counts: list[int]) -> int:
        return self.symbol([256 * count for count in counts])


def test_the_header_reads_as_stated():
    data = example()
    assert data[:4] == b"DLF\x01"
    assert data[4:7].hex() == "e5eeaf" and data[7] == 2
    assert (data[8] & 127) + 128 * data[9] == 300 and data[10] == 5
    assert data[11:13].hex() == "d7b3"
    assert crc16(data[:11] + data[13:]) == 0xD7B3


def test_the_stream_reads_as_stated():
    stream, table = Stream(example()[13:]), rows()
    assert [stream.of_counts([64] * 1024) for _ in range(3)] == [5, 600, 1023]
    found = {}
    for row in sorted(table):
        first, frequencies = table[row]
        entry = stream.of_counts(frequencies)
        escaped = entry == len(frequencies) - 1
        found[row] = None if escaped else first + entry
    assert found == {0: None, 3: -2, 100: 1}
    bits = stream.equally_likely(16)
    assert bits == 6
    value = 2**bits + stream.equally_likely(2**bits)
    assert value == 75 and 2 + (value + 1) // 2 == 40


def test_the_codec_reads_the_same():
    file = parse(example())
    header = file.header
    assert (header.rate, header.width, header.height) == (2, 300, 5)
    tokens = token_distributions(uniform_frequencies(1024))
    decoder = Decoder(file.payload, (*load_gaussian_tables().rows, *tokens))
    assert decoder.decode(np.full(3, 256, np.int32)).tolist() == [5, 600, 1023]
    symbols = decoder.decode(np.array([100, -1, 3, 0], np.int32))
    assert symbols.tolist() == [1, 0, -2, 40]
