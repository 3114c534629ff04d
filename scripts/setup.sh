#!/usr/bin/env bash
# Makes .venv from locks/: Python packages by their hashes, this project, and a Java runtime if the
# machine has none. Needs bash and Python 3.11 with venv, nothing else, and no root.
#
# A stamp named after the digest of everything that goes in ends the second run at once.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

readonly venv=.venv
readonly venv_python=$venv/bin/python
readonly stamps=$venv/.set-up
readonly log=$venv/set-up.log

say() {
  printf 'set-up: %s\n' "$*"
}

fail() {
  printf 'set-up: %s\n' "$*" >&2
  exit 2
}

is_python_3_11() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' \
    >/dev/null 2>&1
}

# Prints the first Python 3.11 with venv; PYTHON=... names one by hand.
find_python() {
  local candidate
  if [[ -n ${PYTHON:-} ]]; then
    is_python_3_11 "$PYTHON" ||
      fail "PYTHON=$PYTHON is not a Python 3.11 with venv: name one that is, or unset PYTHON."
    printf '%s\n' "$PYTHON"
    return
  fi
  for candidate in python3.11 python3 python; do
    if command -v "$candidate" >/dev/null 2>&1 && is_python_3_11 "$candidate"; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  fail "needs Python 3.11 with its venv module, found $(describe_python): install it (on Debian and" \
    "Ubuntu: python3.11 python3.11-venv) or name it with PYTHON=/path/to/python3.11."
}

describe_python() {
  local found
  if command -v python3.11 >/dev/null 2>&1; then
    printf 'python3.11 without venv'
  elif found=$(python3 --version 2>/dev/null); then
    printf '%s' "$found"
  else
    printf 'none'
  fi
}

# Digest of what the environment is made of. hashlib, because sha256sum is not on every system;
# the folder goes in as well, because a moved .venv does not work; of pyproject.toml only what is
# installed, not the settings of the tools.
digest_of_inputs() {
  "$1" - "$PWD" locks/build.txt locks/dev.txt locks/jre.txt scripts/setup.sh <<'PYTHON'
import hashlib, json, pathlib, sys, tomllib
digest = hashlib.sha256(sys.argv[1].encode())
for name in sys.argv[2:]:
    digest.update(pathlib.Path(name).read_bytes())
project = tomllib.loads(pathlib.Path("pyproject.toml").read_text("utf-8"))["project"]
digest.update(json.dumps(project).encode())
print(digest.hexdigest()[:16])
PYTHON
}

make_venv() {
  local python=$1
  if [[ -e $venv ]] && ! is_python_3_11 "$venv_python"; then
    say "$venv is broken or of another Python: making it anew"
    rm -rf -- "$venv"
  fi
  if [[ ! -e $venv ]]; then
    say "making $venv with $("$python" --version)"
    "$python" -m venv "$venv"
  fi
}

pip_install() {
  "$venv_python" -m pip install -qq --disable-pip-version-check --no-input "$@"
}

# pip's own bar is useless in a log: one line for every 25 packages instead.
show_progress() {
  local total=$1 line seen=0
  while IFS= read -r line; do
    case $line in
      Collecting* | Processing*)
        seen=$((seen + 1))
        if ((seen % 25 == 0)); then say "  $seen of $total packages fetched"; fi
        ;;
      *"Building wheel for"*started*) say "  ${line%%(*}" ;;
      "Installing collected packages"*) say "  unpacking" ;;
      *ERROR* | *error:*) printf '%s\n' "$line" >&2 ;;
      *) ;;
    esac
  done
}

install_lock() {
  local lock=$1 total
  total=$(grep -c '==' "$lock")
  say "installing $total packages from $lock (about 1 GB; some minutes the first time)"
  # Two packages come as source only. The setuptools that builds them is pinned too (build.txt),
  # so nothing is fetched that has no hash; the lock then puts its own setuptools in its place.
  pip_install --require-hashes --no-deps -r locks/build.txt
  "$venv_python" -m pip install --disable-pip-version-check --no-input --progress-bar off \
    --require-hashes --no-deps --no-build-isolation -r "$lock" 2>&1 |
    tee -- "$log" | show_progress "$total" ||
    fail "pip could not install $lock: the whole story is in $log; mend it and run this again."
}

install_project() {
  say 'installing this project (editable)'
  pip_install --no-deps --no-build-isolation --editable .
}

install_java_if_missing() {
  if "$venv_python" -m jobs.java_runtime >/dev/null 2>&1; then
    return
  fi
  say 'no Java 17 or 21 here: installing a Java runtime from locks/jre.txt'
  pip_install --require-hashes --no-deps -r locks/jre.txt
  "$venv_python" -m jobs.java_runtime >/dev/null
}

main() {
  local python digest stamp
  python=$(find_python)
  digest=$(digest_of_inputs "$python")
  stamp=$stamps/$digest
  if [[ -e $stamp && -x $venv_python ]]; then
    # Java may have been removed since: asking again is cheap, an obscure failure of Spark is not.
    install_java_if_missing
    say 'ready'
    return
  fi
  make_venv "$python"
  install_lock locks/dev.txt
  install_project
  install_java_if_missing
  rm -rf -- "$stamps"
  mkdir -p -- "$stamps"
  : >"$stamp"
  say 'done'
}

main "$@"
