{# Texts of a file. Those of white space only are null; ids are stripped; zip prefixes have five digits. #}
{% macro stripped(column) -%}
  trim({{ column }}, e' \t\r\n')
{%- endmacro %}

{% macro text(column) -%}
  case when {{ stripped(column) }} <> '' then {{ column }} end
{%- endmacro %}

{% macro id(column) -%}
  nullif({{ stripped(column) }}, '')
{%- endmacro %}

{% macro zip_code(column) -%}
  lpad({{ id(column) }}, 5, '0')
{%- endmacro %}

{% macro newest_row(key) -%}
  qualify row_number() over (partition by {{ key }} order by _row desc) = 1
{%- endmacro %}
