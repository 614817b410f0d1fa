"""The report in a real browser: nothing fails, every chart is drawn, KPIs equal SQL's, and any screen can show it.

The page was written by the last asset of the whole lineage, run on a generated dump.
"""

import re
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

import duckdb
import pytest

from olist_assets_tests.serving.report.colors import contrast

CHARTS = {
    "overview", "revenue", "orders", "states", "cities", "payments", "delivery", "late", "delays", "scores",
    "scores_by_month", "moves",
}  # fmt: skip
# Of each visible text: the color of its letters, and of the nearest background below it.
TEXTS = """
() => [...document.querySelectorAll("h1, h2, h3, p, dt, dd, th, td, button, summary, svg text")]
  .filter((e) => e.textContent.trim() && e.getClientRects().length && getComputedStyle(e).opacity !== "0")
  .map((e) => {
    const style = getComputedStyle(e);
    const inked = e.closest("svg") ? style.fill : style.color;
    let ground = e;
    const clear = (g) => getComputedStyle(g).backgroundColor === "rgba(0, 0, 0, 0)";
    while (ground.parentElement && clear(ground)) ground = ground.parentElement;
    return [e.textContent.trim().slice(0, 40), inked, getComputedStyle(ground).backgroundColor,
      Boolean(e.closest("[data-chart=states]"))];
  })
"""

pytestmark = pytest.mark.long


@pytest.fixture
def open_page(loaded_lake, browser):  # the lake first: Dagster and Playwright each want the event loop
    """Opens the page; at the end of the test nothing may have failed."""
    contexts, requested, failures = [], [], []
    address = (loaded_lake.root / "report/index.html").as_uri()

    def open_with(width=1280, height=900, **more):
        # West of Greenwich a local day starts later than the UTC day, so a local date would be off by one.
        context = browser.new_context(
            viewport={"width": width, "height": height}, timezone_id="America/Sao_Paulo", **more
        )
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requested.append(request.url))
        page.on("requestfailed", lambda request: failures.append(request.url))
        page.on("console", lambda message: failures.append(message.text))
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(address)
        page.wait_for_function("document.documentElement.dataset.drawn", timeout=60_000)
        return page

    yield open_with
    for context in contexts:
        context.close()
    assert {url for url in requested if not url.startswith("data:")} == {address}
    assert failures == []


