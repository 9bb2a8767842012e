"""Model directories survive a round trip and refuse what is damaged."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from dlf_jax.checkpoints.arrays import LazyArray
from dlf_jax.checkpoints.directory import (
    MODEL_FILE,
    TRAINING_FILE,
    is_directory_of_weights,
)
from dlf_jax.checkpoints.store import (
    load_donor,
    load_model,
    save_model,
    write_directory,
)
from dlf_jax.entropy_coding.token_tables import fit_frequencies
from dlf_jax.errors import UserError
from dlf_jax.models.variants import VARIANTS
from dlf_jax.paths import flatten

CONFIG = VARIANTS["dlf-nano"]


def tiny_params(seed=0):
    """A small tree with all kinds of parts; its shapes do not matter."""
    rng = np.random.default_rng(seed)
    mask = np.where(np.eye(3, dtype=bool), 0.0, -np.inf)
    return {
        "context": {"prior_vector": np.ones((4, 8), np.float32)},
        "fusion": {"kernel": rng.normal(size=(4, 3)).astype(np.float32), "mask": mask},
        "vqgan": {
            "encoder": {"bias": np.ones(2, np.float32)},
            "decoder": {"bias": np.full(2, 0.5, np.float32)},
        },
    }


def save(directory, params, **kwargs):
    save_model(directory, name="tiny", config=CONFIG, params=params, **kwargs)
    return load_model(directory)


def test_round_trip_keeps_inference_weights_and_sizes(tmp_path):
    params = tiny_params()
    model = save(tmp_path, params, metadata={"steps": 3})
    assert (model.name, model.config, model.metadata) == ("tiny", CONFIG, {"steps": 3})
    expected = {k: v for k, v in params.items() if k not in ("context", "vqgan")}
    expected["vqgan"] = {"decoder": params["vqgan"]["decoder"]}
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(a.astype(np.float16), b),
        expected,
        dict(model.params),
    )
    np.testing.assert_array_equal(model.context.prior_vector, 4096.0)
    assert model.num_params == 32 + 12 + 9 + 2
    assert all(x.dtype == np.float32 for x in jax.tree.leaves(model.params))


def test_float32_weights_are_stored_bit_for_bit(tmp_path):
    params = tiny_params()
    model = save(tmp_path, params, dtype=np.float32)
    np.testing.assert_array_equal(
        model.params["fusion"]["kernel"], params["fusion"]["kernel"]
    )


def test_int8_narrows_large_kernels_outside_the_context_model(tmp_path):
    rng = np.random.default_rng(3)
    kernel = rng.normal(size=(64, 64)).astype(np.float32)
    params = tiny_params()
    params["vqgan"]["decoder"]["kernel"] = kernel
    params["context"]["dense"] = {"kernel": kernel}
    half = save(tmp_path / "half", params)
    eighth = save(tmp_path / "eighth", params, dtype=np.int8)
    sizes = [(tmp_path / d / MODEL_FILE).stat().st_size for d in ("half", "eighth")]
    # Half of the kernel is saved, except the scales and their entry in the header.
    assert -300 < sizes[0] - sizes[1] - (64 * 64 - 4 * 64) <= 0
    np.testing.assert_array_equal(
        half.context.layers["dense"]["kernel"],
        eighth.context.layers["dense"]["kernel"],
    )
    found = eighth.params["vqgan"]["decoder"]["kernel"]
    np.testing.assert_allclose(found, kernel, atol=0.02)
    assert found.dtype == np.float32 and found.ctypes.data % 64 == 0
    assert not np.array_equal(found, half.params["vqgan"]["decoder"]["kernel"])
    np.testing.assert_array_equal(
        eighth.params["fusion"]["kernel"], half.params["fusion"]["kernel"]
    )
    _, donor = load_donor(tmp_path / "eighth")
    np.testing.assert_array_equal(donor["vqgan"]["decoder"]["kernel"], found)


def test_memory_order_does_not_matter(tmp_path):
    params = tiny_params()
    kernel = params["fusion"]["kernel"]
    params["fusion"]["kernel"] = np.asfortranarray(kernel)
    model = save(tmp_path, params, dtype=np.float32)
    np.testing.assert_array_equal(model.params["fusion"]["kernel"], kernel)


def test_fingerprint_depends_on_weights_and_sizes_but_not_on_metadata(tmp_path):
    base = save(tmp_path / "a", tiny_params(), metadata={"note": "one"}).fingerprint
    assert save(tmp_path / "b", tiny_params()).fingerprint == base
    assert save(tmp_path / "c", tiny_params(seed=1)).fingerprint != base
    config = dataclasses.replace(CONFIG, skip_threshold=0.2)
    save_model(tmp_path / "d", name="tiny", config=config, params=tiny_params())
    assert load_model(tmp_path / "d").fingerprint != base


def test_sizes_other_than_those_of_the_fingerprint_are_damage(tmp_path):
    model = save(tmp_path, tiny_params())
    path = tmp_path / "config.json"
    description = json.loads(path.read_text())
    assert description["fingerprint"] == model.fingerprint.hex()
    description["config"]["skip_threshold"] = 0.2
    path.write_text(json.dumps(description))
    with pytest.raises(UserError, match=r"damaged: config\.json is not the one"):
        load_model(tmp_path)


def test_weights_in_float32_are_views_of_the_file(tmp_path):
    params = tiny_params() | {"a": np.ones(64, np.float32)}
    array = save(tmp_path, params, dtype=np.float32).params["a"]
    assert not array.flags.writeable and not array.flags.owndata
    save(tmp_path, params | {"a": np.zeros(64, np.float32)}, dtype=np.float32)
    assert np.all(array == 1.0)  # a new model does not change one in use


def test_donors_have_what_only_training_needs_too(tmp_path):
    params = tiny_params()
    save(tmp_path / "model", params)
    assert set(load_donor(tmp_path / "model")[1]) == {"context", "fusion", "vqgan"}
    bias = np.ones(3, np.float32)
    lazy = LazyArray(bias.shape, bias.dtype, lambda: bias)
    weights = {
        MODEL_FILE: {"m/bias": lazy, "context/prior_vector": lazy},
        TRAINING_FILE: {"t/bias": lazy},
    }
    description = {"name": "x", "config": CONFIG.to_dict(), "metadata": {}}
    write_directory(tmp_path / "both", description, weights)
    name, params = load_donor(tmp_path / "both")
    assert (name, set(params)) == ("x", {"context", "m", "t"})
    assert set(load_model(tmp_path / "both").params) == {"m"}
    assert is_directory_of_weights(tmp_path / "both")
    assert not is_directory_of_weights(tmp_path)


def test_parts_alone_are_no_model(tmp_path):
    description = {"name": "x", "parts": {"vqgan": {}}, "metadata": {}}
    write_directory(tmp_path, description, {TRAINING_FILE: {}})
    assert is_directory_of_weights(tmp_path)
    with pytest.raises(UserError, match=r"only parts of a codec \(vqgan\)"):
        load_model(tmp_path)


@pytest.mark.parametrize("there_before", [True, False])
def test_what_cannot_be_written_leaves_all_as_it_was(tmp_path, there_before):
    directory = tmp_path / "model"
    if there_before:
        before = save(directory, tiny_params())
    params = tiny_params(seed=1)
    params["vqgan"]["decoder"]["bias"][0] = 1e6
    with pytest.raises(ValueError, match="does not fit"):
        save(directory, params)
    assert directory.exists() == there_before
    if there_before:
        assert len(list(directory.iterdir())) == 2
        assert load_model(directory).fingerprint == before.fingerprint


def test_weights_too_large_for_half_precision_are_refused(tmp_path):
    params = tiny_params()
    params["fusion"]["kernel"][0, 0] = 1e6
    with pytest.raises(ValueError, match="fusion/kernel does not fit float16"):
        save(tmp_path, params)
    params["fusion"]["kernel"][0, 0] = np.nan
    with pytest.raises(ValueError, match="fusion/kernel has values that are not numb"):
        save(tmp_path, params)


def test_missing_model_names_what_there_is(tmp_path):
    with pytest.raises(UserError, match="no model '.*nowhere'.*bundled models"):
        load_model(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("config.json", lambda text: text[:-20]),
        ("config.json", lambda text: text.replace(b'"window"', b'"door"')),
        ("config.json", lambda text: text.replace(b'"name"', b'"title"')),
        (
            "config.json",
            lambda text: text.replace(b'"config": {', b'"config": 1, "x": {'),
        ),
        ("config.json", lambda text: b"[]"),
        ("model.safetensors", lambda data: data[:-1]),
        ("model.safetensors", lambda data: data[:-1] + bytes([data[-1] ^ 1])),
        ("model.safetensors", lambda data: b"\xff" * 8 + data[8:]),
    ],
)
def test_damaged_directories_raise_one_line(tmp_path, name, damage):
    save(tmp_path, tiny_params())
    path = tmp_path / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match="is damaged") as caught:
        load_model(tmp_path)
    assert "\n" not in str(caught.value)


def test_directory_is_json_and_safetensors_only(tmp_path):
    save(tmp_path, tiny_params())
    assert {p.name for p in tmp_path.iterdir()} == {"config.json", "model.safetensors"}
    description = json.loads((tmp_path / "config.json").read_text())
    assert set(description) == {
        "name",
        "config",
        "metadata",
        "gaussian_tables",
        "fingerprint",
    }
    paths = flatten(tiny_params())
    assert "vqgan/encoder/bias" in paths  # the fixture does contain a dropped part


def test_token_frequencies_are_part_of_the_model_and_of_no_donor(tmp_path):
    plain = save(tmp_path / "plain", tiny_params())
    assert len(plain.tokens) == 1
    assert plain.tokens[0].frequencies.tolist() == [64] * CONFIG.codebook_size
    counts = np.arange(CONFIG.num_tokens * CONFIG.codebook_size)
    frequencies = fit_frequencies(counts.reshape(CONFIG.num_tokens, -1))
    model = save(tmp_path / "own", tiny_params(), token_frequencies=frequencies)
    assert model.fingerprint != plain.fingerprint
    found = [row.frequencies for row in model.tokens]
    np.testing.assert_array_equal(found, frequencies)
    assert model.params.keys() == plain.params.keys()
    assert load_donor(tmp_path / "own")[1].keys() == tiny_params().keys()


@pytest.mark.parametrize(
    "frequencies",
    [np.ones((8, 1024)), np.full((2, 1024), 64), np.full((1, 1023), 64), np.ones(1024)],
)
def test_frequencies_that_are_none_are_damage(tmp_path, frequencies):
    with pytest.raises(UserError, match="is damaged: token"):
        save(tmp_path, tiny_params(), token_frequencies=frequencies)


def test_models_made_for_other_gaussian_tables_are_refused(tmp_path):
    save(tmp_path, tiny_params())
    path = tmp_path / "config.json"
    description = json.loads(path.read_text())
    assert len(description["gaussian_tables"]) == 64
    description["gaussian_tables"] = 64 * "0"
    path.write_text(json.dumps(description))
    with pytest.raises(UserError, match="other probability tables"):
        load_model(tmp_path)


def test_a_field_at_its_default_does_not_change_the_fingerprint(tmp_path):
    """As one that a later version adds will be in the models of this version."""
    found = save(tmp_path, tiny_params()).fingerprint
    path = tmp_path / "config.json"
    description = json.loads(path.read_text())
    assert description["config"].pop("patch_size") == 16
    path.write_text(json.dumps(description))
    assert load_model(tmp_path).fingerprint == found
