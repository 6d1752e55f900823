"""In which language do letters and the alarm command speak? In Russian, whatever the locale of the service is."""

from __future__ import annotations

import gettext
from collections.abc import Callable
from pathlib import Path
from typing import Final

LOCALE: Final = Path(__file__).parent.parent / "locale"


def russian() -> Callable[[str], str]:
    """Translates a text of the catalogue."""
    return gettext.translation("mailer", str(LOCALE), languages=["ru"]).gettext
