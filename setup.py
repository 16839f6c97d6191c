import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class BuildWithInclude(build_py):
    """Puts the C library into the package as one file, for `asr_trio.dsp.get_include()`."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            amalgamate = runpy.run_path(str(ROOT / "csrc" / "amalgamate.py"))["amalgamate"]
            amalgamate(Path(self.build_lib) / "asr_trio" / "include")


setup(
    cffi_modules=["csrc/build_dsp.py:ffibuilder"],
    cmdclass={"build_py": BuildWithInclude},
    # One wheel for every Python from 3.11 on: cffi's API mode uses the limited C API.
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
