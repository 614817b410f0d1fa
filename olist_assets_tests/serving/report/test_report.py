"""The report: its figures are SQL's, its rule of the headline month holds, and data do no harm to the page."""

import json
import re
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser

import deltalake
import pytest
from typer.testing import CliRunner

from olist_assets.engines.local.sail import SailEngine
from olist_assets.lake.storage import open_store
from olist_assets.serving import report
from olist_assets.serving.report import captions, charts, page, palette, queries
from olist_assets.serving.report.axes import spec
from olist_assets.serving.report.brazil import STATES
from olist_assets_tests.lakes import TestLake
from olist_assets_tests.serving.report.report_lakes import NASTY, SALES, sell
from spark_steps.columns import STATES as CODES

AT = datetime(2018, 10, 23, 4, 10, tzinfo=UTC)


class Page(HTMLParser):
    """What a browser would find in a page: its elements, and the text of those with an id or a data-figure."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self.alternatives, self._open = [], {}, {}, None
        self.feed(html)

    def handle_starttag(self, tag, attrs):  # noqa: D102 - of HTMLParser
        attributes = dict(attrs)
        if "data-chart" in attributes:  # the element around it says in words what it shows
            self.alternatives[attributes["data-chart"]] = self.elements[-1][1]["aria-label"]
        self.elements.append((tag, attributes))
        self._open = attributes.get("data-figure") or attributes.get("id")

    def handle_data(self, data):  # noqa: D102 - of HTMLParser
        if self._open:
            self.texts[self._open] = data
        self._open = None


def made(lake, **more):
    return report.make(str(lake.root), **more)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A lake with sales in July, August and, barely, September 2018, of data of October. Its tables stay so."""
    lake = TestLake(tmp_path_factory.mktemp("shop") / "lake", SailEngine())
    sell(lake, SALES)
    return lake


@pytest.fixture(scope="module")
def html(shop):
    """The page of that lake."""
    return made(shop).html


def test_the_headline_figures_are_those_of_the_newest_complete_month_against_the_month_before(html):
    now = Page(html)
    found = {
        a["data-figure"]: (now.texts[a["data-figure"]], a["data-value"]) for _, a in now.elements if "data-figure" in a
    }
    assert found == {
        "Orders": ("16", "16"),
        "Revenue": ("R$\N{NO-BREAK SPACE}1,720", "1720.00"),
        "Average ticket": ("R$\N{NO-BREAK SPACE}107.50", "107.50"),
        "Late share": ("25.0%", "0.25"),
        "Review score": ("4.50", "4.5"),
    }
    changes = re.findall(r'class="change (\w*)"><strong>(.*?)</strong>(.*?)</p>\s*<p class="before">(.*?)</p>', html)
    assert [
        (verdict, change, more, before.replace("\N{NO-BREAK SPACE}", " ")) for verdict, change, more, before in changes
    ] == [
        ("", "= 0.0%", "", "Jul 2018: 16"),
        ("good", "▲ 7.5%", "", "Jul 2018: R$ 1,600"),
        ("good", "▲ 7.5%", "", "Jul 2018: R$ 100.00"),
        ("bad", "▲ 25.0 pts", ", worse", "Jul 2018: 0.0%"),
        ("bad", "▼ 0.50", "", "Jul 2018: 5.00"),
    ]


