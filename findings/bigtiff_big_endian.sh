#!/usr/bin/env bash
# Pillow 12.3.0 and 13.0.0 read BigTIFF in little-endian order and say of the same file in
# big-endian order "cannot identify image file": the order is that of classic TIFF, whose
# both orders are read, and libtiff, which Pillow has inside, reads both. (The third byte of
# the header decides, `ifh[2] == 43`; in big-endian order 43 is the fourth.)
# Seen: "little: RGB (8, 8)" and "big: UnidentifiedImageError".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pillow==12.3.0 tifffile==2026.3.3 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import io

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

seen = []
for name, order in (("little", "<"), ("big", ">")):
    buffer = io.BytesIO()
    pixels = np.zeros((8, 8, 3), np.uint8)
    tifffile.imwrite(buffer, pixels, byteorder=order, bigtiff=True, photometric="rgb")
    buffer.seek(0)
    assert (tifffile.imread(buffer) == pixels).all()  # the file is right
    buffer.seek(0)
    try:
        image = Image.open(buffer)
        seen.append(f"{name}: {image.mode} {image.size}")
    except UnidentifiedImageError as error:
        seen.append(f"{name}: {type(error).__name__}")
    print(seen[-1])
wanted = ["little: RGB (8, 8)", "big: UnidentifiedImageError"]
assert seen == wanted, "behaviour has changed"
PYTHON
