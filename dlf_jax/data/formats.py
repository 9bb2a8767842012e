"""Image formats, by file extension and by signature."""

from types import ModuleType

from dlf_jax.extras import needs

# Format -> file extensions.
_ENDINGS = {
    "AVIF": (".avif", ".avifs"),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "HEIF": (".heic", ".heif", ".hif"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "JXL": (".jxl",),
    "PNG": (".png", ".apng"),
    "PNM": (".pbm", ".pgm", ".ppm", ".pnm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}

# Extensions of photos, in lower case. Formats whose package is not installed are
# included, because the error message names the package.
READABLE = frozenset(ending for endings in _ENDINGS.values() for ending in endings)

# First bytes -> format. RAW: camera raw files. FLOAT: PFM files.
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JXL"),
    (b"\xff\x0a", "JXL"),
    *((start, "TIFF") for start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    *((start, "RAW") for start in (b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILM")),
    *((b"P%d" % kind, "PNM") for kind in range(1, 8)),
    *((start, "FLOAT") for start in (b"Pf", b"PF")),
)
# Brand of an ISO base media file -> format.
_BRANDS = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"crx ": "RAW",
    **dict.fromkeys(
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIF"
    ),
}
_PACKAGES = {
    "HEIF": ("pillow_heif", "photos", "pillow-heif"),
    "JXL": ("pillow_jxl", "photos", "pillow-jxl-plugin"),
    "JPEG2000": ("openjpeg", "photos", "pylibjpeg-openjpeg"),
}


def format_of(data: bytes) -> str:
    """Name of a file's format; empty if unknown."""
    if data[4:8] == b"ftyp":
        size = min(max(int.from_bytes(data[:4], "big"), 16), 256)
        brands = [data[8:12], *(data[i : i + 4] for i in range(16, size, 4))]
        found = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
        # A general brand, such as mif1, may precede the brand of the codec.
        return "AVIF" if "AVIF" in found else found[0] if found else ""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for start, kind in _SIGNATURES if data.startswith(start)), "")


def library(kind: str) -> ModuleType:
    """Imports the optional package that reads a format.

    Raises:
      UserError: the package is not installed; the message says how to install it.
    """
    module, extra, package = _PACKAGES[kind]
    return needs(module, extra, package)
