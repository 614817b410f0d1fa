"""The nine sources, each declared once: its raw, trusted and quarantine tables follow from one declaration."""

from dataclasses import replace
from typing import NamedTuple

from spark_steps.columns import (
    BIGINT,
    DATE,
    DOUBLE,
    INT,
    MONEY,
    ORDER_STATUSES,
    PAYMENT_TYPES,
    TIMESTAMP,
    state,
    zip_code_prefix,
)
from spark_steps.declarations import Column, Layer, Rule, TableSpec, Text

_LANDING_DATE = Column("_landing_date", DATE, "day of the delivery (UTC)", required=True)
_FILE_ID = Column("_file_id", comment="first 16 hex digits of the file's SHA-256", required=True)
_FILE_NAME = Column("_file_name", comment="name of the delivered file", required=True)
_ROW = Column("_row", BIGINT, "position in the file, from 0", required=True)
_EXTRACTED_AT = Column("_extracted_at", TIMESTAMP, "when the source wrote the file (UTC)", required=True)
_RECEIVED_AT = Column("_received_at", TIMESTAMP, "when the delivery received the file (UTC)")
"""Tables of earlier releases have it as their last column, so it is the last column of all tables."""
_RUN_ID = Column("_run_id", comment="run that appended the row", required=True)

_RAW_LINEAGE = (
    _LANDING_DATE,
    _FILE_ID,
    _FILE_NAME,
    _ROW,
    _EXTRACTED_AT,
    _RUN_ID,
    Column("_extra", comment="JSON of the columns that are not declared"),
    Column("_reject", comment="why the row could not be parsed; null if it could"),
    Column("_text", comment="the text of a row that could not be parsed"),
    _RECEIVED_AT,
)
_TRUSTED_LINEAGE = (
    _LANDING_DATE,
    _EXTRACTED_AT,
    _FILE_ID,
    _ROW,
    Column("_hash", BIGINT, "hash of the non-key values", required=True),
    _RECEIVED_AT,
)
_QUARANTINE_COLUMNS = (
    Column("record", comment="the raw columns as JSON", required=True),
    Column("rule", comment="the first rule that the row violates", required=True),
    Column("reason", comment="what is wrong with the row", required=True),
    _LANDING_DATE,
    _FILE_ID,
    _FILE_NAME,
    _ROW,
    _EXTRACTED_AT,
    _RUN_ID,
    _RECEIVED_AT,
)


class SourceTables(NamedTuple):
    """The three Delta tables of one source."""

    raw: TableSpec
    trusted: TableSpec
    quarantine: TableSpec


def _declare(
    name: str,
    file_stem: str,
    grain: str,
    key: tuple[str, ...],
    columns: tuple[Column, ...],
    *,
    partition: str | None = None,
    rules: tuple[Rule, ...] = (),
) -> SourceTables:
    """A source's raw, trusted and quarantine tables. Key columns are required and are ids."""
    columns = tuple(replace(c, required=True, text=Text.ID) if c.name in key else c for c in columns)
    delivered = tuple(c for c in columns if c.derived is None)
    raw = TableSpec(
        layer=Layer.RAW,
        name=name,
        grain=f"a row of a delivered file: {grain}, as it landed",
        key=("_landing_date", "_file_id", "_received_at", "_row"),
        columns=tuple(Column(c.source_name, comment=c.comment, text=c.text) for c in delivered) + _RAW_LINEAGE,
        upstreams=(f"landzone/{name}",),
        partition="_landing_date",
        file_stem=file_stem,
    )
    trusted = TableSpec(
        layer=Layer.TRUSTED,
        name=name,
        grain=f"{grain}, in its newest state",
        key=key,
        columns=columns + _TRUSTED_LINEAGE,
        upstreams=(raw.id,),
        partition=partition,
        rules=rules,
    )
    quarantine = TableSpec(
        layer=Layer.QUARANTINE,
        name=name,
        grain=f"a raw row that is not accepted as {grain}",
        key=raw.key,
        columns=_QUARANTINE_COLUMNS,
        upstreams=(raw.id,),
        partition="_landing_date",
    )
    return SourceTables(raw, trusted, quarantine)


