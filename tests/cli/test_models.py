from __future__ import annotations

import json
from pathlib import Path

import pytest

from asr_trio import config
from asr_trio.cli.models import app
from asr_trio.errors import ConfigError
from asr_trio.recognizer.models import package_model_folder


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


def test_added_model_stands_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "asr.toml"
    file.write_text("[server]\nport = 1\n")
    acoustic = package_model_folder() / "en-us"
    app(
        ["add", "second one", str(acoustic), "--language", "en-GB", "--config", str(file)], result_action="return_value"
    )
    assert "reads grammars in en-GB" in capsys.readouterr().out
    added = config.load(file).recognizer.models["second one"]
    assert (added.acoustic, added.languages, added.engine) == (acoustic.resolve(), ("en-GB",), "pocketsphinx")
    with pytest.raises(ConfigError, match="called 'second one' already"):
        app(["add", "second one", str(acoustic), "--config", str(file)], result_action="return_value")


def test_what_is_no_model_is_not_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "asr.toml"
    with pytest.raises(ConfigError, match="neither mdef"):
        app(["add", "x", str(tmp_path), "--config", str(file)], result_action="return_value")
    assert not file.exists()
    monkeypatch.delenv("ASR_TRIO_CONFIG", raising=False)
    with pytest.raises(ConfigError, match="--config"):
        app(["add", "x", str(tmp_path)], result_action="return_value")
