{# The first 60 bits of a text's SHA-256: the surrogate key of a natural key. #}
{% macro surrogate_key(text) -%}
  ('0x' || substr(sha256({{ text }}), 1, 15))::bigint
{%- endmacro %}

{% macro date_key(day) -%}
  year({{ day }}) * 10000 + month({{ day }}) * 100 + day({{ day }})
{%- endmacro %}

{% macro hours(earlier, later) -%}
  (epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1000000.0::double / 3600.0::double
{%- endmacro %}

{% macro days(earlier, later) -%}
  (epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1000000.0::double / 86400.0::double
{%- endmacro %}

{# A total divided by a number, half up in whole cents. #}
{% macro average(total, number) -%}
  ((2 * ({{ total }} * 100)::bigint + {{ number }}) // (2 * {{ number }}))::decimal(18, 0) * 0.01::decimal(3, 2)
{%- endmacro %}

{% macro late_share() -%}
  count_if(is_late) / nullif(count(order_delivered_customer_date), 0)::double
{%- endmacro %}

{% macro sales() -%}
  select o.*, d.customer_unique_id, d.city, d.state
  from {{ ref("fact_orders") }} o
  join {{ ref("dim_customers") }} d using (customer_key)
  where coalesce(order_status, '') not in ('canceled', 'unavailable')
{%- endmacro %}
