"""A self-hosted speech-recognition server that speaks the CPqD ASR WebSocket API 2.3."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("asr-trio")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0.0.0"
