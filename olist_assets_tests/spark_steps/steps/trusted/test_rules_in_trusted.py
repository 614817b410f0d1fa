"""Rows that violate a rule go to quarantine with the reason; warnings are counted."""

import json

import pytest

from olist_assets_tests.spark_steps.steps.trusted.trusted_rows import (
    ACCEPTED_ROWS,
    ITEMS,
    PAYMENTS,
    SELLERS,
    counts,
    order,
    version,
)
from spark_steps import rules
from spark_steps.declarations import Layer, Severity
from spark_steps.protocol import Check
from spark_steps.tables import TABLES, tables_in


class RuleCases:
    """An accepted row of a table, and changes to it that violate a rule, each with the rule and the reason."""

    def __init__(self, table, *cases):
        self.accepted = ACCEPTED_ROWS[table]
        self.cases = cases


TIME = "a time like 2018-05-10 03:00:00 of the years 1900 to 2199"
RULES = {
    "orders": RuleCases(
        "orders",
        ("row_unparsed", None, "expected 9 columns, got 3"),
        ("order_id_missing", {"order_id": None}, "order_id is missing"),
        ("customer_id_missing", {"customer_id": " "}, "customer_id is missing"),
        ("order_status_unknown", {"order_status": "Delivered"}, "order_status is unknown: Delivered"),
        ("order_status_unknown", {"order_status": " delivered"}, "order_status is unknown:  delivered"),
        (
            "order_approved_at_unreadable",
            {"order_approved_at": "2018-02-31 10:00:00"},
            f"order_approved_at is not {TIME}: 2018-02-31 10:00:00",
        ),
    ),
    "order_items": RuleCases(
        "order_items",
        ("order_item_id_unreadable", {"order_item_id": "12.5"}, "order_item_id is not a whole number: 12.5"),
        ("order_item_id_out_of_range", {"order_item_id": "0"}, "order_item_id is out of range: 0"),
        ("product_id_malformed", {"product_id": "p\0"}, "product_id has control characters: p\0"),
        ("seller_id_malformed", {"seller_id": "s\n1"}, "seller_id has control characters: s\n1"),
        ("price_unreadable", {"price": "R$ 5"}, "price is not an amount: R$ 5"),
        ("price_missing", {"price": None}, "price is missing"),
        ("freight_value_out_of_range", {"freight_value": "-0.01"}, "freight_value is out of range: -0.01"),
    ),
    "order_payments": RuleCases(
        "order_payments",
        ("payment_sequential_out_of_range", {"payment_sequential": "-1"}, "payment_sequential is out of range: -1"),
        (
            "payment_installments_out_of_range",
            {"payment_installments": "-1"},
            "payment_installments is out of range: -1",
        ),
    ),
    "sellers": RuleCases(
        "sellers",
        (
            "seller_zip_code_prefix_malformed",
            {"seller_zip_code_prefix": "123456"},
            "seller_zip_code_prefix is malformed: 123456",
        ),
        (
            "seller_zip_code_prefix_malformed",
            {"seller_zip_code_prefix": "01037-000"},
            "seller_zip_code_prefix is malformed: 01037-000",
        ),
    ),
    "order_reviews": RuleCases(
        "order_reviews",
        ("review_score_out_of_range", {"review_score": "0"}, "review_score is out of range: 0"),
        ("review_score_out_of_range", {"review_score": "6"}, "review_score is out of range: 6"),
    ),
    "geolocation": RuleCases(
        "geolocation",
        ("geolocation_lat_unreadable", {"geolocation_lat": "23,5"}, "geolocation_lat is not a number: 23,5"),
        ("geolocation_lat_out_of_range", {"geolocation_lat": "-1e309"}, "geolocation_lat is out of range: -1e309"),
        ("geolocation_lng_out_of_range", {"geolocation_lng": "180.5"}, "geolocation_lng is out of range: 180.5"),
    ),
}
"""One row per kind of rule; test_rules.py has every rule of every table."""


