"""The pages as a reader uses them, in headless Chromium.

Skipped where no browser or driver is installed.
"""

import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from benchbox.protocols import protocol_card
from benchbox.report.inputs import results as stored
from benchbox.report.pages.shared_data import Sources
from benchbox.report.site_build import site
from benchbox.runs import pseudo_labels, run_folders

from .conftest import DEMO, every_sort, method_card, quoted_rows, write_run
from .invented import fabricate
from .pages import test_gaze_atlas, test_pseudo_label_page

webdriver = pytest.importorskip(
    "selenium.webdriver", reason="selenium is not installed (extra test)"
)
from selenium.webdriver.chrome.options import Options  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

BROWSER = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(
        not BROWSER or not DRIVER, reason="no chromium with chromedriver (Debian: chromium-driver)"
    ),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of selenium's own sockets
]
FLAGS = (
    *(
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-sync",
    ),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)
BOARD = "protocol/demo-full.html"
RUN = "run/demo-full/demo-a/base/0.html"
KINDS = (
    "index.html",
    BOARD,
    RUN,
    "method/demo-b.html",
    "compare/demo-full.html",
    "atlas/demo-full.html",
    "atlas/synth-mpiigaze.html",
    "labels/demo-full/demo-a/base/0.html",
    "docs/faq.html",
    "docs/metrics.html",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A written site of invented runs."""
    folder = tmp_path_factory.mktemp("site")

    def make(method, level, **options):
        return write_run(folder / "results", method, level, **options)

    every_sort(make)
    run = folder / "results" / "demo-full" / "demo-a" / "base" / "0"
    pseudo_labels.write_pseudo_labels(
        run_folders.pseudo_labels_file(run), test_pseudo_label_page.invented()
    )
    eyes = [f"eyes-00{k % 5}/{200 * (k % 5) + k:05d}" for k in range(30)]
    test_gaze_atlas.lay(folder, "synth-mpiigaze", eyes, [0.1, 0.05, 0.0])
    found, problems = stored.read_results(folder / "results")
    card = method_card(folder)
    made = site.render_files(
        Sources(
            (DEMO, protocol_card.load_protocol("synth-mpiigaze")),
            (card,),
            quoted_rows(),
            tuple(found),
            tuple(problems),
        )
    )
    for name, content in made.items():
        (folder / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "site" / name).write_bytes(content)
    return folder / "site"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = Options()
    options.binary_location = BROWSER
    for flag in (
        *FLAGS,
        "--window-size=1280,900",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def open_page(browser, place):
    """Return a function that opens a page.

    Afterwards nothing may stand in the console or have left the folder.
    """

    def go(page: str, width: int = 1280, dark: bool = False):
        look = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": look})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get("about:blank")  # the same page with another fragment would not be loaded again
        browser.get(f"{place.as_uri()}/{page}")
        return browser

    yield go
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            address = urlsplit(message["params"]["request"]["url"])
            assert address.scheme in ("file", "about", "data", "chrome"), address
            if address.scheme == "file":
                assert unquote(address.path).startswith(str(place)), address


def seen(driver, selector):
    return [
        element
        for element in driver.find_elements(By.CSS_SELECTOR, selector)
        if element.is_displayed()
    ]


def first_column(driver, column):
    """Numbers of one column of the leaderboard as they stand, dashes and blanks left out."""
    rows = seen(driver, "section table.board:not(.not-comparable) tbody tr")
    texts = [row.find_elements(By.TAG_NAME, "td")[column].text for row in rows]
    return [float(text.split()[0]) for text in texts if re.match(r"\d", text)]


# --- the leaderboard ------------------------------------------------------------------------------


def head(driver, column):
    return driver.find_elements(
        By.CSS_SELECTOR, "table.board:not(.not-comparable) thead tr:nth-child(2) th button"
    )[column]


def test_a_click_sorts_and_another_one_turns_it_round(open_page):
    driver = open_page(BOARD)
    before = first_column(driver, 2)
    head(driver, 0).click()
    assert first_column(driver, 2) == sorted(before)
    head(driver, 0).click()
    assert first_column(driver, 2) == sorted(before, reverse=True)
    column = driver.find_elements(
        By.CSS_SELECTOR, "table.board:not(.not-comparable) thead tr:nth-child(2) th"
    )[0]
    assert column.get_attribute("aria-sort") == "descending"


def test_an_auc_is_sorted_from_the_top_and_rows_without_one_stay_last(open_page):
    driver = open_page(BOARD)
    head(driver, 3).click()
    auc = first_column(driver, 5)
    assert auc == sorted(auc, reverse=True)
    assert "Alpha" in seen(driver, "table.board:not(.not-comparable) tbody tr")[-1].text


def test_the_keyboard_sorts(open_page):
    driver = open_page(BOARD)
    button = head(driver, 0)
    button.send_keys(Keys.ENTER)
    assert driver.switch_to.active_element == button
    values = first_column(driver, 2)
    assert values == sorted(values)


def test_filters_hide_rows_and_say_how_many_are_left(open_page):
    driver = open_page(BOARD)
    assert driver.find_element(By.CSS_SELECTOR, ".filters output").text == "9 rows"
    Select(driver.find_element(By.NAME, "kind")).select_by_visible_text("submitted")
    assert [
        row.find_element(By.CSS_SELECTOR, ".name").text
        for row in seen(driver, "tbody tr[data-kind]")
    ] == ["demo-d"]
    assert driver.find_element(By.CSS_SELECTOR, ".filters output").text == "1 of 9 rows"
    Select(driver.find_element(By.NAME, "kind")).select_by_visible_text("all")
    driver.find_element(By.NAME, "find").send_keys("DEMO Wide")
    assert len(seen(driver, "tbody tr[data-kind]")) == 2
    driver.find_element(By.NAME, "intervals").click()
    assert not seen(driver, "table.board small")


def test_filters_for_the_named_data_variant_and_extra_training_data(open_page):
    driver = open_page(BOARD)
    Select(driver.find_element(By.NAME, "data")).select_by_visible_text("train 60 of 100")
    assert [
        row.find_element(By.CSS_SELECTOR, ".name").text
        for row in seen(driver, "tbody tr[data-kind]")
    ] == ["demo-c"]
    assert not driver.find_elements(By.NAME, "extra"), "no row of this board was trained on more"


def test_two_seeds_are_one_row_with_their_spread_and_a_link_to_each(open_page):
    driver = open_page(BOARD)
    row = next(row for row in seen(driver, "tbody tr[data-kind]") if "mean of 2 seeds" in row.text)
    assert re.search(r"4\.99 ± 0\.17", row.text)
    links = row.find_elements(By.CSS_SELECTOR, ".details a")
    assert [link.text for link in links] == ["0", "1"]
    links[1].click()
    assert driver.current_url.endswith("run/demo-full/demo-a/base/1.html")
    assert "seed 1" in driver.find_element(By.CSS_SELECTOR, ".lead").text
    assert "Most disputed" in [title.text for title in driver.find_elements(By.TAG_NAME, "h3")]


def test_what_can_be_told_stays_on_top_under_its_columns(open_page):
    driver = open_page(BOARD)
    head(driver, 0).click()
    cells = driver.find_elements(By.CSS_SELECTOR, "tr.reach > *")
    heads = driver.find_elements(
        By.CSS_SELECTOR, "table.board:not(.not-comparable) thead tr:nth-child(2) th"
    )
    numbers = [cell for cell in cells if re.fullmatch(r"[\d.]+", cell.text)]
    assert len(numbers) == 9, "three measures of three groups"
    for cell, column in zip(numbers, heads, strict=False):
        assert cell.rect["x"] + cell.rect["width"] == pytest.approx(
            column.rect["x"] + column.rect["width"], abs=1
        )


def test_ranks_are_seen_on_a_telephone(open_page):
    driver = open_page(BOARD, 360)
    assert [cell.text for cell in seen(driver, "table.board:not(.not-comparable) tbody td.rank")][
        :2
    ] == [
        "",
        "1",
    ]


def test_the_convention_switch_rescores_every_row_and_keeps_the_filters(open_page, place):
    driver = open_page(BOARD)
    driver.find_element(By.NAME, "find").send_keys("demo-a")
    before = first_column(driver, 2)
    driver.find_element(By.LINK_TEXT, "inter-pupil").click()
    assert driver.current_url.startswith(f"{place.as_uri()}/protocol/demo-full/inter_pupil.html")
    assert driver.find_element(By.NAME, "find").get_attribute("value") == "demo-a"
    after = first_column(driver, 2)
    assert after == pytest.approx([1.4 * value for value in before], abs=0.011)
    assert driver.find_element(By.CSS_SELECTOR, ".switch [aria-current]").text == "inter-pupil"


def test_a_curve_is_switched_off_and_on_and_read_off(open_page):
    driver = open_page(BOARD)
    chart = driver.find_element(By.CSS_SELECTOR, "figure[data-chart]")
    driver.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", chart
    )
    button = chart.find_elements(By.CSS_SELECTOR, ".legend button")[0]
    curve = chart.find_element(
        By.CSS_SELECTOR, f'g[data-series="{button.get_attribute("data-series")}"]'
    )
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert not curve.is_displayed()
    button.click()
    assert curve.is_displayed()
    svg = chart.find_element(By.TAG_NAME, "svg")
    ActionChains(driver).move_to_element_with_offset(svg, -120, 20).perform()
    text = chart.find_element(By.CSS_SELECTOR, ".cursor text").text
    share, error = map(float, re.fullmatch(r".*: ([\d.]+) % up to ([\d.]+) %", text).groups())
    assert 0 <= share <= 100
    assert 0 < error < 8


def test_points_are_read_off_for_the_layers_that_are_shown(open_page):
    driver = open_page(BOARD)
    chart = driver.find_element(By.CSS_SELECTOR, "figure[data-chart=points]")
    driver.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", chart
    )
    buttons = chart.find_elements(By.CSS_SELECTOR, ".legend button")
    assert [button.get_attribute("aria-pressed") for button in buttons[:3]] == [
        "true",
        "true",
        "false",
    ]
    buttons[2].send_keys(Keys.ENTER)
    assert buttons[2].get_attribute("aria-pressed") == "true"
    svg = chart.find_element(By.TAG_NAME, "svg")
    ActionChains(driver).move_to_element(svg).perform()
    lines = [part.text for part in chart.find_elements(By.CSS_SELECTOR, ".cursor tspan")]
    assert re.fullmatch(r"(nose|mouth), point \d+", lines[0])
    assert len(lines) == 4
    place = int(lines[0].split()[-1]) - 1
    first = buttons[0].text.strip()
    level = 0.04  # of the best run: its invented errors grow along the layout
    assert lines[1] == f"{first}: {100 * level * (0.5 + place / 67):.1f} %"


def test_a_run_is_opened_from_its_row(open_page):
    driver = open_page(BOARD)
    driver.find_element(By.CSS_SELECTOR, 'tbody tr[data-kind="trained"] .name a').click()
    assert driver.current_url.endswith(RUN)
    assert driver.find_element(By.TAG_NAME, "h1").text == "demo-a"


def test_five_hundred_rows_are_sorted_without_a_hitch(browser, tmp_path):
    fabricate(tmp_path / "results", 500, (protocol_card.load_protocol("300w-full"),), seeds=1)
    site.render_site(tmp_path / "results", tmp_path / "site")
    browser.get(f"{(tmp_path / 'site').as_uri()}/protocol/300w-full.html")
    taken = browser.execute_script(
        "const button = document.querySelectorAll('table.board thead tr:nth-child(2) button')[4];"
        "const start = performance.now(); button.click(); document.body.offsetHeight;"
        " return performance.now() - start;"
    )
    assert taken < 2000, "ms; a tenth of that on a machine that has nothing else to do"
    browser.get_log("browser")
    browser.get_log("performance")


def test_the_index_finds_by_words(open_page):
    driver = open_page("index.html")
    field = driver.find_element(By.CSS_SELECTOR, "[data-search] input")
    field.send_keys("demo-b")
    assert [entry.text.split()[0] for entry in seen(driver, "[data-entry]")] == ["Demo"]
    field.clear()
    field.send_keys("nothing of the kind")
    assert not seen(driver, "[data-entry]")


# --- comparing ------------------------------------------------------------------------------------


def test_two_rows_are_compared_as_a_paired_test_would(open_page, place):
    driver = open_page("compare/demo-full.html")
    names = [option.text for option in Select(driver.find_element(By.NAME, "a")).options]
    one, other = names.index("demo-a base, seed 0"), names.index("demo-a base, seed 1")
    Select(driver.find_element(By.NAME, "a")).select_by_index(one)
    for box in driver.find_elements(By.NAME, "b"):
        if box.is_enabled() and box.is_selected() != (box.get_attribute("value") == str(other)):
            box.click()
    folder = place.parent / "results" / "demo-full" / "demo-a" / "base"
    first, second = (
        100 * np.load(folder / seed / "errors.npz")["errors"]["nme_inter_ocular"] for seed in "01"
    )
    difference = second - first  # one face per cluster
    half = 2.022691 * difference.std(ddof=1) / np.sqrt(len(difference))  # t, 39 degrees of freedom
    cell = driver.find_elements(By.CSS_SELECTOR, ".differences tbody td")[
        list(DEMO.groups).index("full")
    ]
    text = cell.text.replace("\u2212", "-").replace("\n", " ")
    mean, low, high = map(
        float, re.match(r"([+-][\d.]+) ([+-][\d.]+) to ([+-][\d.]+)", text).groups()
    )
    assert mean == pytest.approx(difference.mean(), abs=0.006)
    assert (low, high) == pytest.approx(
        (difference.mean() - half, difference.mean() + half), abs=0.006
    )
    assert len(seen(driver, "svg[data-scatter] circle")) == len(difference)
    assert len(seen(driver, ".extremes tbody tr")) == 10
    assert driver.current_url.endswith(f"#a={one}&b={other}")


# --- single faces ---------------------------------------------------------------------------------


def test_an_atlas_is_filtered_by_group_and_method(open_page):
    driver = open_page("atlas/demo-full.html")
    faces = len(seen(driver, ".face"))
    Select(driver.find_element(By.NAME, "group")).select_by_visible_text("challenging")
    left = seen(driver, ".face")
    assert 0 < len(left) < faces
    assert all("challenging" in face.text for face in left)
    dots = len(seen(driver, ".face dl .m1"))
    assert dots == len(left)
    driver.find_element(By.CSS_SELECTOR, "input[name=method][value='1']").click()
    assert not seen(driver, ".face dl .m1")


def test_an_atlas_of_gaze_is_filtered_and_stripped_of_truth_and_pictures(open_page):
    driver = open_page("atlas/synth-mpiigaze.html")
    assert len(seen(driver, ".gaze img")) == len(seen(driver, ".face"))
    assert all(
        driver.execute_script("return arguments[0].complete && arguments[0].naturalWidth", picture)
        == 60
        for picture in seen(driver, ".gaze img")[:2]
    )
    assert seen(driver, ".plot .truth")
    driver.find_element(By.NAME, "truth").click()
    assert not seen(driver, ".plot .truth")
    driver.find_element(By.NAME, "pictures").click()
    assert not seen(driver, ".gaze img")
    Select(driver.find_element(By.NAME, "group")).select_by_visible_text("left")
    assert all("left" in face.text for face in seen(driver, ".face"))


def test_marks_are_read_off_and_leave_with_their_line(open_page):
    driver = open_page("labels/demo-full/demo-a/base/0.html")
    chart = driver.find_elements(By.CSS_SELECTOR, "figure[data-chart=marks]")[1]
    driver.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", chart
    )
    mark = seen(chart, ".marked")[0]
    ActionChains(driver).move_to_element(mark).perform()
    assert chart.find_element(By.CSS_SELECTOR, ".cursor tspan").text == mark.get_attribute(
        "data-say"
    )
    before = len(seen(chart, ".marked"))
    chart.find_element(By.CSS_SELECTOR, ".legend button").send_keys(Keys.SPACE)
    assert len(seen(chart, ".marked")) == before - 10
    chart.find_element(By.CSS_SELECTOR, ".numbers summary").click()
    assert seen(chart, ".numbers tbody tr")


# --- every page -----------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [360, 2560])
@pytest.mark.parametrize("page", KINDS)
def test_no_page_is_wider_than_the_window(open_page, page, width):
    driver = open_page(page, width)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width


def test_dark_mode_is_dark(open_page):
    def ground(dark):
        driver = open_page("index.html", dark=dark)
        return driver.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")

    light, dark = (sum(map(int, re.findall(r"\d+", ground(mode))[:3])) for mode in (False, True))
    assert dark < 150, "of 765"
    assert light > 600


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("page", KINDS)
def test_axe_finds_nothing_serious(open_page, page, dark):
    axe = pytest.importorskip(
        "axe_core_python", reason="axe-core-python is not installed (extra test)"
    )
    driver = open_page(page, dark=dark)
    driver.execute_script((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    grave = [
        violation
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert not grave, json.dumps(
        [[v["id"], [n["html"] for n in v["nodes"][:3]]] for v in grave], indent=1
    )


def test_the_first_tab_stop_skips_to_the_content(open_page):
    driver = open_page(BOARD)
    driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    assert driver.switch_to.active_element.text == "Skip to the content"
