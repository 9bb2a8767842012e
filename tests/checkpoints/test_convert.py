"""Official checkpoints become directories, and come back bit for bit."""

import hashlib
import json
import re

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from dlf_jax.checkpoints.convert import convert, to_official
from dlf_jax.checkpoints.directory import BUNDLED
from dlf_jax.checkpoints.infer import Heads
from dlf_jax.checkpoints.name_map import from_official
from dlf_jax.checkpoints.store import load_donor, load_model
from dlf_jax.errors import UserError
from dlf_jax.paths import flatten
from tests.checkpoints.official import CONFIG, HEADS, random_config, random_state

DROPPED = {
    "lmbda_idx": np.array(3, np.int32),
    "lmbda_list": np.ones(3, np.float32),
    "img_loss.discriminator.main.3.num_batches_tracked": np.array(9, np.int64),
    "img_loss.perceptual_loss.lin0.model.1.weight": np.ones((1, 64, 1, 1), np.float32),
}
TITOK_DROPPED = {
    "decoder.ffn.0.weight": np.ones((4, 2, 1, 1), np.float32),
    "pixel_quantize.embedding.weight": np.ones((4, 2), np.float32),
    "pixel_decoder.conv_in.weight": np.ones((4, 2, 3, 3), np.float32),
}
VQGAN_DROPPED = {"loss.discriminator.main.0.weight": np.ones((4, 3, 4, 4), np.float32)}


@pytest.fixture(scope="module")
def state():
    """A whole checkpoint."""
    return random_state(CONFIG, 0)


@pytest.fixture(scope="module")
def files(tmp_path_factory, state):
    """A checkpoint of every kind."""
    folder = tmp_path_factory.mktemp("official")
    titok, vqgan = random_state(CONFIG, 1, "titok"), random_state(CONFIG, 2, "vqgan")
    save_file({**state, **DROPPED}, folder / "dlf.ckpt")
    save_file({**titok, **TITOK_DROPPED}, folder / "titok.bin")
    save_file({**vqgan, **VQGAN_DROPPED}, folder / "vqgan.ckpt")
    return folder


@pytest.fixture(scope="module")
def model(files):
    """The directory of a converted checkpoint."""
    convert([files / "dlf.ckpt"], files / "model", heads=HEADS)
    return files / "model"


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes(), name


def test_a_model_has_the_sizes_and_the_weights(model, state):
    loaded = load_model(model)
    assert (loaded.name, loaded.config) == ("model", CONFIG)
    ours = flatten(from_official(state, CONFIG))
    apart = ("vqgan/encoder/", "vqgan/quant_conv/", "context/")
    expected = {p: a for p, a in ours.items() if not p.startswith(apart)}
    assert_same(flatten(loaded.params), expected)
    name, everything = load_donor(model)
    assert name == "model"
    assert_same(flatten(everything), ours)


def test_a_model_says_where_it_came_from(model, files):
    description = json.loads((model / "config.json").read_text())
    digest = hashlib.sha256((files / "dlf.ckpt").read_bytes()).hexdigest()
    origin = [{"file": "dlf.ckpt", "sha256": digest, "kind": "DLF"}]
    assert description["metadata"] == {"converted_from": origin}
    assert description["fingerprint"] == load_model(model).fingerprint.hex()
    assert {path.name for path in model.iterdir()} == {
        "config.json",
        "model.safetensors",
        "training.safetensors",
    }


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_official_names_come_back_bit_for_bit(model, state, tmp_path, ending):
    file = tmp_path / f"back{ending}"
    assert to_official(model, file) == len(state)
    assert_same(dict(np.load(file)) if ending == ".npz" else load_file(file), state)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 8))
def test_other_sizes_come_back_bit_for_bit(tmp_path, seed):
    config = random_config(seed)
    state = random_state(config, seed)
    np.savez(tmp_path / "x.npz", **state)
    heads = Heads(config.encoder.num_heads, config.decoder.num_heads)
    convert([tmp_path / "x.npz"], tmp_path / "model", heads=heads)
    assert load_model(tmp_path / "model").config == config
    to_official(tmp_path / "model", tmp_path / "back.safetensors")
    assert_same(load_file(tmp_path / "back.safetensors"), state)


