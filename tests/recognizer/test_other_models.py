"""Models other than the package's, by configuration alone; skipped where they are not beside the checkout."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from asr_trio.recognizer import base
from asr_trio.recognizer.engines import Engines
from asr_trio.recognizer.grammars import compile_grammar
from asr_trio.recognizer.models import ModelRegistry, grammar_model
from asr_trio.recognizer.worker import Competition
from asr_trio.settings import ModelSettings, RecognizerSettings
from tests.recognizer.audio import read_pcm

pytestmark = [pytest.mark.shared, pytest.mark.slow]

DIGITS = (
    "#JSGF V1.0 UTF-8 {}; grammar d; public <d> = zero | one | two | three | four | five | six | seven | eight | nine;"
)
ORDERS = "abrir la puerta | cerrar la ventana | apagar la luz"


@pytest.fixture(scope="module")
def engines(shared: Path) -> Engines:
    folder = shared / "models"
    if not folder.is_dir():
        pytest.skip("no further models are beside this checkout")
    models = {
        "general": ModelSettings(),
        "telephone": ModelSettings(acoustic=folder / "hub4wsj_sc_8k", languages=("en-ZA",)),
        "spanish": ModelSettings(
            acoustic=folder / "es-es/hmm", dictionary=folder / "es-es/es.dict", languages=("es-ES",)
        ),
        "portuguese": ModelSettings(
            acoustic=folder / "pt-br-ci/hmm", dictionary=folder / "pt-br-ci/pt-br.dict", languages=("pt-BR",)
        ),
    }
    return Engines(ModelRegistry(RecognizerSettings(models=models)))


def compiled(engines: Engines, text: str) -> base.GrammarModel:
    frame = base.Compile(text=text.encode(), content_type="application/x-jsgf", lm="session:g")
    found = compile_grammar(frame, engines.registry)
    return base.GrammarModel(compiled=found.compiled, digest=found.digest, lm="session:g")


def recognize(engines: Engines, grammar: base.GrammarModel, pcm: bytes) -> str:
    competition = Competition(base.Open(models=(grammar,), settings=base.DecoderSettings()), engines)
    competition.start_segment(0.0)
    for block in competition.blocks(pcm):
        competition.accept(block)
    final = competition.finish_segment(len(pcm) / 32_000)
    competition.close()
    return final.alternatives[0].text if final.alternatives else ""


def test_telephone_model_reads_telephone_digits(engines: Engines, shared: Path) -> None:
    grammar = compiled(engines, DIGITS.format("en-ZA"))
    assert grammar_model(grammar) == "telephone"
    rows = (shared / "data/digits_fsdd/isolated.tsv").read_text(encoding="utf-8").splitlines()
    columns = rows[0].split("\t")
    right = 0
    for line in rows[1::10]:
        row = dict(zip(columns, line.split("\t"), strict=True))
        right += recognize(engines, grammar, read_pcm(shared / "data/digits_fsdd" / row["path"])) == row["transcript"]
    assert right >= 12  # of 15


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng, which speaks Spanish here, is not installed")
def test_spanish_model_reads_spanish_grammars(engines: Engines, tmp_path: Path) -> None:
    grammar = compiled(engines, f"#JSGF V1.0 UTF-8 es-ES; grammar g; public <g> = {ORDERS};")
    assert grammar_model(grammar) == "spanish"
    for number, order in enumerate(ORDERS.split(" | ")):
        file = tmp_path / f"{number}.wav"
        subprocess.run(["espeak-ng", "-v", "es", "-s", "140", "-w", str(file), order], check=True)
        assert recognize(engines, grammar, read_pcm(file)) == order


def test_each_language_of_a_site_has_its_model(engines: Engines, shared: Path) -> None:
    portuguese = compiled(engines, "#JSGF V1.0 UTF-8 pt-BR; grammar g; public <g> = sim | não;")
    assert grammar_model(portuguese) == "portuguese"
    # Context-independent phones cannot tell words well; that the model decodes at all is what is seen here.
    recognize(engines, portuguese, read_pcm(shared / "data/ptbr_cpqd/wav/yes_16k.wav"))
    assert grammar_model(compiled(engines, DIGITS.format("en-US"))) == "general"


def test_portuguese_grammar_is_read_with_the_phones_of_english(shared: Path) -> None:
    engines = Engines(ModelRegistry(RecognizerSettings()))
    folder = shared / "data/ptbr_home"
    rows = [line.split("\t") for line in (folder / "refs.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    sentences = " | ".join(sorted({row[1] for row in rows}))
    grammar = compiled(engines, f"#JSGF V1.0 UTF-8 pt-BR; grammar g; public <g> = {sentences};")
    found = [(recognize(engines, grammar, read_pcm(folder / row[0])), row[1]) for row in rows]
    assert sum(heard == said for heard, said in found) >= 11  # of 15
    assert not [(heard, said) for heard, said in found if heard and heard != said]
