"""Machines without a TPU, with and without libtpu."""

import importlib.util
import os
import subprocess
import sys

import pytest

from dlf_jax import libtpu

_NAMES = (
    "TPU_SKIP_MDS_QUERY",
    "TPU_WORKER_HOSTNAMES",
    "TPU_HOST_BOUNDS",
    "TPU_CHIPS_PER_HOST_BOUNDS",
)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for name in _NAMES:
        monkeypatch.setenv(name, "")  # so that it is put back as it was
        monkeypatch.delenv(name)


def test_libtpu_is_told_that_there_is_no_tpu():
    libtpu.expect_no_tpu()
    assert [os.environ[name] for name in _NAMES] == ["1", "localhost", "1,1,1", "1,1,1"]


def test_what_the_user_says_stays(monkeypatch):
    monkeypatch.setenv("TPU_WORKER_HOSTNAMES", "10.0.0.1,10.0.0.2")
    libtpu.expect_no_tpu()
    assert os.environ["TPU_WORKER_HOSTNAMES"] == "10.0.0.1,10.0.0.2"


@pytest.mark.parametrize(
    ("name", "there"),
    [("accel0", True), ("vfio/0", True), ("vfio/vfio", False), ("nvidia0", False)],
)
def test_a_tpu_is_found_by_its_device_file(name, there, tmp_path, monkeypatch):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    patterns = [p.replace("/dev", str(tmp_path)) for p in libtpu._DEVICES]
    monkeypatch.setattr(libtpu, "_DEVICES", patterns)
    assert libtpu.has_tpu() is there


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("libtpu"), reason="needs libtpu")
@pytest.mark.skipif(libtpu.has_tpu(), reason="has a TPU")
def test_libtpu_without_a_tpu_is_quiet_and_quick(repository):
    program = (
        "import sys, dlf_jax.cli, click\n"
        "@dlf_jax.cli.main.command()\n"
        "def devices():\n"
        "    import jax\n"
        "    click.echo(jax.devices())\n"
        "dlf_jax.cli.main(['devices'])\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "JAX_PLATFORMS"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "[CpuDevice(id=0)]\n"
