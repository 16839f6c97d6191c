#!/bin/sh
# Builds library and tests for arm64 and runs them under QEMU's user emulation. Needs CMake and, of Debian,
# gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
for tool in cmake aarch64-linux-gnu-gcc qemu-aarch64; do
    command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 0; }
done
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
cmake -S "$here" -B "$build" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc \
    "-DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64;-L;/usr/aarch64-linux-gnu" >"$build/log" || { cat "$build/log"; exit 1; }
cmake --build "$build" --parallel 2 >"$build/log" || { cat "$build/log"; exit 1; }
ctest --test-dir "$build" --output-on-failure "$@"
