{# A test: no two rows have the same values in these columns. #}
{% test unique_key(model, columns) %}
  select {{ columns | join(", ") }} from {{ model }} group by all having count(*) > 1
{% endtest %}
