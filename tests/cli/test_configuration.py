"""The configuration: its sources in order of strength, its errors, its default file."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from asr_trio import config, settings
from asr_trio.cli import configuration, users
from asr_trio.cli.main import COMMANDS, main
from asr_trio.errors import ConfigError


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_flags_beat_the_environment_which_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "asr-trio.toml"
    file.write_text("[server]\nport = 1\nhttp_port = 1\ndrain_timeout_s = 1.0\n")
    monkeypatch.setenv("ASR_TRIO_SERVER__PORT", "2")
    monkeypatch.setenv("ASR_TRIO_SERVER__HTTP_PORT", "2")
    settings = config.load(file, server={"port": 3})
    assert (settings.server.port, settings.server.http_port, settings.server.drain_timeout_s) == (3, 2, 1.0)
    assert settings.server.host == "127.0.0.1"


def test_the_file_of_one_load_does_not_leak_into_the_next(tmp_path: Path) -> None:
    file = tmp_path / "asr-trio.toml"
    file.write_text("[server]\nport = 1\n")
    config.load(file)
    assert config.load().server.port == 8025


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[server]\nprot = 1\n", "server.prot: there is no such setting; did you mean port?"),
        ("[sever]\nport = 1\n", "sever: there is no such setting; did you mean server?"),
        ("[server]\nport = 65536\n", "server.port: Input should be less than or equal to 65535"),
        (
            "[recognizer.models.x]\nengin = 'y'\n",
            "recognizer.models.x.engin: there is no such setting; did you mean engine?",
        ),
        ("[server\n", "line 1"),
    ],
)
def test_faults_are_named_where_they_stand(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "asr-trio.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        config.load(file)


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("ASR_TRIO_SERVR__PORT", "; did you mean ASR_TRIO_SERVER__PORT?"),
        ("ASR_TRIO_SERVER_PORT", "; did you mean ASR_TRIO_SERVER__PORT?"),
        ("ASR_TRIO_LIMITS_SESSIONS_PER_USER", "; did you mean ASR_TRIO_LIMITS__SESSIONS_PER_USER?"),
        ("ASR_TRIO_QWERTY__UIOP", ""),
    ],
)
def test_a_misspelt_variable_is_an_error(monkeypatch: pytest.MonkeyPatch, variable: str, near: str) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(ConfigError) as raised:
        config.load()
    assert str(raised.value) == f"{variable}: there is no such setting{near}"


def test_a_variable_that_is_none_of_ours_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_TRIO_SCREENSHOTS", "/tmp")
    monkeypatch.setenv("ASR_TRIO_PASSWORD", "secret")
    config.load()


def test_check_names_what_it_has_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "asr-trio.toml"
    file.write_text("")
    monkeypatch.setenv("ASR_TRIO_SERVER__PORT", "2")
    assert run("config", "check", "-c", str(file)) == 0
    assert capsys.readouterr().out == f"The configuration is good: {file}, ASR_TRIO_SERVER__PORT.\n"


def test_check_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "asr-trio.toml"
    file.write_text("[sever]\n")
    assert run("config", "check", "-c", str(file), "--json") == 2
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "good": False,
        "sources": [str(file)],
        "faults": ["sever: there is no such setting; did you mean server?"],
    }
    file.write_text("")
    assert run("config", "check", "-c", str(file), "--json") == 0
    assert json.loads(capsys.readouterr().out)["good"]


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("config", "check", "-c", str(tmp_path / "none.toml")) == 2
    assert "No such file" in capsys.readouterr().err


def test_the_default_file_says_what_the_defaults_are_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("config", "default") == 0
    text = capsys.readouterr().out
    assert "# A peer that has not finished its upgrade request by then is dropped" in text
    uncommented = "\n".join(
        line.removeprefix("#") if line.startswith("#") and not line.startswith("# ") else line
        for line in text.splitlines()
    )
    values = tomllib.loads(uncommented)
    effective = config.load().model_dump(mode="json", exclude_none=True)
    assert values["server"] == effective["server"]
    assert values["limits"] == effective["limits"]
    assert tomllib.loads(text).keys() <= effective.keys(), "as it stands the file changes nothing"
    assert not any(tomllib.loads(text).values())


def test_a_wrong_command_or_option_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("config", "check", "--nope") == 2
    assert "Unknown option" in capsys.readouterr().err + capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_loaded(name: str) -> None:
    assert run(name, "--help") == 0


def test_users_are_added_checked_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    file = tmp_path / "users"
    monkeypatch.setattr("sys.stdin", io.StringIO("secret\n"))
    assert run("users", "add", str(file), "ana", "--password-stdin") == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert "secret" not in file.read_text()
    assert users._open(file).check_password("ana", "secret")
    assert run("users", "remove", str(file), "ana") == 0
    assert run("users", "remove", str(file), "ana") == 1


def test_a_user_name_with_a_colon_is_refused(tmp_path: Path) -> None:
    assert run("users", "add", str(tmp_path / "users"), "a:b") == 2


def test_sections_without_a_comment_on_a_puzzling_limit_are_rare() -> None:
    described = configuration.describe(settings.LimitSettings)
    assert sum(1 for _, description, _ in described if description) >= len(described) // 2


def test_every_setting_is_read_somewhere() -> None:
    """A setting that nothing looks at is a promise that is not kept."""
    package = Path(config.__file__).parent
    code = "\n".join(file.read_text("utf-8") for file in package.rglob("*.py") if file != Path(config.__file__))
    sections = [field.annotation for field in config.Settings.model_fields.values()]
    keys = {key for section in [*sections, settings.ModelSettings] for key in getattr(section, "model_fields", ())}
    assert [key for key in sorted(keys) if f".{key}" not in code] == []


def test_what_is_shown_holds_no_password(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_TRIO_QUOTA__REDIS_URL", "redis://user:s3cret@redis.example/0")
    assert run("config", "show") == 0
    shown = capsys.readouterr().out
    assert "redis://***@redis.example/0" in shown
    assert "s3cret" not in shown
