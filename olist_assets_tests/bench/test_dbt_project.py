"""The dbt project of the benchmark has the product's tables and its version of DuckDB."""

from importlib.metadata import version
from pathlib import Path

import pytest

from bench import dbt
from spark_steps.declarations import Layer
from spark_steps.tables import tables_in

MODELS = Path(dbt.__file__).with_name("dbt_project") / "models"


@pytest.mark.parametrize(("layer", "prefix"), [(Layer.RAW, "raw_"), (Layer.TRUSTED, ""), (Layer.REFINED, "")])
def test_each_table_has_a_model(layer, prefix):
    models = {path.stem for path in (MODELS / layer).glob("*.sql")}
    assert models == {prefix + table.name for table in tables_in(layer)}


def test_duckdb_is_the_products_version(tmp_path):
    assert dbt.DbtProject(tmp_path, tmp_path).versions["duckdb"] == version("duckdb")