@pytest.mark.parametrize("table", RULES)
def test_only_rows_that_violate_a_rule_are_quarantined(lake, table):
    accepted, cases = RULES[table].accepted, RULES[table].cases
    rows, quarantined = [], []
    for n, (rule, changes, reason) in enumerate(cases, start=1):
        if changes is None:
            row, record = {"_reject": reason, "_text": "a,b,c"}, {"_text": "a,b,c"}
        else:
            row = accepted | changes
            record = {name: value for name, value in row.items() if value is not None}
        rows.append(row | {"_row": n})
        quarantined.append(
            {
                "record": json.dumps(record, ensure_ascii=False, separators=(",", ":")),
                "rule": rule,
                "reason": reason,
                "_landing_date": "2018-05-10",
                "_file_id": "0000000000000001",
                "_file_name": "delivered.csv",
                "_row": n,
                "_extracted_at": "2018-05-10 03:00:00",
                "_run_id": "test",
                "_received_at": "2018-05-10 04:00:00",
            }
        )
    lake.rows(f"raw/{table}", accepted | {"_row": 0}, *rows)
    result = lake.run(f"trusted/{table}")
    assert lake.read(f"quarantine/{table}") == quarantined
    assert [row["_row"] for row in lake.read(f"trusted/{table}")] == [0]
    assert counts(result) == {"read": len(cases) + 1, "inserted": 1, "quarantined": len(cases)}


def kind_of(table, rule):
    """What a rule checks: `missing`, `unknown`, `out_of_range`, or `unreadable` with the column's type."""
    column = next((c for c in TABLES[f"trusted/{table}"].columns if rule.startswith(f"{c.name}_")), None)
    kind = rule.removeprefix(f"{column.name}_") if column else rule
    return (kind, column.type) if kind == "unreadable" else (kind, None)


def test_every_kind_of_rule_is_tried():
    tried = {kind_of(table, rule) for table, cases in RULES.items() for rule, _, _ in cases.cases}
    declared = {(table.name, rule.name) for table in tables_in(Layer.TRUSTED) for rule in rules.error_rules(table)}
    assert tried == {kind_of(table, rule) for table, rule in declared}


def test_a_quarantined_row_keeps_all_delivered_values(lake):
    file_id = "4c8cee0b7d5ab126"
    content = "origin," + SELLERS + 'web,s1,1001,"são ""paulo""\n",XX\nshop,s2\nweb,s3,1001,rio,RJ\n'
    lake.load("sellers", content)
    lineage = {
        "_landing_date": "2018-05-10",
        "_file_id": file_id,
        "_file_name": "olist_sellers_dataset.csv",
        "_extracted_at": "2018-05-10 03:00:00",
        "_run_id": "test",
        "_received_at": "2018-05-10 04:00:00",
    }
    assert lake.read("quarantine/sellers") == [
        {
            "record": (
                '{"seller_id":"s1","seller_zip_code_prefix":"1001","seller_city":"são \\"paulo\\"\\n",'
                '"seller_state":"XX","_extra":"{\\"origin\\": \\"web\\"}"}'
            ),
            "rule": "seller_state_unknown",
            "reason": "seller_state is unknown: XX",
            "_row": 0,
        }
        | lineage,
        {
            "record": '{"_text":"shop,s2"}',
            "rule": "row_unparsed",
            "reason": "expected 5 columns, got 2",
            "_row": 1,
        }
        | lineage,
    ]
    assert lake.read("trusted/sellers", "seller_id", "_row") == [{"seller_id": "s3", "_row": 2}]


def test_a_row_that_violates_several_rules_has_the_reason_of_the_first(lake):
    lake.rows("raw/order_items", {"order_item_id": "x", "price": "-1"})
    lake.run("trusted/order_items")
    assert lake.read("quarantine/order_items", "rule", "reason") == [
        {"rule": "order_id_missing", "reason": "order_id is missing"}
    ]


def test_a_reason_quotes_at_most_100_characters(lake):
    lake.rows("raw/order_items", ACCEPTED_ROWS["order_items"] | {"price": "9" * 150})
    lake.run("trusted/order_items")
    assert lake.read("quarantine/order_items", "reason") == [{"reason": "price is not an amount: " + "9" * 100}]


