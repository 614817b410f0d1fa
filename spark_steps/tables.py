"""Every table of the lakehouse, declared once: grain, key, columns, partition, upstreams and row rules."""

from dataclasses import replace
from typing import Any

from spark_steps.declarations import Column, Layer, Rule, Severity, TableSpec

TIMESTAMP, DATE, INT, BIGINT, DOUBLE, BOOLEAN = "timestamp", "date", "int", "bigint", "double", "boolean"
MONEY, MONEY_SUM = "decimal(12,2)", "decimal(18,2)"
"""Amounts are in Brazilian reais, exact to the cent."""

ORDER_STATUSES = (
    "created",
    "approved",
    "invoiced",
    "processing",
    "shipped",
    "delivered",
    "canceled",
    "unavailable",
)
PAYMENT_TYPES = ("credit_card", "boleto", "voucher", "debit_card", "not_defined")
# fmt: off
STATES = (
    "AC", "AL", "AM", "AP", "BA", "CE", "DF", "ES", "GO", "MA", "MG", "MS", "MT", "PA",
    "PB", "PE", "PI", "PR", "RJ", "RN", "RO", "RR", "RS", "SC", "SE", "SP", "TO",
)
# fmt: on

_STRIPPED = "btrim({value}, ' \\t\\r\\n')"
FIVE_DIGITS = f"CASE WHEN {_STRIPPED} RLIKE '^[0-9]{{{{1,5}}}}$' THEN lpad({_STRIPPED}, 5, '0') ELSE {{value}} END"
"""SQL of a zip prefix in its canonical form, over `{value}`."""

# --- Columns that come with every delivery -------------------------------------------------------------------------

_LANDING_DATE = Column("_landing_date", DATE, "day of the delivery (UTC)", required=True)
_FILE_ID = Column("_file_id", comment="first 16 hex digits of the file's SHA-256", required=True)
_FILE_NAME = Column("_file_name", comment="name of the delivered file", required=True)
_ROW = Column("_row", BIGINT, "position in the file, from 0", required=True)
_EXTRACTED_AT = Column("_extracted_at", TIMESTAMP, "when the source wrote the file (UTC)", required=True)
_RUN_ID = Column("_run_id", comment="run that appended the row", required=True)

_RAW_LINEAGE = (
    _LANDING_DATE,
    _FILE_ID,
    _FILE_NAME,
    _ROW,
    _EXTRACTED_AT,
    _RUN_ID,
    Column("_extra", comment="JSON of the columns that the contract does not know"),
    Column("_reject", comment="why the row could not be parsed; null if it could"),
    Column("_text", comment="the text of a row that could not be parsed"),
)
_TRUSTED_LINEAGE = (
    _LANDING_DATE,
    _EXTRACTED_AT,
    _FILE_ID,
    _ROW,
    Column("_hash", BIGINT, "hash of the values beside the key", required=True),
)
_QUARANTINE_COLUMNS = (
    Column("record", comment="the raw columns as JSON", required=True),
    Column("rule", comment="the first rule that the row breaks", required=True),
    Column("reason", comment="what is wrong with the row", required=True),
    _LANDING_DATE,
    _FILE_ID,
    _FILE_NAME,
    _ROW,
    _EXTRACTED_AT,
    _RUN_ID,
)


