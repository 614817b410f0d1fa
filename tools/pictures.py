"""Take the pictures of the README: the lineage in the Dagster UI and the sales report, both of generated data.

`python -m tools.pictures`, or `make pictures`. A run loads 10,000 generated orders into a temporary lake; nothing else
is read or changed. Needs Chromium.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from playwright.sync_api import Browser, FloatRect, Page, ViewportSize, sync_playwright

_IMAGES = Path(__file__).parents[1] / "docs" / "images"
_ORDERS = 10_000
_SELECTION = 'key:"*orders" or key:"*customers"'
"""Two sources through all layers: the whole graph is too wide to be legible in the README."""
_TIMEOUT_MS = 120_000
_NAVIGATION_WIDTH = 68
"""Width of the UI's collapsed navigation in CSS pixels; it is cut off."""
_LINEAGE = ViewportSize(width=1200, height=620)
_REPORT = ViewportSize(width=1080, height=840)
_PIXELS_PER_CSS_PIXEL = 1.15
"""Sharp at the width of a README, below 150 KB per file."""


def main() -> None:
    """Write docs/images/lineage.png and docs/images/report.png."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        environment = {
            **os.environ,
            "OLIST_ENGINE": "sail",
            "OLIST_LAKE": str(root / "lake"),
            "OLIST_SOURCE": str(root / "source"),
            "DAGSTER_HOME": str(root / "dagster"),
        }
        _olist(environment, "generate", "--orders", str(_ORDERS), str(root / "dump"))
        _olist(environment, "deliver", str(root / "dump"))
        _olist(environment, "run")
        with _chromium() as browser:
            _capture_report(browser, root / "lake" / "report" / "index.html")
            with _dagster_ui(environment) as url:
                _capture_lineage(browser, url)


def _olist(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "olist_assets", *arguments], env=environment, check=True)  # noqa: S603 - own code


@contextmanager
def _chromium() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    if executable is None:
        sys.exit("error: chromium is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def _dagster_ui(environment: dict[str, str]) -> Iterator[str]:
    """The URL of a UI that has loaded the code location; the UI and its processes end with the context."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "olist_assets", "ui", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603 - own code
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_served(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _wait_until_served(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _TIMEOUT_MS / 1000
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/server_info", timeout=5).close()  # noqa: S310 - the URL is local
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.5)
        else:
            return
    sys.exit("error: the Dagster UI did not start")


def _capture_lineage(browser: Browser, url: str) -> None:
    page = _new_page(browser, _LINEAGE)
    page.add_init_script("localStorage.setItem('dagster-nav-collapsed', 'true')")
    page.goto(f"{url}/asset-groups~{quote(_SELECTION, safe='')}/")
    page.get_by_placeholder("Jump to…").wait_for(timeout=_TIMEOUT_MS)
    page.locator("button:near(input[placeholder='Jump to…'])").first.click()  # close the list of assets
    page.get_by_text("trusted").last.wait_for(timeout=_TIMEOUT_MS)
    page.keyboard.press("Alt+e")  # expand all groups
    page.get_by_text("fact_orders").last.wait_for(timeout=_TIMEOUT_MS)
    page.wait_for_timeout(8000)  # states of assets are fetched, and the graph is animated, without an event
    _save(page, "lineage", left=_NAVIGATION_WIDTH)


def _capture_report(browser: Browser, report: Path) -> None:
    page = _new_page(browser, _REPORT)
    page.goto(report.as_uri())
    page.wait_for_function("document.documentElement.dataset.drawn", timeout=_TIMEOUT_MS)
    _save(page, "report")


def _new_page(browser: Browser, viewport: ViewportSize) -> Page:
    return browser.new_page(
        viewport=viewport, device_scale_factor=_PIXELS_PER_CSS_PIXEL, color_scheme="light", timezone_id="UTC"
    )


def _save(page: Page, name: str, *, left: int = 0) -> None:
    _IMAGES.mkdir(exist_ok=True)
    path = _IMAGES / f"{name}.png"
    viewport = page.viewport_size or _LINEAGE
    clip: FloatRect = {"x": left, "y": 0, "width": viewport["width"] - left, "height": viewport["height"]}
    page.screenshot(path=path, clip=clip)
    print(f"{path.name}: {path.stat().st_size:,} bytes")  # noqa: T201 - a command's output


if __name__ == "__main__":
    main()
