"""Programs compute what they are built from, compile once, and come from the cache."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dlf_jax.codec.programs import Program
from dlf_jax.errors import UserError

PARAMS = {"factor": np.float32(3.0)}


class Build:
    """A build function that counts its calls."""

    def __init__(self, offset=0.0):
        self.calls = 0
        self.offset = offset

    def __call__(self):
        self.calls += 1
        return lambda params, x: params["factor"] * x + self.offset


def program(build, **identity):
    return Program(build, PARAMS, {"name": "test", **identity}, jax.local_devices()[0])


@pytest.fixture
def cache(tmp_path, no_cache):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    return tmp_path / "dlf_jax_programs"


def test_each_set_of_shapes_is_compiled_once(no_cache):
    build = Build()
    run = program(build)
    for size in (2, 3, 2, 3):
        np.testing.assert_array_equal(
            run(np.ones(size, np.float32)), np.full(size, 3.0)
        )
    assert build.calls == 2
    run(np.ones(2, np.int32))
    assert build.calls == 3


def test_preparation_happens_in_the_background(no_cache):
    started, go_on = threading.Event(), threading.Event()

    def build():
        started.set()
        assert go_on.wait(30)
        return lambda params, x: params["factor"] * x

    run = program(build)
    run.prepare(jax.ShapeDtypeStruct((2,), np.float32))
    assert started.wait(30)
    go_on.set()
    np.testing.assert_array_equal(run(np.ones(2, np.float32)), [3.0, 3.0])


def test_errors_reach_the_caller(no_cache):
    def build():
        raise ValueError("no such model")

    with pytest.raises(ValueError, match="no such model"):
        program(build)(np.ones(2, np.float32))


def test_what_failed_once_is_tried_again(no_cache):
    build, failures = Build(), [MemoryError("for now")]

    def sometimes():
        if failures:
            raise failures.pop()
        return build()

    run = program(sometimes)
    with pytest.raises(MemoryError, match="for now"):
        run(np.ones(2, np.float32))
    np.testing.assert_array_equal(run(np.ones(2, np.float32)), [3.0, 3.0])


def test_refusals_hold_on_to_nothing(no_cache):
    device = jax.local_devices()[0]
    run = Program(Build(), PARAMS, {"name": "test"}, device, max_memory=1)
    errors = []
    for _ in range(2):
        with pytest.raises(UserError, match="GiB of memory") as error:
            run(np.ones(2, np.float32))
        errors.append(error)
    assert errors[0].value is not errors[1].value
    assert len(errors[0].traceback) == len(errors[1].traceback)


def test_context_managers_of_the_caller_change_nothing(no_cache):
    x = np.float32(np.random.default_rng(0).normal(size=(8, 8)))

    def build():
        return lambda params, x: jnp.matmul(x, x)

    plain = program(build)(x)
    with jax.default_matmul_precision("bfloat16"):
        np.testing.assert_array_equal(program(build)(x), plain)


def test_a_traced_program_is_kept_for_later_processes(cache):
    x = np.ones(2, np.float32)
    first, second = Build(1.0), Build(1.0)
    np.testing.assert_array_equal(program(first)(x), [4.0, 4.0])
    np.testing.assert_array_equal(program(second)(x), [4.0, 4.0])
    assert (first.calls, second.calls) == (1, 0)
    other = Build(2.0)
    np.testing.assert_array_equal(program(other, config=2)(x), [5.0, 5.0])
    assert other.calls == 1
    assert len(list(cache.iterdir())) == 2


def test_damaged_files_are_replaced(cache):
    x = np.ones(2, np.float32)
    program(Build())(x)
    (file,) = cache.iterdir()
    content = file.read_bytes()
    for damaged in (b"", content[:-1], content[:40] + b"?" + content[41:]):
        file.write_bytes(damaged)
        build = Build()
        np.testing.assert_array_equal(program(build)(x), [3.0, 3.0])
        assert build.calls == 1
        assert file.read_bytes()[:32] == content[:32]


def test_a_folder_that_cannot_be_written_does_no_harm(cache):
    cache.write_bytes(b"a file is in the way")
    np.testing.assert_array_equal(program(Build())(np.ones(1, np.float32)), [3.0])
