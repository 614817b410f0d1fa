"""Ids with white space around them refer to the same rows as ids without it, in facts and in increments."""

from datetime import date

from olist_assets_tests.spark_steps.refined.refined_rows import arrived
from olist_assets_tests.spark_steps.steps.trusted.trusted_rows import CUSTOMERS, ORDERS, PAYMENTS, SELLERS

MAY_11 = date(2018, 5, 11)


def test_a_padded_id_finds_its_order(sail_lake):
    sail_lake.rows("refined/fact_orders", arrived("o1"))
    sail_lake.load("order_payments", PAYMENTS + "o1\u00a0 ,1,boleto,1,12\n")
    [check] = sail_lake.run("refined/fact_payments").checks
    assert check.failed_rows == 0
    assert sail_lake.read("refined/fact_payments", "order_id", "payment_value") == [
        {"order_id": "o1", "payment_value": "12.00"}
    ]


def test_a_person_whose_padded_row_moves_to_another_person_loses_its_period(sail_lake):
    sail_lake.load("customers", CUSTOMERS + "c1 ,ana\u00a0,1001,a,SP\n")
    sail_lake.load("orders", ORDERS + "o1,c1,created,2018-05-01 10:00:00,,,,\n")
    sail_lake.run("refined/dim_customers")
    people = [{"customer_unique_id": None}, {"customer_unique_id": "ana"}]
    assert sail_lake.read("refined/dim_customers", "customer_unique_id") == people
    sail_lake.load("customers", CUSTOMERS + "c1,bia,1001,a,SP\n", day=MAY_11, extracted_at="2018-05-11 03:00:00")
    sail_lake.run("refined/dim_customers", day=MAY_11)
    people = [{"customer_unique_id": None}, {"customer_unique_id": "bia"}]
    assert sail_lake.read("refined/dim_customers", "customer_unique_id") == people


def test_a_padded_zip_prefix_that_a_seller_leaves_is_dropped(sail_lake):
    sail_lake.load("sellers", SELLERS + " s1,\u00a01001 ,a,SP\n")
    sail_lake.run("refined/dim_location")
    sail_lake.load("sellers", SELLERS + "s1,2002,a,SP\n", day=MAY_11, extracted_at="2018-05-11 03:00:00")
    sail_lake.run("refined/dim_location", day=MAY_11)
    assert sail_lake.read("refined/dim_location", "zip_code_prefix") == [
        {"zip_code_prefix": None},
        {"zip_code_prefix": "02002"},
    ]
