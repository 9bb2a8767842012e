"""Images survive the whole line; both sides agree exactly; damage is a UserError."""

import dataclasses
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dlf_jax.checkpoints.store import load_model
from dlf_jax.codec.codec import Codec
from dlf_jax.codec.container import Header, pack, parse
from dlf_jax.codec.goal import Goal
from dlf_jax.entropy_coding.coders import CODERS, Coder
from dlf_jax.entropy_coding.token_tables import min_bits
from dlf_jax.errors import UserError
from dlf_jax.limits import DEFAULT_LIMITS, Limits
from tests.codec.tiny import TINY, make_model, random_image

SMALL = random_image(10, 15)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (129, 127), (256, 256)])
def test_decoder_finds_what_the_encoder_wrote(tiny_codec, size):
    image = random_image(*size)
    for rate in (0, 1, 0.40625):
        data, code = tiny_codec.encode(image, rate)
        header, found = tiny_codec.decode(data)
        assert (header.rate, header.height, header.width) == (rate, *size)
        np.testing.assert_array_equal(found.tokens, code.tokens)
        np.testing.assert_array_equal(found.symbols, code.symbols)
        np.testing.assert_array_equal(found.y_hat, code.y_hat)
        assert np.abs(code.symbols).max() > 0


@pytest.mark.parametrize("size", [(1, 1), (10, 15), (129, 127)])
def test_images_keep_their_size(tiny_codec, size):
    image = random_image(*size)
    recon = tiny_codec.decompress(tiny_codec.compress(image))
    assert recon.shape == image.shape
    assert recon.dtype == np.uint8


def test_pictures_follow_their_symbols(tiny_codec):
    data = [tiny_codec.compress(random_image(16, 16, seed)) for seed in range(2)]
    first, second = tiny_codec.decompress(data)
    assert (first != second).any()
    np.testing.assert_array_equal(first, tiny_codec.decompress(data[0]))


def test_a_list_gives_the_same_bytes_as_its_images(tiny_codec):
    images = [SMALL, random_image(10, 15, 1), random_image(1, 1)]
    files = tiny_codec.compress(images, 1)
    assert files == [tiny_codec.compress(image, 1) for image in images]
    assert [recon.shape for recon in tiny_codec.decompress(files)] == [
        image.shape for image in images
    ]


def test_rate_points_have_the_files_of_before(tiny_codec):
    """Also if the rate is not an int; between them, files and pictures change."""
    for rate in (1.0, 0.99):
        assert tiny_codec.compress(SMALL, rate) == tiny_codec.compress(SMALL, 1)
    between = tiny_codec.compress(SMALL, 0.5)
    assert parse(between).header.rate == 0.5
    ends = [tiny_codec.decompress(tiny_codec.compress(SMALL, rate)) for rate in (0, 1)]
    assert all((tiny_codec.decompress(between) != end).any() for end in ends)


def test_a_file_takes_at_most_the_bytes_that_are_asked_for(tiny_codec):
    image = random_image(60, 90)
    sizes = [len(tiny_codec.compress(image, rate)) for rate in (0, 1)]
    for num_bytes in range(sizes[0], sizes[1], 31):
        data = tiny_codec.compress(image, target_bytes=num_bytes)
        assert num_bytes - 40 <= len(data) <= num_bytes
        assert data == tiny_codec.compress(image, parse(data).header.rate)
    bpp = 8 * (sizes[0] + 30) / image[..., 0].size
    assert len(tiny_codec.compress(image, target_bpp=bpp)) <= sizes[0] + 30
    with pytest.raises(UserError, match=f"takes {sizes[0]} bytes at the lowest rate"):
        tiny_codec.compress(image, target_bytes=20)
    with pytest.raises(UserError, match="rate and target_bytes exclude each other"):
        tiny_codec.compress(image, 1, target_bytes=1000)


def test_raw_payloads_are_files_without_their_header(tiny_codec):
    data = tiny_codec.compress(SMALL, 0.5)
    payload = tiny_codec.compress(SMALL, 0.5, raw=True)
    assert data.endswith(payload) and len(data) - len(payload) == 12
    wanted = tiny_codec.decompress(data)
    found = tiny_codec.decompress_raw(payload, (15, 10), 0.5)
    np.testing.assert_array_equal(found, wanted)
    num_bytes = len(data) - 5
    fitting = tiny_codec.reach(SMALL, Goal(target_bytes=num_bytes), raw=True)
    assert fitting.rate > 0.5 or len(fitting.data) == len(payload)
    assert len(fitting.data) <= num_bytes
    for size in ((0, 10), (-15, -10)):
        with pytest.raises(UserError, match=r"the size is .*: use \(width, height\)"):
            tiny_codec.decompress_raw(payload, size, 0.5)
    with pytest.raises(UserError, match="too short for its image"):
        tiny_codec.decompress_raw(b"", (15, 10), 0.5)


