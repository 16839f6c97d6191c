"""Builds ``asr_trio._dsp`` from the C sources (cffi, API mode). Run by setup.py."""

from __future__ import annotations

from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def _relative(path: Path) -> str:
    """Return `path` as setuptools wants it: relative to setup.py."""
    return path.relative_to(ROOT).as_posix()


ffibuilder = FFI()
ffibuilder.cdef((HERE / "asr_dsp.cdef").read_text(encoding="ascii"))
ffibuilder.set_source(
    "asr_trio._dsp",
    '#include "asr_dsp.h"',
    sources=[_relative(path) for path in sorted((HERE / "src").glob("*.c"))],
    depends=[_relative(path) for folder in ("include", "src") for path in sorted((HERE / folder).glob("*.h"))],
    include_dirs=[_relative(HERE / "include"), _relative(HERE / "src")],
    # No -march: the SIMD level is chosen at run time. No -ffast-math: results must not depend on the compiler.
    extra_compile_args=["-std=c11", "-O3"],
    libraries=["m"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
