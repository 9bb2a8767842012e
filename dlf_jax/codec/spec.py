"""Every constant that changes a byte of a file.

The others belong to the entropy coders (`dlf_jax.entropy_coding.coders`), to the stored
Gaussian tables, and to the model, whose fingerprint each file carries.
"""

MAGIC = b"DLF"
FORMAT_VERSION = 1  # low half of the byte after the magic
MODEL_ID_BYTES = 3  # of the model's fingerprint
