#!/usr/bin/env bash
# What the image would hold and do, where there is no container engine: the Dockerfile's own steps
# in a clean folder, on exactly the files that .dockerignore lets through, and then, from the wheel
# alone, the health check, one night of the mini lake, and the same night on a Spark master with two
# workers as compose.yaml starts them.
#
#   scripts/rehearse_image.sh [FOLDER]       FOLDER is made and kept; without it, a temporary one
set -euo pipefail

repository=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
readonly repository
readonly night=2026-11-18
readonly most_megabytes=3000
if (($#)); then
  mkdir -p -- "$1"
  clean=$(cd -- "$1" && pwd)
else
  clean=$(mktemp -d -t mri-triage-image-XXXXXX)
fi
readonly clean
readonly prefix=$clean/opt/mri-triage
readonly home=$clean/home

services=()

finish() {
  local service
  for service in "${services[@]}"; do kill "$service" 2>/dev/null || true; done
  wait
}
trap finish EXIT

say() {
  printf 'image: %s\n' "$*"
}

# The build's context, as .dockerignore says.
copy_context() {
  local line path
  while IFS= read -r line; do
    [[ $line == '!'* ]] || continue
    path=${line#!}
    mkdir -p -- "$clean/build/$(dirname -- "$path")"
    cp -Rp -- "$repository/$path" "$clean/build/$path"
  done <"$repository/.dockerignore"
  find "$clean/build" -name __pycache__ -type d -prune -exec rm -rf {} +
}

# A command as the container would see it: its environment, its folder, nothing of this machine's.
inside() {
  (cd -- "$home" && env -i HOME="$home" PATH="$prefix/bin:/usr/local/bin:/usr/bin:/bin" \
    JAVA_HOME="$prefix/jre" PYSPARK_PYTHON="$prefix/bin/python" PYTHONUNBUFFERED=1 \
    LANG=C.UTF-8 "$@")
}

# The words of an instruction written as JSON, one a line: CMD ["a", "b"].
words_of() {
  sed -nE "s/^ *$1 (\[.*\])\$/\1/p" "$repository/Dockerfile" | head -n 1 |
    "$prefix/bin/python" -c 'import json, sys; print(*json.load(sys.stdin), sep="\n")'
}

check_health() {
  local words
  mapfile -t words < <(words_of CMD)
  inside "${words[@]}" >/dev/null
  say "healthy: ${words[*]}"
}

run_night() {
  local lake=$1
  mkdir -p -- "$lake/incoming"
  cp -Rp -- "$repository/tests/mini_lake/lake/incoming/night=$night" "$lake/incoming/"
  inside env "${@:2}" MRI_TRIAGE__EXPLANATION__PERTURBATIONS=40 mri-triage night --place demo \
    --night "$night" --lake "$lake"
}

start_service() {
  inside spark-class "$@" >>"$clean/spark.log" 2>&1 &
  services+=("$!")
}

start_cluster() {
  local port=$1
  start_service org.apache.spark.deploy.master.Master --host 127.0.0.1 --port "$port" \
    --webui-port 0
  for _ in 1 2; do
    start_service org.apache.spark.deploy.worker.Worker --host 127.0.0.1 --cores 1 --memory 1g \
      --webui-port 0 --work-dir "$clean/spark-work" "spark://127.0.0.1:$port"
  done
}

free_port() {
  "$prefix/bin/python" -c \
    'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

same_rows() {
  inside python - "$@" <<'PYTHON'
import sys
import pyarrow.parquet as pq
columns = ["image_id", "decision", "reason"]
first, second = (pq.read_table(f"{lake}/results", columns=columns).sort_by("image_id")
                 for lake in sys.argv[1:])
# The identifiers are made from the place of an object, which differs here.
decided = [sorted(zip(t["decision"].to_pylist(), t["reason"].to_pylist())) for t in (first, second)]
sys.exit(0 if decided[0] == decided[1] else "the cluster's night differs from the machine's own")
PYTHON
}

say "in $clean"
mkdir -p -- "$home"
copy_context
"$clean/build/scripts/image_steps.sh" packages "$prefix"
"$clean/build/scripts/image_steps.sh" project "$prefix"
# Whatever runs from here on runs from the wheel.
rm -rf -- "$clean/build"
check_health
run_night "$clean/lake"
port=$(free_port)
start_cluster "$port"
run_night "$clean/lake-of-cluster" MRI_TRIAGE__ENGINE__MASTER="spark://127.0.0.1:$port"
same_rows "$clean/lake" "$clean/lake-of-cluster"
say 'the cluster decided as the machine alone did'
megabytes=$(du -sm -- "$clean/opt" | cut -f 1)
say "$megabytes MB on disk, beside the base image (at most $most_megabytes together)"
((megabytes < most_megabytes)) || exit 1
