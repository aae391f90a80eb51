"""The page opened from disk in a headless Chromium: what readers do, and that it asks no host."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pianobench.leaderboard import Board
from pianobench.leaderboard.board import CurveRecord, Estimates
from pianobench.leaderboard.page import page

AXE = Path(__file__).parents[1] / "vendored" / "axe.min.js"
ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Open = Callable[..., Any]


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Write a board's page and open it; in the end nothing was complained of, and no host asked."""
    browser.get_log("browser")
    browser.get_log("performance")

    def show(board: Board, width: int = 1400, scheme: str = "light", address: str = "") -> Any:
        path = tmp_path / "index.html"
        path.write_text(page(board), encoding="utf-8")
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        browser.get("about:blank")
        browser.get(f"{path.as_uri()}{address}")
        return browser

    yield show
    browser.execute_script("try { localStorage.clear() } catch {}")
    assert browser.get_log("browser") == []
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [
        message["params"]["request"]["url"]
        for message in asked
        if message["method"] == "Network.requestWillBeSent"
        and message["params"]["documentURL"].startswith(tmp_path.as_uri())
    ]
    assert urls
    assert [url for url in urls if not url.startswith(("file:", "data:", "blob:"))] == []


def run(browser: Any, script: str, *given: Any) -> Any:
    return browser.execute_script(f"return {script}", *given)


def until(browser: Any, script: str, *given: Any) -> Any:
    """Wait for what is drawn in the next frames."""
    end = time.monotonic() + 60
    while not (found := run(browser, script, *given)):
        assert time.monotonic() < end, f"waited in vain for {script}"
        time.sleep(0.05)
    return found


def click(browser: Any, selector: str) -> None:
    browser.find_element("css selector", selector).click()


