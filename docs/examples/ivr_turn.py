"""One turn of a telephone dialogue with barge-in: python ivr_turn.py ws://localhost:8025/asr-server/asr caller.wav [s]

The last argument is the length of the prompt in seconds. The recogniser listens while the prompt is still being played.
A caller who knows the menu speaks over it: START_OF_SPEECH stops the prompt. A caller who waits is given time from the
end of the prompt and not from its beginning: the timers are off at START_RECOGNITION and started by START_INPUT_TIMERS.
"""

import sys
import wave
from collections.abc import AsyncIterator

import trio

from asr_trio.client import FinalResult, Session, SpeechStarted, connect, paced

MENU = """#ABNF 1.0 UTF-8;
language en-US;
tag-format <semantics/1.0>;
root $choice;
$choice = [please] (balance {out = "balance";} | transfer {out = "transfer";} | $digit {out = rules.digit;});
$digit = $<builtin:grammar/digits#digit>;
"""
TIMERS = {"decoder.startInputTimers": False, "noInputTimeout.value": 4000}


async def caller(file: str) -> AsyncIterator[bytes]:
    """What comes from the line, at the pace of the line; a line is never silent for ever, but it may say nothing."""
    with wave.open(file) as recording:
        pcm, rate_hz = recording.readframes(recording.getnframes()), recording.getframerate()
    async for packet in paced(pcm + bytes(20 * rate_hz), bytes_per_s=2 * rate_hz):
        yield packet


async def play_prompt(session: Session, seconds: float, playing: trio.CancelScope) -> None:
    """Stand in for the telephone's player; cancelling the scope is what stops it."""
    with playing:
        print("prompt: Your balance, a transfer, or the number of a department?")
        await trio.sleep(seconds)
        await session.start_input_timers()
        print("prompt: played to its end, the caller has 4 s")
    if playing.cancelled_caught:
        print("prompt: stopped, the caller is speaking")


async def main(url: str, file: str, seconds: str = "2.5") -> None:
    with wave.open(file) as recording:
        rate_hz = recording.getframerate()
    async with connect(url) as session, trio.open_nursery() as nursery:
        menu = await session.define_grammar("menu", MENU)
        playing = trio.CancelScope()
        recognition = session.recognize(
            caller(file), lm=menu, parameters=TIMERS, content_type=f"audio/raw;rate={rate_hz}"
        )
        nursery.start_soon(play_prompt, session, float(seconds), playing)
        async for event in recognition:
            if isinstance(event, SpeechStarted):
                playing.cancel()
            elif isinstance(event, FinalResult):
                print(f"caller: {event.text or event.status} {event.interpretations}")
        playing.cancel()


trio.run(main, *sys.argv[1:])
