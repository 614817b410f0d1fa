"""The baseline's SQL of the refined tables, in DuckDB's dialect: the models of `dbt_project` over its own tables."""

from pathlib import Path

from jinja2 import Environment, StrictUndefined

from spark_steps.declarations import Layer
from spark_steps.tables import tables_in

MACROS = (
    # the usual form in a tenth of the time; DuckDB ignores the offsets of other forms
    """CREATE MACRO utc_time(t) AS CASE
      WHEN length(t) = 19 AND t[17] = ':' THEN TRY_CAST(t AS TIMESTAMP)
      ELSE TRY_CAST(regexp_extract(t, '^\\s*([0-9-]{10}([ T][0-9:.]+)?)\\s*(UTC|Z|[+-][0-9:]+)?\\s*$', 1) AS TIMESTAMP)
        - to_minutes(coalesce(TRY_CAST(regexp_extract(t, ':.*([+-][0-9]{2})', 1) AS INTEGER) * 60, 0)
          + coalesce(TRY_CAST(regexp_replace(t, '^.*:.*([+-])[0-9]{2}:?([0-9]{2})\\s*$', '\\1\\2') AS INTEGER), 0))
      END""",
    "CREATE MACRO hash60(t) AS ('0x' || substr(sha256(t), 1, 15))::BIGINT",
)

_PROJECT = Path(__file__).with_name("dbt_project")
_REFINED = {table.name for table in tables_in(Layer.REFINED)}


def refined_queries() -> dict[str, str]:
    """The query of each refined table by its name, each after those that it reads. Tables are `<layer>.<name>`."""
    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 - SQL
    macros = (_PROJECT / "macros" / "star.sql").read_text()
    models = {table.name: _PROJECT / "models" / "refined" / f"{table.name}.sql" for table in tables_in(Layer.REFINED)}
    return {
        name: environment.from_string(macros + model.read_text()).render(ref=_table_name)
        for name, model in models.items()
    }


def _table_name(model: str) -> str:
    return f"{Layer.REFINED if model in _REFINED else Layer.TRUSTED}.{model}"