def test_padding_is_not_seen_by_the_encoder_as_content(tiny_codec):
    """An image and the same one extended by its own edge have the same symbols."""
    extended = np.pad(SMALL, ((0, 6), (0, 1), (0, 0)), mode="edge")
    _, code = tiny_codec.encode(SMALL, 0)
    _, wanted = tiny_codec.encode(extended, 0)
    np.testing.assert_array_equal(code.tokens, wanted.tokens)
    np.testing.assert_array_equal(code.symbols, wanted.symbols)


def test_another_process_decodes_the_same(tiny_codec, tiny_model, tmp_path):
    data, code = tiny_codec.encode(SMALL, 1)
    (tmp_path / "file").write_bytes(data)
    program = (
        "import sys; from pathlib import Path; import numpy as np;"
        "from dlf_jax.checkpoints.store import load_model;"
        "from dlf_jax.codec.codec import Codec;"
        "codec = Codec(load_model(sys.argv[1])); data = Path(sys.argv[2]).read_bytes();"
        "np.savez(sys.argv[3], symbols=codec.decode(data)[1].symbols,"
        "         image=codec.decompress(data))"
    )
    arguments = [tiny_model, tmp_path / "file", tmp_path / "out.npz"]
    subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True)
    found = np.load(tmp_path / "out.npz")
    np.testing.assert_array_equal(found["symbols"], code.symbols)
    np.testing.assert_array_equal(found["image"], tiny_codec.decompress(data))


def test_every_truncation_and_change_is_refused(tiny_codec):
    data = tiny_codec.compress(random_image(1, 1))
    for length in range(len(data)):
        with pytest.raises(UserError):
            tiny_codec.decode(data[:length])
    for place in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            broken = bytearray(data)
            broken[place] ^= flip
            with pytest.raises(UserError):
                tiny_codec.decode(bytes(broken))


def test_any_payload_behind_a_valid_checksum_decodes_or_is_refused(tiny_codec):
    file = parse(tiny_codec.compress(SMALL))
    header, payload = file.header, file.payload
    rng = np.random.default_rng(0)
    refused = 0
    for trial in range(100):
        broken = np.frombuffer(payload, np.uint8).copy()
        broken[rng.integers(len(broken), size=1 + trial % 4)] = rng.integers(256)
        data = pack(header, broken[: rng.integers(1, len(broken) + 1)].tobytes())
        try:
            _, code = tiny_codec.decode(data)
            assert np.isfinite(code.y_hat).all()
        except UserError as error:
            assert "\n" not in str(error)
            refused += 1
    assert 0 < refused < 100


def test_short_files_cannot_claim_large_images(tiny_codec):
    data = pack(Header(tiny_codec.model_id, 0, 9_984, 9_984), bytes(1000))
    with pytest.raises(UserError, match="too short"):
        tiny_codec.decompress(data)
    data = pack(Header(tiny_codec.model_id, 0, DEFAULT_LIMITS.pixels, 1), bytes(1000))
    with pytest.raises(UserError, match="limit"):
        tiny_codec.decompress(data)


