from setuptools import setup

setup(
    cffi_modules=["csrc/build_dsp.py:ffibuilder"],
    # One wheel for every Python from 3.11 on: cffi's API mode uses the limited C API.
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
