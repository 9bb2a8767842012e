"""Codecs: round trips, complete files, names."""

import importlib
import subprocess
import sys

import numpy as np
import pytest

from dlf_jax.checkpoints.store import load_model
from dlf_jax.errors import UserError
from dlf_jax.evaluation import codecs
from dlf_jax.evaluation.codecs import CodecSpec, open_codec, parse
from dlf_jax.metrics.psnr import psnr
from tests.codec.tiny import make_model
from tests.evaluation.conftest import smooth

_CLASSICAL = ("jpeg", "webp", "avif", "jpeg2000", "jxl", "heif", "vvc", "vvc-qpa")


@pytest.mark.parametrize("name", _CLASSICAL)
def test_files_grow_with_the_setting_and_become_images_again(name):
    codec, image = open_codec(name), smooth(97, 131)
    settings = codec.settings[0], codec.settings[-1]
    files = [codec.compress(image, setting) for setting in settings]
    assert 0 < len(files[0]) < len(files[1]) < image.size
    quality = []
    for data in files:
        recon = codec.decompress(data)
        assert (recon.shape, recon.dtype) == (image.shape, np.uint8)
        quality.append(float(psnr(image[None], recon[None])[0]))
    assert 13 < quality[0] < quality[1]
    assert quality[1] > 27


@pytest.mark.parametrize(
    ("size", "quality"),
    [((1, 1), 40), ((3, 5), 14.5), ((9, 17), 20), ((17, 9), 20), ((2, 64), 17.5)],
)
def test_vvc_takes_small_images(size, quality):
    """A picture that is mirrored, or that is shifted if it is not flat, has less."""
    codec, image = open_codec("vvc"), smooth(*size)
    recon = codec.decompress(codec.compress(image, codec.settings[-1]))
    assert recon.shape == image.shape
    assert float(psnr(image[None], recon[None])[0]) > quality


def test_vvc_quantises_all_of_a_picture_with_the_step_of_its_setting():
    """White noise comes back with about the error of a uniform quantiser.

    An intra picture of a video, which ffmpeg makes by default, has a step that is
    smaller by the square root of 2.
    """
    noise = np.random.default_rng(0).normal(128, 40, (64, 64, 1)).clip(0, 255)
    image = np.rint(noise).astype(np.uint8).repeat(3, -1)
    codec = open_codec("vvc")
    recon = codec.decompress(codec.compress(image, "36"))
    step = 2 ** ((36 - 4) / 6)
    error = np.square(image.astype(float) - recon).mean()
    assert 1 / 12 < error / step**2 < 1 / 6


@pytest.mark.parametrize("name", ["vvc", "vvc-qpa"])
def test_headers_of_vvc_are_those_of_a_single_picture(name):
    """Headers of a video, with lists of reference pictures, have 125 bytes more."""
    image = np.full((64, 64, 3), 128, np.uint8)
    assert len(open_codec(name).compress(image, "63")) < 100


def test_vvc_qpa_spends_more_where_noise_would_show():
    """Smooth pictures get more bytes, rough ones fewer, than at equal steps."""
    smooth_one = smooth(192, 256)
    rough = np.random.default_rng(0).integers(0, 256, (64, 64, 1), np.uint8)
    size = {
        (name, kind): len(open_codec(name).compress(image, setting))
        for name in ("vvc", "vvc-qpa")
        for kind, image, setting in (
            ("smooth", smooth_one, "57"),
            ("rough", rough.repeat(3, -1), "36"),
        )
    }
    assert size["vvc", "smooth"] < 0.85 * size["vvc-qpa", "smooth"]
    assert size["vvc-qpa", "rough"] < 0.95 * size["vvc", "rough"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [("vvc", "63 60 57 54 51 48 45 42 39 36"), ("vvc-qpa", "63 57 51 45 39")],
)
def test_settings_of_vvc_go_down_from_the_coarsest(name, settings):
    assert parse(name).settings == tuple(settings.split())
    assert parse(f"{name}@57").settings == ("57",)


