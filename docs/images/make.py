"""How does the studio look? Draws the pictures of README and guide: ``python -m docs.images.make``.

Walks ``docs/guide.md`` in a headless Chromium, from an empty folder to an export, and writes the
pictures beside this file. It makes its own workspace in a temporary folder; two minutes on two
cores.
"""

import io
import os
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, sync_playwright

from benchmarks.studio import BROWSERS, serve
from grace_engine import api

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 1280, 800
RED, INK = "#c8003c", "#14171c"
ROW = "868b75a9"
"""The trace that the guide opens: right answer, a planted third step."""

CELLS = ".st-key-heatmap .mark-rect.role-mark path"


def main() -> None:
    """Draw all pictures."""
    os.environ["GRACE_AUTHOR"] = "you"
    browser_path = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if browser_path is None:
        sys.exit(f"No browser found: install one of {', '.join(BROWSERS)}.")
    with (
        tempfile.TemporaryDirectory(prefix="grace-") as folder,
        serve(api.app_script(), Path(folder) / "workspace") as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        prepare(page, url)
        telling = inspect(page)
        for scheme in ("light", "dark"):
            other = browser.new_page(
                viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme
            )
            other.goto(telling)
            other.locator(CELLS).first.wait_for(timeout=60_000)
            save(other, f"inspect-{scheme}")
            other.close()
        curate(page)
        browser.close()


def prepare(page: Page, url: str) -> None:
    """An empty workspace becomes the sample's."""
    page.goto(url)
    page.get_by_text("Nothing is stored here yet").wait_for(timeout=60_000)
    page.get_by_test_id("stSidebarNav").get_by_text("Data", exact=True).click()
    begin = page.get_by_role("button", name="Prepare the sample")
    begin.wait_for(timeout=60_000)
    save(page, "guide-1-empty", height=300)
    begin.click()
    page.get_by_text("Finished", exact=True).wait_for(timeout=300_000)
    settle(page)


def inspect(page: Page) -> str:
    """A step that is framed in red is opened and judged; its address before the verdict."""
    page.get_by_test_id("stSidebarNav").get_by_text("Inspect").click()
    page.locator(CELLS).first.wait_for(timeout=60_000)
    settle(page)
    page.locator(".st-key-signal").get_by_text("Fresh loss").click()
    settle(page)
    page.locator(f'{CELLS}[stroke="{RED}"][aria-label*="{ROW}"]').first.click()
    page.locator(f'{CELLS}[stroke-width="2.5"][stroke="{INK}"][aria-label*="{ROW}"]').wait_for()
    settle(page)
    telling = str(page.url)
    press(page, ".st-key-verdict-wrong button")
    page.locator(".g-step[aria-current] .g-verdict").wait_for()
    press(page, ".st-key-drop button")
    page.locator(".g-head").get_by_text("dropped").wait_for()
    save(page, "guide-2-step")
    press(page, ".st-key-undo button:visible")
    return telling


def curate(page: Page) -> None:
    """A tenth of the traces is chosen, explained, saved and exported."""
    page.get_by_test_id("stSidebarNav").get_by_text("Curate").click()
    page.get_by_text("Nearest the cut").wait_for(timeout=60_000)
    budget = page.get_by_label("Budget", exact=True)
    budget.fill("10%")
    budget.press("Enter")
    page.get_by_text("10%", exact=True).first.wait_for()
    settle(page)
    save(page, "guide-3-budget")
    for number, (section, name, height) in enumerate(
        (("Why", "why", 1020), ("Bias", "bias", 1020)), start=4
    ):
        show(page, section).wait_for(timeout=30_000)
        save(page, f"guide-{number}-{name}", height=height)
    show(page, "Selections")
    name = page.get_by_role("textbox", name="Save this choice as")
    name.fill("first tenth")
    name.press("Tab")
    settle(page)
    press(page, ".st-key-save-choice button")
    page.locator(".st-key-export-format input").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("messages", delay=40)
    page.keyboard.press("Enter")
    page.locator("code").filter(has_text="--as messages").wait_for(timeout=30_000)
    settle(page)
    page.get_by_text("With annotations").click()
    settle(page)
    press(page, ".st-key-export-it button")
    page.get_by_role("button", name="Save the traces").wait_for(timeout=30_000)
    settle(page)
    page.get_by_test_id("stToast").first.wait_for(state="hidden", timeout=30_000)
    page.get_by_text("Save this choice as").evaluate("box => box.scrollIntoView()")
    save(page, "guide-6-export")


def show(page: Page, section: str) -> Locator:
    """Open a section of Curate; its chart."""
    page.get_by_role("radio", name=section).click()
    settle(page)
    return page.locator("[data-testid=stPlotlyChart] .main-svg").first


def press(page: Page, selector: str) -> None:
    """Click and wait until the page stands still."""
    page.locator(selector).first.click()
    settle(page)


def settle(page: Page) -> None:
    """Wait until no script runs and charts stand still."""
    page.wait_for_timeout(600)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=60_000)
    page.wait_for_timeout(900)


def save(page: Page, name: str, height: int = HEIGHT) -> None:
    """Write what the window shows, in 255 colours: a third of the bytes."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.mouse.move(WIDTH - 5, 5)
    settle(page)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        few = picture.convert("RGB").quantize(
            255, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
        few.save(HERE / f"{name}.png", optimize=True)
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})


if __name__ == "__main__":
    main()
