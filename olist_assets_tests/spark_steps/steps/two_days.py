"""Two days of deliveries for tests that compare lakes: the second corrects orders of the first and adds others."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from graphlib import TopologicalSorter

from spark_steps.declarations import Layer
from spark_steps.protocol import Window
from spark_steps.tables import TABLES

FIRST, SECOND = date(2018, 5, 10), date(2018, 5, 11)
BOTH = Window(FIRST, date(2018, 5, 12))

_ORDER = "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date"
_ORDER += ",order_delivered_customer_date,order_estimated_delivery_date\n"
_CUSTOMER = "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state\n"
_ITEM = "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value\n"
_SELLER = "seller_id,seller_zip_code_prefix,seller_city,seller_state\n"

DELIVERIES = {
    FIRST: {
        "orders": _ORDER
        + "o1,c1,created,2018-05-10 10:00:00,,,,\no2,c2,shipped,2018-04-10 10:00:00,,,,\n,c3,created,late,,,,\n",
        "customers": _CUSTOMER + "c1,ana,1001,rio,RJ\nc2,bia,2001,campinas,SP\nc1,ana,1001,rio de janeiro,RJ\n",
        "order_items": _ITEM + "o1,1,p1,s1,,10.00,1.00\no1,2,p2,s1,,20.00,1.005\no2,1,p1,s9,,x,1.00\n",
        "sellers": _SELLER + "s1,1001,rio,RJ\n",
    },
    SECOND: {
        "orders": _ORDER
        + "o1,c1,delivered,2018-06-01 10:00:00,,,2018-06-09 10:00:00,\no3,c3,created,2018-05-11 10:00:00,,,,\n",
        "customers": _CUSTOMER + "c2,ana,2001,campinas,SP\nc3,caio,1001,rio,RJ\n",
        "order_items": _ITEM + "o3,1,p1,s1,,5.00,1.00\no1,1,p1,s2,,11.00,1.00\n",
        "sellers": _SELLER + "s1,3001,santos,SP\ns2,1001,rio,RJ\n",
    },
}


def load(lake, *days, threads=1, **options):
    """Run all steps for each of these days, independent steps at the same time if there are several threads."""
    graph = {table.id: [i for i in table.upstreams if i in TABLES] for table in TABLES.values()}
    with ThreadPoolExecutor(threads) as pool:
        for day in days:
            order = TopologicalSorter({name: ups for name, ups in graph.items() if not name.startswith("quarantine/")})
            order.prepare()
            while order.is_active():
                ready = order.get_ready()
                list(pool.map(lambda name, day=day: run(lake, name, day, **options), ready))
                order.done(*ready)


def run(lake, table_id, day, **options):
    """Run the step of a table with its delivery of a day."""
    table = TABLES[table_id]
    content = DELIVERIES[day].get(table.name) if table.layer is Layer.RAW else None
    extracted_at = f"{day} 03:00:00"
    files = [lake.file(f"{table.file_stem}.csv", content, day=day, extracted_at=extracted_at)] if content else []
    return lake.run(table_id, day=day, files=files, **options)


def content(lake):
    """All rows of all tables."""
    return {table_id: lake.read(table_id) for table_id in TABLES}
