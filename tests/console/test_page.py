"""The console in a real browser, against a real server, with a recording for a microphone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from passlib.apache import HtpasswdFile
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from asr_trio.cli.recording import Recording
from tests.console.browser import Page, chromium, with_silence
from tests.live import LiveServer, serve

pytestmark = pytest.mark.slow

FAULTY = "#ABNF 1.0 UTF-8;\nlanguage en-US;\nroot $answer;\n$answer = yes | $nobody;\n"
SOUND = (
    "#ABNF 1.0 UTF-8;\nlanguage en-US;\ntag-format <semantics/1.0>;\nroot $answer;\n"
    "$answer = yes {out = true;} | no {out = false;};\n"
)


@pytest.fixture(scope="module")
def browser(live_server: LiveServer, recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("page")
    screenshots = Path(os.environ.get("ASR_TRIO_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    driver = chromium(with_silence(recording.path, folder / "microphone.wav"))
    try:
        yield Page(driver, live_server.http_url + "/", screenshots)
    finally:
        driver.quit()


@pytest.fixture
def page(browser: Page) -> Iterator[Page]:
    browser.open()
    browser.complaints()
    yield browser
    assert browser.complaints() == []


def test_a_spoken_sentence_is_heard_shown_and_measured(page: Page) -> None:
    page.script(
        "window.seen = []; new MutationObserver(() => {"
        "  const line = document.querySelector('.line');"
        "  if (line) window.seen.push(line.className + '|' + line.innerText);"
        "}).observe(document.getElementById('transcript'), {subtree: true, childList: true, attributes: true});"
    )
    page.get("#speak").click()
    page.wait_for_state("LISTENING")
    page.wait(lambda: page.get("#vad").get_attribute("data-speech") == "yes", "speech to be seen")
    assert float(page.get("#meter").get_attribute("aria-valuenow")) > -60
    assert page.text("#speak") == "Stop"
    page.picture("listening")
    page.wait(lambda: page.all(".line.final"), "the result")
    page.wait_for_state("IDLE")

    assert "he was not" in page.text(".line.final .text")
    assert any("partial" in seen and "he" in seen for seen in page.script("return window.seen"))
    words = [word.get_attribute("title") for word in page.all(".words li")]
    assert words[0].startswith("he, ")
    starts = [float(word.get_attribute("data-start")) for word in page.all(".words li")]
    assert starts == sorted(starts)
    assert 0.4 < starts[0] < 1.5  # half a second of silence stands before the recording
    assert "speech from" in page.get("canvas").get_attribute("aria-label")
    colours = page.script(
        "const {width, height} = document.querySelector('canvas');"
        "const {data} = document.querySelector('canvas').getContext('2d').getImageData(0, 0, width, height);"
        "return new Set(new Uint32Array(data.buffer)).size"
    )
    assert colours > 4, "the waveform is blank"
    assert len(page.all("#alternatives li")) > 1
    figures = dict(
        zip([e.text for e in page.all("#latency dt")], [e.text for e in page.all("#latency dd")], strict=True)
    )
    assert sum("ms" in value for value in figures.values()) == 7, figures
    names = [entry.text for entry in page.all("#log .name")]
    assert names[:4] == ["CREATE_SESSION", "RESPONSE", "START_RECOGNITION", "RESPONSE"]
    assert {"SEND_AUDIO", "START_OF_SPEECH", "END_OF_SPEECH", "RECOGNITION_RESULT"} <= set(names)
    page.all("#log details")[-1].click()
    assert '"result_status": "RECOGNIZED"' in page.all("#log pre")[-1].text
    page.picture("recognised")

    page.get("#play").click()
    page.wait(lambda: page.text("#play") == "Play", "the recording to have been played")


def test_a_file_is_recognised_as_fast_as_the_server_can(page: Page, recording: Recording) -> None:
    page.get("#fast").click()
    page.get("#file").send_keys(str(recording.path))
    page.wait(lambda: page.all(".line.final"), "the result")
    assert "he was not" in page.text(".line.final .text")
    page.wait(lambda: "as fast as speech" in page.text("#latency"), "the rate")


def test_a_file_that_is_no_audio_is_told_in_words(page: Page, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Sir")
    page.get("#file").send_keys(str(tmp_path / "letter.txt"))
    page.wait(lambda: "cannot read this file" in page.text("#notice"), "the notice")
    assert page.get("#speak").is_enabled()


def test_continuous_dictation_goes_on_until_it_is_stopped(page: Page) -> None:
    page.get("#options summary").click()
    page.get("#continuous").click()
    page.script("document.getElementById('no-input').value = 60000")
    page.get("#speak").click()
    page.wait(lambda: page.all(".line.final"), "the first segment")
    assert page.text("#speak") == "Stop"
    page.get("#speak").click()
    page.wait_for_state("IDLE")
    page.wait(lambda: page.text("#speak") == "Speak", "the end")
    assert page.get("#notice").get_attribute("hidden")


def test_a_faulty_grammar_is_marked_in_its_place(page: Page) -> None:
    page.choose_grammar(FAULTY)
    assert page.wait_for_verdict() == "wrong"
    assert page.text(".gutter .wrong") == "4"
    assert page.get(".sheet .wrong").get_attribute("textContent") == "$nobody"
    assert page.get("#grammar").get_attribute("aria-invalid") == "true"
    page.picture("faulty-grammar")
    page.get("#grammar-verdict button").click()
    assert page.script("return document.activeElement.selectionStart") == FAULTY.index("$nobody")

    page.choose_grammar(SOUND)
    assert page.wait_for_verdict() == "right"
    assert page.all(".sheet .wrong") == []
    page.get("#phrase").send_keys("yes" + Keys.ENTER)
    page.wait(lambda: page.all(".json"), "the interpretation")
    assert page.text(".json") == "true"


def test_every_example_grammar_is_right(page: Page) -> None:
    page.get("[name=kind][value=grammar]").find_element(By.XPATH, "..").click()
    for index in range(len(page.all("#example option"))):
        page.script(
            "const example = document.getElementById('example'); example.selectedIndex = arguments[0];"
            "example.dispatchEvent(new Event('change'))",
            index,
        )
        assert page.wait_for_verdict() == "right", page.text("#grammar-verdict")


def test_the_keyboard_is_enough(page: Page) -> None:
    body = page.get("body")
    body.send_keys(Keys.TAB)
    assert page.script("return document.activeElement.className") == "skip"
    seen = []
    for _ in range(16):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        seen.append(page.script("return document.activeElement.id || document.activeElement.name"))
    assert {"theme", "kind", "model", "phrase", "speak", "open"} <= set(seen)
    body.send_keys(Keys.CONTROL, Keys.ENTER)
    page.wait_for_state("LISTENING")
    body.send_keys(Keys.ESCAPE)
    page.wait_for_state("IDLE")
    page.wait(lambda: page.text("#speak") == "Speak", "the end")
    assert page.all(".line.final") == []


def test_where_users_have_passwords_the_page_asks_for_them(browser: Page, tmp_path: Path) -> None:
    users = HtpasswdFile(str(tmp_path / "users"), new=True)
    users.set_password("ann", "o:pen")
    users.save()
    environment = {"ASR_TRIO_AUTH__HTPASSWD_FILE": str(tmp_path / "users"), "ASR_TRIO_CONSOLE__ENABLED": "true"}
    with serve(tmp_path, **environment) as server:
        page = Page(browser.driver, server.http_url + "/", tmp_path)
        page.open()
        page.get("#user").send_keys("ann")
        page.get("#password").send_keys("guess" + Keys.ENTER)
        page.wait(lambda: "does not let this user in" in page.text("#notice"), "the refusal")
        page.get("#password").clear()
        page.get("#password").send_keys("o:pen" + Keys.ENTER)
        page.wait_for_state("IDLE")
        assert not page.get("#sign-in").is_displayed()
    page.complaints()  # the browser itself reports the refused handshake


def test_dark_and_light_are_chosen_and_kept(page: Page) -> None:
    def ground() -> str:
        return str(page.script("return getComputedStyle(document.body).backgroundColor"))

    colours = {}
    for _ in range(3):
        page.get("#theme").click()
        colours[page.text("#theme-name")] = ground()
        if page.text("#theme-name") == "dark":
            page.picture("dark")
            page.open()
            assert (page.text("#theme-name"), ground()) == ("dark", colours["dark"])
    assert colours["light"] != colours["dark"]


def test_a_phone_needs_no_sideways_scrolling(page: Page) -> None:
    size = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.open()
        assert page.script("return document.documentElement.scrollWidth") == 360
        button = page.get("#speak").rect
        assert button["height"] >= 44
        assert page.script("return document.elementFromPoint(100, 700).closest('#speak') !== null")
        page.picture("phone")
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_axe_finds_nothing_wrong_in_any_state_of_the_page(page: Page, recording: Recording) -> None:
    """Names, roles, contrast and order (WCAG 2.1 A and AA), in both themes."""
    axe = pytest.importorskip("axe_core_python.selenium").Axe()

    def faults() -> list[str]:
        found = axe.run(page.driver)
        assert len(found["passes"]) > 20, "axe did not look"
        return [f"{fault['help']}: {fault['nodes'][0]['html']}" for fault in found["violations"]]

    assert faults() == []
    page.get("#fast").click()
    page.get("#file").send_keys(str(recording.path))
    page.wait(lambda: page.all(".line.final"), "the result")
    page.all("#log details")[-1].click()
    assert faults() == []
    page.get("#options summary").click()
    page.choose_grammar(FAULTY)
    page.wait_for_verdict()
    assert faults() == []
    page.choose_grammar(SOUND)
    page.wait_for_verdict()
    while page.text("#theme-name") != "dark":
        page.get("#theme").click()
    assert faults() == []
