{# The rows of a delivered file as texts, each with its position. #}
{% macro raw(name) -%}
  select *, row_number() over () - 1 as _row from {{ source("delivery", name) }}
{%- endmacro %}
