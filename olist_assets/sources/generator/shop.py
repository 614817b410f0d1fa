"""A generated shop: what rows depend on besides their number, and the tables of products and sellers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from olist_assets.sources.generator import distributions
from olist_assets.sources.generator.places import Places
from olist_assets.sources.generator.random_columns import Draw, Ints, choose

ORDERS_PER_PRODUCT = 3
_ORDERS_PER_SELLER = 32
_NO_CATEGORY_EVERY = 50  # one product in 50 has no category, name length, description length and photos


@dataclass(frozen=True)
class Shop(Draw):
    """The random values of a shop, and the number of its orders, products and sellers."""

    orders: int
    days: int

    @property
    def products(self) -> int:
        """The number of products."""
        return max(10, self.orders // ORDERS_PER_PRODUCT)

    @property
    def sellers(self) -> int:
        """The number of sellers."""
        return max(5, self.orders // _ORDERS_PER_SELLER)

    @cached_property
    def places(self) -> Places:
        """The places of people and sellers."""
        return Places(self, max(50, min(19_000, self.orders // 5)))

    def seller_for(self, product: Ints) -> Ints:
        """The seller of each product. At intervals the next seller in turn gets one, so that each has a product."""
        turn, rest = np.divmod(product, self.products // self.sellers)
        return np.where(rest == 0, turn % self.sellers, self.below("seller", product, self.sellers, skew=2))


def products_table(shop: Shop, product: Ints) -> pa.Table:
    """The products with these numbers: some without category and description, one without measures."""
    names = list(distributions.CATEGORIES)
    category = np.where(product < len(names), product, shop.below("category", product, len(names), skew=2))
    unknown = product % _NO_CATEGORY_EVERY == _NO_CATEGORY_EVERY // 7
    unmeasured = product == shop.products // 2
    columns = {"product_id": shop.ids("product", product), "product_category_name": choose(names, category, unknown)}
    for name, quantiles in distributions.PRODUCT_DESCRIPTION.items():
        columns[name] = pa.array(shop.whole(name, product, quantiles), mask=unknown)
    for name, quantiles in distributions.PRODUCT_MEASURES.items():
        columns[name] = pa.array(shop.whole(name, product, quantiles), mask=unmeasured)
    return pa.table(columns)


def sellers_table(shop: Shop, seller: Ints) -> pa.Table:
    """The sellers with these numbers."""
    prefix = shop.places.pick("shop", seller)
    zips, cities, states = shop.places.columns(prefix, shop.chance("shop town", seller, 0.03))
    return pa.table(
        {
            "seller_id": shop.ids("seller", seller),
            "seller_zip_code_prefix": zips,
            "seller_city": cities,
            "seller_state": states,
        }
    )