def test_the_report_counts(files, tmp_path, state):
    report = convert([files / "dlf.ckpt"], tmp_path / "m", name="x", heads=HEADS)
    assert report.titles == ("DLF",)
    assert sum(report.num_values) == sum(array.size for array in state.values())
    assert sorted(report.dropped.values()) == [1, 1, 2]
    model = load_model(tmp_path / "m")
    assert model.name == "x"
    assert report.fingerprint == model.fingerprint.hex()
    assert report.num_values[0] == model.num_params


def test_half_precision(files, state, tmp_path):
    convert([files / "dlf.ckpt"], tmp_path / "m", dtype="float16", heads=HEADS)
    model = load_model(tmp_path / "m")
    expected = state["hybrid_codec.latent_tokens"].astype(np.float16)
    found = model.params["encoder"]["semantic"]["latent_tokens"]
    np.testing.assert_array_equal(found, expected)
    half, single = (
        (folder / "model.safetensors").stat().st_size
        for folder in (tmp_path / "m", files / "model")
    )
    assert half < 0.6 * single
    large = {**state, "hybrid_codec.latent_tokens": np.full(expected.shape, 1e5, "f4")}
    np.savez(tmp_path / "large.npz", **large)
    with pytest.raises(UserError, match="latent_tokens does not fit .*--dtype float32"):
        convert([tmp_path / "large.npz"], tmp_path / "n", dtype="float16", heads=HEADS)
    assert not (tmp_path / "n").exists()


def test_without_what_only_training_needs(state, tmp_path):
    training = ("vqgan.encoder.", "vqgan.quant_conv.")
    kept = {name: a for name, a in state.items() if not name.startswith(training)}
    np.savez(tmp_path / "x.npz", **kept)
    report = convert([tmp_path / "x.npz"], tmp_path / "m", heads=HEADS)
    assert report.num_values[1] == 0
    stored = load_file(tmp_path / "m" / "training.safetensors")
    assert all(path.startswith("context/") for path in stored)
    to_official(tmp_path / "m", tmp_path / "back.safetensors")
    assert_same(load_file(tmp_path / "back.safetensors"), kept)


def test_parts_are_a_start_for_training_and_no_model(files, tmp_path):
    convert(
        [files / "titok.bin", files / "vqgan.ckpt"], tmp_path / "parts", heads=HEADS
    )
    with pytest.raises(UserError, match=r"only parts of a codec \(titok, vqgan\)"):
        load_model(tmp_path / "parts")
    name, params = load_donor(tmp_path / "parts")
    assert name == "parts"
    assert set(params) == {"encoder", "decoder", "tokens", "vqgan"}
    titok = random_state(CONFIG, 1, "titok")
    embed = params["encoder"]["patch_embed"]["kernel"]
    np.testing.assert_array_equal(
        embed.transpose(3, 2, 0, 1), titok["encoder.patch_embed.weight"]
    )
    whole = flatten(from_official(random_state(CONFIG, 0), CONFIG))
    for path, array in flatten(params).items():
        assert array.shape == whole[path].shape
    with pytest.raises(UserError, match="titok and vqgan: convert one at a time"):
        to_official(tmp_path / "parts", tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("kind", "file", "seed"), [("titok", "titok.bin", 1), ("vqgan", "vqgan.ckpt", 2)]
)
def test_one_part_comes_back_bit_for_bit(files, tmp_path, kind, file, seed):
    convert([files / file], tmp_path / "part", heads=HEADS)
    to_official(tmp_path / "part", tmp_path / "back.safetensors")
    expected = random_state(CONFIG, seed, kind)
    assert_same(load_file(tmp_path / "back.safetensors"), expected)


