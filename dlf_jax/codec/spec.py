"""Every constant that changes a byte of a file.

The remaining ones belong to the entropy coders (`coding/coders.py`), to the stored
Gaussian tables, and to the model, whose fingerprint each file carries.
"""

MAGIC = b"DLF"
FORMAT_VERSION = 1  # low half of the byte after the magic
MODEL_ID_BYTES = 3  # of the model's fingerprint
