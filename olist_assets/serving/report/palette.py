"""The report's colors by meaning. Series use the palette of Okabe and Ito (2008), or colors near it."""

LIGHT = {
    "page": "#fbfaf7",
    "raised": "#f3f0ea",
    "ink": "#1c1c1a",
    "ink-soft": "#55534d",
    "axis": "#67655e",
    "grid": "#e4e0d8",
    "revenue": "#0a68a5",
    "orders": "#00765c",
    "late": "#c44a00",
    "on-time": "#94a3ad",
    "score": "#7d4f8f",
    "card": "#0a68a5",
    "boleto": "#e69f00",
    "voucher": "#009e73",
    "debit": "#cc79a7",
    "undefined": "#94a3ad",
    "near": "#a8d5c6",
    "farther": "#3f9f86",
    "far": "#005a46",
    "step-0": "#e6eef4",
    "step-1": "#bcd5e7",
    "step-2": "#82b3d5",
    "step-3": "#2f76a9",
    "step-4": "#0b4a78",
    "on-step-0": "#1c1c1a",
    "on-step-1": "#1c1c1a",
    "on-step-2": "#1c1c1a",
    "on-step-3": "#ffffff",
    "on-step-4": "#ffffff",
}
"""The colors of the light scheme, which paper has too."""

DARK = {
    "page": "#15171a",
    "raised": "#1e2125",
    "ink": "#ecebe7",
    "ink-soft": "#b6b4ad",
    "axis": "#a09e97",
    "grid": "#2e3237",
    "revenue": "#56b4e9",
    "orders": "#34c29b",
    "late": "#f08447",
    "on-time": "#6d7b86",
    "score": "#c69bd6",
    "card": "#3f9bd8",
    "boleto": "#e6a517",
    "voucher": "#1fae86",
    "debit": "#d68db3",
    "undefined": "#6d7b86",
    "near": "#1f5f50",
    "farther": "#34a585",
    "far": "#9be3cc",
    "step-0": "#20303d",
    "step-1": "#234a66",
    "step-2": "#2c6690",
    "step-3": "#5aa5d8",
    "step-4": "#b3dcf7",
    "on-step-0": "#ecebe7",
    "on-step-1": "#ffffff",
    "on-step-2": "#ffffff",
    "on-step-3": "#0c141b",
    "on-step-4": "#0c141b",
}
"""The colors of the dark scheme."""


def variable(name: str) -> str:
    """The color as a variable of the page's style sheet, so that it follows the color scheme and print."""
    return f"var(--{name})"