def test_charts_say_what_they_show_in_figures(html):
    alternatives = {key: text.replace("\N{NO-BREAK SPACE}", " ") for key, text in Page(html).alternatives.items()}
    assert alternatives == {
        "overview": "Period. Revenue by day as a strip, in which a period can be chosen.",
        "revenue": "Revenue by day, BRL. The best day was 16 Aug 2018: 1 order and R$ 220. "
        "In Aug 2018 an average day with sales brought R$ 108.",
        "orders": "Orders by day. In Aug 2018 an average day with sales brought 1 order.",
        "states": "Share of revenue by state, %. São Paulo brings 51.7% of all revenue.",
        "cities": "Top 2 cities by revenue, BRL. Sao Paulo, SP, leads with R$ 1,720; "
        "the first 2 cities bring 100.0% of all revenue.",
        "payments": "Payments by month of purchase, BRL. In Aug 2018 60.0% was paid by boleto, 40.0% by credit card.",
        "delivery": "Days from purchase to delivery, median. Half of the orders of Aug 2018 came within 5.0 days of "
        "the purchase; promised were 10.0. In Jul 2018 it was 5.0 days.",
        "late": "Late deliveries, % of deliveries. 25.0% of the deliveries of Aug 2018 came late, the most yet.",
        "delays": "Deliveries by days from the promised date, orders. Half of all deliveries come 5 days or more "
        "before the promised date; 12.5% come after it.",
        "scores": "Orders by stars, % of reviewed orders. 87.5% of 32 reviewed orders got four or five stars. "
        "Orders delivered on time average 5.00 stars, late ones 3.00.",
        "scores_by_month": "Mean review score by month, 1 to 5 stars. Orders of Aug 2018 average 4.50 stars, "
        "the lowest yet; the highest was 5.00 in Jul 2018.",
        "moves": "Changes of address by month, seen when people bought again. 2 changes of address among 2 people, "
        "seen when they bought again; 1 of them to another state.",
    }


def test_figures_are_of_one_set_of_versions_and_say_which(shop, html):
    versions = {
        f"{t.parent.parent.name}/{t.parent.name}": deltalake.DeltaTable(str(t.parent)).version()
        for t in shop.root.rglob("_delta_log")
    }
    shown = dict(re.findall(r"<span>(\w+) <b>(\d+)</b></span>", html[html.index("<dt>refined</dt>") :]))
    assert shown == {
        t.partition("/")[2]: str(v) for t, v in versions.items() if t.startswith("refined") and t in queries.TABLES_READ
    }
    assert "refined/dim_customers" in queries.TABLES_READ


def test_the_same_lake_makes_the_same_bytes(shop, html):
    first, second = (made(shop, written_at=AT).html for _ in range(2))
    assert first == second
    assert "Written 23 Oct 2018, 04:10 UTC" in first
    assert first.replace(" · Written 23 Oct 2018, 04:10 UTC", "") == html


