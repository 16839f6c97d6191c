"""What clients name themselves can neither forge a log line nor reach the reader's terminal."""

from __future__ import annotations

import json

import pytest
import structlog

from asr_trio.server.observe import configure_logging
from asr_trio.settings import LogSettings

NASTY = 'a\nb\r\x1b[31mred\x1b]0;title\x07\x0b\u2028\u202e "quoted" não'


@pytest.fixture(autouse=True)
def _restored():
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("style", ["json", "console"])
def test_one_event_is_one_line_of_printable_characters(capsys, style):
    configure_logging(LogSettings(format=style))
    structlog.get_logger().info("recognition", tag=NASTY)
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert len(written.splitlines()) == 1
    assert "\x1b]" not in written
    assert "\x1b[31mred" not in written
    assert all(sign.isprintable() or sign == "\x1b" for sign in written.rstrip("\n"))  # the console's own colours
    if style == "json":
        assert "\x1b" not in written
        assert json.loads(written)["tag"].startswith("a\\nb")


def test_a_traceback_keeps_its_lines_and_nothing_else(capsys):
    configure_logging(LogSettings(format="console"))
    try:
        int(NASTY)
    except ValueError:
        structlog.get_logger().exception("fault")
    written = capsys.readouterr().err
    assert "Traceback" in written
    assert "\x1b]" not in written
