"""Deliveries in any ranges, in any order, with repeats: one lake. After every run it is what the rows so far say."""

from collections import Counter, defaultdict
from dataclasses import replace
from decimal import Decimal
from itertools import count, pairwise

import deltalake
from hypothesis import HealthCheck, given, settings

from olist_assets_tests.oracle.star import expected
from olist_assets_tests.scenarios.delivery_strategies import STORY, STORY_RUNS, WHOLE, Range, load, ranges, worlds
from spark_steps.declarations import Layer
from spark_steps.tables import TABLES


def compared(tables):
    """Of these tables those that are compared: all layers from trusted on."""
    return tuple(table_id for table_id in tables if TABLES[table_id].layer is not Layer.RAW)


COMPARED = compared(TABLES)
FACTS = {
    "fact_orders": "orders",
    "fact_order_items": "order_items",
    "fact_payments": "order_payments",
    "fact_reviews": "order_reviews",
}
"""Of each fact the trusted table whose rows it holds."""

DIMENSIONS = {
    "customer_key": "dim_customers",
    "location_key": "dim_location",
    "seller_location_key": "dim_location",
    "product_key": "dim_products",
    "seller_key": "dim_sellers",
    "purchase_date_key": "dim_date",
}
"""Of each foreign key the dimension that it points into."""

_numbers = count()


# --- What a lake must hold ------------------------------------------------------------------------------------------


def differences(lake, files, tables=COMPARED):
    """Of each table that is not as expected the rows that it lacks and those that it should not hold."""
    wanted, found = expected(files), {}
    for table_id in tables:
        columns = compared_columns(table_id)
        want = Counter(tuple(row.get(c) for c in columns) for row in wanted[table_id])
        have = Counter(tuple(row.values()) for row in lake.read(table_id, *columns))
        if want != have:
            found[table_id] = {
                name: [dict(zip(columns, row, strict=True)) for row in rows.elements()]
                for name, rows in (("lacks", want - have), ("should not hold", have - want))
            }
    return found


def compared_columns(table_id):
    table = TABLES[table_id]
    if table.layer is Layer.QUARANTINE:
        return ("_extracted_at", "_landing_date", "_file_id", "_row")
    if table.name == "dim_date":
        return ("date_key",)
    return tuple(name for name in table.column_names if name != "_hash")


def content(lake, table_id):
    """A table's schema, and its rows in an order that is a function of them."""
    schema = deltalake.DeltaTable(lake.table(table_id).uri).schema().to_json()
    return schema, sorted(map(repr, lake.read(table_id)))


# --- What refined promises at any time, in its own words ------------------------------------------------------------


def broken_promises(lake):
    refined = {name: lake.read(f"refined/{name}") for name in {*FACTS, *DIMENSIONS.values()}}
    trusted = {name: lake.read(f"trusted/{name}") for name in [*FACTS.values(), "customers"]}
    periods = defaultdict(list)
    for row in refined["dim_customers"]:
        if row["customer_key"] != -1:
            periods[row["customer_unique_id"]].append(row)
    return [
        *of_timelines(periods),
        *of_periods(refined["fact_orders"], periods, trusted),
        *of_keys(refined),
        *of_rows_and_sums(refined, trusted),
    ]


def of_timelines(periods):
    for person, timeline in periods.items():
        timeline.sort(key=lambda p: p["valid_from"])
        if [p["is_current"] for p in timeline] != [False] * (len(timeline) - 1) + [True]:
            yield f"{person}: the newest period, and only that, is current"
        if [p["valid_to"] for p in timeline] != [*(p["valid_from"] for p in timeline[1:]), None]:
            yield f"{person}: periods follow one another without gap and overlap"
        if any(p["valid_from"] >= p["valid_to"] for p in timeline[:-1]):
            yield f"{person}: a period begins before it ends"
        if any(all(p[c] == q[c] for c in ("zip_code_prefix", "city", "state")) for p, q in pairwise(timeline)):
            yield f"{person}: neighbours differ in their address"


