#!/usr/bin/env bash
# jax 0.10.2 with libtpu 0.0.42.1: devices of a TPU slice that is only described.
#
# Guess: jax.experimental.topologies describes slices as jax.devices() shows them on the
# real machines, where a chip of v4 is one device with 32 GiB, as a chip of v5p is one.
# Seen: a v4 has two devices a chip, with half the memory and the same device_kind, unless
# chip_config_name="megacore" is passed; v5p has one without it; tpu7x has two and rejects
# the option. What is compiled for the described v4 so fits into half of what there is.
#
#   v4:2x2x1 default: 8 x 'TPU v4', 15.25G
#   v4:2x2x1 megacore: 4 x 'TPU v4', 30.75G
#   v5p:2x2x1 default: 4 x 'TPU v5', 95.74G
#   v5p:2x2x1 megacore: 4 x 'TPU v5', 95.74G
#   tpu7x:2x2x1 default: 8 x 'TPU7x', 94.75G
#   tpu7x:2x2x1 megacore: NOT_FOUND
#
# Needs no TPU. Exits with 1 if a later run prints something else.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  jax==0.10.2 jaxlib==0.10.2 libtpu==0.0.42.1 numpy==2.4.0
cat >"$folder/devices.py" <<'PYTHON'
import os
import re

os.environ |= {
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_HOST_BOUNDS": "1,1,1",
    "TPU_CHIPS_PER_HOST_BOUNDS": "1,1,1",
}
import jax
import jax.numpy as jnp
from jax.experimental import topologies
from jax.sharding import SingleDeviceSharding

jax.config.update("jax_platforms", "cpu")


def memory(device):
    """Memory that the compiler reports when asked for 240 GiB."""
    large = jax.ShapeDtypeStruct(
        (1 << 20, 120 << 10), jnp.bfloat16, sharding=SingleDeviceSharding(device)
    )
    try:
        jax.jit(lambda x: (x @ x.T).sum(0) + x.sum()).lower(large).compile()
    except jax.errors.JaxRuntimeError as error:
        return re.search(r"available HBM \((.*?)\)", str(error))[1]


for name in ("v4:2x2x1", "v5p:2x2x1", "tpu7x:2x2x1"):
    for chip, options in (("default", {}), ("megacore", {"chip_config_name": "megacore"})):
        try:
            devices = topologies.get_topology_desc(name, platform="tpu", **options).devices
            kind = devices[0].device_kind
            print(f"{name} {chip}: {len(devices)} x {kind!r}, {memory(devices[0])}")
        except jax.errors.JaxRuntimeError as error:
            print(f"{name} {chip}: {str(error).partition(':')[0]}")
PYTHON
"$folder/venv/bin/python" "$folder/devices.py" | tee "$folder/seen"
sed -n "s/^#   \(.*: .*\)/\1/p" "$0" | diff - "$folder/seen"