def press(browser: Any, key: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(browser).send_keys(key).perform()


def column(browser: Any, field: str) -> list[str]:
    script = "[...document.querySelectorAll(arguments[0])].map(cell => cell.innerText)"
    texts: list[str] = run(browser, script, f".tabulator-cell[tabulator-field={field}]")
    return [text.split("\n")[0] for text in texts]


def choose(browser: Any, name: str, value: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(browser.find_element("id", name)).select_by_value(value)


def test_every_row_is_there_and_is_sorted_filtered_and_its_columns_chosen(
    opened: Open, published_board: Board
) -> None:
    browser = opened(published_board)
    (dataset,) = published_board.datasets
    rows = {row.name: row for row in dataset.rows}
    (ranking,) = (protocol for protocol in dataset.protocols if protocol.ranks)
    r2 = [rows[name].scores["piece"].r2 for name in ranking.rows]
    assert column(browser, "r2") == [f"{value:.3f}".replace("-", "\u2212") for value in r2]
    standings = [rows[name].scores["piece"].standing for name in ranking.rows]
    ranks = [(s.best_rank, s.worst_rank) for s in standings if s is not None]
    assert column(browser, "rank") == [
        str(best) if best == worst else f"{best}\u2013{worst}" for best, worst in ranks
    ]

    # Sorted with the keyboard alone.
    run(browser, "document.querySelector('[tabulator-field=r2_human] .sort').focus()")
    press(browser, "\ue007")
    human = sorted((rows[name].scores["piece"].metrics["r2_human"] for name in rows), reverse=True)
    assert column(browser, "r2_human") == [f"{v:.3f}".replace("-", "\u2212") for v in human]
    head = "document.querySelector('.tabulator-col[tabulator-field=r2_human]')"
    assert run(browser, f"{head}.ariaSort") == "descending"

    choose(browser, "filter-encoder", "midi-stats")
    own = [row for row in dataset.rows if row.encoder.name == "midi-stats"]
    assert len(column(browser, "r2")) == len(own)
    browser.find_element("id", "filter-text").send_keys("extra-TREES")
    assert len(column(browser, "r2")) == 1
    browser.find_element("id", "filter-text").send_keys(" nothing")
    assert "No row is left" in run(browser, "document.body.innerText")
    browser.find_element("id", "filter-text").clear()
    choose(browser, "filter-encoder", "")
    click(browser, "#filter-best")
    best = [s for s in standings if s is not None and s.may_be_best]
    assert len(column(browser, "r2")) == len(best)
    click(browser, "#filter-best")

    click(browser, "details.columns summary")
    assert column(browser, "spearman") == []
    labels = "[...document.querySelectorAll('#columns label')]"
    run(browser, f"{labels}.find(label => label.innerText.includes('Spearman')).click()")
    until(browser, "document.querySelectorAll('[tabulator-field=spearman]').length > 1")
    assert len(column(browser, "spearman")) == len(r2)
    assert column(browser, "r2_human")[0] == f"{human[0]:.3f}"


def test_a_protocol_without_a_test_says_that_its_order_means_little(
    opened: Open, published_board: Board
) -> None:
    browser = opened(published_board)
    known = "document.getElementById('known').innerText"
    assert "rows can be compared" in run(browser, known)
    choose(browser, "protocol", "excerpt")
    assert "Nothing is tested here" in run(browser, known)
    assert set(column(browser, "rank")) <= {"\u2013"}
    shown = [float(text.replace("\u2212", "-")) for text in column(browser, "r2")]
    assert shown == sorted(shown, reverse=True)
    (dataset,) = published_board.datasets
    assert len(shown) == sum("excerpt" in row.scores for row in dataset.rows)
    assert "share music with training" in run(browser, "document.body.innerText")
    click(browser, "#tab-pairs")
    until(browser, "document.getElementById('pairs-content').innerText.includes('Nothing is')")
    assert "protocol=excerpt" in browser.current_url
    browser.refresh()
    assert run(browser, "document.getElementById('protocol').value") == "excerpt"


def test_the_theme_is_the_systems_until_it_is_chosen_and_then_remembered(
    opened: Open, published_board: Board
) -> None:
    browser = opened(published_board, scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = run(browser, paper)
    click(browser, "#theme")
    light = run(browser, paper)
    assert dark != light
    browser.refresh()
    assert run(browser, paper) == light
    assert run(browser, "document.getElementById('theme').innerText") == "Dark"


def test_a_row_opens_and_closes_by_keyboard_and_compares_with_any_other(
    opened: Open, published_board: Board
) -> None:
    browser = opened(published_board)
    (dataset,) = published_board.datasets
    row = dataset.rows[1]
    run(browser, "document.querySelectorAll('.tabulator .open')[1].focus()")
    press(browser, "\ue007")
    assert run(browser, "document.getElementById('row').open")
    text = run(browser, "document.getElementById('row').innerText")
    assert f"{row.scores['piece'].r2:.3f}" in text
    assert "Its rank lies between" in text
    assert row.name in text
    links = run(
        browser, "[...document.querySelectorAll('#row a[href]')].map(a => a.attributes.href.value)"
    )
    files = [target for target in links if target != "#"]
    assert set(files) == {*row.files, *(f for s in row.scores.values() for f in s.files)}

    other = dataset.rows[4]
    choose(browser, "other", other.name)
    points = "document.querySelectorAll('#dimensions-chart .mark-symbol path[aria-label]').length"
    until(browser, f"{points} == {2 * len(dataset.dimensions)}")
    # Of the numbers that the page shows.
    gap = round(row.scores["piece"].r2, 3) - round(other.scores["piece"].r2, 3)
    assert f"a difference in R2 of +{gap:.3f}" in run(
        browser, "document.getElementById('row').innerText"
    )
    browser.refresh()
    until(browser, "document.getElementById('row').open")
    until(browser, f"{points} == {2 * len(dataset.dimensions)}")
    press(browser, "\ue00c")
    until(browser, "!document.getElementById('row').open")
    assert "row=" not in browser.current_url


def test_intervals_dimensions_and_pairs_show_the_rows_of_the_table(
    opened: Open, published_board: Board
) -> None:
    browser = opened(published_board)
    (dataset,) = published_board.datasets
    count = len(dataset.rows)
    run(browser, "document.getElementById('tab-rows').focus()")
    press(browser, "\ue014")
    points = "document.querySelectorAll('#intervals-content .mark-symbol path[aria-label]').length"
    until(browser, f"{points} == {count}")
    press(browser, "\ue014")
    cells = "document.querySelectorAll('#dimensions-content td.heat').length"
    quantities = len(dataset.dimensions) + len(dataset.categories)
    until(browser, f"{cells} == {count * quantities}")
    press(browser, "\ue010")
    signs = until(
        browser,
        "[...document.querySelectorAll('#pairs-content tbody tr')].map(line =>"
        "[...line.cells].slice(1).map(cell => cell.querySelector('.unseen')?.innerText ?? ''))",
    )
    words = {"w": "worse", "e": "equivalent", "n": "not distinguished"}
    (ranking,) = (protocol for protocol in dataset.protocols if protocol.ranks)
    for place, letters in enumerate(ranking.verdicts):
        assert signs[place][: place + 1] == [words[letter] for letter in letters] + [""]
        assert [row[place] == "better" for row in signs[:place]] == [x == "w" for x in letters]


def test_of_many_rows_fifty_are_shown_at_a_time_with_their_curves(
    opened: Open, published_board: Board
) -> None:
    (dataset,) = published_board.datasets
    curve = CurveRecord(fold="1", seed=0, best=1, loss=(0.2, 0.1), validation_r2=(0.1, 0.3))
    piece = dataset.rows[0].scores["piece"].model_copy(update={"curves": (curve,)})
    one = dataset.rows[0].model_copy(update={"scores": {"piece": piece}})
    rows = tuple(one.model_copy(update={"name": f"row-{place:03}"}) for place in range(120))
    protocol = dataset.protocols[0].model_copy(
        update={
            "rows": tuple(row.name for row in rows),
            "comparable": 120,
            "verdicts": tuple("n" * place for place in range(120)),
        }
    )
    many = dataset.model_copy(update={"rows": rows, "protocols": (protocol,)})
    browser = opened(published_board.model_copy(update={"datasets": (many,)}), address="#tab=pairs")
    shown = "document.querySelectorAll('#pairs-content tbody tr').length"
    until(browser, f"{shown} == 50")
    click(browser, "#pages [data-page=last]")
    until(browser, f"{shown} == 20")
    counted = "document.getElementById('counter').innerText"
    assert run(browser, counted) == "120 rows, of which 101\u2013120 are shown"
    click(browser, "#tab-rows")
    click(browser, ".tabulator .open")
    until(browser, "document.querySelectorAll('#r2-chart .mark-line path').length == 1")
    until(
        browser,
        "document.querySelectorAll('#loss-chart .mark-symbol path[aria-label]').length == 1",
    )


def test_hostile_text_is_shown_and_never_run(opened: Open, hostile: Any) -> None:
    browser = opened(hostile.board)
    body = run(browser, "document.body.innerText")
    assert all(each in body for each in hostile.texts if each != hostile.texts[-2])
    for tab in ("intervals", "dimensions", "pairs"):
        click(browser, f"#tab-{tab}")
        until(browser, f"document.getElementById('{tab}-content').childElementCount > 0")
    click(browser, "#tab-rows")
    for place in range(3):
        run(browser, f"document.querySelectorAll('.tabulator .open')[{place}].click()")
        until(browser, "document.querySelectorAll('#dimensions-chart svg').length")
        outside = run(
            browser,
            "[...document.querySelectorAll('#row a[href]')].map(a => a.attributes.href.value)"
            ".filter(target => target != '#' && !/^results[/][^/]+[/][^/]+$/.test(target))",
        )
        assert outside == []
        click(browser, "#row-close")
    assert run(browser, "typeof ran") == "undefined"
    assert run(browser, "document.querySelectorAll('main img, main svg[onload]').length") == 0


def test_without_scripts_there_is_a_table_of_all_rows(opened: Open, published_board: Board) -> None:
    browser = opened(published_board)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.refresh()
        table = browser.find_element("css selector", ".plain-rows table")
        assert table.is_displayed()
        (dataset,) = published_board.datasets
        assert len(table.find_elements("css selector", "tbody tr")) == len(dataset.rows)
        assert not browser.find_element("id", "theme").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        browser.refresh()


def test_boards_without_rows_labels_or_categories_open_too(
    opened: Open, published_board: Board
) -> None:
    browser = opened(published_board.model_copy(update={"datasets": ()}))
    assert not browser.find_element("id", "theme").is_displayed()
    (dataset,) = published_board.datasets
    bare = {"standing": None, "categories": None, "c": None, "g": None, "of_ceiling": None}
    bare["dimensions"] = Estimates(r2=dataset.rows[0].scores["piece"].dimensions.r2)
    rows = tuple(
        row.model_copy(
            update={"scores": {"piece": row.scores["piece"].model_copy(update=bare)}, "head": None}
        )
        for row in dataset.rows
    )
    given = {"scope": None, "limit": "the labels are not published here", "verdicts": ()}
    protocol = dataset.protocols[0].model_copy(update=given)
    held = {"rows": rows, "protocols": (protocol,), "categories": (), "ceiling": None}
    unlabelled = dataset.model_copy(update=held)
    browser = opened(published_board.model_copy(update={"datasets": (unlabelled,)}))
    assert len(column(browser, "r2")) == len(rows)
    assert "labels are not published" in run(browser, "document.getElementById('known').innerText")
    click(browser, "#tab-intervals")
    until(browser, "document.querySelectorAll('#intervals-content svg').length")
    click(browser, "#tab-dimensions")
    cells = "document.querySelectorAll('#dimensions-content td.heat').length"
    until(browser, f"{cells} == {len(rows) * len(dataset.dimensions)}")
    click(browser, "#dimensions-content .open")
    until(browser, "document.querySelectorAll('#dimensions-chart svg').length")
    assert "It has no rank on piece" in run(browser, "document.getElementById('row').innerText")


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (400, "dark")])
def test_axe_finds_no_serious_fault_in_any_view(
    opened: Open, published_board: Board, width: int, scheme: str
) -> None:
    browser = opened(published_board, width, scheme)
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    faults = []
    for tab in ("rows", "intervals", "dimensions", "pairs"):
        run(browser, f"document.getElementById('tab-{tab}').click()")
        until(browser, f"document.getElementById('panel-{tab}').innerText.length > 300")
        faults += serious_faults(browser)
        assert run(browser, "document.documentElement.scrollWidth") <= width
    run(browser, "document.querySelector('#pairs-content .open').click()")
    until(browser, "document.querySelectorAll('#dimensions-chart svg').length")
    assert faults + serious_faults(browser) == []


def serious_faults(browser: Any) -> list[str]:
    found = browser.execute_async_script(
        "const done = arguments[0];"
        "axe.run(document, {resultTypes: ['violations']}).then(({violations}) => done(violations"
        ".filter(({impact}) => impact == 'serious' || impact == 'critical')"
        ".map(({id, nodes: [{html, failureSummary}]}) => `${id}: ${html} ${failureSummary}`)))"
    )
    return list(found)
