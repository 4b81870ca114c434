"""Drive a real Chromium over its debugging pipe (Chrome DevTools Protocol), without a driver package."""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe"),
)
_TIMEOUT_S = 60


class Page:
    """One tab, with the `events` received so far, the `errors` of the page, and the `requests` that it made."""

    def __init__(self, commands: int, answers: int):
        self._commands, self._answers, self._buffer, self._number, self._session = commands, answers, b"", 0, None
        self.events: list[dict[str, Any]] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Send a command of the protocol and return its result."""
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        command = {"id": self._number, "method": method, "params": arguments, **session}
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while (message := self._next()).get("id") != self._number:
            self.events.append(message)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        return message["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not (more := os.read(self._answers, 1 << 20)):
                raise RuntimeError("the browser has exited")
            self._buffer += more
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def open(self, path: Path, width: int = 1280, dark: bool = False) -> None:
        """Load a file in a viewport of this width, and wait until its script has finished."""
        self.send("Emulation.setEmulatedMedia", features=[_scheme(dark)])
        self.resize(width)
        self.send("Page.navigate", url=path.resolve().as_uri())
        self.wait_for("document.documentElement.dataset.ready === 'true'")

    def resize(self, width: int, height: int = 900) -> None:
        """Resize the viewport, in CSS pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.send("Emulation.setDeviceMetricsOverride", **size)

    def value(self, script: str) -> Any:
        """Evaluate a JavaScript expression in the page."""
        result = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return result["result"].get("value")

    def wait_for(self, script: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + _TIMEOUT_S
        while not self.value(script):
            if time.monotonic() > deadline:
                raise TimeoutError(f"still not true after {_TIMEOUT_S} s: {script}; {self.errors}")
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press a key such as ArrowRight, Tab or Enter."""
        codes = {
            "Tab": 9,
            "Enter": 13,
            "ArrowLeft": 37,
            "ArrowUp": 38,
            "ArrowRight": 39,
            "ArrowDown": 40,
            "End": 35,
            "Home": 36,
        }
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            code = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
            self.send("Input.dispatchKeyEvent", type=kind, **code, **(text if kind == "keyDown" else {}))

    def picture(self, path: Path, whole: bool = False, **clip: float) -> None:
        """Save a PNG of the viewport, of the whole page, or of a part of it (x, y, width, height)."""
        area = {"clip": {**clip, "scale": clip.get("scale", 1)}} if clip else {}
        screenshot = self.send("Page.captureScreenshot", captureBeyondViewport=whole or bool(clip), **area)
        path.write_bytes(base64.b64decode(screenshot["data"]))

    @property
    def errors(self) -> list[str]:
        """Exceptions, and all warnings and errors of the console and the browser."""
        events = [(event["method"], event["params"]) for event in self.events if "method" in event]
        thrown = [str(p["exceptionDetails"]) for method, p in events if method == "Runtime.exceptionThrown"]
        logged = [str(p) for method, p in events if method == "Runtime.consoleAPICalled" and p["type"] != "log"]
        entries = [str(p["entry"]) for method, p in events if method == "Log.entryAdded"]
        return [*thrown, *logged, *entries]

    @property
    def requests(self) -> list[str]:
        """URLs that the page requested, without data URLs."""
        urls = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [url for url in urls if not url.startswith("data:")]


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Start a Chromium with an empty profile."""
    (to_read, to_write), (answers, written) = os.pipe(), os.pipe()
    options = [*_OPTIONS, f"--user-data-dir={profile}"]
    shell = f'exec "$@" 3<&{to_read} 4>&{written}'
    process = subprocess.Popen(
        ["bash", "-c", shell, "chromium", str(CHROMIUM), *options],
        pass_fds=(to_read, written),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read)
    os.close(written)
    try:
        yield Page(to_write, answers)
    finally:
        process.kill()
        process.wait()
        os.close(to_write)
        os.close(answers)


def take_picture(report: Path, path: Path) -> None:
    """Save a report's headline above one of its windows, as a small PNG."""
    hide = "nav, main > section:not(#windows), .how, .facts, .regions { display: none } section { padding-top: 12px }"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, browser(Path(profile)) as tab:
        tab.open(report, width=1120)
        tab.value(f"document.head.append(Object.assign(document.createElement('style'), {{textContent: `{hide}`}}))")
        height = tab.value("document.querySelector('main').getBoundingClientRect().bottom")
        tab.picture(path, x=0, y=0, width=1120, height=height + 24)
    with Image.open(path) as image:
        image.convert("RGB").quantize(160, dither=Image.Dither.NONE).save(path, optimize=True)


def _scheme(dark: bool) -> dict[str, str]:
    return {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}


if __name__ == "__main__":
    take_picture(Path(sys.argv[1]), Path(sys.argv[2]))
