"""The pages as a reader uses them, in headless Chromium.

Skipped where no browser or driver is installed.
"""

import json
import re
import shutil
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from benchbox.papers import reference_rows
from benchbox.protocols import protocol_card
from benchbox.report.inputs import results as stored
from benchbox.report.pages.shared_data import Sources
from benchbox.report.site_build import site
from benchbox.runs import pseudo_labels, run_folders

from .conftest import DEMO, every_sort, method_card, quoted_rows, write_run
from .pages import test_gaze_atlas, test_pseudo_label_page

webdriver = pytest.importorskip(
    "selenium.webdriver", reason="selenium is not installed (extra test)"
)
from selenium.common.exceptions import TimeoutException  # noqa: E402
from selenium.webdriver.chrome.options import Options  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

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
    "claims.html",
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
    run_folders.seal_again(run)
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
            own = ("file", "about", "data", "chrome", "chrome-untrusted")  # the browser's own pages
            assert address.scheme in own, address
            if address.scheme == "file":
                assert unquote(address.path).startswith(str(place)), address


def seen(driver, selector):
    return [
        element
        for element in driver.find_elements(By.CSS_SELECTOR, selector)
        if element.is_displayed()
    ]


def ranking_values(driver):
    """Numbers of the ranking column as they stand, blanks left out."""
    texts = [cell.text for cell in seen(driver, "table.board tbody td.key")]
    return [float(text.split()[0]) for text in texts if re.match(r"\d", text)]


def names(driver):
    return [cell.text for cell in seen(driver, "table.board tbody .name")]


def count(driver):
    return driver.find_element(By.CSS_SELECTOR, ".filters output").text


def chip(driver, words):
    return next(label for label in seen(driver, ".chip") if label.text.startswith(words))


# --- the leaderboard ------------------------------------------------------------------------------


def test_a_click_or_key_sorts_and_another_one_turns_it_round(open_page):
    driver = open_page(BOARD)
    driver.find_element(By.CSS_SELECTOR, "[data-all]").click()
    before = ranking_values(driver)
    button = driver.find_element(By.CSS_SELECTOR, "table.board thead th.key button")
    button.click()
    assert ranking_values(driver) == sorted(before)
    button.send_keys(Keys.ENTER)
    assert driver.switch_to.active_element == button
    assert ranking_values(driver) == sorted(before, reverse=True)
    column = driver.find_element(By.CSS_SELECTOR, "table.board thead th.key")
    assert column.get_attribute("aria-sort") == "descending"


def test_chips_show_comparable_rows_first_and_all_after_a_click(open_page):
    """The trap: rows under other conditions between the others, or out of reach."""
    driver = open_page(BOARD)
    # Demo B left two faces out, which puts it behind
    assert names(driver) == ["Alpha", "demo-a", "demo-d", "Demo B"]
    assert count(driver) == "4 rows, 5 hidden"
    driver.find_element(By.CSS_SELECTOR, "[data-all]").click()
    assert (count(driver), len(names(driver))) == ("9 rows", 9)
    assert not seen(driver, "[data-all]")
    chip(driver, "printed").click()
    assert "Alpha" not in names(driver)
    chip(driver, "comparable 4").click()
    assert names(driver) == ["demo-a", "demo-d", "Demo B"]


def test_a_search_reads_names_and_the_best_variant_stands_for_its_method(open_page):
    """The trap: a word of a reason or of details found every row."""
    driver = open_page(BOARD)
    chip(driver, "all").click()
    driver.find_element(By.NAME, "best").click()
    assert sorted(names(driver)) == [
        "Alpha",
        "Beta",
        "Demo B",
        "demo-a",
        "demo-c",
        "demo-d",
        "demo-e",
    ]
    driver.find_element(By.NAME, "find").send_keys("DEMO b")
    assert names(driver) == ["Demo B"]
    driver.find_element(By.NAME, "find").send_keys(" budget")
    assert not names(driver)