def of_periods(orders, periods, trusted):
    customer_of = {row["order_id"]: row["customer_id"] for row in trusted["orders"]}
    person_of = {row["customer_id"]: row["customer_unique_id"] for row in trusted["customers"]}
    for order in orders:
        time = order["order_purchase_timestamp"]
        holding = [
            period["customer_key"]
            for period in periods[person_of.get(customer_of.get(order["order_id"]))]
            if period["valid_from"] <= time and (period["valid_to"] is None or time < period["valid_to"])
        ]
        known = customer_of.get(order["order_id"]) in person_of
        if holding != [order["customer_key"]] * known or (not known and order["customer_key"] != -1):
            yield f"{order['order_id']} falls in exactly one period of its person"


def of_keys(refined):
    keys = {name: {row[next(iter(row))] for row in refined[name]} for name in DIMENSIONS.values()}
    for table, rows in refined.items():
        own = "customer_key" if table == "dim_customers" else None
        for row in rows:
            for column in row.keys() & DIMENSIONS.keys() - {own}:
                if row[column] not in keys[DIMENSIONS[column]]:
                    yield f"{table}: {column} {row[column]} has its row in {DIMENSIONS[column]}"


def of_rows_and_sums(refined, trusted):
    arrived = {row["order_id"] for row in trusted["orders"]}
    for fact, source in FACTS.items():
        if len(refined[fact]) != sum(row["order_id"] in arrived for row in trusted[source]):
            yield f"{fact} holds each row of trusted whose order has arrived, once"
    for source, fact, of_source, of_orders in (
        ("order_items", "fact_order_items", "price", "items_value"),
        ("order_items", "fact_order_items", "freight_value", "freight_value"),
        ("order_payments", "fact_payments", "payment_value", "payment_value"),
    ):
        total = sum(Decimal(row[of_source]) for row in trusted[source] if row["order_id"] in arrived)
        found = [
            sum(Decimal(row[column]) for row in refined[name])
            for name, column in ((fact, of_source), ("fact_orders", of_orders))
        ]
        if found != [total, total]:
            yield f"{of_source} of {fact} and of fact_orders sum up to trusted's {total}, not to {found}"


# --- Any order ------------------------------------------------------------------------------------------------------


def test_a_world_that_holds_the_worst_is_right_after_each_run(sail_lake):
    for number, run in enumerate(STORY_RUNS):
        load(sail_lake, STORY, run)
        assert differences(sail_lake, delivered(STORY, STORY_RUNS[: number + 1])) == {}


def test_a_run_that_failed_midway_is_made_good_by_running_its_days_again(sail_lake):
    until = {}
    for name in ("refined/dim_customers", "refined/fact_orders"):
        until[name] = tuple(TABLES)[: tuple(TABLES).index(name) + 1]
    load(sail_lake, STORY, Range(0, 1))
    load(sail_lake, STORY, Range(2, 3), until["refined/dim_customers"])
    load(sail_lake, STORY, Range(4, 5), until["refined/fact_orders"])
    load(sail_lake, STORY, Range(4, 5))
    load(sail_lake, STORY, Range(2, 3))
    assert differences(sail_lake, delivered(STORY, (Range(0, 5),))) == {}


@settings(
    derandomize=False,  # each run of the tests looks at other worlds
    deadline=None,
    print_blob=True,
    max_examples=settings().max_examples if settings.get_current_profile_name() == "thorough" else 1,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=worlds(), runs=ranges())
def test_any_ranges_in_any_order_end_in_the_lake_of_one_range(sail_lake, files, runs):
    parts, whole = lakes_for(sail_lake)
    for number, days in enumerate(runs):
        load(parts, files, days)
        assert broken_promises(parts) == []
        assert differences(parts, delivered(files, runs[: number + 1])) == {}
    if runs == (WHOLE,):
        return
    load(whole, files, WHOLE)
    for table_id in COMPARED:
        assert content(parts, table_id) == content(whole, table_id), table_id


def lakes_for(lake):
    """Two empty lakes of their own for an example."""
    place = lake.root / str(next(_numbers))
    return (replace(lake, root=place / name) for name in ("parts", "whole"))


def delivered(files, runs):
    """The files of the days that these runs have loaded."""
    return [file for file in files if any(file in run for run in runs)]
