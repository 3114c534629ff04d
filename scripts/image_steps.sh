#!/usr/bin/env bash
# The steps that make the image's Python environment. The Dockerfile runs them, and
# scripts/rehearse_image.sh runs them where there is no container engine, so that the two are one.
#
#   scripts/image_steps.sh packages PREFIX   a new environment in PREFIX, from the locks
#   scripts/image_steps.sh project PREFIX    the wheel of this folder into it, and its Java
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

readonly step=${1:?packages or project}
readonly prefix=${2:?the folder of the environment}

pip_install() {
  "$1" -m pip install --quiet --disable-pip-version-check --no-input --no-cache-dir "${@:2}"
}

locked() {
  pip_install "$1" --require-hashes --no-deps "${@:2}"
}

names_in() {
  sed -nE 's/^([A-Za-z0-9._-]+)==.*/\1/p' "$1" | sort
}

install_packages() {
  python3 -m venv "$prefix"
  # Two packages come as source only: what builds them is pinned too. It goes again afterwards.
  locked "$prefix/bin/python" -r locks/build.txt
  locked "$prefix/bin/python" --no-build-isolation -r locks/runtime.txt -r locks/jre.txt
  comm -23 <(names_in locks/build.txt) <(names_in locks/runtime.txt) |
    xargs "$prefix/bin/python" -m pip uninstall --quiet --yes --disable-pip-version-check
  leave_out_what_no_night_reads
}

# Half a gigabyte: headers to compile TensorFlow operations with, what parses such headers, and the
# packages' own tests.
leave_out_what_no_night_reads() {
  local packages
  packages=$("$prefix/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  rm -rf -- "$packages/tensorflow/include" "$packages/clang"
  find "$packages" -type d -name tests -prune -exec rm -rf -- {} +
}

install_project() {
  local builder
  builder=$(mktemp -d)
  python3 -m venv "$builder/venv"
  locked "$builder/venv/bin/python" -r locks/build.txt
  "$builder/venv/bin/python" -m hatchling build --target wheel --directory "$builder/wheels"
  pip_install "$prefix/bin/python" --no-deps --no-index "$builder"/wheels/*.whl
  rm -rf -- "$builder"
  # Spark's Java: the one of the lock, in PREFIX/jre, whatever else the machine has.
  "$prefix/bin/python" -m jobs.java_runtime --packaged
}

case $step in
  packages) install_packages ;;
  project) install_project ;;
  *)
    printf 'scripts/image_steps.sh: no step %s: expected packages or project\n' "$step" >&2
    exit 2
    ;;
esac
