"""docs/tables.md is rendered from the declarations, and has all of them."""

import re

import pytest

from olist_assets.catalog.tables_page import PAGE, render_page
from spark_steps.declarations import Layer
from spark_steps.tables import TABLES, tables_in

TEXT = render_page()


def test_the_page_in_the_repository_is_up_to_date():
    assert PAGE.read_text() == TEXT, "docs/tables.md does not match the declarations: run `make docs`"


def test_every_column_has_a_meaning():
    assert [(table.id, c.name) for table in TABLES.values() for c in table.columns if not c.comment] == []


def test_every_table_is_on_the_page():
    sections = re.findall(r"^### (\S+)$", TEXT, re.MULTILINE)
    assert sections == [
        table.id.replace("/", ".") for layer in (Layer.TRUSTED, Layer.REFINED) for table in tables_in(layer)
    ]
    assert re.findall(r"^\| `(raw\.\w+)` \|", TEXT, re.MULTILINE) == [f"raw.{t.name}" for t in tables_in(Layer.RAW)]


def test_tables_of_a_layer_share_what_the_page_says_once():
    for layer in (Layer.RAW, Layer.QUARANTINE):
        assert len({(table.key, table.partition) for table in tables_in(layer)}) == 1
    [columns] = {table.columns for table in tables_in(Layer.QUARANTINE)}
    assert {c.type for table in tables_in(Layer.RAW) for c in table.columns if not c.name.startswith("_")} == {"string"}
    for layer in (Layer.RAW, Layer.TRUSTED):
        [columns] = {tuple(c for c in table.columns if c.name.startswith("_")) for table in tables_in(layer)}
        assert all(f"| `{column.name}` | {column.type} |" in TEXT for column in columns)


def test_the_diagrams_show_all_upstreams():
    edges = re.findall(r"^  (\w+) --> (\w+)$", TEXT, re.MULTILINE)
    assert sorted(edges) == sorted(
        (upstream.replace("/", "_"), table.id.replace("/", "_"))
        for table in TABLES.values()
        for upstream in table.upstreams
        if table.layer is not Layer.QUARANTINE
    )


def test_every_link_has_a_heading():
    anchors = {re.sub(r"[^\w-]", "", h.lower()) for h in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)}
    links = set(re.findall(r"\]\(#([^)]+)\)", TEXT))
    assert links
    assert links <= anchors


@pytest.mark.parametrize(
    "section",
    [
        """\
### trusted.order_payments

- a row: a payment of an order, in its newest state
- key: `order_id`, `payment_sequential`
- made from: `raw.order_payments`, by landing date
- quarantined: rows that cannot be parsed; without `order_id`, `payment_sequential`, `payment_type` \
or `payment_value`; with an unreadable `payment_sequential`, `payment_installments` \
or `payment_value`; with a malformed `order_id`; with an unknown `payment_type`; out of range in \
`payment_sequential`, `payment_installments` or `payment_value`
- warning: payment_value has more than two decimals and is rounded half up (`payment_value_rounded`)

| column | type | required | meaning |
|---|---|---|---|
| `order_id` | string | yes | the order |
| `payment_sequential` | int | yes | number of the payment within the order; accepted: 1 or more |
| `payment_type` | string | yes | means of payment; accepted: credit_card, boleto, voucher, debit_card, not_defined |
| `payment_installments` | int |  | number of installments; accepted: 0 or more |
| `payment_value` | decimal(12,2) | yes | amount paid in BRL; accepted: 0 or more |
""",
        """\
### refined.fact_payments

- a row: a payment of an order
- key: `order_id`, `payment_sequential`
- partition: `order_month`
- made from: [trusted.order_payments](#trustedorder_payments), [trusted.orders](#trustedorders), \
[refined.fact_orders](#refinedfact_orders), by landing date
- warning: rows of order_payments wait for their order (`waiting_for_order`)

| column | type | required | meaning |
|---|---|---|---|
| `order_id` | string | yes | the order |
| `payment_sequential` | int | yes | number of the payment within the order |
| `customer_key` | bigint | yes | the person's address period at the purchase |
| `purchase_date_key` | int | yes | day of the purchase, yyyymmdd |
| `payment_type` | string | yes | means of payment |
| `payment_installments` | int |  | number of installments |
| `payment_value` | decimal(12,2) | yes | amount paid in BRL |
| `order_month` | string | yes | month of the purchase, yyyy-MM |
""",
        """\
- made from: [trusted.products](#trustedproducts), \
[trusted.product_category_translation](#trustedproduct_category_translation), by landing date
- warning: the category has no translation (`category_unknown`)
""",
    ],
)
def test_sections_of_tables(section):
    assert section in TEXT
