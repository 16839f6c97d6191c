"""The second engine behind the whole server: its own processes, inside the sandbox; skipped where it is not there."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from asr_trio.client import FinalResult, PartialResult, connect
from tests.live import serve
from tests.recognizer.audio import read_pcm

pytest.importorskip("faster_whisper", reason="the extra whisper is not installed")


@pytest.mark.slow
@pytest.mark.shared
async def test_dictation_by_whisper_beside_grammars_by_pocketsphinx(shared: Path, tmp_path: Path) -> None:
    folder = shared / "models" / "whisper-tiny.en"
    if not folder.is_dir():
        pytest.skip("the model whisper-tiny.en is not beside this checkout")
    (tmp_path / "asr.toml").write_text(
        f'[recognizer]\nworkers_idle = 1\n[recognizer.models.dictation]\nengine = "whisper"\nacoustic = "{folder}"\n'
        "options.partial_share = 10.0\n"
    )
    with (shared / "data/free/refs.tsv").open(encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        row = next(row for row in rows if row["transcript"].startswith("put this in a double boiler"))
    pcm = read_pcm(shared / "data/free" / row["path"]) + bytes(48_000)
    parameters = {"decoder.partialResultEnabled": True, "decoder.wordDetails": 1}

    async def live() -> AsyncIterator[bytes]:
        for start in range(0, len(pcm), 16_000):
            yield pcm[start : start + 16_000]
            await trio.sleep(0.2)

    with serve(tmp_path, ASR_TRIO_CONFIG=str(tmp_path / "asr.toml")) as server:
        async with connect(server.ws_url) as session:
            recognition = session.recognize(
                live(), lm="builtin:slm/dictation", parameters=parameters, content_type="audio/raw;rate=16000"
            )
            events = [event async for event in recognition]
            assert any(isinstance(event, PartialResult) for event in events)
            final = events[-1]
            assert isinstance(final, FinalResult)
            assert len(set(final.text.split()) & set(row["transcript"].split())) >= 8
            assert final.result.alternatives[0].words
            meaning = await session.interpret("one two three", lm="builtin:grammar/digits")
            assert meaning.result.alternatives
