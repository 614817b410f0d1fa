"""All tables of the lakehouse, by id and by layer. Their declarations are in source_tables.py and in refined/."""

from spark_steps.declarations import Layer, TableSpec
from spark_steps.refined import MODELS
from spark_steps.source_tables import SOURCES

TABLES: dict[str, TableSpec] = {
    table.id: table
    for table in (
        *(source.raw for source in SOURCES),
        *(source.trusted for source in SOURCES),
        *(source.quarantine for source in SOURCES),
        *(model.table for model in MODELS.values()),
    )
}
"""Every table by its id, such as `trusted/orders`: tables before those that are computed from them."""


def tables_in(layer: Layer) -> tuple[TableSpec, ...]:
    """The tables of a layer, in the order of their declaration."""
    return tuple(table for table in TABLES.values() if table.layer == layer)
