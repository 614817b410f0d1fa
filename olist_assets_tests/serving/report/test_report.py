"""The report: KPIs equal SQL's, the KPI month follows its rule, and data cannot inject markup into the page."""

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser

import deltalake
import pytest
from typer.testing import CliRunner

from olist_assets.engines.local.sail import SailEngine
from olist_assets.lake.step_records import StepRecord
from olist_assets.lake.storage import open_store
from olist_assets.serving import report
from olist_assets.serving.report import formatting, page, palette, queries
from olist_assets.serving.report.axes import to_spec
from olist_assets.serving.report.brazil import STATES
from olist_assets.serving.report.sections import build_sections
from olist_assets_tests.lakes import ASSETS, TestLake
from olist_assets_tests.serving.report.colors import contrast
from olist_assets_tests.serving.report.report_lakes import NASTY, SALES, sell
from spark_steps.columns import STATES as CODES

AT = datetime(2018, 10, 23, 4, 10, tzinfo=UTC)


class Page(HTMLParser):
    """The elements of a page, the texts of those with an id or a data-figure, and the alt texts of its charts."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self.alt_texts, self._open = [], {}, {}, None
        self.feed(html)

    def handle_starttag(self, tag, attrs):  # noqa: D102 - of HTMLParser
        attributes = dict(attrs)
        if "data-chart" in attributes:  # its parent has the alt text
            self.alt_texts[attributes["data-chart"]] = self.elements[-1][1]["aria-label"]
        self.elements.append((tag, attributes))
        self._open = attributes.get("data-figure") or attributes.get("id")

    def handle_data(self, data):  # noqa: D102 - of HTMLParser
        if self._open:
            self.texts[self._open] = data
        self._open = None


def build(lake, **options):
    return report.make(str(lake.root), **options)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A lake with sales in July, August and two days of September 2018, extracted in October. Tests only read it."""
    lake = TestLake(tmp_path_factory.mktemp("shop") / "lake", SailEngine())
    sell(lake, SALES)
    return lake


@pytest.fixture(scope="module")
def html(shop):
    """The page of that lake."""
    return build(shop).html


