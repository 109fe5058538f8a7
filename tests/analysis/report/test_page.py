"""Open the HTML report in a real browser: it draws without a network, light and dark, and complains of nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.by import By

if TYPE_CHECKING:
    from pathlib import Path

    from selenium import webdriver

pytestmark = pytest.mark.browser


@pytest.fixture(name="page")
def _page(page_text: str, tmp_path: Path, browser: webdriver.Chrome) -> webdriver.Chrome:
    file = tmp_path / "report.html"
    file.write_text(page_text, encoding="utf-8")
    browser.get(file.as_uri())
    return browser


def set_theme(page: webdriver.Chrome, theme: str) -> None:
    """Tell the page which colours its reader prefers."""
    features = [{"name": "prefers-color-scheme", "value": theme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def test_charts_are_drawn_within_the_page(page: webdriver.Chrome) -> None:
    """Each chart has a size, and nothing is wider than a window of 1,200 pixels, tables included."""
    page.set_window_size(1200, 900)
    page.execute_script("document.querySelectorAll('details.topic').forEach(one => { one.open = true })")
    tables = page.find_elements(By.CSS_SELECTOR, ".scroll")
    assert tables
    assert all(one.get_property("scrollWidth") <= one.get_property("clientWidth") for one in tables)
    charts = page.find_elements(By.CSS_SELECTOR, "figure svg")
    assert charts
    assert all(chart.size["width"] > 300 and chart.size["height"] > 60 for chart in charts)
    assert page.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")


def test_phone_scrolls_charts_and_not_the_page(page: webdriver.Chrome) -> None:
    """On a phone a chart keeps its size and scrolls in its frame; the page itself does not scroll sideways."""
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    chart = page.find_element(By.CSS_SELECTOR, "figure svg")
    assert chart.size["width"] > 600
    assert page.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")


def test_colours_follow_the_theme(page: webdriver.Chrome) -> None:
    """In light and in dark the ink of the charts is that of the text, and stands out from the page."""
    seen = set()
    for theme in ("light", "dark"):
        set_theme(page, theme)
        body = page.find_element(By.TAG_NAME, "body")
        title = page.find_element(By.XPATH, "//*[local-name()='text'][contains(., 'Success against cost')]")
        assert title.value_of_css_property("fill") in {
            body.value_of_css_property("color"),
            body.value_of_css_property("color").replace("rgba", "rgb").replace(", 1)", ")"),
        }
        seen.add(body.value_of_css_property("background-color"))
    assert len(seen) == 2


def test_sql_opens_on_a_click(page: webdriver.Chrome) -> None:
    """The SQL behind a finding is one click away."""
    finding = page.find_element(By.CSS_SELECTOR, ".finding")
    sql = finding.find_element(By.CSS_SELECTOR, "details.sql pre")
    assert not sql.is_displayed()
    for summary in finding.find_elements(
        By.CSS_SELECTOR, "details.sql > summary, details.sql > details:first-of-type > summary"
    ):
        page.execute_script("arguments[0].click()", summary)
    assert sql.is_displayed()
    assert "SELECT" in sql.text


def test_nothing_is_fetched_and_nothing_complains(page: webdriver.Chrome) -> None:
    """The page asks for nothing but itself, and the console stays empty."""
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
