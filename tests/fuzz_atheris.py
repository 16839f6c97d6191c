"""Coverage-guided fuzzing; arguments are those of libFuzzer, after the target's name.

python -m tests.fuzz_atheris -max_total_time=3600 [CORPUS]         # protocol and session
python -m tests.fuzz_atheris audio -max_total_time=3600 [CORPUS]   # audio containers
python -m tests.fuzz_atheris ipc -max_total_time=3600 [CORPUS]     # frames between server and workers
"""

from __future__ import annotations

import sys

import atheris

INSTRUMENTED = ["asr_trio.protocol", "asr_trio.session", "asr_trio.audio", "asr_trio.recognizer.ipc"]

with atheris.instrument_imports(include=INSTRUMENTED):
    from tests.fuzz_bytes import TARGETS
    from tests.fuzz_protocol import run_one

if __name__ == "__main__":
    name, options = sys.argv[0], sys.argv[1:]
    run = TARGETS[options.pop(0)][0] if options and options[0] in TARGETS else run_one
    atheris.Setup([name, "-max_len=4096", "-timeout=10", *options], run)
    atheris.Fuzz()
