"""Generated sales: orders with their customers, items, payments and reviews."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import compute

from olist_assets.sources.generator import distributions
from olist_assets.sources.generator.random_columns import (
    SECONDS_OF_DAY,
    Flags,
    Ints,
    Times,
    choose,
    expand,
    interpolate,
    midnight,
    money,
    seconds,
    starts,
)
from olist_assets.sources.generator.shop import ORDERS_PER_PRODUCT, Shop
from spark_steps.columns import PAYMENT_TYPES

_STATUS_NAMES = [status.name for status in distributions.STATUSES]
_STATUS_WEIGHTS = [status.percent for status in distributions.STATUSES]
_APPROVED = np.array([status.approved for status in distributions.STATUSES])
_SHIPPED = np.array([status.shipped for status in distributions.STATUSES])
_DELIVERED = np.array([status.delivered for status in distributions.STATUSES])
_WITHOUT_ITEMS = np.array([status.without_items for status in distributions.STATUSES])
_DELIVERED_STATUS = _STATUS_NAMES.index("delivered")
_CREATED_STATUS = _STATUS_NAMES.index("created")
_TITLES = distributions.PLEASED_TITLES + distributions.DISPLEASED_TITLES
_PHRASES = distributions.PLEASED_PHRASES + distributions.DISPLEASED_PHRASES
_CREDIT_CARD = PAYMENT_TYPES.index("credit_card")
_VOUCHER = PAYMENT_TYPES.index("voucher")
_NOT_DEFINED = PAYMENT_TYPES.index("not_defined")

_STATUS_EVERY = 210  # order 211, 421, ... 1471 has status 1, 2, ... 7; none of them is a product's first sale
_ODD_EVERY = 4999  # one delivered order in 4999 has no delivery date, and another one no approval
_MAX_CHILDREN = 32  # an order has fewer items and payments: order * _MAX_CHILDREN + number is unique per row
_NEVER = np.datetime64("NaT", "s")


@dataclass(frozen=True)
class Orders:
    """Orders, one array per column; NaT where an order never reached a state."""

    index: Ints
    status: Ints
    items: Ints
    purchase: Times
    approved: Times
    accepted: Times  # the approval, or the purchase of an order that was never approved
    carrier: Times
    delivered: Times
    estimated: Times


def draw_orders(shop: Shop, index: Ints) -> Orders:
    """The orders with these numbers, which increase with the time of purchase."""
    status, items = _status_and_items(shop, index)
    reached, odd = shop.uniform("reached", index), index % _ODD_EVERY
    purchase = _purchase(shop, index)
    approved = purchase + shop.wait("approval", index, distributions.APPROVAL_DAYS)
    approved[(reached >= _APPROVED[status]) | (odd == _ODD_EVERY // 4)] = _NEVER
    accepted: Times = np.where(np.isnat(approved), purchase, approved)
    before_approval = shop.chance("before approval", index, 0.011)
    prepared = accepted + shop.wait("carrier", index, distributions.CARRIER_DAYS)
    carrier: Times = np.where(before_approval, purchase + (accepted - purchase) // 2, prepared)
    carrier[reached >= _SHIPPED[status]] = _NEVER
    planned: Times = carrier + shop.wait("transit", index, distributions.TRANSIT_DAYS)
    slack = shop.value("slack", index, distributions.SLACK_DAYS) * SECONDS_OF_DAY
    delivered: Times = planned + seconds(np.maximum(-slack, 0))
    delivered[(reached >= _DELIVERED[status]) | (odd == _ODD_EVERY // 2)] = _NEVER
    guess = purchase + shop.wait("estimate", index, distributions.ESTIMATE_DAYS)
    promised = np.where(np.isnat(delivered), guess, planned + seconds(np.maximum(slack, 0)))
    estimated = midnight(np.maximum(promised, purchase + np.timedelta64(2, "D")))
    return Orders(index, status, items, purchase, approved, accepted, carrier, delivered, estimated)


def _status_and_items(shop: Shop, index: Ints) -> tuple[Ints, Ints]:
    """Statuses and numbers of items; an order that is the first sale of a product has items."""
    first_sale = index % ORDERS_PER_PRODUCT == 0
    turn, rest = np.divmod(index, _STATUS_EVERY)
    is_fixed = (rest == 1) & (turn < len(_STATUS_NAMES))
    status = np.where(is_fixed, turn, shop.weighted("status", index, _STATUS_WEIGHTS))
    status = np.where(first_sale & (_WITHOUT_ITEMS[status] == 1), _DELIVERED_STATUS, status)
    empty = shop.chance("no items", index, np.where(first_sale, 0, _WITHOUT_ITEMS[status]))
    return status, np.where(empty, 0, 1 + shop.weighted("items", index, distributions.ITEMS))


def _purchase(shop: Shop, index: Ints) -> Times:
    """Purchase times, increasing with the order's number. Orders per day grow from 0.3 to 1.7 times the mean."""
    index = np.where(_twin(shop, index), index - 1, index)
    share = (index + shop.uniform("purchase", index)) / shop.orders
    day = (np.sqrt(0.09 + 2.8 * share) - 0.3) / 1.4 * shop.days  # the inverse of 0.3 x + 0.7 x^2
    whole = np.minimum(day.astype(np.int64), shop.days - 1)
    second = np.minimum(interpolate(day - whole, distributions.SECOND_OF_DAY), SECONDS_OF_DAY - 1)
    return distributions.FIRST_DAY + seconds(whole * SECONDS_OF_DAY + second)


