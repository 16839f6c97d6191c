"""Engines by their names: those of this package, and those of others by entry point."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from asr_trio.errors import AcousticModelError
from asr_trio.recognizer import base
from asr_trio.recognizer.engines import Engines, find_maker
from asr_trio.recognizer.models import ModelRegistry
from asr_trio.settings import ModelSettings, RecognizerSettings

PLUGIN = """
from asr_trio.recognizer.fake import FakeEngine

class Parrot(FakeEngine):
    fork_safe = False
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a distribution that brings the engine ``parrot``, and one whose module wants something else."""
    (tmp_path / "parrot_engine.py").write_text(PLUGIN)
    (tmp_path / "broken_engine.py").write_text("import no_such_package_anywhere")
    info = tmp_path / "parrot-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[asr_trio.engines]\nparrot = parrot_engine:Parrot\nbroken = broken_engine:Broken\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("plugin")
def test_engine_of_another_package_takes_the_seat() -> None:
    settings = RecognizerSettings(
        models={"bird": ModelSettings(engine="parrot", options={"script": [{"text": "hello"}]})}
    )
    engines = Engines(ModelRegistry(settings))
    engines.preload()  # it cannot be forked: each worker makes its own
    recognition = engines.get("bird").open(
        (base.StatisticalModel(name="bird", lm="builtin:slm/bird"),), base.DecoderSettings(), b""
    )
    recognition.start_segment(0.0)
    assert recognition.finish_segment(1.0)[0].text == "hello"
    assert engines.registry.kept((base.StatisticalModel(name="bird", lm="builtin:slm/bird"),)) == "bird"


@pytest.mark.usefixtures("plugin")
def test_engine_whose_package_is_incomplete_says_what_it_needs() -> None:
    with pytest.raises(AcousticModelError, match=r"needs a package that is not installed.*no_such_package_anywhere"):
        find_maker("broken")


def test_whisper_without_its_extra_says_how_to_add_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "asr_trio.recognizer.whisper", raising=False)
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(AcousticModelError, match=r"pip install 'asr-trio\[whisper\]'"):
        find_maker("whisper")
