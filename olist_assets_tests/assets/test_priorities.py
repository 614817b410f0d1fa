"""Of the steps that are ready, the one with the longest chain of steps after it starts first."""

from olist_assets.assets.priorities import priority_tags
from olist_assets_tests.lakes import ASSETS


def test_a_step_has_a_higher_priority_than_all_steps_after_it():
    priorities = {"/".join(asset.key.path): int(asset.op.tags.get("dagster/priority", 0)) for asset in ASSETS}
    for asset in ASSETS:
        for upstream in asset.dependency_keys:
            assert priorities["/".join(upstream.path)] > priorities["/".join(asset.key.path)] or (
                asset.key.path[0] == "serving"
            )


def test_orders_go_before_products_and_geolocation():
    names = ("orders", "products", "geolocation")
    assert [priority_tags(f"landzone/{name}")["dagster/priority"] for name in names] == ["6", "4", "3"]
