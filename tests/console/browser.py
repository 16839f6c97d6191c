"""Chromium without a screen, its microphone a recording; for the tests of the page."""

from __future__ import annotations

import os
import shutil
import wave
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

_WAIT_S = 40
_QUIET_FLAGS = (
    *("--headless=new", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--window-size=1440,1100"),
)


def chromium(microphone: Path) -> webdriver.Chrome:
    """Start Chromium with a recording for a microphone, or skip where there is none."""
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed")
    options = Options()
    options.binary_location = binary
    for flag in _QUIET_FLAGS:
        options.add_argument(flag)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium's own sandbox refuses root
    options.add_argument("--use-fake-device-for-media-stream")
    options.add_argument("--use-fake-ui-for-media-stream")
    options.add_argument(f"--use-file-for-fake-audio-capture={microphone}%noloop")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(driver))


def with_silence(recording: Path, path: Path, *, before_s: float = 0.5, after_s: float = 3.0) -> Path:
    """Write a recording with silence around it: a microphone hears the room before and after."""
    with wave.open(str(recording)) as source, wave.open(str(path), "wb") as sink:
        sink.setparams(source.getparams())
        for seconds, pcm in ((before_s, b""), (0, source.readframes(source.getnframes())), (after_s, b"")):
            sink.writeframes(pcm + bytes(2 * int(seconds * source.getframerate())))
    return path


class Page:
    """The console in a browser."""

    def __init__(self, driver: webdriver.Chrome, url: str, screenshots: Path) -> None:
        self.driver = driver
        self._url = url
        self._screenshots = screenshots

    def open(self) -> None:
        self.driver.get(self._url)
        self.wait(lambda: self.script("return document.documentElement.dataset.ready"), "the page to be ready")

    def wait(self, condition: Any, what: str) -> Any:
        return WebDriverWait(self.driver, _WAIT_S, 0.05).until(lambda _: condition(), f"waited for {what}")

    def script(self, code: str, *arguments: object) -> Any:
        return self.driver.execute_script(code, *arguments)

    def get(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return self.get(selector).text

    def wait_for_state(self, state: str) -> None:
        self.wait(lambda: self.get("#session").get_attribute("data-state") == state, f"the session to be {state}")

    def choose_grammar(self, text: str) -> None:
        self.get("[name=kind][value=grammar]").find_element(By.XPATH, "..").click()
        self.script(
            "const area = document.getElementById('grammar'); area.value = arguments[0];"
            "area.dispatchEvent(new Event('input', {bubbles: true}))",
            text,
        )

    def wait_for_verdict(self) -> str:
        found = self.wait(
            lambda: (s := self.get("#grammar-verdict").get_attribute("data-state")) in {"right", "wrong"} and s,
            "the server's verdict on the grammar",
        )
        return str(found)

    def picture(self, name: str) -> None:
        """Keep a screenshot as an artefact of the run."""
        self.driver.save_screenshot(str(self._screenshots / f"{name}.png"))

    def complaints(self) -> list[str]:
        """What the browser found wrong since the last call: violations of the policy, scripts that failed."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in {"WARNING", "SEVERE"}]
