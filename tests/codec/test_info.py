"""Facts about files."""

import pytest

import dlf_jax
from dlf_jax.codec.container import Header, pack
from dlf_jax.codec.info import FileInfo
from dlf_jax.errors import UserError


def test_facts():
    data = pack(Header(b"\x00\x01\x02", 5, 10, 20), bytes(50))
    found = dlf_jax.info(data)
    assert found == FileInfo(10, 20, 5, "000102", "range", 62, 50)
    assert found.bpp == 8 * 62 / 200


def test_damage():
    with pytest.raises(UserError, match="not a DLF file"):
        dlf_jax.info(b"text")
