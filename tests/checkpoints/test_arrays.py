"""Lazy arrays, and files of them that loading only maps."""

import os
import weakref

import jax
import numpy as np
import pytest
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from dlf_jax.checkpoints.arrays import (
    LazyArray,
    digest,
    map_safetensors,
    read_safetensors,
    write_safetensors,
)


def lazy(array: np.ndarray) -> LazyArray:
    return LazyArray(array.shape, array.dtype, lambda: array)


@pytest.fixture
def arrays():
    """Sizes that are multiples of 64 bytes and others, in no order; one transposed."""
    rng = np.random.default_rng(0)
    shapes = {"b": (3, 3), "z/c": (16, 2), "a": (5,), "m": (), "e": (0, 4), "y": (64,)}
    found = {n: rng.standard_normal(s, np.float32) for n, s in shapes.items()}
    return {**found, "t": rng.standard_normal((16, 8), np.float32).T}


@pytest.fixture
def file(tmp_path, arrays):
    path = tmp_path / "x.safetensors"
    write_safetensors(path, {name: lazy(array) for name, array in arrays.items()})
    return path


def test_the_library_reads_what_we_write(file, arrays):
    found = load_file(file)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


def test_we_read_what_the_library_writes(tmp_path, arrays):
    arrays = {name: np.array(array, order="C") for name, array in arrays.items()}
    arrays |= {"i": np.arange(6), "f": np.ones(2, bool), "h": np.ones(3, np.float16)}
    save_file(arrays, tmp_path / "x.safetensors", {"format": "np"})
    for name, found in read_safetensors(tmp_path / "x.safetensors").items():
        assert (found.shape, found.dtype) == (arrays[name].shape, arrays[name].dtype)
        np.testing.assert_array_equal(found.read(), arrays[name])


def test_bfloat16_is_read_as_float32(tmp_path):
    path = tmp_path / "x.safetensors"
    values = np.array([1.5, -2.0, np.inf], np.float32)
    save_file({"v": (values.view(np.uint32) >> 16).astype(np.uint16)}, path)
    path.write_bytes(
        path.read_bytes().replace(b'"U16"', b'"BF16"').replace(b" ", b"", 1)
    )
    (found,) = read_safetensors(path).values()
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.read(), values)


def test_mapped_arrays_are_not_copied_by_jax(file, arrays):
    found, _ = map_safetensors(file)
    aligned = {name for name, a in found.items() if a.ctypes.data % 64 == 0 and a.size}
    assert {"z/c", "y", "t"} <= aligned
    for name, array in found.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, arrays[name])
    on_device = jax.device_put(found["y"], jax.devices("cpu")[0])
    assert on_device.unsafe_buffer_pointer() == found["y"].ctypes.data
    with pytest.raises(ValueError, match="read-only"):
        found["y"][0] = 1.0


def test_half_precision_is_mapped_as_float32(tmp_path):
    values = np.arange(5, dtype=np.float16)
    write_safetensors(tmp_path / "x", {"v": lazy(values)})
    found, _ = map_safetensors(tmp_path / "x")
    assert found["v"].dtype == np.float32 and found["v"].ctypes.data % 64 == 0
    np.testing.assert_array_equal(found["v"], values)


def test_digest_is_that_of_the_values_in_whatever_file(tmp_path, file, arrays):
    expected = digest({name: lazy(array) for name, array in arrays.items()})
    with safe_open(file, framework="numpy") as opened:
        assert opened.metadata() == {"sha256": expected}
    assert map_safetensors(file)[1] == expected
    arrays = {name: np.array(array, order="C") for name, array in arrays.items()}
    save_file(arrays, tmp_path / "other.safetensors")
    assert map_safetensors(tmp_path / "other.safetensors")[1] == expected


def test_digest_depends_on_names_shapes_types_and_values():
    array = np.arange(4, dtype=np.float32)
    others = [{"a": a} for a in (array[::-1], array.reshape(2, 2), np.float16(array))]
    found = [digest({n: lazy(a) for n, a in x.items()}) for x in others]
    found += [digest({"a": lazy(array)}), digest({"b": lazy(array)})]
    assert len(set(found)) == 5


def test_one_array_at_a_time(tmp_path):
    alive = []

    def make(i):
        def read():
            assert not any(reference() is not None for reference in alive)
            array = np.full(1000, i, np.float32)
            alive.append(weakref.ref(array))
            return array

        return LazyArray((1000,), np.dtype(np.float32), read)

    write_safetensors(tmp_path / "x", {str(i): make(i) for i in range(4)})
    assert len(alive) == 4


def test_map_moves_axes_and_changes_types_without_reading():
    def never():
        raise AssertionError

    array = LazyArray((2, 3, 1), np.dtype(np.float16), never)
    moved = array.map(lambda x: x.squeeze(2).T.astype(np.float32))
    assert (moved.shape, moved.dtype, moved.size) == ((3, 2), np.float32, 6)
    assert (array.nbytes, moved.nbytes) == (12, 24)


def test_files_are_not_overwritten_and_have_usual_permissions(file):
    umask = os.umask(0)
    os.umask(umask)
    assert file.stat().st_mode & 0o777 == 0o666 & ~umask
    with pytest.raises(FileExistsError):
        write_safetensors(file, {})


@pytest.mark.parametrize(
    "damage", [lambda d: d[:-1], lambda d: d + b"\0", lambda d: d[:5]]
)
def test_damaged_files_are_refused(file, damage):
    file.write_bytes(damage(file.read_bytes()))
    for read in (read_safetensors, map_safetensors):
        with pytest.raises(SafetensorError):
            read(file)
