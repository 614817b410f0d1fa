"""A Spark application that overwrites one Delta table: `spark-submit spark_submit_job.py TABLE DELIVERY LAKE`.

It prints the seconds from the start of its session to its end.
"""

import sys
import time
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import monotonically_increasing_id

from spark_steps.declarations import Column, Layer, TableSpec, Text
from spark_steps.expressions import stripped
from spark_steps.refined import MODELS
from spark_steps.tables import TABLES


def write_table(spark: SparkSession, table: TableSpec, delivery: Path, lake: Path) -> None:
    """Compute the table from the delivered file, or from the tables that it is computed from, and overwrite it."""
    match table.layer:
        case Layer.RAW:
            rows = _raw(spark, table, delivery)
        case Layer.TRUSTED:
            rows = _trusted(spark, table, lake)
        case _:
            rows = _refined(spark, table, lake)
    partitions = [table.partition] if table.partition in rows.columns else []
    rows.write.format("delta").mode("overwrite").partitionBy(*partitions).save(str(lake / table.id))


def _raw(spark: SparkSession, table: TableSpec, delivery: Path) -> DataFrame:
    """The rows of the file as texts, each with its position."""
    files = f"{delivery}/{table.file_stem}*.csv"
    rows = spark.read.csv(files, header=True, multiLine=True, quote='"', escape='"')
    return rows.select(*(column.source_name for column in table.value_columns)).withColumn(
        "_row", monotonically_increasing_id()
    )


def _trusted(spark: SparkSession, table: TableSpec, lake: Path) -> DataFrame:
    """The typed rows: of each key the last one in the file."""
    _read(spark, f"raw/{table.name}", lake).createOrReplaceTempView("texts")
    values = ", ".join(f"{_value(column)} AS {column.name}" for column in table.value_columns)
    derived = "".join(f", {column.derived} AS {column.name}" for column in table.columns if column.derived)
    names = ", ".join(column.name for column in table.value_columns)
    return spark.sql(f"""
        SELECT {names}{derived} FROM (
          SELECT *, row_number() OVER (PARTITION BY {", ".join(table.key)} ORDER BY _row DESC) AS rank
          FROM (SELECT {values}, _row FROM texts)
        ) WHERE rank = 1
    """)


def _value(column: Column) -> str:
    """SQL of the column's value from its text; null if the text is blank."""
    text, is_id = column.source_name, column.text is Text.ID
    if column.type != "string":
        return f"CAST(nullif(trim({text}), '') AS {column.type})" + (" + 0.0D" if column.type == "double" else "")
    value = f"CASE WHEN {stripped(text)} <> '' THEN {stripped(text) if is_id else text} END"
    return column.clean.format(value=value) if column.clean else value


def _refined(spark: SparkSession, table: TableSpec, lake: Path) -> DataFrame:
    """The rows of the table's query in the declared types, and a dimension's row for the unknown member."""
    for upstream in table.upstreams:
        if TABLES[upstream].layer is not Layer.RAW:
            _read(spark, upstream, lake).createOrReplaceTempView(TABLES[upstream].name)
    rows = spark.sql(MODELS[table.id].query)
    if table.dimension:
        keys = ", ".join(f"-1 AS {column.name}" for column in table.columns if column.required)
        rows = rows.unionByName(spark.sql(f"SELECT {keys}"), allowMissingColumns=True)
    return rows.selectExpr(*(f"CAST({column.name} AS {column.type}) AS {column.name}" for column in table.columns))


def _read(spark: SparkSession, table_id: str, lake: Path) -> DataFrame:
    return spark.read.format("delta").load(str(lake / table_id))


def main() -> None:
    """Write the table that the arguments name, and print the seconds of work."""
    table_id, delivery, lake = sys.argv[1:]
    spark = SparkSession.builder.getOrCreate()
    started = time.perf_counter()
    write_table(spark, TABLES[table_id], Path(delivery), Path(lake))
    sys.stdout.write(f"{time.perf_counter() - started:.3f}\n")
    spark.stop()


if __name__ == "__main__":
    main()