def test_a_page_is_small_and_names_nothing_outside_itself(html):
    assert 900_000 < len(html.encode()) < 3_000_000
    elements = Page(html).elements
    assert {tag for tag, _ in elements}.isdisjoint({"img", "iframe", "object", "embed", "base", "form"})
    assert [a for tag, a in elements if a.get("src") or a.get("href", "data:,") != "data:,"] == []
    [policy] = [a["content"] for _, a in elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy


def test_what_data_say_is_text_on_the_page(sail_lake):
    sell(sail_lake, SALES, city=NASTY)
    sail_lake.rows("quarantine/orders", {"record": "{}", "rule": "row_unparsed", "reason": f"{NASTY}: a secret"})
    made_of = made(sail_lake)
    nasty = Page(made_of.html)
    assert [a for _, a in nasty.elements if a.get("id") == "owned"] == []
    assert len([tag for tag, _ in nasty.elements if tag == "script"]) == 2
    assert NASTY.lower() in nasty.alternatives["cities"].lower()
    assert "a secret" not in made_of.html
    data = re.search(r'<script type="application/json" id="charts">(.*?)</script>', made_of.html, re.DOTALL)
    assert data
    assert "<" not in data[1]
    assert captions.city(NASTY) in json.dumps(json.loads(data[1]), ensure_ascii=False).replace('\\"', '"')


def test_a_lake_without_anything_has_a_page_that_says_so(tmp_path):
    empty = report.make(str(tmp_path), written_at=AT)
    assert (empty.headline, empty.as_of, empty.pictures) == ({}, None, {})
    now = Page(empty.html)
    assert "<h1>No sales yet</h1>" in empty.html
    assert "Nothing has been loaded." in empty.html
    assert now.alternatives == {}
    assert len(empty.html) < 30_000  # without Vega


def test_tables_without_rows_have_a_page_that_says_so(sail_lake):
    for table in queries.TABLES_READ:
        sail_lake.rows(table)
    assert "<h1>No sales yet</h1>" in made(sail_lake).html


def test_a_single_month_is_compared_with_none(sail_lake):
    sell(sail_lake, {"2018-08": SALES["2018-08"]})
    html = made(sail_lake).html
    assert html.count("no month to compare with") == 5
    assert "is the newest complete month" in html


def test_a_month_that_is_not_over_or_has_few_days_with_sales_is_provisional(sail_lake):
    sell(sail_lake, {"2018-09": SALES["2018-09"]})
    html = made(sail_lake).html
    assert "No month is complete yet: Sep 2018 is the newest with sales" in html


def test_a_month_is_complete_only_once_data_reach_beyond_it(sail_lake):
    sell(sail_lake, {month: SALES[month] for month in ("2018-07", "2018-08")}, extracted="2018-08-31 23:59:59")
    assert "<h1>July 2018</h1>" in made(sail_lake).html


def test_without_reviews_there_are_no_charts_of_them_and_no_score(sail_lake):
    sell(sail_lake, SALES, reviewed=False)
    now = Page(made(sail_lake).html)
    assert now.texts["Review score"] == captions.NOT_KNOWN
    assert {"scores", "scores_by_month"}.isdisjoint(now.alternatives)


def test_quarantined_rows_and_failed_tables_are_told_without_what_was_delivered(sail_lake):
    sell(sail_lake, {"2018-08": SALES["2018-08"]})
    row = {"record": '{"payment_value": "free"}', "rule": "payment_value_unreadable"}
    sail_lake.rows(
        "quarantine/order_payments",
        row | {"reason": "payment_value is not an amount: free", "_row": 1},
        row | {"reason": "payment_value is not an amount: a gift", "_row": 2},
    )
    failed = {"table": "raw/sellers", "status": "failed", "error": "sellers.csv has no <header>", "started_at": AT}
    html = made(sail_lake, records=[failed]).html
    assert Page(html).texts["quarantined"] == "2"
    assert '<th scope="row">order payments</th><td class="text">payment_value is not an amount</td><td>2</td>' in html
    assert "gift" not in html
    assert "<li>raw/sellers: sellers.csv has no &lt;header&gt;</li>" in html
    assert "<dt>Last run</dt><dd>23 Oct 2018</dd>" in html


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (captions.number(1234567), "1,234,567"),
        (captions.number(-0.5), "\N{MINUS SIGN}1"),
        (captions.number(2.345, 2), "2.35"),
        (captions.money(Decimal("1234.50")), "R$\N{NO-BREAK SPACE}1,235"),
        (captions.money(None), "\N{EN DASH}"),
        (captions.percent(0.09861932938856016), "9.9%"),
        (captions.share(1, 0), "\N{EN DASH}"),
        (captions.city("rio de janeiro"), "Rio de Janeiro"),
        (captions.city("do mar"), "Do Mar"),
    ],
)
def test_how_numbers_and_names_are_written(written, expected):
    assert written == expected


def test_every_state_has_a_tile_of_its_own():
    assert sorted(STATES) == sorted(CODES)
    assert len({(state.row, state.column) for state in STATES.values()}) == 27


def test_every_colour_has_a_counterpart_in_the_dark_and_text_stands_out():
    assert palette.LIGHT.keys() == palette.DARK.keys()
    for colors in (palette.LIGHT, palette.DARK):
        for ink in ("ink", "ink-soft", "axis", "late", "revenue"):
            assert contrast(colors[ink], colors["page"]) >= 4.5, ink
        for step in range(5):
            assert contrast(colors[f"on-step-{step}"], colors[f"step-{step}"]) >= 4.5, step


