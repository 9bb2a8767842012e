#!/usr/bin/env bash
# `import tensorflow_datasets` succeeds and gives an empty module where protobuf does not go with
# tensorflow-metadata, in the releases of Colab's CPU and GPU runtimes since 2026-08-19
# (tensorflow-datasets 4.9.10, tensorflow-metadata 1.21.0, protobuf 5.29.6; Python 3.11 and 3.13).
#
# Guess: releases that pip resolves and `pip check` accepts load; if not, the import raises
# ImportError, which code for an optional library catches.
#
# Seen: tensorflow-metadata states protobuf>=4.25.2, but its code was generated for 6.31.1 and
# raises google.protobuf.runtime_version.VersionError, which is no ImportError, with 5.29.6. The
# package's __init__ catches every exception, logs it, and ends without one: the first use is an
# AttributeError. `import tensorflow_datasets.public_api` raises what went wrong.
#
#   pip check                                 No broken requirements found.
#   import tensorflow_datasets                no exception; has no `builder`
#   import tensorflow_datasets.public_api     VersionError, not an ImportError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet tensorflow-datasets==4.9.10 tensorflow-metadata==1.21.0 protobuf==5.29.6
venv/bin/pip check
cat > try.py <<'PYTHON'
import tensorflow_datasets

assert not hasattr(tensorflow_datasets, "builder")
print("import tensorflow_datasets: no exception; has no `builder`")
try:
    import tensorflow_datasets.public_api
except ImportError:
    raise SystemExit("an ImportError today") from None
except Exception as error:
    assert type(error).__name__ == "VersionError", error
    print("import tensorflow_datasets.public_api: VersionError, not an ImportError")
else:
    raise SystemExit("it loads today")
PYTHON
venv/bin/python try.py 2>/dev/null