def test_damaged_files_are_salvaged(tiny_codec):
    image = random_image(60, 90)
    data = tiny_codec.compress(image)
    whole = tiny_codec.decompress(data)
    found, share = tiny_codec.salvage(parse(data))
    assert share == 1.0
    np.testing.assert_array_equal(found, whole)
    errors, shares = [], []
    for kept in (len(data) // 4, len(data) // 2, len(data) - 1):
        found, share = tiny_codec.salvage(parse(data[:kept], damaged=True))
        assert found.shape == image.shape
        errors.append(np.abs(found.astype(int) - whole).mean())
        shares.append(share)
    assert 0 < shares[0] < shares[1] < shares[2] <= 1
    assert errors[0] > errors[2]
    changed = bytearray(data)
    changed[-20] ^= 1
    with pytest.raises(UserError, match="damaged"):
        tiny_codec.decompress(bytes(changed))
    file = parse(bytes(changed), damaged=True)
    assert tiny_codec.salvage(file)[0].shape == image.shape
    with pytest.raises(UserError, match="written with model"):
        tiny_codec.salvage(parse(data[:4] + b"abc" + data[7:], damaged=True))


def test_limits_are_checked_before_the_work(tiny_model):
    model = load_model(tiny_model)
    data = Codec(model).compress(SMALL)
    narrow = Codec(model, Limits(pixels=255))
    for work in (lambda: narrow.compress(SMALL), lambda: narrow.decompress(data)):
        with pytest.raises(UserError, match="15 x 10 pixels; the limit is 255"):
            work()
    assert Codec(model, Limits(pixels=256)).decompress(data).shape == SMALL.shape
    poor = Codec(model, Limits(memory=10_000))
    for work in (lambda: poor.compress(SMALL), lambda: poor.decompress(data)):
        with pytest.raises(UserError, match="GiB of memory for this image"):
            work()


def test_payloads_are_at_least_what_tokens_take(tiny_codec):
    for size, tiles in (((1, 1), 1), ((33, 40), 9)):
        payload = parse(tiny_codec.compress(random_image(*size))).payload
        bits = min_bits(tiny_codec.model.tokens, TINY.num_tokens)
        assert bits > 2 * TINY.num_tokens
        assert len(payload) >= tiles * bits // 8


def test_trained_token_probabilities_make_files_smaller(tiny_codec, tiny_model):
    """All tokens as the likeliest of their positions, then as the least likely."""
    rows = tiny_codec.model.tokens
    assert len(rows) == TINY.num_tokens
    sizes = []
    for pick in (np.argmax, np.argmin):
        tokens = np.tile([pick(row.frequencies) for row in rows], 200)
        encoder = CODERS[0].encoder(rows)
        encoder.encode(tokens, np.tile(np.arange(len(rows)), 200))
        sizes.append(len(encoder.finish()))
    assert sizes[0] < len(tokens) * 5.65 / 8 < sizes[1]


def test_the_entropy_coder_is_named_in_the_file(tiny_codec, monkeypatch):
    data = tiny_codec.compress(SMALL)
    assert parse(data).header.coder == 0
    with pytest.raises(UserError, match="unknown entropy coder 'huffman': use one of"):
        tiny_codec.compress(SMALL, coder="huffman")
    missing = Coder("tfc", "missing", "some-library")
    monkeypatch.setitem(CODERS, 1, missing)
    file = parse(data)
    foreign = pack(dataclasses.replace(file.header, coder=1), file.payload)
    for work in (
        lambda: tiny_codec.compress(SMALL, coder="tfc"),
        lambda: tiny_codec.decompress(foreign),
    ):
        with pytest.raises(UserError, match="'tfc' needs some-library"):
            work()


def test_threads_give_the_same_files_and_images(tiny_model):
    images = [random_image(*size, seed) for seed in range(4) for size in [(10, 15)] * 2]
    alone = Codec(load_model(tiny_model))
    files = [alone.compress(image, 1) for image in images]
    recons = [alone.decompress(data) for data in files]
    codec = Codec(load_model(tiny_model))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda image: codec.compress(image, 1), images)) == files
        found = list(pool.map(codec.decompress, files))
    np.testing.assert_array_equal(found, recons)


def test_files_of_other_models_and_rates_are_refused(tiny_codec, tmp_path):
    data = tiny_codec.compress(SMALL)
    make_model(tmp_path, seed=1, name="other")
    other = Codec(load_model(tmp_path))
    assert other.model_id != tiny_codec.model_id
    with pytest.raises(UserError, match="written with model .* not with other"):
        other.decompress(data)
    file = parse(data)
    header = file.header
    for rate in (2, 200, 1.03125):
        wrong = Header(header.model_id, rate, header.width, header.height)
        with pytest.raises(UserError, match=f"no rate {rate}"):
            tiny_codec.decompress(pack(wrong, file.payload))


def test_arrays_that_are_no_images_are_refused(tiny_codec):
    wrong = SMALL[..., 0], np.zeros((2, 2, 3)), np.zeros((2, 2, 4), np.uint8)
    for array in wrong:
        with pytest.raises(UserError, match="uint8 arrays"):
            tiny_codec.compress(array)
    with pytest.raises(UserError, match="0 x 0 pixels"):
        tiny_codec.compress(np.zeros((0, 0, 3), np.uint8))
    for rate in (-1, 2):
        with pytest.raises(UserError, match="there is no rate .*: use one from 0 to 1"):
            tiny_codec.compress(SMALL, rate)


_MISUSE = """
import sys
import dlf_jax, numpy as np
from PIL import Image
image = np.zeros((2, 3, 3), np.uint8)
def refused(function, *arguments):
    try:
        function(*arguments, sys.argv[1])
    except dlf_jax.errors.UserError:
        return
    raise AssertionError((function, arguments))
for wrong in (Image.fromarray(image), None, [1], (image,)):
    refused(dlf_jax.compress, wrong, None)
for rate in (1.5, "1", np.array([1]), True, float("nan")):
    refused(dlf_jax.compress, image, rate)
for wrong in (image, "file", None):
    refused(dlf_jax.decompress, wrong)
data = dlf_jax.compress(image, np.int64(1), sys.argv[1])
recon = dlf_jax.decompress(memoryview(data), sys.argv[1])
assert np.array_equal(recon, dlf_jax.decompress(data, sys.argv[1]))
"""


def test_wrong_types_are_refused(tiny_model):
    """In a process of its own, where types are not checked as they are in tests."""
    command = [sys.executable, "-c", _MISUSE, str(tiny_model)]
    subprocess.run(command, check=True)