def contrast(one, other):
    """The contrast of two colours, as WCAG 2 defines it."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_library_of_charts_is_bundled_once_and_kept_in_the_environment(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(page.vega.sys, "prefix", str(tmp_path))
    monkeypatch.setattr(page.vega.vl_convert, "javascript_bundle", lambda snippet: calls.append(snippet) or "bundle")
    assert [page.vega.library(), page.vega.library()] == ["bundle", "bundle"]
    assert len(calls) == 1
    (tmp_path / "file").touch()
    monkeypatch.setattr(page.vega.sys, "prefix", str(tmp_path / "file"))
    assert page.vega.library() == "bundle"


def test_a_report_is_written_into_the_lake_at_its_place_as_html(root, shop):
    store = open_store(root, create=True)
    written = made(shop)
    assert report.put(store, written, on_s3=root.startswith("s3://")) == len(written.html.encode())
    found = store.get("report/index.html")
    assert bytes(found.bytes()).decode() == written.html
    if root.startswith("s3://"):
        assert found.attributes["Content-Type"] == "text/html; charset=utf-8"


def test_the_asset_writes_the_page_and_tells_its_path_and_headline(shop):
    run = shop.materialize("serving/report")
    [told] = run.asset_materializations_for_node("serving__report")
    metadata = {name: value.value for name, value in told.metadata.items()}
    pictures = metadata.pop("charts")
    assert metadata.pop("seconds") > 0
    path = shop.root / "report/index.html"
    assert metadata == {
        "path": str(path),
        "bytes": path.stat().st_size,
        "data_as_of": "2018-10-23T03:00:00+00:00",
        "Orders": "16",
        "Revenue": "R$\N{NO-BREAK SPACE}1,720",
        "Average ticket": "R$\N{NO-BREAK SPACE}107.50",
        "Late share": "25.0%",
        "Review score": "4.50",
    }
    assert re.findall(r"!\[(.*?)\]\(data:image/png;base64,", pictures) == [
        "Revenue by day, BRL",
        "Share of revenue by state, %",
        "Days from purchase to delivery, median",
    ]
    assert len(pictures) < 80_000
    assert [r["status"] for r in shop.lake.last_records({"serving/report"}).values()] == ["succeeded"]


def test_the_asset_depends_on_the_tables_that_it_reads():
    from olist_assets.assets import all_assets  # noqa: PLC0415

    [asset] = [asset for asset in all_assets if asset.key.path == ["serving", "report"]]
    upstream = {"/".join(key.path) for key in asset.asset_deps[asset.key]}
    assert upstream == {t.replace("quarantine/", "trusted/") for t in queries.TABLES_READ}


def test_the_command_writes_the_page_and_prints_its_path(shop, monkeypatch, tmp_path):
    from olist_assets.cli import app  # noqa: PLC0415

    opened = []
    monkeypatch.setenv("OLIST_LAKE", str(shop.root))
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    result = CliRunner().invoke(app.app, ["report", "--open"])
    assert (result.exit_code, result.stdout) == (0, f"{shop.root}/report/index.html\n"), result
    assert opened == [(shop.root / "report/index.html").as_uri()]
    elsewhere = tmp_path / "new/report.html"
    result = CliRunner().invoke(app.app, ["report", "--output", str(elsewhere)])
    assert (result.stdout, len(opened)) == (f"{elsewhere}\n", 1)
    assert "<h1>August 2018</h1>" in elsewhere.read_text()


def test_charts_are_what_vega_lite_accepts(shop):
    """Altair checks each chart against the schema as it is made: an unknown property would raise."""
    from olist_assets.serving.sql import connect  # noqa: PLC0415

    with connect(str(shop.root)) as session:
        found = queries.read(session)
    drawn = spec(charts.states(found, palette.LIGHT.__getitem__), palette.LIGHT.__getitem__)
    assert drawn["config"]["background"] == "transparent"
    assert len(next(iter(drawn["datasets"].values()))) == 27


def test_the_page_of_a_lake_on_s3_is_opened_from_a_copy_and_no_bucket_is_told(bucket, monkeypatch, tmp_path):
    from olist_assets.cli import app  # noqa: PLC0415

    opened = []
    monkeypatch.setenv("OLIST_LAKE", f"{bucket}/lake")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "olist/dagster"))
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    result = CliRunner().invoke(app.app, ["report", "--open"])
    copy = tmp_path / "olist/report.html"
    assert (result.exit_code, result.stdout) == (0, f"s3://…/lake/report/index.html\n{copy}\n"), result
    assert opened == [copy.as_uri()]
    stored = open_store(f"{bucket}/lake", create=True).get("report/index.html")
    assert bytes(stored.bytes()).decode() == copy.read_text()
    assert bucket not in copy.read_text()


def test_a_source_that_has_not_been_loaded_hides_nothing_of_the_others(sail_lake):
    sell(sail_lake, SALES)
    before = made(sail_lake)
    for layer in ("trusted", "quarantine"):
        shutil.rmtree(sail_lake.root / layer / "geolocation")
    after = made(sail_lake)
    assert (after.headline, after.as_of) == (before.headline, before.as_of)
    shutil.rmtree(sail_lake.root / "refined" / "aggregate_sales_per_month")
    assert made(sail_lake).html  # a page nevertheless