def _source(
    name: str,
    file_stem: str,
    grain: str,
    key: tuple[str, ...],
    columns: tuple[Column, ...],
    *,
    partition: str | None = None,
    rules: tuple[Rule, ...] = (),
) -> tuple[TableSpec, TableSpec, TableSpec]:
    """A source's raw, trusted and quarantine tables. Key columns are required."""
    columns = tuple(replace(c, required=True) if c.name in key else c for c in columns)
    delivered = tuple(c for c in columns if c.derived is None)
    raw = TableSpec(
        layer=Layer.RAW,
        name=name,
        grain=f"a row of a delivered file: {grain}, as it landed",
        key=("_landing_date", "_file_id", "_row"),
        columns=tuple(Column(c.source_name, comment=c.comment) for c in delivered) + _RAW_LINEAGE,
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
    return raw, trusted, quarantine


def _zip_code_prefix(name: str) -> Column:
    return Column(name, comment="first five digits of the zip code", clean=FIVE_DIGITS)


def _state(name: str, *, required: bool = False) -> Column:
    return Column(name, comment="two-letter code of a Brazilian state", accepted=STATES, required=required)


def _warning(name: str, broken: str, reason: str) -> Rule:
    return Rule(name=name, violated_when=broken, reason=f"'{reason}'", severity=Severity.WARN)


# --- Raw, trusted and quarantine: a triple a source ----------------------------------------------------------------

_SOURCES = (
    _source(
        "orders",
        "olist_orders_dataset",
        "an order",
        ("order_id",),
        (
            Column("order_id", comment="the order"),
            Column("customer_id", comment="the order's customer row", required=True),
            Column("order_status", comment="state of the order", accepted=ORDER_STATUSES),
            Column("order_purchase_timestamp", TIMESTAMP, "when it was placed (UTC)", required=True),
            Column("order_approved_at", TIMESTAMP, "when the payment was approved (UTC)"),
            Column("order_delivered_carrier_date", TIMESTAMP, "when the carrier took it (UTC)"),
            Column("order_delivered_customer_date", TIMESTAMP, "when the customer had it (UTC)"),
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
            _warning(
                "delivered_before_purchase",
                "order_delivered_customer_date < order_purchase_timestamp",
                "delivered before it was purchased",
            ),
        ),
    ),
    _source(
        "customers",
        "olist_customers_dataset",
        "an order's customer",
        ("customer_id",),
        (
            Column("customer_id", comment="one an order"),
            Column("customer_unique_id", comment="the person", required=True),
            _zip_code_prefix("customer_zip_code_prefix"),
            Column("customer_city", comment="city as the customer wrote it"),
            _state("customer_state"),
        ),
    ),
    _source(
        "order_items",
        "olist_order_items_dataset",
        "an item of an order",
        ("order_id", "order_item_id"),
        (
            Column("order_id", comment="the order"),
            Column("order_item_id", INT, "position in the order, from 1"),
            Column("product_id", comment="the product", required=True),
            Column("seller_id", comment="the seller"),
            Column("shipping_limit_date", TIMESTAMP, "when the seller must have handed it over (UTC)"),
            Column("price", MONEY, "price of the item in BRL", required=True, minimum=0),
            Column("freight_value", MONEY, "freight of the item in BRL", required=True, minimum=0),
        ),
        rules=(_warning("seller_missing", "seller_id IS NULL", "the item names no seller"),),
    ),
    _source(
        "order_payments",
        "olist_order_payments_dataset",
        "a payment of an order",
        ("order_id", "payment_sequential"),
        (
            Column("order_id", comment="the order"),
            Column("payment_sequential", INT, "number of the payment within the order"),
            Column("payment_type", comment="means of payment", required=True, accepted=PAYMENT_TYPES),
            Column("payment_installments", INT, "number of instalments"),
            Column("payment_value", MONEY, "amount paid in BRL", required=True, minimum=0),
        ),
    ),
    _source(
        "order_reviews",
        "olist_order_reviews_dataset",
        "a review of an order",
        ("review_id", "order_id"),
        (
            Column("review_id", comment="the review; one review may stand for several orders"),
            Column("order_id", comment="the order"),
            Column("review_score", INT, "from 1 (worst) to 5 (best)", required=True, minimum=1, maximum=5),
            Column("review_comment_title", comment="title, in Portuguese"),
            Column("review_comment_message", comment="message, in Portuguese"),
            Column("review_creation_date", TIMESTAMP, "when the survey was sent (UTC)"),
            Column("review_answer_timestamp", TIMESTAMP, "when it was answered (UTC)"),
        ),
    ),
    _source(
        "products",
        "olist_products_dataset",
        "a product",
        ("product_id",),
        (
            Column("product_id", comment="the product"),
            Column("product_category_name", comment="category, in Portuguese"),
            Column("product_name_length", INT, "characters of the name", source="product_name_lenght"),
            Column(
                "product_description_length",
                INT,
                "characters of the description",
                source="product_description_lenght",
            ),
            Column("product_photos_qty", INT, "number of photos"),
            Column("product_weight_g", INT, "weight in grams"),
            Column("product_length_cm", INT, "length in centimetres"),
            Column("product_height_cm", INT, "height in centimetres"),
            Column("product_width_cm", INT, "width in centimetres"),
        ),
    ),
    _source(
        "sellers",
        "olist_sellers_dataset",
        "a seller",
        ("seller_id",),
        (
            Column("seller_id", comment="the seller"),
            _zip_code_prefix("seller_zip_code_prefix"),
            Column("seller_city", comment="city as the seller wrote it"),
            _state("seller_state"),
        ),
    ),
    _source(
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
            _zip_code_prefix("geolocation_zip_code_prefix"),
            Column("geolocation_lat", DOUBLE, "latitude in degrees", minimum=-90, maximum=90),
            Column("geolocation_lng", DOUBLE, "longitude in degrees", minimum=-180, maximum=180),
            Column("geolocation_city", comment="city in one of its spellings"),
            _state("geolocation_state", required=True),
        ),
    ),
    _source(
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

# --- Refined: the star ---------------------------------------------------------------------------------------------

_ORDER_MONTH = Column("order_month", comment="month of the purchase, yyyy-MM", required=True)
_ORDER_ID = Column("order_id", comment="the order", required=True)
_ORDER_STATUS = Column("order_status", comment="state of the order")
_PURCHASED_AT = Column("order_purchase_timestamp", TIMESTAMP, "when it was placed (UTC)", required=True)
_CUSTOMER_KEY = Column("customer_key", BIGINT, "the person's period at the purchase", required=True)
_PURCHASE_DATE_KEY = Column("purchase_date_key", INT, "day of the purchase, yyyymmdd", required=True)
_LATE_SHARE = Column("late_share", DOUBLE, "late / delivered; null where nothing was delivered")


def _location_key(name: str = "location_key", of: str = "the customer") -> Column:
    return Column(name, BIGINT, f"where {of} lives: the zip prefix's key", required=True)


def _count(name: str, of: str) -> Column:
    return Column(name, BIGINT, f"number of {of}", required=True)


def _sum(name: str, of: str) -> Column:
    return Column(name, MONEY_SUM, f"{of} in BRL", required=True)


def _average(name: str, formula: str) -> Column:
    return Column(name, MONEY, f"{formula} in BRL, half up", required=True)


def _refined(
    name: str, grain: str, key: tuple[str, ...], upstreams: tuple[str, ...], *columns: Column, **more: Any
) -> TableSpec:
    return TableSpec(layer=Layer.REFINED, name=name, grain=grain, key=key, columns=columns, upstreams=upstreams, **more)


_DIMENSIONS = (
    _refined(
        "dim_date",
        "a day",
        ("date_key",),
        ("trusted/orders",),
        Column("date_key", INT, "yyyymmdd; -1 is the unknown day", required=True),
        Column("date", DATE, "the day"),
        Column("year", INT, "year"),
        Column("quarter", INT, "quarter of the year, 1 to 4"),
        Column("month", INT, "month of the year, 1 to 12"),
        Column("month_name", comment="English name of the month"),
        Column("year_month", comment="month, yyyy-MM"),
        Column("day", INT, "day of the month"),
        Column("day_of_week", INT, "1 (Monday) to 7 (Sunday)"),
        Column("day_name", comment="English name of the day of the week"),
        Column("is_weekend", BOOLEAN, "Saturday or Sunday"),
        daily=False,
        dimension=True,
    ),
    _refined(
        "dim_products",
        "a product as it is now (SCD1)",
        ("product_key",),
        ("trusted/products", "trusted/product_category_translation"),
        Column("product_key", BIGINT, "hash of product_id; -1 is the unknown product", required=True),
        Column("product_id", comment="the product"),
        Column("category", comment="category, in Portuguese"),
        Column("category_english", comment="category, in English"),
        Column("name_length", INT, "characters of the name"),
        Column("description_length", INT, "characters of the description"),
        Column("photos_qty", INT, "number of photos"),
        Column("weight_g", INT, "weight in grams"),
        Column("length_cm", INT, "length in centimetres"),
        Column("height_cm", INT, "height in centimetres"),
        Column("width_cm", INT, "width in centimetres"),
        dimension=True,
        rules=(
            _warning(
                "category_unknown",
                "category IS NOT NULL AND category_english IS NULL",
                "the category has no translation",
            ),
        ),
    ),
    _refined(
        "dim_sellers",
        "a seller as it is now (SCD1)",
        ("seller_key",),
        ("trusted/sellers",),
        Column("seller_key", BIGINT, "hash of seller_id; -1 is the unknown seller", required=True),
        Column("seller_id", comment="the seller"),
        Column("zip_code_prefix", comment="first five digits of the zip code"),
        Column("city", comment="city as the seller wrote it"),
        Column("state", comment="two-letter code of the state"),
        _location_key(of="the seller"),
        dimension=True,
    ),
    _refined(
        "dim_location",
        "a zip prefix (SCD1)",
        ("location_key",),
        ("trusted/geolocation", "trusted/customers", "trusted/sellers", "raw/customers", "raw/sellers"),
        Column("location_key", BIGINT, "hash of the zip prefix; -1 is the unknown place", required=True),
        Column("zip_code_prefix", comment="first five digits of the zip code"),
        Column("city", comment="the prefix's most frequent spelling of a city"),
        Column("state", comment="two-letter code of that city's state"),
        Column("latitude", DOUBLE, "median latitude of the prefix's points, in degrees"),
        Column("longitude", DOUBLE, "median longitude of the prefix's points, in degrees"),
        Column("points", BIGINT, "number of the prefix's points"),
        dimension=True,
    ),
    _refined(
        "dim_customers",
        "a period of a person's address (SCD2)",
        ("customer_key",),
        ("trusted/customers", "trusted/orders", "raw/customers", "raw/orders"),
        Column(
            "customer_key",
            BIGINT,
            "hash of customer_unique_id and valid_from; -1 is the unknown person",
            required=True,
        ),
        Column("customer_unique_id", comment="the person"),
        Column("zip_code_prefix", comment="first five digits of the zip code"),
        Column("city", comment="city as the customer wrote it"),
        Column("state", comment="two-letter code of the state"),
        _location_key(of="the person"),
        Column("valid_from", TIMESTAMP, "first instant of the period (UTC)"),
        Column("valid_to", TIMESTAMP, "first instant after the period (UTC); null: it still holds"),
        Column("is_current", BOOLEAN, "the period still holds"),
        dimension=True,
    ),
)

_FACTS = (
    _refined(
        "fact_orders",
        "an order",
        ("order_id",),
        (
            "trusted/orders",
            "trusted/customers",
            "trusted/order_items",
            "trusted/order_payments",
            "trusted/order_reviews",
            "refined/dim_customers",
        ),
        _ORDER_ID,
        _CUSTOMER_KEY,
        _location_key(),
        _PURCHASE_DATE_KEY,
        _ORDER_STATUS,
        _PURCHASED_AT,
        Column("order_approved_at", TIMESTAMP, "when the payment was approved (UTC)"),
        Column("order_delivered_carrier_date", TIMESTAMP, "when the carrier took it (UTC)"),
        Column("order_delivered_customer_date", TIMESTAMP, "when the customer had it (UTC)"),
        Column("order_estimated_delivery_date", TIMESTAMP, "delivery date promised at purchase (UTC)"),
        Column("approval_hours", DOUBLE, "hours from purchase to approval"),
        Column("delivery_days", DOUBLE, "days from purchase to delivery"),
        Column("estimated_days", DOUBLE, "days from purchase to the promised date"),
        Column("delay_days", DOUBLE, "days from the promised date to delivery; negative: early"),
        Column("is_late", BOOLEAN, "delivered after the promised date; null until delivered"),
        _count("items", "items"),
        _count("products", "different products"),
        _count("sellers", "different sellers"),
        _sum("items_value", "sum of the items' prices"),
        _sum("freight_value", "sum of the items' freight"),
        _sum("order_value", "items_value + freight_value"),
        _count("payments", "payments"),
        _sum("payment_value", "sum of the payments"),
        Column("review_score", INT, "score of the newest answer, 1 to 5"),
        _ORDER_MONTH,
        partition="order_month",
    ),
    _refined(
        "fact_order_items",
        "an item of an order",
        ("order_id", "order_item_id"),
        (
            "trusted/order_items",
            "trusted/orders",
            "refined/fact_orders",
            "refined/dim_products",
            "refined/dim_sellers",
        ),
        _ORDER_ID,
        Column("order_item_id", INT, "position in the order, from 1", required=True),
        Column("product_key", BIGINT, "the product; -1 while it is not known", required=True),
        Column("seller_key", BIGINT, "the seller; -1 while it is not known", required=True),
        _location_key("seller_location_key", of="the seller"),
        _CUSTOMER_KEY,
        _location_key(),
        _PURCHASE_DATE_KEY,
        _ORDER_STATUS,
        _PURCHASED_AT,
        Column("price", MONEY, "price of the item in BRL", required=True),
        Column("freight_value", MONEY, "freight of the item in BRL", required=True),
        _ORDER_MONTH,
        partition="order_month",
    ),
    _refined(
        "fact_payments",
        "a payment of an order",
        ("order_id", "payment_sequential"),
        ("trusted/order_payments", "trusted/orders", "refined/fact_orders"),
        _ORDER_ID,
        Column("payment_sequential", INT, "number of the payment within the order", required=True),
        _CUSTOMER_KEY,
        _PURCHASE_DATE_KEY,
        Column("payment_type", comment="means of payment", required=True),
        Column("payment_installments", INT, "number of instalments"),
        Column("payment_value", MONEY, "amount paid in BRL", required=True),
        _ORDER_MONTH,
        partition="order_month",
    ),
    _refined(
        "fact_reviews",
        "a review of an order",
        ("review_id", "order_id"),
        ("trusted/order_reviews", "trusted/orders", "refined/fact_orders"),
        Column("review_id", comment="the review", required=True),
        _ORDER_ID,
        _CUSTOMER_KEY,
        _PURCHASE_DATE_KEY,
        Column("review_score", INT, "from 1 (worst) to 5 (best)", required=True),
        Column("has_comment", BOOLEAN, "it has a message", required=True),
        Column("review_creation_date", TIMESTAMP, "when the survey was sent (UTC)"),
        Column("review_answer_timestamp", TIMESTAMP, "when it was answered (UTC)"),
        Column("answer_hours", DOUBLE, "hours from the survey to the answer"),
        _ORDER_MONTH,
        partition="order_month",
    ),
)

_AGGREGATES = (
    _refined(
        "aggregate_sales_performance_by_city",
        "a city that customers live in; sales only",
        ("state", "city"),
        ("refined/fact_orders", "refined/dim_customers"),
        Column("state", comment="two-letter code of the customer's state at the purchase"),
        Column("city", comment="the customer's city at the purchase"),
        _count("orders", "orders"),
        _count("customers", "different people"),
        _count("items", "items"),
        _sum("revenue", "sum of the items' prices"),
        _sum("freight", "sum of the items' freight"),
        _average("average_ticket", "revenue / orders"),
        _average("average_freight", "freight / orders"),
        Column("average_review_score", DOUBLE, "mean score of the orders that have one"),
        _LATE_SHARE,
        daily=False,
    ),
    _refined(
        "aggregate_sales_per_month",
        "a month; sales only",
        ("order_month",),
        ("refined/fact_orders", "refined/dim_customers"),
        _ORDER_MONTH,
        _count("orders", "orders"),
        _count("customers", "different people"),
        _count("new_customers", "people whose first sale it is"),
        _count("items", "items"),
        _sum("revenue", "sum of the items' prices"),
        _sum("freight", "sum of the items' freight"),
        _sum("payment_value", "sum of the payments"),
        _average("average_ticket", "revenue / orders"),
        _count("delivered", "orders that were delivered"),
        _LATE_SHARE,
        daily=False,
    ),
    _refined(
        "aggregate_payments_per_month",
        "a month and a means of payment; all orders",
        ("order_month", "payment_type"),
        ("refined/fact_payments",),
        _ORDER_MONTH,
        Column("payment_type", comment="means of payment", required=True),
        _count("payments", "payments"),
        _count("orders", "different orders"),
        _sum("payment_value", "sum of the payments"),
        Column("average_installments", DOUBLE, "mean number of instalments"),
        daily=False,
    ),
    _refined(
        "aggregate_orders_per_day",
        "a day of purchase and a customer's state; sales only",
        ("purchase_date", "customer_state"),
        ("refined/fact_orders", "refined/dim_customers"),
        Column("purchase_date", DATE, "day of the purchase (UTC)", required=True),
        Column("customer_state", comment="two-letter code of the customer's state at the purchase"),
        _count("orders", "orders"),
        _sum("revenue", "sum of the items' prices"),
        _sum("freight", "sum of the items' freight"),
        daily=False,
    ),
)

# --- All of them ---------------------------------------------------------------------------------------------------

TABLES: dict[str, TableSpec] = {
    table.id: table
    for table in (
        *(raw for raw, _, _ in _SOURCES),
        *(trusted for _, trusted, _ in _SOURCES),
        *(quarantine for _, _, quarantine in _SOURCES),
        *_DIMENSIONS,
        *_FACTS,
        *_AGGREGATES,
    )
}
"""Every table by its id, such as `trusted/orders`: sources before what is made from them."""


def tables_in(layer: Layer) -> tuple[TableSpec, ...]:
    """The tables of a layer, in the order of their declaration."""
    return tuple(table for table in TABLES.values() if table.layer == layer)