def _repeated(shop: Shop, index: Ints) -> Flags:
    """Whether an order is placed by a person who placed one before."""
    return (index > 0) & shop.chance("repeated", index, 0.033)


def _twin(shop: Shop, index: Ints) -> Flags:
    """Whether an order is placed by the person of the order before, in the same second."""
    return _repeated(shop, index) & shop.chance("twin", index, 0.05)


def _person(shop: Shop, index: Ints) -> Ints:
    """The number of the person's first order."""
    person, again = index.copy(), _repeated(shop, index)
    while again.any():
        later = person[again]
        earlier = shop.below("earlier", later, later)
        # one order in eight finds nearly all followers, so that some people come a third and a fourth time
        person[again] = np.where(_twin(shop, later), later - 1, earlier - earlier % 8)
        again = _repeated(shop, person)
    return person


def orders_table(shop: Shop, orders: Orders) -> pa.Table:
    """The orders as a table."""
    return pa.table(
        {
            "order_id": shop.ids("order", orders.index),
            "customer_id": shop.ids("customer", orders.index),
            "order_status": choose(_STATUS_NAMES, orders.status),
            "order_purchase_timestamp": orders.purchase,
            "order_approved_at": orders.approved,
            "order_delivered_carrier_date": orders.carrier,
            "order_delivered_customer_date": orders.delivered,
            "order_estimated_delivery_date": orders.estimated,
        }
    )


def customers_table(shop: Shop, orders: Orders) -> pa.Table:
    """The customer of each order: a person, at the home of the first order or at another address."""
    person = _person(shop, orders.index)
    other_address = shop.weighted("address", orders.index, (65, 25, 10))
    address = person * 4 + np.where(person == orders.index, 0, other_address)
    prefix = shop.places.pick("home", address)
    zips, cities, states = shop.places.columns(prefix, shop.chance("town", address, 0.01))
    return pa.table(
        {
            "customer_id": shop.ids("customer", orders.index),
            "customer_unique_id": shop.ids("person", person),
            "customer_zip_code_prefix": zips,
            "customer_city": cities,
            "customer_state": states,
        }
    )


def items_table(shop: Shop, orders: Orders) -> tuple[pa.Table, Ints]:
    """The items, and each order's price plus freight in cents."""
    parent, number = expand(orders.items)
    index = orders.index[parent]
    choice = index * _MAX_CHILDREN + np.where(shop.chance("one product", index, 0.7), 0, number)
    owed, rest = np.divmod(index, ORDERS_PER_PRODUCT)
    first_sale = (choice % _MAX_CHILDREN == 0) & (rest == 0) & (owed < shop.products)
    product = np.where(first_sale, owed, shop.below("product", choice, shop.products, skew=2))
    first_product = product[starts(orders.items)[parent]]
    seller = shop.seller_for(np.where(shop.chance("one seller", index, 0.6), first_product, product))
    seller = (seller + ((rest > 0) & shop.chance("other seller", index, 0.03))) % shop.sellers
    price = _prices(shop, product, choice)
    freight = shop.whole("freight", choice, distributions.FREIGHT_CENTS)
    limit = orders.accepted[parent] + shop.wait("limit", choice, distributions.SHIPPING_LIMIT_DAYS)
    cents = np.zeros(len(orders.index), dtype=np.int64)
    np.add.at(cents, parent, price + freight)
    table = pa.table(
        {
            "order_id": shop.ids("order", index),
            "order_item_id": number + 1,
            "product_id": shop.ids("product", product),
            "seller_id": shop.ids("seller", seller),
            "shipping_limit_date": limit,
            "price": money(price),
            "freight_value": money(freight),
        }
    )
    return table, cents


