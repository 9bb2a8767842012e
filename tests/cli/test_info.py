"""``dlf info`` and ``dlf models``."""

import subprocess
import sys

from dlf_jax.checkpoints import directory, store
from dlf_jax.codec.container import Header, pack


def test_info(dlf, tmp_path):
    data = pack(Header(b"\x01\xab\xff", 3, 768, 512), bytes(2000))
    (tmp_path / "photo.dlf").write_bytes(data)
    status, out, err = dlf("info", tmp_path / "photo.dlf")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "image  768x512",
        "size   2,014 bytes, 14 of them header",
        "bpp    0.0410",
        "rate   3",
        "model  01abff",
        "coder  range",
    ]


def test_info_needs_no_jax(tmp_path):
    (tmp_path / "x.dlf").write_bytes(pack(Header(b"abc", 0, 1, 1), b""))
    program = (
        "import sys; from dlf_jax.cli import main\n"
        "try: main(['info', sys.argv[1]])\n"
        "finally: assert 'jax' not in sys.modules"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "x.dlf")]
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_models(dlf, tiny_model, monkeypatch):
    wanted = store.load_model(tiny_model)
    monkeypatch.setattr(directory, "bundled_models", lambda: ["tiny"])
    monkeypatch.setattr(store, "load_model", lambda name: wanted)
    status, out, _ = dlf("models")
    assert status == 0
    _, line = out.splitlines()
    words = line.split()
    assert words[0] == "tiny"
    assert words[1] == wanted.fingerprint[:3].hex()
    assert line.endswith("0 to 1 16 px")
