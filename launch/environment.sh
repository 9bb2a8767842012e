# Sourced by the scripts beside it, in the root of the checkout.

# Container images set this variable. With compiled modules `import jax` takes 1.5 s, not 3.
unset PYTHONDONTWRITEBYTECODE

# find_python [VERSION]: prints the first interpreter of VERSION ("3.13") or, without
# VERSION, of 3.11 or newer; tries $PYTHON first.
find_python() {
  local wanted=${1:-} version candidate
  local -a candidates=(${PYTHON:+"$PYTHON"})
  for version in ${wanted:-3.11 3.12 3.13 3.14}; do
    # The second kind is pyenv's, whose python3.13 fails where 3.13 is not active.
    candidates+=("python$version" "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$version"[.-]*/bin/python)
  done
  for candidate in "${candidates[@]}" python3 python; do
    if "$candidate" -c 'import sys
found = sys.version_info
sys.exit(found < (3, 11) or sys.argv[1] not in ("", f"{found[0]}.{found[1]}"))' "$wanted" 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "Python ${wanted:-3.11 or newer} was not found. Install it, or run: PYTHON=/path/to/python bash $0" >&2
  return 1
}

# make_environment DIR [EXTRAS [CONSTRAINTS]]: creates a virtual environment in DIR and installs
# this checkout with EXTRAS ("test,train"), with versions pinned by the file CONSTRAINTS.
# Keeps an environment that is up to date.
make_environment() {
  local venv=$1 target=".${2:+[$2]}" constraints=${3:-} stamp="$1/installed" wanted python
  wanted="$target $(cat pyproject.toml ${constraints:+"$constraints"})"
  if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(find_python) || return 1
    echo "Creating a virtual environment in $venv with $("$python" --version)"
    if ! "$python" -m venv --clear "$venv"; then
      echo "$python cannot create virtual environments; on Debian and Ubuntu, install the package python3-venv" >&2
      return 1
    fi
  fi
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing dlf-jax and its dependencies into $venv (1 to 3 GB, a minute or two, once)"
    # Python compiles modules at their first import, a fraction of all.
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
      --no-compile ${constraints:+-c "$constraints"} -e "$target" || return 1
    echo "$wanted" > "$stamp"
  fi
}

# print_command WORD...: prints the command, quoted for a shell.
print_command() {
  local word line= quote="'" escaped="'\\''"
  for word in "$@"; do
    [[ $word =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]] || word="'${word//$quote/$escaped}'"
    line+="$word "
  done
  echo "${line% }"
}