def _prices(shop: Shop, product: Ints, choice: Ints) -> Ints:
    """The prices of items in cents: the product's list price with a usual ending, some at a discount."""
    list_price = shop.whole("price", product, distributions.PRICE_CENTS)
    ending = np.array(distributions.PRICE_ENDINGS)[shop.below("ending", product, len(distributions.PRICE_ENDINGS))]
    lowest = distributions.PRICE_CENTS[0]
    list_price = np.maximum(list_price - list_price % 100 + ending, lowest)
    return np.where(shop.chance("discount", choice, 0.12), list_price * 9 // 10, list_price)


def payments_table(shop: Shop, orders: Orders, cents: Ints) -> pa.Table:
    """The payments, which add up to `cents` for each order with items."""
    index, no_items = orders.index, orders.items == 0
    undefined = (orders.status == _CREATED_STATUS) | (no_items & shop.chance("undefined", index, 0.01))
    cents = np.where(no_items, shop.whole("unsold", index, distributions.PRICE_CENTS), cents)
    cents = np.where(undefined, 0, cents)
    count = np.where(undefined, 1, 1 + shop.weighted("payments", index, distributions.PAYMENTS))
    first_of_several = np.where(shop.chance("card first", index, 0.75), _CREDIT_CARD, _VOUCHER)
    single = shop.weighted("payment type", index, distributions.SINGLE_PAYMENT_TYPES)
    first = np.where(undefined, _NOT_DEFINED, np.where(count == 1, single, first_of_several))
    count[index == shop.orders // 2] = 0  # exactly one order was never paid, as in the original
    parent, number = expand(count)
    row = index[parent] * _MAX_CHILDREN + number
    kind = np.where(number == 0, first[parent], _VOUCHER)
    voucher = cents[parent] * (20 + shop.below("voucher", row, 80)) // (100 * count[parent])
    later = np.where(number == 0, 0, voucher)
    rest = cents.copy()
    np.subtract.at(rest, parent, later)
    by_card = shop.weighted("installments", row, distributions.INSTALLMENTS)
    otherwise = np.where(kind == _NOT_DEFINED, shop.below("no installment", row, 2), 1)
    return pa.table(
        {
            "order_id": shop.ids("order", index[parent]),
            "payment_sequential": number + 1,
            "payment_type": choose(PAYMENT_TYPES, kind),
            "payment_installments": np.where(kind == _CREDIT_CARD, by_card, otherwise),
            "payment_value": money(np.where(number == 0, rest[parent], later)),
        }
    )


def reviews_table(shop: Shop, orders: Orders) -> pa.Table:
    """The reviews of orders: mostly one, some none, some two; some reviews also cover the order before."""
    reviewed, twice = shop.chance("reviewed", orders.index, 0.992), shop.chance("reviewed twice", orders.index, 0.0055)
    parent, number = expand(np.where(reviewed, 1 + twice, 0))
    order = orders.index[parent]
    # a shared review is the review of the order before, repeated
    shared = (number == 0) & (order > 0) & shop.chance("shared review", order, 0.008)
    source = draw_orders(shop, np.where(shared, order - 1, order))
    review = source.index * 2 + number
    never = np.isnat(source.delivered)
    late = shop.weighted("score", review, distributions.SCORES_LATE)
    in_time = shop.weighted("score", review, distributions.SCORES_IN_TIME)
    score = 1 + np.where(never | (source.delivered > source.estimated), late, in_time)
    days = 1 + number * (1 + shop.below("second review", review, 9))
    created = midnight(np.where(never, source.estimated, source.delivered)) + seconds(days * SECONDS_OF_DAY)
    title, message = _comments(shop, review, score < distributions.PLEASED_FROM)
    return pa.table(
        {
            "review_id": shop.ids("review", review),
            "order_id": shop.ids("order", order),
            "review_score": score,
            "review_comment_title": title,
            "review_comment_message": message,
            "review_creation_date": created,
            "review_answer_timestamp": created + shop.wait("answer", review, distributions.ANSWER_DAYS),
        }
    )


def _comments(shop: Shop, review: Ints, displeased: Flags) -> tuple[pa.Array, pa.Array]:
    """Titles and messages, mostly null: two different phrases of one mood, joined and ended."""
    untitled = ~shop.chance("title given", review, 0.117)
    silent = ~shop.chance("message given", review, np.where(displeased, 0.62, 0.34))
    titles = len(distributions.PLEASED_TITLES)
    title = shop.below("title", review, titles) + displeased * titles
    phrases = len(distributions.PLEASED_PHRASES)
    first = shop.below("first phrase", review, phrases)
    second = (first + 1 + shop.below("second phrase", review, phrases - 1)) % phrases
    parts = [
        choose(_PHRASES, first + displeased * phrases, silent),
        choose(distributions.JOINS, shop.below("join", review, len(distributions.JOINS))),
        choose(_PHRASES, second + displeased * phrases),
        choose(distributions.ENDINGS, shop.below("ending of message", review, len(distributions.ENDINGS))),
    ]
    message = compute.call_function("binary_join_element_wise", [*parts, pa.scalar("")])  # nothing between the parts
    return choose(_TITLES, title, untitled), message
