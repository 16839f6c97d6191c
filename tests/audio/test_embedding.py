"""What is shipped for C: the header, the library by CMake and pkg-config, the one file."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import wave
from pathlib import Path

import pytest

import asr_trio.dsp
from asr_trio.audio.container import AudioFormat
from asr_trio.dsp import EndpointerSettings, Frontend, SpeechEnd
from tests.audio.signals import pcm16, sentence

CSRC = Path(__file__).parents[2] / "csrc"


def needs(*tools):
    """Skip, and say which tool is missing."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def test_include_folder_has_the_header():
    assert (asr_trio.dsp.get_include() / "asr_dsp.h").is_file()


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_amalgamation_compiles_alone_without_a_warning(compiler, tmp_path):
    needs(compiler)
    runpy.run_path(str(CSRC / "amalgamate.py"))["amalgamate"](tmp_path)
    options = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
    subprocess.run([compiler, *options, "-c", "asr_dsp.c", "-o", "asr_dsp.o"], cwd=tmp_path, check=True)
    symbols = subprocess.run(["nm", "-g", "asr_dsp.o"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    defined = [line.split()[-1].lstrip("_") for line in symbols.splitlines() if " T " in line or " D " in line]
    assert defined
    assert all(name.startswith("asr_") for name in defined)


def test_installed_library_is_found_by_pkg_config_and_cuts_as_python_does(tmp_path):
    needs("cmake", "pkg-config", "gcc")
    build, prefix = tmp_path / "build", tmp_path / "prefix"
    options = ["-DASR_DSP_TESTS=OFF", "-DASR_DSP_EXAMPLES=OFF", "-DCMAKE_INSTALL_LIBDIR=lib"]
    for command in (["-S", CSRC, "-B", build, f"-DCMAKE_INSTALL_PREFIX={prefix}", *options], ["--build", build],
                    ["--install", build]):  # fmt: skip
        subprocess.run(["cmake", *command], check=True, capture_output=True)
    search = os.environ | {"PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "asr_dsp"], env=search, check=True, capture_output=True, text=True
    ).stdout.split()
    program, recording = tmp_path / "wav2segments", tmp_path / "sentence.wav"
    subprocess.run(["gcc", "-std=c11", CSRC / "examples" / "wav2segments.c", *flags, "-o", program], check=True)
    samples = pcm16(sentence())
    with wave.open(str(recording), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(samples)
    told = subprocess.run([program, recording], check=True, capture_output=True, text=True).stdout
    frontend = Frontend(AudioFormat("pcm_s16", 16_000), EndpointerSettings(continuous=True))
    ends = [event for event in frontend.process(samples) + frontend.flush() if isinstance(event, SpeechEnd)]
    assert len(ends) == 1
    assert f"{ends[0].end_s:.3f}" in told