def test_every_chart_is_drawn(open_page):
    page = open_page()
    marks = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("[data-chart]")].map((e) =>
          [e.dataset.chart, [...e.querySelectorAll("svg .mark-rect path, svg .mark-line path, svg .mark-area path")]
            .filter((m) => { const box = m.getBBox(); return box.width + box.height > 2; }).length]))"""
    )
    assert marks.keys() == CHARTS
    assert min(marks.values()) >= 1, marks
    assert marks["states"] >= 27
    boxes = page.evaluate(
        """() => [...document.querySelectorAll("[data-chart]")].map((e) =>
          [e.dataset.chart, e.getBoundingClientRect().width, e.querySelector("svg").getBoundingClientRect().width])"""
    )
    assert [box for box in boxes if abs(box[1] - box[2]) > 2] == []  # each as wide as its place


def test_kpis_equal_sql(open_page, loaded_lake):
    """Computed from trusted rows; the page is built from refined aggregates."""
    page = open_page()
    month = page.inner_text("h1")
    duck = duckdb.connect()
    for name in ("orders", "order_items", "order_reviews"):
        duck.register(name, _arrow(loaded_lake, f"trusted/{name}"))
    orders, revenue, late, delivered, score = duck.execute(
        """
        WITH sold AS (
            SELECT * FROM orders WHERE strftime(order_purchase_timestamp AT TIME ZONE 'UTC', '%B %Y') = ?
            AND order_status NOT IN ('canceled', 'unavailable')
        ), answered AS (
            SELECT order_id, arg_max(review_score, (review_answer_timestamp, review_id)) AS score
            FROM order_reviews GROUP BY order_id
        )
        SELECT count(*), (SELECT sum(price) FROM order_items JOIN sold USING (order_id)),
            count(*) FILTER (order_delivered_customer_date > order_estimated_delivery_date),
            count(order_delivered_customer_date),
            (SELECT avg(score) FROM answered JOIN sold USING (order_id))
        FROM sold""",
        [month],
    ).fetchone()
    shown = {e.get_attribute("data-figure"): e.inner_text() for e in page.query_selector_all("[data-figure]")}
    assert shown == {
        "Orders": f"{orders:,}",
        "Revenue": f"R$\N{NO-BREAK SPACE}{_half_up(revenue, '1'):,}",
        "Average ticket": f"R$\N{NO-BREAK SPACE}{_half_up(revenue / orders, '0.01'):,}",
        "Late share": f"{_half_up(Decimal(late * 100) / delivered, '0.1')}%",
        "Review score": f"{_half_up(Decimal(repr(score)), '0.01')}",
    }


def _arrow(lake, table_id):
    import deltalake  # noqa: PLC0415

    return deltalake.DeltaTable(str(lake.root / table_id)).to_pyarrow_table()


def _half_up(value, unit):
    return value.quantize(Decimal(unit), ROUND_HALF_UP)


def test_choosing_a_period_changes_the_charts_by_day_and_the_sums(open_page, loaded_lake):
    page = open_page()
    whole, lines = page.inner_text("#period"), _lines(page)
    page.get_by_role("button", name=re.compile(r"[A-Z][a-z]{2} \d{4}")).click()
    page.wait_for_function(f"document.getElementById('period').textContent !== {whole!r}")
    kpis = {e.get_attribute("data-figure"): e.inner_text() for e in page.query_selector_all("[data-figure]")}
    assert page.inner_text("#period").partition(": ")[2] == f"{kpis['Orders']} orders, {kpis['Revenue']}"
    page.wait_for_function("document.querySelector('button[aria-pressed=true]').dataset.from !== ''")
    page.wait_for_timeout(300)
    chosen = _lines(page)
    assert [chosen[key] != lines[key] for key in ("orders", "revenue")] == [True, True]

    page.get_by_role("button", name="All").click()
    page.wait_for_function(f"document.getElementById('period').textContent === {whole!r}")
    page.wait_for_timeout(300)
    assert _lines(page) == lines

    strip = page.locator("[data-chart=overview] svg").bounding_box()
    page.mouse.move(strip["x"] + strip["width"] * 0.5, strip["y"] + 15)
    page.mouse.down()
    page.mouse.move(strip["x"] + strip["width"] * 0.75, strip["y"] + 15, steps=5)
    page.mouse.up()
    page.wait_for_function(f"document.getElementById('period').textContent !== {whole!r}")
    page.wait_for_timeout(300)
    assert _lines(page)["revenue"] != lines["revenue"]
    first, last = page.inner_text("#period").partition(": ")[0].split(" – ")  # noqa: RUF001
    sold = duckdb.connect()
    sold.register("days", _arrow(loaded_lake, "refined/aggregate_orders_per_day"))
    [(orders, revenue)] = sold.execute(
        "SELECT sum(orders)::INT, sum(revenue) FROM days WHERE purchase_date BETWEEN strptime(?, '%-d %b %Y')::DATE "
        "AND strptime(?, '%-d %b %Y')::DATE",
        [first, last],
    ).fetchall()
    days = page.evaluate("document.querySelectorAll('[data-chart=revenue] .mark-rect path').length")
    assert days == 1 + (datetime.strptime(last, "%d %b %Y") - datetime.strptime(first, "%d %b %Y")).days  # noqa: DTZ007
    expected = f"{orders:,} orders, R$\N{NO-BREAK SPACE}{_half_up(revenue, '1'):,}"
    assert page.inner_text("#period").partition(": ")[2] == expected


def _lines(page):
    return page.evaluate(
        """() => Object.fromEntries(["orders", "revenue"].map((key) =>
          [key, document.querySelector(`[data-chart=${key}] .mark-line path`).getAttribute("d")]))"""
    )


def test_charts_have_alt_texts_and_tables(open_page):
    page = open_page()
    for chart in page.query_selector_all(":has(> [data-chart])"):
        assert chart.get_attribute("role") == "img"
        assert len(chart.get_attribute("aria-label")) > 40
    page.click("#payments summary")
    cells = page.inner_text("#payments tbody tr:last-child").split("\t")
    assert re.fullmatch(r"[A-Z][a-z]{2} \d{4}", cells[0])
    assert all(re.fullmatch(r"R\$\N{NO-BREAK SPACE}[\d,]+\.\d\d|\N{EN DASH}", cell) for cell in cells[1:])


@pytest.mark.parametrize("width", [360, 768])
def test_small_screens_need_no_horizontal_scrolling(open_page, width):
    page = open_page(width=width, height=740)
    for summary in page.query_selector_all("summary"):
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    small = page.evaluate(
        """() => [...document.querySelectorAll("svg text, p, td, th")].filter((e) => e.textContent.trim()
          && parseFloat(getComputedStyle(e).fontSize) < 12).map((e) => e.textContent)"""
    )
    assert small == []
    cut = page.evaluate(
        """() => [...document.querySelectorAll("[data-chart] svg text")].filter((e) => e.textContent.trim()
          && (e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1))
          .map((e) => e.textContent)"""
    )
    assert cut == []


def test_text_is_readable_in_both_schemes_and_colors_follow_the_scheme(open_page):
    texts = {}
    for scheme in ("light", "dark"):
        page = open_page(color_scheme=scheme)
        texts[scheme] = page.evaluate(TEXTS)
        faint = [
            (text, ink, ground)
            for text, ink, ground, on_tile in texts[scheme]
            if not on_tile and contrast(_hex(ink), _hex(ground)) < 4.5
        ]
        assert faint == []
    inks = {scheme: {ink for _, ink, _, on_tile in items if not on_tile} for scheme, items in texts.items()}
    assert inks["light"].isdisjoint(inks["dark"])


def _hex(color):
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", color)[:3])


def test_charts_follow_a_change_of_scheme(open_page):
    page = open_page(color_scheme="light")
    bar = "getComputedStyle(document.querySelector('[data-chart=late] .mark-rect path')).fill"
    light = page.evaluate(bar)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(bar) != light


def test_print_is_light_and_takes_a_few_pages(open_page, tmp_path):
    page = open_page(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    bar = page.evaluate("getComputedStyle(document.querySelector('[data-chart=late] .mark-rect path')).fill")
    assert _hex(bar) == "#c44a00"
    page.emulate_media(media="screen")
    pdf = page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True, print_background=True)
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 7
    page.wait_for_function("!document.documentElement.classList.contains('paper')")
