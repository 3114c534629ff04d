#!/usr/bin/env bash
# What the image would hold and do, where there is no container engine: the Dockerfile's own steps
# in a clean folder, on exactly the files that .dockerignore lets through, and then, from the wheel
# alone and without root, the health check, one night of the mini lake, the same night on a Spark
# master with two workers, and the Prefect server with the deployments, as compose.yaml starts them.
#
#   scripts/rehearse_image.sh [FOLDER]       FOLDER is made and kept; without it, a temporary one
set -euo pipefail

repository=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
readonly repository
readonly night=2026-11-18
readonly base_megabytes=150 # python:3.11-slim-bookworm, unpacked
readonly most_megabytes=3000
case ${1:-} in
  -*)
    sed -n '2,/^set /p' "$0" | sed -n 's/^# \{0,1\}//p'
    exit 0
    ;;
  *) ;;
esac
if (($#)); then
  mkdir -p -- "$1"
  clean=$(cd -- "$1" && pwd)
else
  clean=$(mktemp -d -t mri-triage-image-XXXXXX)
fi
readonly clean
readonly prefix=$clean/opt/mri-triage
readonly home=$clean/home
# Java needs a user with a name; that of the image is on no other machine.
readonly user=nobody

services=()
as_user=()

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

# A Python that anyone may use, if there is one: that of a user's own folder is closed to others.
steps() {
  local path=$PATH
  if /usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    path=/usr/bin:$PATH
  fi
  PATH=$path "$clean/build/scripts/image_steps.sh" "$@"
}

# A command as the container would see it: its environment, its folder and user, nothing of this
# machine's own. It replaces the shell, so that a signal reaches it: use it in a subshell.
become() {
  cd -- "$home"
  exec "${as_user[@]}" env -i HOME="$home" PATH="$prefix/bin:/usr/local/bin:/usr/bin:/bin" \
    TMPDIR="$clean/tmp" JAVA_HOME="$prefix/jre" PYSPARK_PYTHON="$prefix/bin/python" \
    PREFECT_UI_STATIC_DIRECTORY="$clean/tmp/prefect-ui" PYTHONUNBUFFERED=1 LANG=C.UTF-8 "$@"
}

# Only root can become someone else, and only someone who may run this Python.
choose_user() {
  local other=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
  as_user=()
  if ((EUID == 0)) && "${other[@]}" "$prefix/bin/python" -c '' 2>/dev/null; then
    as_user=("${other[@]}")
  fi
  say "runs as user $(inside id -un)"
}

inside() {
  (become "$@")
}

own() {
  if ((${#as_user[@]})); then chown -R "$user" -- "$@"; fi
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
  own "$lake"
  inside env "${@:2}" MRI_TRIAGE__EXPLANATION__PERTURBATIONS=40 mri-triage night --place demo \
    --night "$night" --lake "$lake"
}

start_service() {
  local name=$1
  (become "${@:2}") >"$clean/$name.log" 2>&1 &
  services+=("$!")
}

start_cluster() {
  local port=$1 number
  start_service spark-master spark-class org.apache.spark.deploy.master.Master \
    --host 127.0.0.1 --port "$port" --webui-port 0
  for number in 1 2; do
    start_service "spark-worker-$number" spark-class org.apache.spark.deploy.worker.Worker \
      --host 127.0.0.1 --cores 1 --memory 1g --webui-port 0 --work-dir "$clean/tmp/spark" \
      "spark://127.0.0.1:$port"
  done
}

# The Prefect server, and a worker that registers the deployments there.
serve_deployments() {
  local port api
  port=$(free_port)
  api=http://127.0.0.1:$port/api
  start_service prefect env PREFECT_HOME="$clean/tmp/prefect" PREFECT_UI_API_URL="$api" \
    DO_NOT_TRACK=1 prefect server start --host 127.0.0.1 --port "$port"
  wait_for 240 "the Prefect server" inside python -c \
    "import urllib.request; urllib.request.urlopen('$api/health', timeout=5)"
  start_service worker env PREFECT_API_URL="$api" \
    mri-triage serve --place demo --lake "$clean/lake" --home "$home/served"
  wait_for 240 "the worker" grep -q 'deployments: nightly' "$clean/worker.log"
  say "$(grep 'deployments:' "$clean/worker.log")"
}

wait_for() {
  local seconds=$1 what=$2
  until "${@:3}" >/dev/null 2>&1; do
    ((seconds-- > 0)) || { say "$what did not come up: $clean/*.log" >&2; exit 1; }
    sleep 1
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
chmod 755 -- "$clean"
mkdir -p -- "$home" "$clean/tmp"
copy_context
steps packages "$prefix"
steps project "$prefix"
# Whatever runs from here on runs from the wheel.
rm -rf -- "$clean/build"
choose_user
own "$home" "$clean/tmp"
check_health
run_night "$clean/lake"
port=$(free_port)
start_cluster "$port"
run_night "$clean/lake-of-cluster" MRI_TRIAGE__ENGINE__MASTER="spark://127.0.0.1:$port"
same_rows "$clean/lake" "$clean/lake-of-cluster"
say 'the cluster decided as the machine alone did'
serve_deployments
bytes=$(du -sb -- "$clean/opt" | cut -f 1)
megabytes=$((bytes / 1000000))
say "$megabytes MB, and about $base_megabytes of the base image (limit $most_megabytes)"
((megabytes + base_megabytes < most_megabytes))