def test_folded_columns_are_asked_for(open_page):
    driver = open_page(BOARD)
    heads = [head.text for head in seen(driver, "table.board thead th.number")]
    assert [head.split()[0] for head in heads] == ["common", "challenging", "full"]
    driver.find_element(By.NAME, "columns").click()
    assert len(seen(driver, "table.board thead th.number")) == 9 + 3, "three measures, three costs"


def test_a_column_that_says_nothing_of_the_shown_rows_takes_no_room(open_page):
    """The trap: six empty columns beside three rows, which push paper and code out of sight."""
    driver = open_page(BOARD)
    find = driver.find_element(By.NAME, "find")
    find.send_keys("Alpha")
    heads = [head.text.split()[0] for head in seen(driver, "table.board thead th.number")]
    cells = seen(driver, "table.board tbody td.value")
    assert len(heads) == len(cells)
    assert all(cell.text for cell in cells)
    assert not seen(driver, "table.board .rank"), "a paper's row has no rank"
    find.clear()
    find.send_keys("demo-a")
    assert seen(driver, "table.board thead .rank")
    assert len(seen(driver, "table.board thead th.number")) == 3


def test_the_front_page_is_read_on_a_telephone_without_a_sideways_step(open_page):
    driver = open_page("index.html", 360)
    for row in driver.find_elements(By.CSS_SELECTOR, "table.overview tbody tr"):
        for cell in row.find_elements(By.CSS_SELECTOR, "td[data-head]"):
            if cell.is_displayed():
                assert cell.rect["x"] + cell.rect["width"] <= 360
    assert driver.find_elements(By.CSS_SELECTOR, "td[data-head='Best measured here']")


def test_the_values_of_a_method_are_read_on_a_telephone_without_a_sideways_step(open_page):
    driver = open_page("method/demo-b.html", 360)
    values = seen(driver, "td[data-head='Value']")
    assert values
    for value in values:
        assert value.rect["x"] + value.rect["width"] <= 360


def test_two_seeds_are_one_row_with_their_spread_and_a_link_to_each(open_page):
    driver = open_page(BOARD)
    row = next(row for row in seen(driver, "tbody tr[data-kind]") if "2 seeds" in row.text)
    assert re.search(r"4\.99 ?± 0\.17", row.text)
    links = row.find_elements(By.CSS_SELECTOR, ".details a")
    assert [link.text for link in links] == ["0", "1"]
    links[1].click()
    assert driver.current_url.endswith("run/demo-full/demo-a/base/1.html")
    assert "seed 1" in driver.find_element(By.CSS_SELECTOR, ".lead").text
    assert "Most disputed" in [title.text for title in driver.find_elements(By.TAG_NAME, "h3")]


def test_ranks_are_seen_on_a_telephone(open_page):
    driver = open_page(BOARD, 360)
    assert [cell.text for cell in seen(driver, "table.board tbody td.rank")][:2] == ["", "1"]


def test_the_convention_switch_rescores_every_row_and_keeps_the_filters(open_page, place):
    driver = open_page(BOARD)
    driver.find_element(By.NAME, "find").send_keys("demo-a")
    before = ranking_values(driver)
    driver.find_element(By.LINK_TEXT, "inter-pupil").click()
    assert driver.current_url.startswith(f"{place.as_uri()}/protocol/demo-full/inter_pupil.html")
    assert driver.find_element(By.NAME, "find").get_attribute("value") == "demo-a"
    after = ranking_values(driver)
    assert after == pytest.approx([1.4 * value for value in before], abs=0.011)
    assert driver.find_element(By.CSS_SELECTOR, ".switch [aria-current]").text == "inter-pupil"


def test_a_curve_is_switched_off_and_on_and_read_off(open_page):
    driver = open_page(BOARD)
    chart = driver.find_element(By.CSS_SELECTOR, "figure[data-chart=stairs]")
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
    seen(driver, 'tbody tr[data-kind="trained"] .name a')[0].click()
    assert driver.current_url.endswith(RUN)
    assert driver.find_element(By.TAG_NAME, "h1").text == "demo-a"


