"""Constants of the file format (docs/format.md#header).

The entropy coders (`dlf_jax.entropy_coding.coders`), the stored Gaussian tables and the
model, whose fingerprint each file carries, decide the remaining bytes of a file.
"""

MAGIC = b"DLF"
FORMAT_VERSION = 1  # low half of the byte after the magic
MODEL_ID_BYTES = 3  # leading bytes of the model's fingerprint
