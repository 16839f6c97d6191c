#!/bin/sh
# Builds library, tests and fuzz targets with AddressSanitizer and UndefinedBehaviorSanitizer and runs them in a
# temporary folder. Needs CMake; CC chooses the compiler.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
cmake -S "$here" -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DASR_DSP_SANITIZE=address,undefined -DASR_DSP_FUZZ=ON >"$build/log" || { cat "$build/log"; exit 1; }
cmake --build "$build" --parallel 2 >"$build/log" || { cat "$build/log"; exit 1; }
ctest --test-dir "$build" --output-on-failure
