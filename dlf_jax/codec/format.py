"""Constants of the file format (docs/format.md#header).

The entropy coders (`dlf_jax.entropy_coding.coders`), the stored Gaussian tables and the
model, whose fingerprint each file carries, decide the remaining bytes of a file.
"""

MAGIC = b"DLF"
# Low half of the byte after the magic; the second for rates between the rate points.
WHOLE_RATES, FINE_RATES = 1, 2
MODEL_ID_BYTES = 3  # leading bytes of the model's fingerprint
