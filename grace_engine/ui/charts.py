"""How does a Plotly figure stand on a page, so that its saved picture looks as it does there?"""

from typing import Any

import streamlit as st

# A saved picture is drawn without the page's web font: by it, texts would be measured in one font
# and written in another, wider one, over the edge of the picture and over each other.
_FONT = "Helvetica, Arial, sans-serif"

_BUTTONS = (
    *("zoom2d", "pan2d", "select2d", "lasso2d", "zoomIn2d", "zoomOut2d"),
    *("autoScale2d", "resetScale2d", "sendDataToCloud"),
)


def chart(figure: Any, key: str, alt: str, *, pixels: bool = False, **look: Any) -> None:
    """Draw a figure; of Plotly's buttons only the one that saves the picture is there.

    Args:
        figure: What to draw.
        key: Of the chart; the saved file is named by it, ``bias-chart`` is ``grace-bias``.
        alt: What it shows, for who does not see it.
        pixels: Save pixels, for charts of thousands of marks and for slides; else SVG.
        look: As ``st.plotly_chart`` takes it.
    """
    figure.update_layout(font={"family": _FONT})
    st.plotly_chart(figure, key=key, config=saving(key, pixels=pixels), alt=alt, **look)


def saving(key: str, *, pixels: bool) -> dict[str, Any]:
    """Plotly's configuration: what its button saves, and no other button."""
    form: dict[str, Any] = {"format": "png", "scale": 2} if pixels else {"format": "svg"}
    name = f"grace-{key.removesuffix('-chart')}"
    return {
        "displaylogo": False,
        "modeBarButtonsToRemove": [*_BUTTONS],
        "toImageButtonOptions": form | {"filename": name},
    }
