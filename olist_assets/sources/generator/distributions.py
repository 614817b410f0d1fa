"""The shares, quantiles, weights, places and texts that generated rows are drawn from."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

Quantiles = Mapping[float, float]
"""Value by probability, increasing, with linear interpolation."""

FIRST_DAY = np.datetime64("2016-09-04", "s")


class Status(NamedTuple):
    """An order status: its share in percent, and the ratios (0 to 1) of its orders that reached each state."""

    name: str
    percent: float
    approved: float
    shipped: float
    delivered: float
    without_items: float


STATUSES = (
    Status("delivered", 97.0, approved=1, shipped=1, delivered=1, without_items=0),
    Status("shipped", 1.11, approved=1, shipped=1, delivered=0, without_items=0.001),
    Status("canceled", 0.63, approved=0.77, shipped=0.12, delivered=0.01, without_items=0.39),
    Status("unavailable", 0.92, approved=1, shipped=0, delivered=0, without_items=1),
    Status("invoiced", 0.32, approved=1, shipped=0, delivered=0, without_items=0.009),
    Status("processing", 0.30, approved=1, shipped=0, delivered=0, without_items=0),
    Status("created", 0.008, approved=0, shipped=0, delivered=0, without_items=1),
    Status("approved", 0.002, approved=1, shipped=0, delivered=0, without_items=0),
)

# When
SECOND_OF_DAY = {0: 0, 0.025: 3600, 0.06: 25200, 0.1: 32400, 0.21: 39600, 0.75: 72000, 0.96: 82800, 1: 86400}
APPROVAL_DAYS = {0: 0, 0.05: 0.006, 0.25: 0.009, 0.5: 0.014, 0.75: 0.6, 0.95: 2, 0.99: 3.7, 1: 30}
CARRIER_DAYS = {0: 0.01, 0.05: 0.27, 0.25: 0.9, 0.5: 1.8, 0.75: 3.6, 0.95: 8, 0.99: 17, 1: 60}
TRANSIT_DAYS = {0: 0.3, 0.05: 1.1, 0.25: 4, 0.5: 7, 0.75: 11.5, 0.95: 22, 0.99: 34, 1: 90}
# from the delivery to the promised date; negative if the delivery is late
SLACK_DAYS = {0: -90, 0.01: -18, 0.05: -3, 0.08: 0.5, 0.25: 7, 0.5: 12, 0.75: 17, 0.95: 26, 0.99: 36, 1: 100}
# from the purchase to the promised date of an order that was not delivered
ESTIMATE_DAYS = {0: 3, 0.05: 11, 0.25: 18.5, 0.5: 23, 0.75: 28.5, 0.95: 38, 0.99: 50, 1: 120}
SHIPPING_LIMIT_DAYS = {0: 1, 0.05: 2.8, 0.25: 5, 0.5: 6, 0.75: 7, 0.95: 12, 0.99: 19, 1: 60}
ANSWER_DAYS = {0: 0.1, 0.25: 0.96, 0.5: 1.6, 0.75: 3, 0.95: 9, 0.99: 25, 1: 200}

# How much
PRICE_CENTS = {0: 85, 0.01: 999, 0.05: 1770, 0.25: 3990, 0.5: 7500, 0.75: 13800, 0.95: 35900, 0.99: 89900, 1: 3e5}
PRICE_ENDINGS = (90, 90, 99, 0)  # the cents of a whole price
FREIGHT_CENTS = {0: 0, 0.003: 0, 0.01: 450, 0.25: 1310, 0.5: 1620, 0.75: 2115, 0.95: 4510, 0.99: 8450, 1: 30000}
POINTS_OF_PREFIX = {0: 1, 0.1: 4, 0.5: 15, 0.9: 40, 1: 120}
PRODUCT_DESCRIPTION = {
    "product_name_lenght": {0: 5, 0.05: 28, 0.25: 42, 0.5: 51, 0.75: 57, 1: 73},
    "product_description_lenght": {0: 4, 0.25: 340, 0.5: 595, 0.75: 970, 0.99: 3200, 1: 3993},
    "product_photos_qty": {0: 1, 0.5: 1.9, 0.75: 3.9, 0.99: 8, 1: 21},
}
PRODUCT_MEASURES = {
    "product_weight_g": {0: 50, 0.25: 300, 0.5: 700, 0.75: 1900, 0.95: 10850, 1: 40426},
    "product_length_cm": {0: 7, 0.25: 18, 0.5: 25, 0.75: 38, 0.95: 65, 1: 106},
    "product_height_cm": {0: 2, 0.25: 8, 0.5: 13, 0.75: 21, 0.95: 45, 1: 106},
    "product_width_cm": {0: 6, 0.25: 15, 0.5: 20, 0.75: 30, 0.95: 47, 1: 119},
}

# How many: weights of 1, 2, ... items and payments, of 0, 1, ... 24 installments, of scores 1 to 5
ITEMS = (88863, 7516, 1322, 505, 204, 198, 22, 8, 4, 8, 4, 5, 1, 2, 2, 1, 1, 1, 1, 2, 1)
PAYMENTS = (96479, 2382, 301, 108, 52, 36, 28, 11, 9, 5, 8, 8, 4, 3, 4, 1, 1, 1, 6, 1, 1)
INSTALLMENTS = (9, 9e3, 4e3, 4e3, 2e3, 2e3, 1e3, 500, 1e3, 200, 1e3, 9, 40, 5, 4, 25, 2, 3, 9, 2, 5, 1, 2, 2, 6)
SCORES_IN_TIME = (9, 3, 8, 20, 60)
SCORES_LATE = (50, 8, 11, 11, 20)
PLEASED_FROM = 4  # the lowest score whose comment is pleased

# The weights of the first four of spark_steps' PAYMENT_TYPES, for orders with one payment
SINGLE_PAYMENT_TYPES = (75.2, 19.9, 3.3, 1.6)


class State(NamedTuple):
    """A state: its zip prefixes, its share of the population in percent, the position of its capital, its cities."""

    code: str
    lowest_prefix: int
    highest_prefix: int
    percent: float
    latitude: float
    longitude: float
    cities: list[str]


def _parse_state(line: str) -> State:
    code, lowest, highest, percent, latitude, longitude, cities = line.split(maxsplit=6)
    return State(code, int(lowest), int(highest), float(percent), float(latitude), float(longitude), cities.split("|"))


_STATE_LINES = """\
SP 01000 19999 41.9 -23.55 -46.63 são paulo|campinas|guarulhos|são bernardo do campo|santo andré|ribeirão preto
RJ 20000 28999 12.9 -22.91 -43.21 rio de janeiro|niterói|nova iguaçu|são gonçalo|petrópolis
MG 30000 39999 11.7 -19.92 -43.94 belo horizonte|uberlândia|contagem|juiz de fora
RS 90000 99999 5.5 -30.03 -51.22 porto alegre|caxias do sul|gravataí
PR 80000 87999 5.1 -25.43 -49.27 curitiba|maringá
SC 88000 89999 3.7 -27.59 -48.55 florianópolis|blumenau
BA 40000 48999 3.4 -12.97 -38.5 salvador|feira de santana
DF 70000 72799 2.1 -15.79 -47.88 brasília|ceilândia
ES 29000 29999 2.0 -20.32 -40.34 vitória|vila velha|serra
GO 73700 76799 2.0 -16.69 -49.25 goiânia|anápolis
PE 50000 56999 1.7 -8.05 -34.88 recife|olinda|caruaru
CE 60000 63999 1.3 -3.73 -38.52 fortaleza|sobral
PA 66000 68899 1.0 -1.46 -48.5 belém|santarém|marabá
MT 78000 78899 0.9 -15.6 -56.1 cuiabá|várzea grande
MA 65000 65999 0.75 -2.53 -44.3 são luís|imperatriz
MS 79000 79999 0.7 -20.47 -54.62 campo grande|três lagoas
PB 58000 58999 0.55 -7.12 -34.88 joão pessoa|patos
PI 64000 64999 0.5 -5.09 -42.8 teresina|parnaíba
RN 59000 59999 0.5 -5.79 -35.21 natal|mossoró
AL 57000 57999 0.4 -9.65 -35.71 maceió|arapiraca
SE 49000 49999 0.35 -10.91 -37.07 aracaju|lagarto
TO 77000 77999 0.3 -10.18 -48.33 palmas|gurupi
RO 76800 76999 0.25 -8.76 -63.9 porto velho|ji-paraná
AM 69000 69299 0.15 -3.12 -60.02 manaus|tefé
AC 69900 69999 0.08 -9.97 -67.81 rio branco|cruzeiro do sul
AP 68900 68999 0.07 0.03 -51.07 macapá|santana
RR 69300 69399 0.05 2.82 -60.67 boa vista
"""
STATES = [_parse_state(line) for line in _STATE_LINES.splitlines()]

# Every state also has towns: every combination of a head and a tail
TOWN_HEADS = (
    "são joão",
    "santo antônio",
    "santa rita",
    "são sebastião",
    "nova aurora",
    "bom jesus",
    "três barras",
    "água clara",
    "palmeira",
)
TOWN_TAILS = (
    "da serra",
    "do vale",
    "do norte",
    "das pedras",
    "do oeste",
    "da mata",
    "dos ipês",
    "do rio pardo",
    "da barra",
    "do paraíso",
)

# English by Portuguese name, the most sold first
CATEGORIES: dict[str, str | None] = {
    "cama_mesa_banho": "bed_bath_table",
    "esporte_lazer": "sports_leisure",
    "moveis_decoracao": "furniture_decor",
    "beleza_saude": "health_beauty",
    "utilidades_domesticas": "housewares",
    "informatica_acessorios": "computers_accessories",
    "automotivo": "auto",
    "brinquedos": "toys",
    "relogios_presentes": "watches_gifts",
    "telefonia": "telephony",
    "bebes": "baby",
    "cool_stuff": "cool_stuff",
    "perfumaria": "perfumery",
    "papelaria": "stationery",
    "fashion_bolsas_e_acessorios": "fashion_bags_accessories",
    "ferramentas_jardim": "garden_tools",
    "pet_shop": "pet_shop",
    "eletronicos": "electronics",
    "malas_acessorios": "luggage_accessories",
    "consoles_games": "consoles_games",
    "moveis_escritorio": "office_furniture",
    "construcao_ferramentas_construcao": "construction_tools_construction",
    "eletrodomesticos": "home_appliances",
    "instrumentos_musicais": "musical_instruments",
    "eletroportateis": "small_appliances",
    "livros_interesse_geral": "books_general_interest",
    "casa_construcao": "home_construction",
    "moveis_sala": "furniture_living_room",
    "fashion_calcados": "fashion_shoes",
    "livros_tecnicos": "books_technical",
    "casa_conforto": "home_comfort",
    "climatizacao": "air_conditioning",
    "eletrodomesticos_2": "home_appliances_2",
    "market_place": "market_place",
    "alimentos": "food",
    "telefonia_fixa": "fixed_telephony",
    "moveis_cozinha_area_de_servico_jantar_e_jardim": "kitchen_dining_laundry_garden_furniture",
    "alimentos_bebidas": "food_drink",
    "fashion_roupa_masculina": "fashion_male_clothing",
    "construcao_ferramentas_seguranca": "construction_tools_safety",
    "bebidas": "drinks",
    "construcao_ferramentas_jardim": "construction_tools_garden",
    "industria_comercio_e_negocios": "industry_commerce_and_business",
    "sinalizacao_e_seguranca": "signaling_and_security",
    "agro_industria_e_comercio": "agro_industry_and_commerce",
    "audio": "audio",
    "fashion_underwear_e_moda_praia": "fashion_underwear_beach",
    "construcao_ferramentas_iluminacao": "construction_tools_lights",
    "artigos_de_natal": "christmas_supplies",
    "artes": "art",
    "dvds_blu_ray": "dvds_blu_ray",
    "pcs": "computers",
    "moveis_quarto": "furniture_bedroom",
    "portateis_casa_forno_e_cafe": "small_appliances_home_oven_and_coffee",
    "fashion_roupa_feminina": "fashion_female_clothing",
    "construcao_ferramentas_ferramentas": "construction_tools_tools",
    "livros_importados": "books_imported",
    "musica": "music",
    "artigos_de_festas": "party_supplies",
    "fashion_esporte": "fashion_sport",
    "cine_foto": "cine_photo",
    "artes_e_artesanato": "arts_and_crafts",
    "moveis_colchao_e_estofado": "furniture_mattress_and_upholstery",
    "tablets_impressao_imagem": "tablets_printing_image",
    "flores": "flowers",
    "fraldas_higiene": "diapers_and_hygiene",
    "la_cuisine": "la_cuisine",
    "casa_conforto_2": "home_comfort_2",
    "fashion_roupa_infanto_juvenil": "fashion_childrens_clothes",
    "seguros_e_servicos": "security_and_services",
    "cds_dvds_musicais": "cds_dvds_musicals",
    "pc_gamer": None,
    "portateis_cozinha_e_preparadores_de_alimentos": None,
}

# Pleased and displeased titles are equal in number, and so are phrases
PLEASED_TITLES = (
    "Curti a peça",
    "Escolha certa, viu",
    "Nota dez 🎉",
    "Voltarei, com certeza",
    "Entrega caprichada",
)
DISPLEASED_TITLES = (
    "Veio sem tampa",
    "Cadê o pacote?",
    "Decepção 😡",
    "Falta um pedaço",
    'Ruim, "nunca mais"',
)
PLEASED_PHRASES = (
    "a caixa chegou inteira",
    "o vendedor foi atencioso, mandou até bilhete",
    "serviu direitinho na sala",
    "minha avó adorou",
    "a cor é igual à da foto",
    'veio embrulhado com "plástico bolha"',
    "montei em dez minutos",
    "valeu cada real",
)
DISPLEASED_PHRASES = (
    "a caixa veio amassada",
    "ninguém responde aos meus recados",
    "a cor é outra, bem mais escura",
    "faltou o parafuso do pé",
    'o "manual" é só uma folha',
    "parou de ligar na segunda semana",
    "o rastreio não anda",
    "mandaram o tamanho errado",
)

# Between the two phrases of a message, and after them
JOINS = (", ", ", ", "; ", "; ", " e ", " e ", ". ", ". ", "! ", ".\n", "!\r\n\r\n")
ENDINGS = ("", "", "", ".", "!", " 👍", ", obrigada", "... ", " - 3ª compra aqui")
