"""The page in a browser: it loads without an error, the slider moves the plan, it prints, it fits a phone."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import scaling_jax as sj
from tests.pages.hostile import hostile_fit

pytest.importorskip("altair", reason="reports need the extra `report`")
pytest.importorskip("vl_convert", reason="reports need the extra `report`")
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="no Chromium with its driver on this machine"
)
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
WAIT = """const [charts, done] = arguments;
const look = () => document.querySelectorAll('.chart svg').length >= charts ? done() : setTimeout(look, 50);
look();"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_script_timeout(20)
    yield driver
    driver.quit()


def opened(browser: Any, page: Path, charts: int, width: int = 1300, dark: bool = False) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get(page.as_uri())
    browser.execute_async_script(WAIT, charts)


@pytest.fixture(scope="module")
def page(best: sj.FitResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "fit.html"
    best.report(path)
    return path


def test_it_loads_without_a_word_on_the_console(browser: Any, page: Path) -> None:
    browser.get_log("browser")
    opened(browser, page, 2)
    assert browser.get_log("browser") == []
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert all(name.startswith("data:") for name in loaded)
    broken = "return [...document.images].filter(i => i.complete && !i.naturalWidth && i.offsetParent).length"
    assert browser.execute_script(broken) == 0


def test_the_slider_moves_the_plan(browser: Any, page: Path, best: sj.FitResult) -> None:
    opened(browser, page, 2)
    move = """const s = document.querySelector('.slider input'); s.value = arguments[0];
    s.dispatchEvent(new Event('input'));
    return [document.querySelector('.slider output').textContent,
            [...document.querySelectorAll('.slider dd')].map(d => d.firstChild.textContent)]"""
    first, last = (browser.execute_script(move, i) for i in (0, 60))
    assert first[0].endswith("FLOP") and first != last
    spent = 6 * best.data().inputs["N"] * best.data().inputs["D"]
    planned = sj.plan(best, flops=[spent.min(), 1000 * spent.max()], level=None).table
    for shown, (_, row) in zip((first, last), planned.iterrows(), strict=True):
        assert float(shown[1][2]) == pytest.approx(row["loss"], abs=5e-4)  # four digits
    line = "return document.querySelector('[id$=-loss] .mark-rule.role-mark line').getAttribute('transform')"
    places = []
    for i in (5, 50):
        browser.execute_script(move, i)
        browser.execute_async_script(
            "setTimeout(arguments[0], 200)"
        )  # the chart is drawn in a frame of its own
        places.append(browser.execute_script(line))
    assert places[0] != places[1]


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_and_a_dark_page(browser: Any, page: Path, dark: bool) -> None:
    opened(browser, page, 2, 400, dark)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 400
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(19, 20, 22)" if dark else "rgb(255, 255, 255)")
    seen = "[...document.querySelectorAll('.figures img')].filter(i => i.offsetParent)"
    shown = f"return {seen}.map(i => i.className)"
    assert set(browser.execute_script(shown)) == {"by-night" if dark else "by-day"}


def test_it_prints(browser: Any, page: Path) -> None:
    opened(browser, page, 2)
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert base64.b64decode(printed["data"])[:5] == b"%PDF-"


def test_names_that_are_programs_do_not_run(browser: Any, tmp_path: Path) -> None:
    hostile_fit().report(tmp_path / "fit.html")
    browser.get_log("browser")
    opened(browser, tmp_path / "fit.html", 1)
    assert browser.execute_script("return window.hacked === undefined")
    assert browser.get_log("browser") == []
