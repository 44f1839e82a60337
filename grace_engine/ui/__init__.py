"""What do the studio's pages draw with?"""

from pathlib import Path

LOGO = Path(__file__).with_name("logo.svg")
STYLE = Path(__file__).with_name("style.css")
