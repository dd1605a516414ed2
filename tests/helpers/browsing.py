"""The command `annotate` as a process of its own, and a page of it in a real browser."""

import contextlib
import os
import shutil
import subprocess
import sys
import time

from playwright.sync_api import sync_playwright

from tests.helpers.paths import ROOT

PATIENCE = 60  # seconds
# A stick with two axes: right is valence, up (which is negative) is arousal, or the one dimension that is rated.
STICK = """
window.stick = () => [0, 0];
navigator.getGamepads = () => {
  const video = document.querySelector("video"), [x, y] = window.stick(video ? video.currentTime : 0);
  return [{ id: "Test Stick", index: 0, connected: true, axes: [x, -y], buttons: [] }];
};
"""


@contextlib.contextmanager
def served(source, *options):
    """Run the command on a folder; yield (process, address)."""
    command = [sys.executable, "-m", "tfrecords_tools", "annotate", f"--source={source}", "--no_browser", *options]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        try:
            lines = iter(process.stdout.readline, "")
            address = next((line.strip() for line in lines if line.startswith("http")), None)
            assert address, process.stderr.read()
            yield process, address
        finally:
            process.kill()


@contextlib.contextmanager
def chromium(*flags):
    """Start the browser that the system has."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "The tests need a browser: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--autoplay-policy=no-user-gesture-required",
                "--mute-audio",
                *flags,
            ],
        )
        yield browser
        browser.close()


class Rater:
    """What a person does on the page.

    Attributes:
      page: of playwright.
      errors: messages of the page's own errors.
    """

    def __init__(self, browser, address, name="ann", width=1280, height=720, **settings):
        self.page = browser.new_page(viewport={"width": width, "height": height})
        self.errors = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.add_init_script(STICK)
        kept = {"input": "gamepad", "deadZone": 0, "dimensions": ["valence"], **settings}
        self.page.goto(address)
        self.page.wait_for_selector("#rater")  # by then the page has saved its defaults
        self.page.evaluate("kept => localStorage.setItem('affwildnet-annotate', JSON.stringify(kept))", kept)
        self.page.reload()
        self.page.wait_for_selector("#rater")
        self.page.fill("#rater", name)

    def until(self, condition, argument=None):
        """Wait until an expression of JavaScript holds; the page's policy forbids playwright's own way."""
        end = time.monotonic() + PATIENCE
        while not self.page.evaluate(condition, argument):
            assert time.monotonic() < end, f"{condition}: {self.page.inner_text('body')}"
            self.page.wait_for_timeout(50)

    def list_videos(self):
        """Go from the welcome screen to the list."""
        self.page.click("#begin")
        self.page.wait_for_selector("h2:has-text('To do')")

    def open(self, video, button="button.primary"):
        """Open a video of the list, and wait until it can be recorded."""
        self.page.locator("tr", has_text=video).locator(button).first.click()
        self.ready()

    def go_to(self, video, button="button.primary"):
        """Go from the welcome screen to a video, and wait until it can be recorded."""
        self.list_videos()
        self.open(video, button)

    @property
    def time(self):
        """The moment of the video in seconds."""
        return self.page.evaluate("document.querySelector('video').currentTime")

    def ready(self):
        """Wait until a video can be recorded."""
        self.page.wait_for_selector("#record")
        self.until("document.querySelector('video')?.readyState >= 2 && document.querySelector('.over').hidden")
        self.until("document.querySelector('#state').textContent !== ''")

    def move(self, x, y=None):
        """Hold the stick by expressions of the video's time `t`; with one, both axes follow it."""
        self.page.evaluate(f"window.stick = t => [{x}, {x if y is None else y}]")

    def record(self, to=None):
        """Record to the end, or pause as soon as the video has reached `to` seconds."""
        self.page.keyboard.press(" ")
        self.until("document.querySelector('.mark').textContent === 'recording'")
        if to is None:
            self.until("document.querySelector('.mark').textContent !== 'recording'")
        else:
            self.until("to => document.querySelector('video').currentTime >= to", to)
            self.page.keyboard.press(" ")
        self.saved()

    def saved(self):
        """Wait for what was recorded last to be sent."""
        self.page.wait_for_timeout(600)

    def seek(self, seconds):
        """Show another moment of the video, by a click on the curve of the whole of it."""
        box = self.page.locator("canvas[aria-label='The whole video']").bounding_box()
        length = self.page.evaluate("document.querySelector('video').duration")
        self.page.mouse.click(box["x"] + box["width"] * seconds / length, box["y"] + box["height"] / 2)
        self.page.wait_for_timeout(300)

    def finish(self):
        """Finish the annotation and return to the list."""
        self.page.keyboard.press("f")
        self.page.wait_for_selector("h2:has-text('Done')")

    def verified(self):
        """Wait for the list that says so; other texts have the word too, the button before all is saved."""
        self.page.wait_for_selector("td .good:has-text('verified')")

    @property
    def problem(self):
        """The message that is shown, "" where there is none."""
        return self.page.inner_text("#problem") if self.page.is_visible("#problem") else ""