@pytest.fixture(scope="module")
def printed_board(tmp_path_factory) -> Path:
    """The board of 300-W with what papers print."""
    folder = tmp_path_factory.mktemp("printed")
    card = protocol_card.load_protocol("300w-full")
    made = site.render_files(Sources((card,), (), reference_rows.load_references(), (), ()))
    for name, content in made.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder / "protocol" / "300w-full.html"


def test_the_board_of_300w_is_a_line_a_row_under_a_head_that_stays(browser, printed_board):
    """One line a row: it was 12,000 px long, and its first row stood below the window."""
    size = {"width": 1440, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(printed_board.as_uri())
    browser.find_element(By.CSS_SELECTOR, "[data-all]").click()
    shown = seen(browser, "table.board tbody tr")
    assert len(shown) > 85
    assert shown[0].rect["y"] < 600
    assert max(row.rect["height"] for row in shown) <= 34
    table = browser.find_element(By.CSS_SELECTOR, "table.board")
    assert table.rect["height"] <= 4500
    assert table.rect["width"] <= 1344
    browser.execute_script("window.scrollTo({top: 2000, behavior: 'instant'})")
    head = browser.find_element(By.CSS_SELECTOR, "table.board thead th.who")
    top = browser.execute_script("return arguments[0].getBoundingClientRect().top", head)
    assert top == pytest.approx(0, abs=1)
    texts = [(row.find_element(By.CSS_SELECTOR, ".name").text, row.text) for row in shown]
    values = [
        (name, cell.text)
        for (name, _), cell in zip(texts, seen(browser, "table.board tbody td.key"), strict=True)
        if cell.text
    ]
    assert len(values) == len(set(values)), "a number of a method stands once, whoever quotes it"


def test_the_years_chart_marks_rows_and_draws_the_front(browser, printed_board):
    browser.get(printed_board.as_uri())
    chart = next(
        figure
        for figure in browser.find_elements(By.CSS_SELECTOR, "figure.chart")
        if figure.find_element(By.TAG_NAME, "h3").text == "Error over the years"
    )
    assert len(seen(chart, ".marked")) > 60
    says = [mark.get_attribute("data-say") for mark in seen(chart, ".marked")]
    assert "D-ViT, 2025: 2.85" in says
    front = chart.find_element(By.CSS_SELECTOR, "path.best").get_attribute("d")
    heights = [float(place.split()[1]) for place in front[1:].split("L")]
    assert heights == sorted(heights), "the front falls: downwards is better"
    drawing = chart.find_element(By.CSS_SELECTOR, ".scroll svg")
    width = float(drawing.get_dom_attribute("viewBox").split()[2])
    ends = "const b = arguments[0].getBBox(); return b.x + b.width"
    for label in seen(chart, "text.label"):  # the count of the longest was cut off
        assert browser.execute_script(ends, label) <= width, label.text
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


def test_a_face_is_larger_after_a_click_and_its_methods_are_named(open_page):
    """Contours, the truth of a rendered face from the start, and a way back by key."""
    driver = open_page("atlas/demo-full.html")
    assert (
        driver.find_element(By.CSS_SELECTOR, ".face .m1.shape").get_attribute("d").count("z") == 4
    )
    before = seen(driver, ".face .drawing")[0].rect["width"]
    button = seen(driver, ".face button.enlarge")[0]
    name = seen(driver, ".face code")[0].text
    assert button.get_attribute("aria-label") == f"Enlarge {name}"
    button.send_keys(Keys.ENTER)
    view = driver.find_element(By.CSS_SELECTOR, "dialog.large[open]")
    assert view.get_attribute("aria-label") == name
    assert view.find_element(By.CSS_SELECTOR, ".drawing").rect["width"] > 2 * before
    assert "demo-a" in view.find_element(By.CSS_SELECTOR, "dl").text
    ActionChains(driver).send_keys(Keys.ESCAPE).perform()
    assert not seen(driver, "dialog.large")
    assert driver.switch_to.active_element == button


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

    def needed():
        return driver.execute_script("return document.documentElement.scrollWidth")

    with suppress(TimeoutException):  # a busy machine lays a page out some time after its load
        WebDriverWait(driver, 5).until(lambda _: needed() <= width)
    assert needed() <= width


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
