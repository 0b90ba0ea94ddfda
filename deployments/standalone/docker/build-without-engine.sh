#!/bin/bash
# Builds the Dockerfile on a machine without a container engine, boots the image and asks it one question.
#
# A Debian root file system made by debootstrap is imported as the base; buildah builds in a chroot; the image is
# then run from a read-only mount, as the user the image names, with nothing writable but its state and /tmp.
# Needs root, and Rust on this machine (mounted into the build stage instead of pulling an image that has it).
#
# usage: [REQUIREMENTS=cloud] build-without-engine.sh [WORK_FOLDER]
set -euo pipefail
cd "$(dirname "$0")/../../.."
scripts/system-packages.sh image
# The build stage can add nothing to the toolchain that it is lent; what evaluates profiles belongs to it.
if command -v rustup >/dev/null; then rustup component add llvm-tools; fi

work="${1:-$PWD/.cache/image}"
base=localhost/llm-edge-base builder=localhost/llm-edge-builder image=localhost/llm-edge-agent
mkdir -p "$work"
buildah=(buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run")

# What this machine knows of certificates and crates is lent to the build and stays out of the image.
lend=(
  --volume /etc/ssl/certs:/etc/ssl/certs:ro
  --volume "$(rustc --print sysroot):/usr/local/toolchain:ro"
  --volume "${CARGO_HOME:-$HOME/.cargo}/registry:/root/.cargo/registry"
)

exists() { "${buildah[@]}" inspect --type image "$1" >/dev/null 2>&1; }

# import NAME FOLDER [BELOW]: an image of what is in the folder, on top of another image
import() {
  local container
  container="$("${buildah[@]}" from --pull-never "${3:-scratch}")"
  "${buildah[@]}" add --quiet "$container" "$2" / >/dev/null
  "${buildah[@]}" commit --quiet "$container" "$1" >/dev/null
  "${buildah[@]}" rm "$container" >/dev/null
  rm -rf "${2:?}"
}

make_base() {
  exists "$base" && return
  local root="$work/base" mirror
  # shellcheck disable=SC2016  # apt-get fills in $(SITE)
  mirror="$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)"
  rm -rf "$root"
  debootstrap --variant=minbase --include=ca-certificates,python3 bookworm "$root" "${mirror:?no Debian mirror}"
  rm -rf "${root:?}"/var/cache/apt/* "${root:?}"/var/lib/apt/lists/* "${root:?}"/dev/*
  import "$base" "$root"
}

make_builder() {
  exists "$builder" && return
  local root="$work/builder" tool
  mkdir -p "$root/usr/local/bin"
  for tool in cargo rustc rustdoc; do
    ln -sf "/usr/local/toolchain/bin/$tool" "$root/usr/local/bin/$tool"
  done
  import "$builder" "$root" "$base"
}

build() {
  "${buildah[@]}" bud --format docker --isolation chroot --layers=false --pull-never "${lend[@]}" \
    --build-arg BASE="$base" --build-arg BUILDER="$builder" \
    --build-arg REQUIREMENTS="${REQUIREMENTS:-runtime}" --tag "$image" .
}

boot() {
  local container root port=18080 answer
  container="$("${buildah[@]}" from --pull-never "$image")"
  root="$("${buildah[@]}" mount "$container")"
  mkdir -p "$work/config"
  cat >"$work/config/llm-edge.yaml" <<YAML
version: 1
mock: true
listen: {api: "127.0.0.1:$port", metrics: "127.0.0.1:0", admin: "127.0.0.1:0"}
keys: [{name: check, key: sk-edge-image-check}]
YAML
  # shellcheck disable=SC2016  # the inner shell expands them
  unshare --mount --pid --fork --kill-child bash -euc '
    root=$1 config=$2
    mount --bind "$root" "$root"
    mount -t tmpfs -o uid=65532,gid=65532,mode=0700 tmpfs "$root/var/lib/llm-edge-agent"
    mount -t tmpfs tmpfs "$root/tmp"
    mount -t proc proc "$root/proc"
    mount --bind "$config" "$root/mnt"
    mount -o remount,bind,ro "$root"
    exec chroot "$root" /usr/bin/setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs \
      /usr/bin/env -i PATH=/opt/llm-edge-agent/bin:/usr/bin:/bin STATE_DIRECTORY=/var/lib/llm-edge-agent \
      HOME=/nonexistent PYTHONDONTWRITEBYTECODE=1 \
      llm-edge-agent serve --config /mnt/llm-edge.yaml
  ' boot "$root" "$work/config" >"$work/boot.log" 2>&1 &
  local process=$! code=0
  for _ in $(seq 100); do
    curl --silent --fail --output /dev/null "http://127.0.0.1:$port/readyz" && break
    kill -0 "$process" 2>/dev/null || break
    sleep 0.1
  done
  answer="$(curl --silent --show-error --fail "http://127.0.0.1:$port/v1/chat/completions" \
    --header 'Authorization: Bearer sk-edge-image-check' --header 'Content-Type: application/json' \
    --data '{"model": "mock/echo", "messages": [{"role": "user", "content": "Hello from the image."}]}')" || code=$?
  # unshare itself heeds no SIGTERM; the gateway, its child, does, and its exit code comes back through it.
  pkill -TERM -P "$process" || true
  wait "$process" || code=$?
  "${buildah[@]}" rm "$container" >/dev/null
  if ((code)); then
    cat "$work/boot.log" >&2
    return 1
  fi
  printf '%s\n' "$answer"
}

make_base
make_builder
build
boot
