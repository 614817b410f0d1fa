"""Brazil's states as a map of tiles."""

from typing import NamedTuple


class State(NamedTuple):
    """A state: its name, and the row and column of its tile."""

    name: str
    row: int
    column: int


STATES = {
    "RR": State("Roraima", 0, 1),
    "AP": State("Amapá", 0, 3),
    "AM": State("Amazonas", 1, 1),
    "PA": State("Pará", 1, 2),
    "MA": State("Maranhão", 1, 3),
    "CE": State("Ceará", 1, 4),
    "RN": State("Rio Grande do Norte", 1, 5),
    "AC": State("Acre", 2, 0),
    "RO": State("Rondônia", 2, 1),
    "TO": State("Tocantins", 2, 2),
    "PI": State("Piauí", 2, 3),
    "PE": State("Pernambuco", 2, 4),
    "PB": State("Paraíba", 2, 5),
    "MT": State("Mato Grosso", 3, 1),
    "GO": State("Goiás", 3, 2),
    "BA": State("Bahia", 3, 3),
    "SE": State("Sergipe", 3, 4),
    "AL": State("Alagoas", 3, 5),
    "MS": State("Mato Grosso do Sul", 4, 1),
    "DF": State("Distrito Federal", 4, 2),
    "MG": State("Minas Gerais", 4, 3),
    "ES": State("Espírito Santo", 4, 4),
    "PR": State("Paraná", 5, 1),
    "SP": State("São Paulo", 5, 2),
    "RJ": State("Rio de Janeiro", 5, 3),
    "SC": State("Santa Catarina", 6, 1),
    "RS": State("Rio Grande do Sul", 7, 1),
}
"""The states by code, the accepted ones of spark_steps. Tiles are about where the states are on the map."""
