"""A headless Chromium driven over its DevTools protocol: what the page does, not what it says."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

from websockets.sync.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--lang=en", "--remote-debugging-port=0",
)  # fmt: skip
PATIENCE = 30  # seconds, on a busy machine


def find() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def browser(program: str, profile: Path):
    """Start one process; yields the port of its protocol."""
    process = subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port_file = profile / "DevToolsActivePort"
        wait(lambda: port_file.exists() and "\n" in port_file.read_text())
        yield int(port_file.read_text().split("\n")[0])
    finally:
        process.terminate()
        process.wait(PATIENCE)


def wait(condition, what="the browser"):
    """Return the first true answer."""
    end = time.monotonic() + PATIENCE
    while not (answer := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {PATIENCE} s for {what}")
        time.sleep(0.05)
    return answer


class Tab:
    """One tab: `js` evaluates, `errors` and `requests` hold what happened since `open`."""

    def __init__(self, port: int, width: int = 1280, height: int = 900) -> None:
        new = Request(f"http://127.0.0.1:{port}/json/new?{quote('about:blank')}", method="PUT")
        with urlopen(new, timeout=PATIENCE) as answer:
            address = json.load(answer)["webSocketDebuggerUrl"]
        self.stack = ExitStack()
        self.socket = self.stack.enter_context(connect(address, max_size=None, proxy=None))
        self.numbers = itertools.count(1)
        self.errors: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.size(width, height)

    def send(self, method: str, **params):
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(timeout=PATIENCE))
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]
            self._note(message)

    def _note(self, message) -> None:
        found = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.errors.append(json.dumps(found["exceptionDetails"])[:2000])
            case "Runtime.consoleAPICalled" if found["type"] in ("error", "warning", "assert"):
                self.errors.append(json.dumps(found["args"])[:2000])
            case "Log.entryAdded" if found["entry"]["level"] in ("error", "warning"):
                self.errors.append(found["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(found["request"]["url"][:200])

    def open(self, path: Path) -> None:
        self.errors.clear()
        self.requests.clear()
        self.send("Page.navigate", url=path.as_uri())
        wait(lambda: self.js("location.protocol === 'file:' && document.readyState === 'complete'"))

    def js(self, code: str):
        """Value of an expression; promises are awaited."""
        answer = self.send(
            "Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def until(self, code: str) -> None:
        """Wait until an expression is true."""
        wait(lambda: self.js(f"Boolean({code})"), code)

    def size(self, width: int, height: int) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def media(self, **features: str) -> None:
        """Emulate e.g. ``prefers_color_scheme="dark"``."""
        named = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.send("Emulation.setEmulatedMedia", media="", features=named)

    def press(self, key: str) -> None:
        codes = {"Tab": 9, "Enter": 13, "ArrowRight": 39, "ArrowDown": 40}
        for kind in ("rawKeyDown", "keyUp"):
            self.send(
                "Input.dispatchKeyEvent",
                type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key],
            )  # fmt: skip
        if key == "Enter":
            self.send("Input.dispatchKeyEvent", type="char", text="\r")

    def move(self, x: float, y: float) -> None:
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def screenshot(self, path: Path) -> Path:
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))
        return path

    def close(self) -> None:
        self.stack.close()