def test_all_rows_of_a_window_may_be_in_quarantine(lake):
    lake.rows("raw/sellers", {"seller_city": "a"}, {"seller_city": "b", "_row": 1})
    assert counts(lake.run("trusted/sellers")) == {"read": 2, "quarantined": 2}
    assert lake.read("trusted/sellers") == []
    assert version(lake, "trusted/sellers") == 0


def test_a_quarantined_state_does_not_hide_or_undo_an_accepted_one(lake):
    lake.rows("raw/orders", order("o1", "created", _extracted_at="2018-05-10 01:00:00"))
    lake.rows("raw/orders", order("o1", "lost", _extracted_at="2018-05-10 02:00:00", _row=1))
    assert counts(lake.run("trusted/orders")) == {"read": 2, "inserted": 1, "quarantined": 1}
    assert lake.read("trusted/orders", "order_id", "order_status") == [{"order_id": "o1", "order_status": "created"}]


def test_a_warning_keeps_the_row_and_counts_it(lake):
    result = lake.load("order_items", ITEMS + "o1,1,p1,,,1,1\no1,2,p1,s1,,1,1\no2,1,p1, ,,1,1\no3,1,,,,1,1\n")
    assert lake.read("trusted/order_items", "order_id", "order_item_id", "seller_id") == [
        {"order_id": "o1", "order_item_id": 1, "seller_id": None},
        {"order_id": "o1", "order_item_id": 2, "seller_id": "s1"},
        {"order_id": "o2", "order_item_id": 1, "seller_id": None},
    ]
    assert result.checks == (
        Check("rows_accounted_for", Severity.ERROR, 0, "every raw row has won, was superseded or is quarantined"),
        Check("nothing_quarantined", Severity.WARN, 1, "no row violates a rule"),
        Check("price_rounded", Severity.WARN, 0, "price has more than two decimals and is rounded half up"),
        Check(
            "freight_value_rounded", Severity.WARN, 0, "freight_value has more than two decimals and is rounded half up"
        ),
        Check("seller_missing", Severity.WARN, 2, "the item names no seller"),
    )


def test_an_amount_of_more_than_two_decimals_is_rounded_half_up_and_counted(lake):
    amounts = ["1.005", " 1.0049\n", "1.990", "1.99", "1.000001"]
    rows = "".join(f'o1,{n},boleto,1,"{amount}"\n' for n, amount in enumerate(amounts, 1))
    result = lake.load("order_payments", PAYMENTS + rows + "o2,1,boleto,1,x1.005\n")
    assert [row["payment_value"] for row in lake.read("trusted/order_payments")] == [
        "1.01", "1.00", "1.99", "1.99", "1.00"
    ]  # fmt: skip
    assert {check.name: check.failed_rows for check in result.checks} == {
        "rows_accounted_for": 0,
        "nothing_quarantined": 1,
        "payment_value_rounded": 3,
    }


def test_no_installments_are_accepted(lake):
    lake.load("order_payments", PAYMENTS + "o1,1,credit_card,0,99.33\n")
    assert lake.read("trusted/order_payments", "payment_installments") == [{"payment_installments": 0}]


def test_an_order_that_was_delivered_before_it_was_purchased_is_kept_and_counted(lake):
    delivered = "order_delivered_customer_date"
    lake.rows(
        "raw/orders",
        order("o1", **{delivered: "2018-05-01 09:59:59"}),
        order("o2", **{delivered: "2018-05-01 10:00:00", "_row": 1}),
        order("o3", _row=2),
    )
    result = lake.run("trusted/orders")
    assert [row["order_id"] for row in lake.read("trusted/orders")] == ["o1", "o2", "o3"]
    assert result.checks == (
        Check("rows_accounted_for", Severity.ERROR, 0, "every raw row has won, was superseded or is quarantined"),
        Check("nothing_quarantined", Severity.WARN, 0, "no row violates a rule"),
        Check("delivered_before_purchase", Severity.WARN, 1, "delivered before it was purchased"),
    )
