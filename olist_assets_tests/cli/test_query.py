"""`olist sql`: statements, parameters, times and formats."""

import csv
import io
import json
from pathlib import Path

import pytest


def test_sql_prints_all_formats(loaded):
    query = "select count(*) as orders, count(*) filter (customer_key = -1) as unknown from refined.fact_orders"
    assert loaded.sql(query) == [{"orders": "400", "unknown": "0"}]
    assert json.loads(loaded("sql", query, "--format", "json")) == [{"orders": 400, "unknown": 0}]
    assert [line.split() for line in loaded("sql", query).splitlines()] == [
        ["orders", "unknown"],
        ["400", "0"],
        ["(1", "row)"],
    ]
    assert loaded("sql", query, "--format", "markdown") == "| orders | unknown |\n| --: | --: |\n| 400 | 0 |\n"


def test_sql_reads_a_statement_from_a_file_and_from_standard_input(loaded, tmp_path):
    query = "select count(*) as orders from fact_orders"
    file = tmp_path / "question.sql"
    file.write_text(f"-- how many?\n{query}")
    assert loaded("sql", "--file", f"{file}", "--format", "csv") == "orders\n400\n"
    for arguments in (("sql",), ("sql", "-f", "-")):
        assert loaded(*arguments, "--format", "csv", stdin=query) == "orders\n400\n"


def test_sql_in_a_process_reads_its_standard_input(loaded):
    process = loaded.start("sql", "--format", "csv")
    output, errors = process.communicate("select count(*) as orders from fact_orders", timeout=60)
    assert (process.returncode, output, errors) == (0, "orders\n400\n", "")


def test_sql_takes_parameters_and_a_time(loaded):
    query = "select count(*) as n from fact_orders where order_status = $status and items >= $items"
    [delivered] = loaded.sql("select count(*) as n from trusted.orders where order_status = 'delivered'")
    assert loaded("sql", query, "-p", "status=delivered", "--param", "items=0", "--format", "csv") == (
        f"n\n{delivered['n']}\n"
    )
    assert loaded("sql", query, "-p", "items=0", "-p", "status=x' or 'a=b", "--format", "csv") == "n\n0\n"
    assert loaded("sql", "--as-of", "2118-01-01", "select 1 as n from fact_orders limit 1").split()[:2] == ["n", "1"]


@pytest.mark.parametrize(
    ("time", "end"),
    [("2018-05-10", "23:59:59"), ("2018-05-10T12:00", "12:00:00"), ("2018-05-10T12:00-03:00", "15:00:00")],
)
def test_a_time_before_the_table_existed_is_a_one_line_error(loaded, time, end):
    error = loaded("sql", "--as-of", time, "from fact_orders", fails=1)
    assert error.startswith(f"error: refined.fact_orders did not exist at 2018-05-10 {end} UTC: it was created at ")
    assert error.count("\n") == 1


def test_brackets_in_data_are_data(loaded):
    lines = loaded("sql", "select '[red]x[/y]' as \"[bold]c\"").splitlines()
    assert [line.strip() for line in lines] == ["[bold]c", "[red]x[/y]", "(1 row)"]


@pytest.mark.parametrize("options", [(), ("--format", "csv")])
def test_a_reader_that_closes_the_pipe_is_no_error(loaded, options):
    process = loaded.start("sql", "select * from raw.orders", *options)
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_the_demos_headline_figures_agree_with_trusted(loaded):
    headline = Path(__file__).parents[2] / "docs/questions/headline.sql"
    answer = loaded("sql", "-f", f"{headline}", "--format", "csv")
    figures = {row["figure"]: row["count"] for row in csv.DictReader(io.StringIO(answer))}
    [trusted] = loaded.sql(
        "select (select count(*) from trusted.orders) orders, (select count(*) from trusted.order_items) items, "
        "(select count(*) from trusted.order_payments) payments, (select count(*) from trusted.order_reviews) reviews, "
        "(select count(distinct customer_unique_id) from trusted.customers) people"
    )
    assert {name: figures[name] for name in trusted} == trusted