def test_kpis_compare_the_newest_complete_month_with_the_month_before(html):
    parsed = Page(html)
    kpis = [attributes for _, attributes in parsed.elements if "data-figure" in attributes]
    assert {kpi["data-figure"]: (parsed.texts[kpi["data-figure"]], kpi["data-value"]) for kpi in kpis} == {
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


def test_alt_texts_of_charts_have_title_and_caption(html):
    alt_texts = {key: text.replace("\N{NO-BREAK SPACE}", " ") for key, text in Page(html).alt_texts.items()}
    assert alt_texts == {
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


def test_the_page_lists_the_table_versions_that_it_was_built_from(shop, html):
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
    first, second = (build(shop, written_at=AT).html for _ in range(2))
    assert first == second
    assert "Written 23 Oct 2018, 04:10 UTC" in first
    assert first.replace(" · Written 23 Oct 2018, 04:10 UTC", "") == html


def test_the_page_is_small_and_loads_nothing_from_elsewhere(html):
    assert 900_000 < len(html.encode()) < 3_000_000
    elements = Page(html).elements
    assert {tag for tag, _ in elements}.isdisjoint({"img", "iframe", "object", "embed", "base", "form"})
    assert [a for tag, a in elements if a.get("src") or a.get("href", "data:,") != "data:,"] == []
    [policy] = [a["content"] for _, a in elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy


def test_data_are_escaped_on_the_page(sail_lake):
    sell(sail_lake, SALES, city=NASTY)
    sail_lake.rows("quarantine/orders", {"record": "{}", "rule": "row_unparsed", "reason": f"{NASTY}: a secret"})
    built = build(sail_lake)
    nasty = Page(built.html)
    assert [a for _, a in nasty.elements if a.get("id") == "owned"] == []
    assert len([tag for tag, _ in nasty.elements if tag == "script"]) == 2
    assert NASTY.lower() in nasty.alt_texts["cities"].lower()
    assert "a secret" not in built.html
    data = re.search(r'<script type="application/json" id="charts">(.*?)</script>', built.html, re.DOTALL)
    assert data
    assert "<" not in data[1]
    assert formatting.city(NASTY) in json.dumps(json.loads(data[1]), ensure_ascii=False).replace('\\"', '"')


def test_an_empty_lake_has_a_page_without_sales(tmp_path):
    empty = report.make(str(tmp_path), written_at=AT)
    assert (empty.headline, empty.as_of) == ({}, None)
    parsed = Page(empty.html)
    assert "<h1>No sales yet</h1>" in empty.html
    assert "Nothing has been loaded." in empty.html
    assert parsed.alt_texts == {}
    assert len(empty.html) < 30_000  # without Vega


def test_tables_without_rows_have_a_page_without_sales(sail_lake):
    for table in queries.TABLES_READ:
        sail_lake.rows(table)
    assert "<h1>No sales yet</h1>" in build(sail_lake).html


def test_a_single_month_has_no_month_to_compare_with(sail_lake):
    sell(sail_lake, {"2018-08": SALES["2018-08"]})
    html = build(sail_lake).html
    assert html.count("no month to compare with") == 5
    assert "is the newest complete month" in html


def test_a_month_that_is_not_over_or_has_few_days_with_sales_is_provisional(sail_lake):
    sell(sail_lake, {"2018-09": SALES["2018-09"]})
    html = build(sail_lake).html
    assert "No month is complete yet: Sep 2018 is the newest with sales" in html


def test_a_month_is_complete_only_once_data_reach_beyond_it(sail_lake):
    sell(sail_lake, {month: SALES[month] for month in ("2018-07", "2018-08")}, extracted="2018-08-31 23:59:59")
    assert "<h1>July 2018</h1>" in build(sail_lake).html


def test_without_reviews_the_page_has_no_review_charts_and_no_score(sail_lake):
    sell(sail_lake, SALES, reviewed=False)
    parsed = Page(build(sail_lake).html)
    assert parsed.texts["Review score"] == formatting.NOT_KNOWN
    assert {"scores", "scores_by_month"}.isdisjoint(parsed.alt_texts)


def test_quarantined_rows_and_failed_tables_are_listed_without_delivered_text(sail_lake):
    sell(sail_lake, {"2018-08": SALES["2018-08"]})
    row = {"record": '{"payment_value": "free"}', "rule": "payment_value_unreadable"}
    sail_lake.rows(
        "quarantine/order_payments",
        row | {"reason": "payment_value is not an amount: free", "_row": 1},
        row | {"reason": "payment_value is not an amount: a gift", "_row": 2},
    )
    failed = StepRecord(table="raw/sellers", run_id="run", started_at=AT, error="sellers.csv has no <header>")
    html = build(sail_lake, records=[failed]).html
    assert Page(html).texts["quarantined"] == "2"
    assert '<th scope="row">order payments</th><td class="text">payment_value is not an amount</td><td>2</td>' in html
    assert "gift" not in html
    assert "<li>raw/sellers: sellers.csv has no &lt;header&gt;</li>" in html
    assert "<dt>Last run</dt><dd>23 Oct 2018</dd>" in html


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (formatting.number(1234567), "1,234,567"),
        (formatting.number(-0.5), "\N{MINUS SIGN}1"),
        (formatting.number(2.345, 2), "2.35"),
        (formatting.money(Decimal("1234.50")), "R$\N{NO-BREAK SPACE}1,235"),
        (formatting.money(None), "\N{EN DASH}"),
        (formatting.percent(0.09861932938856016), "9.9%"),
        (formatting.share(1, 0), "\N{EN DASH}"),
        (formatting.city("rio de janeiro"), "Rio de Janeiro"),
        (formatting.city("do mar"), "Do Mar"),
    ],
)
def test_numbers_and_names_are_formatted(text, expected):
    assert text == expected


def test_every_state_has_a_tile_of_its_own():
    assert sorted(STATES) == sorted(CODES)
    assert len({(state.row, state.column) for state in STATES.values()}) == 27


def test_both_schemes_have_the_same_colors_and_readable_text():
    assert palette.LIGHT.keys() == palette.DARK.keys()
    for colors in (palette.LIGHT, palette.DARK):
        for ink in ("ink", "ink-soft", "axis", "late", "revenue"):
            assert contrast(colors[ink], colors["page"]) >= 4.5, ink
        for step in range(5):
            assert contrast(colors[f"on-step-{step}"], colors[f"step-{step}"]) >= 4.5, step


def test_the_chart_library_is_bundled_once_and_cached_in_the_environment(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(page.vega.sys, "prefix", str(tmp_path))
    monkeypatch.setattr(page.vega.vl_convert, "javascript_bundle", lambda snippet: calls.append(snippet) or "bundle")
    assert [page.vega.load_library(), page.vega.load_library()] == ["bundle", "bundle"]
    assert len(calls) == 1
    (tmp_path / "file").touch()
    monkeypatch.setattr(page.vega.sys, "prefix", str(tmp_path / "file"))
    assert page.vega.load_library() == "bundle"


def test_a_report_is_stored_in_the_lake_as_html(root, shop):
    store = open_store(root, create=True)
    built = build(shop)
    assert report.put(store, built, on_s3=root.startswith("s3://")) == len(built.html.encode())
    stored = store.get("report/index.html")
    assert bytes(stored.bytes()).decode() == built.html
    if root.startswith("s3://"):
        assert stored.attributes["Content-Type"] == "text/html; charset=utf-8"


def test_the_asset_writes_the_page_and_reports_its_path_and_kpis(shop):
    run = shop.materialize("serving/report")
    [materialization] = run.asset_materializations_for_node("serving__report")
    metadata = {name: value.value for name, value in materialization.metadata.items()}
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
    assert [r.status for r in shop.lake.step_records.newest({"serving/report"}).values()] == ["succeeded"]


def test_the_asset_depends_on_the_tables_that_it_reads():
    [asset] = [asset for asset in ASSETS if asset.key.path == ["serving", "report"]]
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


def test_charts_conform_to_the_schema_of_vega_lite(shop):
    """An unknown property raises, both when a chart is drawn and when it is converted."""
    from olist_assets.serving.sql import connect  # noqa: PLC0415

    with connect(str(shop.root)) as session:
        data = queries.run_queries(session)
    drawn = [chart.draw(palette.variable) for section in build_sections(data) for chart in section.charts]
    specs = [to_spec(chart, palette.variable, validate=True) for chart in drawn]
    assert len(specs) == 12
    assert {spec["config"]["background"] for spec in specs} == {"transparent"}


def test_the_page_of_a_lake_on_s3_is_opened_from_a_copy_and_shows_no_bucket(bucket, monkeypatch, tmp_path):
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


def test_a_source_that_has_not_been_loaded_does_not_hide_the_others(sail_lake):
    sell(sail_lake, SALES)
    before = build(sail_lake)
    for layer in ("trusted", "quarantine"):
        shutil.rmtree(sail_lake.root / layer / "geolocation")
    after = build(sail_lake)
    assert (after.headline, after.as_of) == (before.headline, before.as_of)
    shutil.rmtree(sail_lake.root / "refined" / "aggregate_sales_per_month")
    assert build(sail_lake).html  # there is still a page


MAKE_AFTER_PRELOAD = """
import sys
from olist_assets.serving import report

report.preload()
before = set(sys.modules)
report.make(sys.argv[1])
packages = {"olist_assets", "altair", "jinja2", "duckdb"}
print({name for name in set(sys.modules) - before if name.partition(".")[0] in packages})
"""


def test_the_report_imports_nothing_after_the_preload(shop):
    command = [sys.executable, "-c", MAKE_AFTER_PRELOAD, str(shop.root)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "set()\n"
