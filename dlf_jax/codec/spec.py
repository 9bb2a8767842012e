"""Every constant that changes a byte of a file.

The remaining ones belong to the entropy coder (`coding/range_coder.py`, its stored
tables, and the order in `coding/symbol_coder.py`) and to the model, whose fingerprint
each file carries.
"""

MAGIC = b"DLF"
FORMAT_VERSION = 1  # low half of the byte after the magic
CODER_RANGE = 0  # high half of that byte: which entropy coder wrote the payload
MODEL_ID_BYTES = 3  # of the model's fingerprint
