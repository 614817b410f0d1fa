"""The assets: one a table, made from the declarations, and what is served of them."""

from olist_assets.assets.landzone import landzone_assets
from olist_assets.assets.raw import raw_assets
from olist_assets.assets.refined import refined_assets
from olist_assets.assets.report import serving_assets
from olist_assets.assets.trusted import trusted_assets

all_assets = (*landzone_assets, *raw_assets, *trusted_assets, *refined_assets, *serving_assets)
"""The whole lineage, upstream first."""
