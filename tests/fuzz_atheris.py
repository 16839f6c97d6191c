"""Coverage-guided fuzzing of the protocol and the session; arguments are those of libFuzzer.

python -m tests.fuzz_atheris -max_total_time=3600 [CORPUS]
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["asr_trio.protocol", "asr_trio.session"]):
    from tests.fuzz_protocol import run_one

if __name__ == "__main__":
    atheris.Setup([sys.argv[0], "-max_len=4096", "-timeout=10", *sys.argv[1:]], run_one)
    atheris.Fuzz()