def test_kept_results_of_vvc_depend_on_the_options_of_its_encoder():
    vvc, qpa = parse("vvc"), parse("vvc-qpa")
    assert vvc.version.replace("-qpa 0", "-qpa 1") == qpa.version != vvc.version
    for option in ("-preset medium", "-g 1", "IntraQPOffset=0"):
        assert option in vvc.version


def test_chroma_of_vvc_is_interpolated():
    """A colour gradient is decoded without steps of two pixels."""
    slope = np.linspace(0, 255, 64)
    image = np.stack([slope, 128 + 0 * slope, 255 - slope], -1)[None].repeat(32, 0)
    codec = open_codec("vvc")
    recon = codec.decompress(codec.compress(image.astype(np.uint8), "39"))
    steps = np.diff(recon[8:24, 8:-8, 0].mean(0))
    assert abs(steps[::2].mean() - steps[1::2].mean()) < 1


def test_an_image_that_a_format_cannot_hold_is_an_error_of_one_line():
    image = np.zeros((1, 16_400, 3), np.uint8)
    with pytest.raises(UserError, match="WEBP cannot hold the image"):
        open_codec("webp").compress(image, "0")


def test_colours_of_vvc_are_kept():
    codec = open_codec("vvc")
    patches = np.array([[[250, 20, 20], [20, 200, 30]], [[30, 30, 220], [128] * 3]])
    image = np.kron(patches, np.ones((32, 32, 1))).astype(np.uint8)
    recon = codec.decompress(codec.compress(image, codec.settings[-1]))
    found = recon.reshape(2, 32, 2, 32, 3)[:, 8:24, :, 8:24].mean((1, 3))
    np.testing.assert_allclose(found, patches, atol=6)


def test_a_damaged_vvc_file_is_an_error_of_one_line():
    with pytest.raises(UserError, match="ffmpeg failed on a VVC picture") as error:
        open_codec("vvc").decompress(b"\0nothing")
    assert "\n" not in str(error.value)


def test_settings_of_a_model_are_its_rates(tmp_path):
    make_model(tmp_path)
    name = f"dlf:{tmp_path}"
    version = load_model(tmp_path).fingerprint.hex()
    assert parse(name) == CodecSpec(name, ("0", "1"), version)
    assert parse(f"{name}@1") == CodecSpec(name, ("1",), version)
    codec, image = open_codec(name), smooth(10, 15)
    assert codec.decompress(codec.compress(image, "1")).shape == image.shape


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("png", "there is no codec 'png': use dlf:MODEL, jpeg"),
        ("jpeg@77", "jpeg has no setting '77': use one of 1, "),
        ("jpeg:x", "use jpeg"),
        ("dlf", "use dlf:MODEL"),
        ("tfc:x/bls2017", "no weights x/bls2017-0.npz: train them with "),
    ],
)
def test_other_names_are_rejected(name, message):
    with pytest.raises(UserError) as error:
        parse(name)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("kind", "library", "package"),
    [
        ("jxl", "pillow_jxl", "pillow-jxl-plugin"),
        ("heif", "pillow_heif", "pillow-heif"),
        ("vvc", "imageio_ffmpeg", "imageio-ffmpeg"),
        ("vvc-qpa", "imageio_ffmpeg", "imageio-ffmpeg"),
    ],
)
def test_a_missing_package_is_named(kind, library, package, monkeypatch):
    module = importlib.import_module(f"dlf_jax.evaluation.{codecs._KINDS[kind][0]}")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        UserError, match=f"^{library} is missing: .*evaluate.*{package}$"
    ):
        module.open_codec(kind)


def test_an_ffmpeg_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/no/such/ffmpeg")
    with pytest.raises(UserError, match="vvc-qpa needs a working ffmpeg"):
        importlib.import_module("dlf_jax.evaluation.vvc_codec").open_codec("vvc-qpa")


def test_an_ffmpeg_without_vvenc_is_named(monkeypatch):
    module = importlib.import_module("dlf_jax.evaluation.vvc_codec")
    done = subprocess.CompletedProcess([], 0, stdout="V..... libx264")
    monkeypatch.setattr(module.subprocess, "run", lambda *args, **kwargs: done)
    with pytest.raises(UserError, match="has no libvvenc"):
        module.open_codec("vvc")