def test_sources_that_do_not_go_together(files, tmp_path):
    for names in (("dlf.ckpt", "vqgan.ckpt"), ("titok.bin", "titok.bin")):
        with pytest.raises(UserError, match="do not go together"):
            convert([files / name for name in names], tmp_path / "x", heads=HEADS)
    assert not (tmp_path / "x").exists()


NAME = "prior_fusion.ffn.1.bias"
MASK = "prior_fusion.merge.4.1.attention_block.left_right_mask"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({NAME: None}, f"lacks {NAME}$"),
        ({NAME + "es": np.ones(3, np.float32)}, f"has the unknown {NAME}es$"),
        ({NAME: np.ones(3, np.float32)}, rf"wrong size of {NAME} \(3,\) \(should be"),
        ({NAME: np.ones(256)}, rf"wrong .* of {NAME} "),
        ({MASK: np.zeros((16, 16), np.float32)}, f"forbids the wrong pairs in {MASK}$"),
        ({MASK: np.full((16, 16), np.nan, np.float32)}, f"the wrong pairs in {MASK}$"),
    ],
)
def test_every_wrong_array_is_named(state, tmp_path, change, message):
    changed = {k: v for k, v in {**state, **change}.items() if v is not None}
    np.savez(tmp_path / "x.npz", **changed)
    with pytest.raises(UserError, match=message):
        convert([tmp_path / "x.npz"], tmp_path / "m", heads=HEADS)
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_arrays_of_other_types_are_named(state, tmp_path):
    np.savez(tmp_path / "x.npz", **{**state, NAME: state[NAME].astype(np.float64)})
    message = re.escape(f"wrong type of {NAME} (float64, should be float32)")
    with pytest.raises(UserError, match=message):
        convert([tmp_path / "x.npz"], tmp_path / "m", heads=HEADS)


def test_checkpoints_of_other_networks(tmp_path):
    np.savez(tmp_path / "x.npz", **{"conv1.weight": np.ones(2), "fc.bias": np.ones(2)})
    with pytest.raises(UserError, match=r"no known kind .* conv1\.weight, fc\.bias"):
        convert([tmp_path / "x.npz"], tmp_path / "m")


def test_nothing_is_overwritten_unless_told(model, files, tmp_path):
    with pytest.raises(UserError, match="not empty: use --force"):
        convert([files / "dlf.ckpt"], model, heads=HEADS)
    (tmp_path / "x.npz").touch()
    with pytest.raises(UserError, match="exists already: use --force"):
        to_official(model, tmp_path / "x.npz")
    with pytest.raises(UserError, match="is a file already"):
        convert([files / "dlf.ckpt"], tmp_path / "x.npz", heads=HEADS)
    with pytest.raises(UserError, match="there is no folder"):
        to_official(model, tmp_path / "absent" / "x.npz")
    to_official(model, tmp_path / "x.npz", overwrite=True)
    assert (tmp_path / "x.npz").stat().st_size > 0


def test_a_model_takes_the_place_of_parts(files, tmp_path):
    convert([files / "vqgan.ckpt"], tmp_path / "m")
    convert([files / "dlf.ckpt"], tmp_path / "m", heads=HEADS, overwrite=True)
    assert load_model(tmp_path / "m").config == CONFIG
    convert([files / "vqgan.ckpt"], tmp_path / "m", overwrite=True)
    assert not (tmp_path / "m" / "model.safetensors").exists()


def test_networks_of_our_own_have_no_official_names(tmp_path):
    with pytest.raises(UserError, match="no official network with the VQGAN of"):
        to_official(BUNDLED / "dlf-nano", tmp_path / "x.npz")


def test_damage_that_shows_late_leaves_nothing(files, tmp_path):
    content = bytearray((files / "dlf.ckpt").read_bytes())
    (tmp_path / "ok").mkdir()
    state = load_file(files / "dlf.ckpt")
    np.savez(tmp_path / "ok" / "x.npz", **state)
    content = bytearray((tmp_path / "ok" / "x.npz").read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.npz is damaged"):
        convert([tmp_path / "x.npz"], tmp_path / "m", heads=HEADS)
    assert not (tmp_path / "m").exists()
