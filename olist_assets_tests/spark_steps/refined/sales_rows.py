"""Sales in few words, as rows of fact_orders and dim_customers: what the tests of the aggregates share."""

from olist_assets_tests.spark_steps.refined.refined_rows import UNKNOWN_CUSTOMER, arrived

JANUARY, FEBRUARY, MARCH = "2018-01-10 12:00:00", "2018-02-10 12:00:00", "2018-03-10 12:00:00"
SAO_PAULO = {"zip_code_prefix": "01001", "city": "sao paulo", "state": "SP"}
RIO = {"zip_code_prefix": "20001", "city": "rio de janeiro", "state": "RJ"}

LATE = {"order_delivered_customer_date": "2018-04-02 00:00:00", "is_late": True}
IN_TIME = {"order_delivered_customer_date": "2018-04-01 00:00:00", "is_late": False}
NEVER_PROMISED = {"order_delivered_customer_date": "2018-04-01 00:00:00", "is_late": None}

NOTHING_IN_SAO_PAULO = {
    "state": "SP",
    "city": "sao paulo",
    "orders": 1,
    "customers": 1,
    "items": 0,
    "revenue": "0.00",
    "freight": "0.00",
    "average_ticket": "0.00",
    "average_freight": "0.00",
    "average_review_score": None,
    "late_share": None,
}
"""The row of one order from there without items, reviews and delivery."""

NOTHING_IN_JANUARY = {
    "order_month": "2018-01",
    "orders": 1,
    "customers": 1,
    "new_customers": 1,
    "items": 0,
    "revenue": "0.00",
    "freight": "0.00",
    "payment_value": "0.00",
    "average_ticket": "0.00",
    "delivered": 0,
    "late_share": None,
}
"""The row of one order, the first of its person, without items, payments and delivery."""


def sell(lake, *orders):
    """Write orders o1, o2, ... as (person, purchase time, values), and a period of the person for each.

    The values are columns of fact_orders, or of the person's address at that time, by default in Sao Paulo.
    """
    facts, periods = [], {-1: UNKNOWN_CUSTOMER}
    for number, (person, purchased, values) in enumerate(orders, 1):
        address = SAO_PAULO | {name: values[name] for name in SAO_PAULO if name in values}
        facts.append(arrived(f"o{number}", person, purchased, **{c: values[c] for c in values if c not in SAO_PAULO}))
        key = facts[-1]["customer_key"]
        if person:
            names = {"customer_key": key, "customer_unique_id": person, "location_key": facts[-1]["location_key"]}
            periods[key] = names | address | {"valid_from": purchased, "is_current": True}
    lake.rows("refined/fact_orders", *facts)
    lake.rows("refined/dim_customers", *periods.values())


def worth(items_value, freight_value="0.00", *, items=1, **more):
    """The values of an order with this number of items."""
    return {"items": items, "items_value": items_value, "freight_value": freight_value} | more


def city_row(city, state, **values):
    return NOTHING_IN_SAO_PAULO | {"city": city, "state": state} | values


def month_row(order_month, **values):
    return NOTHING_IN_JANUARY | {"order_month": order_month} | values
