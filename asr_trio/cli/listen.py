"""``asr-trio listen``: the microphone, live."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import trio
from cyclopts import Parameter

from asr_trio.cli.embedded import language_models, server
from asr_trio.cli.live import Display, JsonLines, show
from asr_trio.errors import AsrError

SAMPLE_RATE_HZ: Final = 16_000
BLOCK_SAMPLES: Final = 1_600
QUEUE_BLOCKS: Final = 100
"""Ten seconds: a server that stalls longer than that is not live any more, and the newest audio is dropped."""


class MicrophoneError(AsrError):
    """There is no microphone, or no library to read it."""


def listen(
    *,
    lm: Annotated[list[str] | None, Parameter(help="Language-model URI, or a grammar file; several compete.")] = None,
    url: Annotated[str | None, Parameter(help="A running server; without it one is started.")] = None,
    user: str | None = None,
    password: Annotated[str | None, Parameter(env_var="ASR_TRIO_PASSWORD")] = None,
    device: Annotated[str | None, Parameter(help="Name or number of the input device.")] = None,
    once: Annotated[bool, Parameter(negative="", help="Stop after one utterance.")] = False,
    json: Annotated[bool, Parameter(negative="", help="A line of JSON for each event.")] = False,
) -> int:
    """Recognise the microphone until Ctrl-C, partial hypotheses in place.

    Needs the extra ``microphone`` (sounddevice and PortAudio).
    """
    parameters = {
        "decoder.partialResultEnabled": "true",
        "decoder.partialResultInterval": "300",
        "decoder.continuousMode": str(not once).lower(),
        "noInputTimeout.enabled": "false",
        "recognitionTimeout.enabled": "false",
    }

    async def run() -> int:
        display = JsonLines() if json else Display()
        async with server(url, user, password) as target, target.connect() as session:
            display.line("speak; Ctrl-C ends")
            results = await show(
                session,
                _microphone(device),
                display,
                lm=models,
                parameters=parameters,
                content_type=f"audio/raw;rate={SAMPLE_RATE_HZ}",
            )
        return 0 if any(result.alternatives for result in results) else 1

    models = language_models(lm)
    return trio.run(run)


async def _microphone(device: str | None) -> AsyncIterator[bytes]:
    """Yield blocks of 16 kHz 16-bit mono from the sound card, whose callback runs in a thread of its own."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        msg = f"the microphone cannot be read ({error}); install the extra: pip install 'asr-trio[microphone]'"
        raise MicrophoneError(msg) from error
    send, receive = trio.open_memory_channel[bytes](QUEUE_BLOCKS)
    token = trio.lowlevel.current_trio_token()

    def put(block: bytes) -> None:
        try:
            send.send_nowait(block)
        except (trio.WouldBlock, trio.BrokenResourceError):
            return  # dropped: see QUEUE_BLOCKS

    def callback(data: Any, _frames: int, _time: Any, _status: Any) -> None:
        token.run_sync_soon(put, bytes(data))

    try:
        stream = sounddevice.RawInputStream(
            samplerate=SAMPLE_RATE_HZ,
            blocksize=BLOCK_SAMPLES,
            device=int(device) if device is not None and device.isdecimal() else device,
            channels=1,
            dtype="int16",
            callback=callback,
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        msg = f"the microphone cannot be opened: {error}"
        raise MicrophoneError(msg) from error
    with stream:
        async for block in receive:
            yield block
