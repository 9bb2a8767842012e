#!/usr/bin/env bash
# pillow-jxl-plugin 1.3.8 (Pillow 12.3.0) opens a JPEG XL of 16-bit grey with alpha as mode
# "LA" and takes its 16-bit samples for 8-bit ones: every number of two bytes becomes grey
# and alpha of its own, and half of the rows are missing. No error, no warning.
# Grey, RGB and RGBA of 16 bits are right, so one would expect the same of LA.
# The pixels of the first row are (i, 255), i = 0..7, times 257. Seen:
#     [[0, 0], [255, 255], [1, 1], [255, 255], [2, 2], [255, 255], [3, 3], [255, 255]]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pillow==12.3.0 pillow-jxl-plugin==1.3.8 \
    imagecodecs==2026.3.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import io

import imagecodecs
import numpy as np
import pillow_jxl  # noqa: F401
from PIL import Image

grey = np.arange(64, dtype=np.uint16).reshape(8, 8)
pixels = np.stack([grey, np.full_like(grey, 255)], -1) * 257
file = imagecodecs.jpegxl_encode(pixels, lossless=True)
assert (imagecodecs.jpegxl_decode(file) == pixels).all()  # the file is right
seen = np.asarray(Image.open(io.BytesIO(file)))[0].tolist()
print(seen)
assert seen == [[x, x] for i in range(4) for x in (i, 255)], "behaviour has changed"
PYTHON
