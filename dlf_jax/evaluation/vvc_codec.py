"""VVC (H.266) intra pictures, by vvenc in the ffmpeg of imageio-ffmpeg.

A file is one byte with the padding of height and width, then the Annex B byte stream of
vvenc.  The padding makes both sides even and at least 16, as vvenc requires.  ffmpeg's
own decoder reads the stream.  Colour is BT.709, 4:2:0, 10 bits.

Codec ``vvc`` has the still-picture configuration of the reference encoder VTM: all
intra and one quantisation parameter for the whole picture.  ``vvc-qpa`` enables vvenc's
perceptual adaptation of this parameter (QPA), the default of vvenc.
"""

import subprocess

import numpy as np

from dlf_jax.errors import UserError
from dlf_jax.extras import needs

# Without these options ffmpeg starts a video: timing and lists of reference pictures
# cost 125 bytes, and intra pictures are 3 QP finer than requested.  At QP 60 to 42,
# preset slow takes twice as long for 0 to 4 % fewer bytes.
_STILL = (
    *("-preset", "medium", "-g", "1", "-vvenc-params"),
    "IntraQPOffset=0:AccessUnitDelimiter=0:HrdParametersPresent=0",
)
# Codec -> value of the option -qpa, and quantisation parameters.  The anchor of
# BD-rates has twice as many.
_KINDS = {"vvc": ("0", range(63, 35, -3)), "vvc-qpa": ("1", range(63, 35, -6))}
_COLOURS = "color_matrix=bt709"
# By default chroma is interpolated in one direction only.
_UPSAMPLING = "flags=bicubic+full_chroma_int+accurate_rnd"
_SMALLEST = 16


class VVCCodec:
    """`ImageCodec` of VVC, one intra picture per file.

    Args:
      ffmpeg: path of an ffmpeg with libvvenc.
      release: version of ffmpeg.
      kind: "vvc" or "vvc-qpa".
    """

    def __init__(self, ffmpeg: str, release: str, kind: str):
        qpa, parameters = _KINDS[kind]
        self._ffmpeg = ffmpeg
        self._options = (*_STILL, "-qpa", qpa)
        self.settings = tuple(map(str, parameters))
        self.version = f"ffmpeg {release}, {' '.join(self._options)}, {_UPSAMPLING}"

    def compress(self, image: np.ndarray, setting: str) -> bytes:
        """See `ImageCodec`."""
        down, right = (max(_SMALLEST - n, n % 2) for n in image.shape[:2])
        image = np.pad(image, ((0, down), (0, right), (0, 0)), mode="edge")
        height, width, _ = image.shape
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
        encoder = ["-c:v", "libvvenc", "-qp", setting, *self._options]
        stream = self._run(
            [*raw, "-i", "-", "-vf", f"scale=out_{_COLOURS}:out_range=tv"]
            + ["-pix_fmt", "yuv420p10le", *encoder, "-threads", "1", "-f", "vvc", "-"],
            image.tobytes(),
        )
        return bytes([_SMALLEST * down + right]) + stream

    def decompress(self, data: bytes) -> np.ndarray:
        """See `ImageCodec`."""
        scale = f"scale=in_{_COLOURS}:in_range=tv:{_UPSAMPLING}"
        picture = self._run(
            ["-f", "vvc", "-i", "-", "-vf", scale]
            + ["-pix_fmt", "rgb24", "-c:v", "ppm", "-f", "image2pipe", "-"],
            data[1:],
        )
        _, size, _, pixels = picture.split(b"\n", 3)
        width, height = map(int, size.split())
        image = np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
        down, right = divmod(data[0], _SMALLEST)
        return image[: height - down, : width - right]

    def _run(self, arguments: list[str], data: bytes) -> bytes:
        command = [self._ffmpeg, "-v", "error", *arguments]
        done = subprocess.run(command, input=data, capture_output=True)
        if done.returncode or not done.stdout:
            lines = done.stderr.decode(errors="replace").splitlines()
            reason = lines[-1] if lines else f"status {done.returncode}"
            raise UserError(f"ffmpeg failed on a VVC picture: {reason}")
        return done.stdout


def open_codec(kind: str) -> VVCCodec:
    """Opens the codec "vvc" or "vvc-qpa".

    Raises:
      UserError: imageio-ffmpeg is not installed, or its ffmpeg does not run or has no
        vvenc.
    """
    package = needs("imageio_ffmpeg", "evaluate", "imageio-ffmpeg")
    try:
        ffmpeg = package.get_ffmpeg_exe()
        command = [ffmpeg, "-hide_banner", "-encoders"]
        encoders = subprocess.run(command, capture_output=True, text=True).stdout
        if "libvvenc" not in encoders:
            raise UserError(
                f"{ffmpeg} has no libvvenc: pip install 'imageio-ffmpeg>=0.8.1'"
            )
        release = package.get_ffmpeg_version()
    except (OSError, RuntimeError) as error:
        raise UserError(f"{kind} needs a working ffmpeg: {error}") from error
    return VVCCodec(ffmpeg, release, kind)
