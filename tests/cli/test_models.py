from __future__ import annotations

import json

import pytest

from asr_trio.cli.models import app


@pytest.fixture
def configured(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "asr.toml"
    path.write_text(
        '[recognizer.models.scripted]\nengine = "fake"\n[recognizer.models.lost]\nacoustic = "/nonexistent"\n'
        '[recognizer.models.plugin]\nengine = "nobody-has-this"\n'
    )
    monkeypatch.setenv("ASR_TRIO_CONFIG", str(path))


@pytest.mark.usefixtures("configured")
def test_list_tells_names_and_engines(capsys: pytest.CaptureFixture[str]) -> None:
    app(["list", "--json"], result_action="return_value")
    rows = {row["name"]: row["engine"] for row in json.loads(capsys.readouterr().out)}
    assert rows["scripted"] == "fake"
    assert rows["lost"] == "pocketsphinx"


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        ("scripted", "scripted: good", 0),
        ("lost", "its acoustic model is missing", 1),
        ("plugin", "'nobody-has-this' is not installed", 1),
        ("nope", "no model is called 'nope'", 1),
    ],
)
def test_check_says_what_is_wrong(capsys: pytest.CaptureFixture[str], name: str, words: str, code: int) -> None:
    assert app(["check", name], result_action="return_value") == code
    assert words in capsys.readouterr().out
