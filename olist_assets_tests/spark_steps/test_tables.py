"""Every declaration is complete: it is listed, its inputs exist, and it says how a run updates the table."""

import pkgutil
from dataclasses import replace
from importlib import import_module

import pytest

from spark_steps import refined
from spark_steps.declarations import Layer, RefinedTable
from spark_steps.refined import MODELS, dim_date, dim_sellers
from spark_steps.tables import TABLES, tables_in


def test_every_refined_module_with_a_model_is_listed():
    modules = [import_module(f"spark_steps.refined.{module.name}") for module in pkgutil.iter_modules(refined.__path__)]
    models = [module.MODEL for module in modules if hasattr(module, "MODEL")]
    assert sorted(model.table.id for model in models) == sorted(MODELS)


def test_a_refined_module_is_named_like_its_table():
    for model in MODELS.values():
        assert import_module(f"spark_steps.refined.{model.table.name}").MODEL is model


def test_tables_are_listed_after_the_tables_that_they_are_computed_from():
    position = {table_id: n for n, table_id in enumerate(TABLES)}
    for table in TABLES.values():
        upstreams = [name for name in table.upstreams if not name.startswith("landzone/")]
        assert all(position[name] < position[table.id] for name in upstreams), table.id


def test_every_source_has_a_raw_a_trusted_and_a_quarantine_table():
    names = {layer: [table.name for table in tables_in(layer)] for layer in Layer}
    assert len(names[Layer.RAW]) == 9
    assert names[Layer.RAW] == names[Layer.TRUSTED] == names[Layer.QUARANTINE]


def test_an_increment_filters_inputs_of_its_table_by_columns_that_they_have():
    for model in MODELS.values():
        inputs = {name.split("/")[1]: TABLES[name] for name in model.table.upstreams if not name.startswith("raw/")}
        if model.increment:
            assert model.increment.key in model.table.column_names
            for name, column in model.increment.filtered_inputs.items():
                assert column in inputs[name].column_names, (model.table.id, name)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(RefinedTable(dim_date.TABLE, dim_date.QUERY), id="full refresh, no increment"),
        pytest.param(RefinedTable(dim_sellers.TABLE, dim_sellers.QUERY, dim_sellers.INCREMENT), id="increment"),
    ],
)
def test_a_refined_table_has_either_an_increment_or_a_full_refresh(model):
    other = dim_sellers.INCREMENT if model.increment is None else None
    with pytest.raises(ValueError, match=f"{model.table.id}: a table has either an increment or a full refresh"):
        replace(model, increment=other)
