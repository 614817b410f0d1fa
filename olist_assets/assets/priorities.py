"""The priorities of steps: the longest chain of steps should not wait for others."""

from spark_steps.tables import TABLES


def _longest_chains() -> dict[str, int]:
    """The number of steps in the longest chain after each step of a table or of the landing zone."""
    chains: dict[str, int] = {}
    for table in reversed(TABLES.values()):  # downstream first
        for upstream in table.upstreams:
            chains[upstream] = max(chains.get(upstream, 0), chains.get(table.id, 0) + 1)
    return chains


_CHAINS = _longest_chains()


def priority_tags(asset: str) -> dict[str, str]:
    """Dagster's tag for the priority of an asset, such as trusted/orders."""
    return {"dagster/priority": str(_CHAINS.get(asset, 0))}
