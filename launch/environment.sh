# Sourced by the scripts beside it, in the root of the checkout.

# Container images set this; without compiled modules `import jax` takes 3 s, not 1.5.
unset PYTHONDONTWRITEBYTECODE

# Prints the first interpreter that can make the environment; $PYTHON is tried first.
find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3.14 python3 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "Python 3.11 or newer was not found. Install it, or name it: PYTHON=/path/to/python bash $0" >&2
  return 1
}

# make_environment DIR [EXTRAS [REQUIREMENTS]]: a virtual environment in DIR that holds this
# checkout with its EXTRAS ("test,train"), and what the file REQUIREMENTS pins. One that is
# there and up to date is left as it is.
make_environment() {
  local venv=$1 target=".${2:+[$2]}" pins=${3:-} stamp="$1/installed" wanted python
  wanted="$target $(cat pyproject.toml $pins)"
  if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(find_python) || return 1
    echo "Making a virtual environment in $venv with $("$python" --version)"
    if ! "$python" -m venv --clear "$venv"; then
      echo "$python cannot make virtual environments; on Debian and Ubuntu the package python3-venv is missing" >&2
      return 1
    fi
  fi
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing dlf-jax and what it needs into $venv (1 to 3 GB, a minute or two, once)"
    # Python compiles what is used when it is used first, a fraction of all.
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
      --no-compile ${pins:+-r "$pins"} -e "$target" || return 1
    echo "$wanted" > "$stamp"
  fi
}

# print_command WORD...: the command as a shell would read it back.
print_command() {
  local word line= quote="'" escaped="'\\''"
  for word in "$@"; do
    [[ $word =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]] || word="'${word//$quote/$escaped}'"
    line+="$word "
  done
  echo "${line% }"
}