SOURCES: tuple[SourceTables, ...] = (
    _declare(
        "orders",
        "olist_orders_dataset",
        "an order",
        ("order_id",),
        (
            Column("order_id", comment="the order"),
            Column("customer_id", comment="the order's customer row", required=True, text=Text.ID, tracked=True),
            Column("order_status", comment="state of the order", accepted=ORDER_STATUSES),
            Column("order_purchase_timestamp", TIMESTAMP, "when the order was placed (UTC)", required=True),
            Column("order_approved_at", TIMESTAMP, "when the payment was approved (UTC)"),
            Column("order_delivered_carrier_date", TIMESTAMP, "when the carrier received the order (UTC)"),
            Column("order_delivered_customer_date", TIMESTAMP, "when the customer received the order (UTC)"),
            Column("order_estimated_delivery_date", TIMESTAMP, "delivery date promised at purchase (UTC)"),
            Column(
                "order_month",
                comment="month of the purchase, yyyy-MM",
                required=True,
                derived="date_format(order_purchase_timestamp, 'yyyy-MM')",
            ),
        ),
        partition="order_month",
        rules=(
            Rule.warning(
                "delivered_before_purchase",
                "order_delivered_customer_date < order_purchase_timestamp",
                "delivered before it was purchased",
            ),
        ),
    ),
    _declare(
        "customers",
        "olist_customers_dataset",
        "an order's customer",
        ("customer_id",),
        (
            Column("customer_id", comment="the customer of one order; each order has its own"),
            Column("customer_unique_id", comment="the person", required=True, text=Text.ID, tracked=True),
            zip_code_prefix("customer_zip_code_prefix"),
            Column("customer_city", comment="city as the customer wrote it"),
            state("customer_state"),
        ),
    ),
    _declare(
        "order_items",
        "olist_order_items_dataset",
        "an item of an order",
        ("order_id", "order_item_id"),
        (
            Column("order_id", comment="the order"),
            Column("order_item_id", INT, "position in the order, from 1", minimum=1),
            Column("product_id", comment="the product", required=True, text=Text.ID),
            Column("seller_id", comment="the seller", text=Text.ID),
            Column("shipping_limit_date", TIMESTAMP, "latest time to hand the item to the carrier (UTC)"),
            Column("price", MONEY, "price of the item in BRL", required=True, minimum=0),
            Column("freight_value", MONEY, "freight of the item in BRL", required=True, minimum=0),
        ),
        rules=(Rule.warning("seller_missing", "seller_id IS NULL", "the item names no seller"),),
    ),
    _declare(
        "order_payments",
        "olist_order_payments_dataset",
        "a payment of an order",
        ("order_id", "payment_sequential"),
        (
            Column("order_id", comment="the order"),
            Column("payment_sequential", INT, "number of the payment within the order", minimum=1),
            Column("payment_type", comment="means of payment", required=True, accepted=PAYMENT_TYPES),
            Column("payment_installments", INT, "number of installments", minimum=0),
            Column("payment_value", MONEY, "amount paid in BRL", required=True, minimum=0),
        ),
    ),
    _declare(
        "order_reviews",
        "olist_order_reviews_dataset",
        "a review of an order",
        ("review_id", "order_id"),
        (
            Column("review_id", comment="the review; one review may cover several orders"),
            Column("order_id", comment="the order"),
            Column("review_score", INT, "from 1 (worst) to 5 (best)", required=True, minimum=1, maximum=5),
            Column("review_comment_title", comment="title, in Portuguese", text=Text.FREE),
            Column("review_comment_message", comment="message, in Portuguese", text=Text.FREE),
            Column("review_creation_date", TIMESTAMP, "when the survey was sent (UTC)"),
            Column("review_answer_timestamp", TIMESTAMP, "when the survey was answered (UTC)"),
        ),
    ),
    _declare(
        "products",
        "olist_products_dataset",
        "a product",
        ("product_id",),
        (
            Column("product_id", comment="the product"),
            Column("product_category_name", comment="category, in Portuguese", text=Text.ID),
            Column("product_name_length", INT, "characters of the name", source="product_name_lenght"),
            Column(
                "product_description_length",
                INT,
                "characters of the description",
                source="product_description_lenght",
            ),
            Column("product_photos_qty", INT, "number of photos"),
            Column("product_weight_g", INT, "weight in grams"),
            Column("product_length_cm", INT, "length in centimeters"),
            Column("product_height_cm", INT, "height in centimeters"),
            Column("product_width_cm", INT, "width in centimeters"),
        ),
    ),
    _declare(
        "sellers",
        "olist_sellers_dataset",
        "a seller",
        ("seller_id",),
        (
            Column("seller_id", comment="the seller"),
            zip_code_prefix("seller_zip_code_prefix"),
            Column("seller_city", comment="city as the seller wrote it"),
            state("seller_state"),
        ),
    ),
    _declare(
        "geolocation",
        "olist_geolocation_dataset",
        "a point of a zip prefix",
        (
            "geolocation_zip_code_prefix",
            "geolocation_lat",
            "geolocation_lng",
            "geolocation_city",
            "geolocation_state",
        ),
        (
            zip_code_prefix("geolocation_zip_code_prefix"),
            Column("geolocation_lat", DOUBLE, "latitude in degrees", minimum=-90, maximum=90),
            Column("geolocation_lng", DOUBLE, "longitude in degrees", minimum=-180, maximum=180),
            Column("geolocation_city", comment="city in one of its spellings"),
            state("geolocation_state", required=True),
        ),
    ),
    _declare(
        "product_category_translation",
        "product_category_name_translation",
        "a category's translation",
        ("product_category_name",),
        (
            Column("product_category_name", comment="category, in Portuguese"),
            Column("product_category_name_english", comment="category, in English"),
        ),
    ),
)
