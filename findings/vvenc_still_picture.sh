#!/usr/bin/env bash
# `ffmpeg -c:v libvvenc -qp N` codes a single picture at QP N - 3, with the headers of a video
# (imageio-ffmpeg 0.8.1: ffmpeg n9.0.2, vvenc 1.15.0-dev).
#
# Guess: one frame through `-c:v libvvenc -qp 50 -qpa 0` is an intra picture with slice QP 50 behind
# the small headers of a still picture; `-g 1` changes nothing, since there is one frame.
#
# Seen: the slice QP is 47, since vvenc's IntraQPOffset is -3, with `-g 1`, too: the coarsest QP of
# the standard, 63, is out of reach. Without `-g 1` the SPS holds the reference picture lists of a
# GOP of 32: 109 bytes more, where a photo of 768x512 at QP 63 can have 400 in all.
# IntraQPOffset=0 gives QP 50; with `-qpa 1`, the default, it is ignored without a word.
#
#   options                              slice QP   SPS bytes   all bytes
#   -qpa 0                                     47         160        1015
#   -qpa 0 -g 1                                47          51         795
#   -qpa 0 -g 1 IntraQPOffset=0                50          51         624
#   -g 1                                       41          51        1054
#   -g 1 IntraQPOffset=0                       41          51        1054
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet imageio-ffmpeg==0.8.1
cat > try.py <<'PYTHON'
import re
import subprocess

import imageio_ffmpeg

OFFSET = "IntraQPOffset=0:"
CASES = ("-qpa 0", "-qpa 0 -g 1", f"-qpa 0 -g 1 {OFFSET}", "-g 1", f"-g 1 {OFFSET}")


def encode(case):
    """Slice QP, bytes of the SPS and of the stream."""
    *options, extra = case.split() if case.endswith(":") else [*case.split(), ""]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "verbose", "-y"]
    command += ["-f", "lavfi", "-i", "testsrc2=s=768x512", "-frames:v", "1"]
    command += ["-c:v", "libvvenc", "-qp", "50", *options, "-threads", "1"]
    command += ["-vvenc-params", f"{extra}verbosity=6", "-f", "vvc", "one.vvc"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    qp = re.search(r"I-SLICE, QP (\d+)", done.stdout + done.stderr)
    data = open("one.vvc", "rb").read()
    starts = [m.start() for m in re.finditer(b"\0\0\1", data)] + [len(data)]
    sps = [b - a for a, b in zip(starts, starts[1:]) if data[a + 4] >> 3 == 15]
    return int(qp[1]), sps[0], len(data)


print(f"{'options':32} {'slice QP':>12} {'SPS bytes':>11} {'all bytes':>11}")
found = []
for case in CASES:
    found.append(encode(case))
    qp, sps, size = found[-1]
    print(f"{case.rstrip(':'):32} {qp:12} {sps:11} {size:11}")
assert [qp for qp, _, _ in found[:3]] == [47, 47, 50], "slice QP"
assert found[0][1] > 2 * found[1][1], "SPS"
assert found[3] == found[4], "IntraQPOffset under QPA"
PYTHON
venv/bin/python try.py
