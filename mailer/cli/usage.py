"""What is wrong with a command as it was typed? Told in the reader's language.

The library that reads commands says it in English only, so its sentences are known here by their form. One that is not known stays
as it is: a test types each mistake that can be made.
"""

from __future__ import annotations

import re
from datetime import datetime
from gettext import gettext as _
from typing import Final

from mailer.errors import N_

FORMS: Final = tuple(
    (re.compile(form), text)
    for form, text in (
        (r"No such option: (?P<name>.+) \(Possible options: (?P<known>.+)\)", N_("there is no option {name}; similar: {known}")),
        (r"No such option: (?P<name>.+)", N_("there is no option {name}")),
        (r"No such command (?P<name>.+)\. Did you mean (?P<known>.+)\?", N_("there is no command {name}; similar: {known}")),
        (r"No such command (?P<name>.+)\.", N_("there is no command {name}")),
        (r"Missing command\.", N_("a command is missing")),
        (r"Missing (?:option|argument) (?P<name>.+?)\. Choose from: (?P<known>.+)", N_("{name} is missing; one of: {known}")),
        (r"Missing (?:option|argument) (?P<name>.+)\.", N_("{name} is missing")),
        (r"Option (?P<name>.+) requires an argument\.", N_("{name} needs a value after it")),
        (r"Option (?P<name>.+) does not take a value\.", N_("{name} takes no value")),
        (r"Got unexpected extra argument\(s\) \((?P<words>.+)\)", N_("unexpected: {words}")),
        (r"Invalid value for (?P<name>.+?): (?P<why>.+)", N_("{name}: {why}")),
        (r"Invalid value: (?P<why>.+)", "{why}"),
        (r"Input should be a valid integer.*", N_("a whole number must stand here")),
        (r"Input should be greater than or equal to (?P<least>\S+)", N_("the number must be at least {least}")),
        (r"Input should be less than or equal to (?P<most>\S+)", N_("the number must be at most {most}")),
        (r"Value error, (?P<written>.+) is not one of (?P<known>.+)\.", N_("{written} is not one of {known}")),
        (r"Value error, (?P<written>.+) does not match the formats (?P<dates>.+)\.", N_("{written} is not written as {dates}")),
    )
)
EXAMPLE: Final = datetime(2026, 11, 23, 9, 30)  # noqa: DTZ001  a form, no moment


def in_words(said: str) -> str:
    """What the library said, on one line, in the reader's language."""
    for form, text in FORMS:
        if found := form.fullmatch(said):
            parts = found.groupdict()
            if "why" in parts:
                parts["why"] = in_words(parts["why"])
            if "dates" in parts:
                parts["dates"] = EXAMPLE.strftime(parts["dates"])
            return _(text).format(**parts)
    return said
