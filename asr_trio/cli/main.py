"""The ``asr-trio`` command: one app, a module per command, exit codes that scripts can rely on.

Exit codes: 0 done, 1 done but nothing recognised or a check failed, 2 wrong use or an error that was told on stderr,
130 interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import Final, NoReturn

from cyclopts import App, CycloptsError

from asr_trio import __version__
from asr_trio.errors import AsrError, leaves

# Commands are named here and imported only when they run: `asr-trio --version` must not load a decoder.
COMMANDS: Final = {
    "serve": ("asr_trio.cli.serve:serve", "Serve the recognition protocol."),
    "transcribe": ("asr_trio.cli.transcribe:transcribe", "Recognise audio files."),
    "replay": ("asr_trio.cli.replay:replay_file", "Play a recorded session again and compare."),
    "listen": ("asr_trio.cli.listen:listen", "Recognise the microphone."),
    "demo": ("asr_trio.cli.demo:demo", "Start a server and stream a real recording through it at live pace."),
    "doctor": ("asr_trio.cli.doctor:doctor", "Say what is wrong with this machine, and how to mend it."),
    "users": ("asr_trio.cli.users:app", "Keep the password file of HTTP Basic authentication."),
    "grammar": ("asr_trio.cli.grammar:app", "Check, compile, convert and try grammars."),
    "models": ("asr_trio.cli.models:app", "List the configured models, check that they can be used."),
    "config": ("asr_trio.cli.configuration:app", "Check and show the configuration."),
    "bench": ("asr_trio.cli.bench:app", "Measure latency and capacity."),
}

app = App(
    name="asr-trio",
    version=__version__,
    help="A self-hosted speech-recognition server that speaks the CPqD ASR WebSocket API 2.3.",
    help_on_error=False,
)
for _name, (_target, _help) in COMMANDS.items():
    app.command(_target, name=_name, help=_help)
app.register_install_completion_command()


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    try:
        code = app(arguments, exit_on_error=False, result_action="return_value")
    except CycloptsError:  # told already
        sys.exit(2)
    except AsrError as error:
        _tell(error)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _end_unheard()
    except BaseExceptionGroup as group:
        # Trio wraps what its tasks raise; what a user can mend is shown as one line each, the rest as it is.
        expected, rest = group.split((AsrError, KeyboardInterrupt, BrokenPipeError))
        if rest is not None or expected is None:
            raise
        if expected.subgroup(KeyboardInterrupt) is not None:
            sys.exit(130)
        if expected.subgroup(BrokenPipeError) is not None:
            _end_unheard()
        for leaf in leaves(expected):
            _tell(leaf)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


def _tell(error: BaseException) -> None:
    first, *more = str(error).splitlines() or [type(error).__name__]
    print("\n".join([f"asr-trio: {first}", *(f"          {line}" for line in more)]), file=sys.stderr)


def _end_unheard() -> NoReturn:
    """End where the reader of our output (head, less) has gone: nothing to say and nobody to say it to."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


if __name__ == "__main__":
    main()
