{# Texts of a file. Blank ones are null; ids are stripped; zip prefixes have five digits. #}
{% macro text(column) -%}
  case when trim({{ column }}) <> '' then {{ column }} end
{%- endmacro %}

{% macro id(column) -%}
  nullif(trim({{ column }}), '')
{%- endmacro %}

{% macro zip_code(column) -%}
  lpad({{ id(column) }}, 5, '0')
{%- endmacro %}

{% macro newest_row(key) -%}
  qualify row_number() over (partition by {{ key }} order by _row desc) = 1
{%- endmacro %}
