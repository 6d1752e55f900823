"""Everything that can go wrong on purpose, and who must act now.

An expected refusal of a letter is never an error: it is a value (see `model.Reading`). What stands here stops a command or a step.
A message is written in English with named places (`{key}`); the command line translates the message and fills the places, so no
lower floor needs to know the reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def N_(text: str) -> str:
    """Mark a text for the message catalogue; it is translated where it is shown (gettext's own name for this)."""
    return text


class MailerError(Exception):
    """The root: a message with named places, and the values that fill them."""

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message)
        self.message = message
        self.values = values

    def __str__(self) -> str:
        return self.message.format(**self.values)  # a value may itself be an error: it is put in by its own words


class SetupError(MailerError):
    """The administrator acts: a wrong configuration, rule, template, file, key or database. Nothing was changed."""


class SchemaError(SetupError):
    """The administrator acts: the database is missing or of another version than this program."""


class RefusedError(MailerError):
    """The person at the keyboard acts: policy or the state of the thing does not allow the command. Nothing was changed."""


class NotFoundError(MailerError):
    """The person at the keyboard acts: there is no such letter, request, credential or sender."""


class TransitionError(MailerError):
    """A programmer acts: a state was asked to make a change that `core/lifecycle.py` does not allow."""


class RecordError(MailerError):
    """The administrator acts: the record cannot be written, so nothing may be done (no record, no action)."""


class TamperedError(MailerError):
    """The auditor acts: what is stored is not what was once written. Made as a value, seldom raised."""


class LeaseLostError(MailerError):
    """Nobody acts: another process owns this work now; the write that met this was rolled back whole."""


class EdgeError(MailerError):
    """Nobody acts at first: something outside (a mail server, a file system) failed; the step tries again later."""


class EdgeSetupError(EdgeError):
    """The administrator acts: something outside refused us, and trying again does not mend it (login, folder, certificate)."""


class SetupErrors(SetupError):
    """Several wrong things at once: all are named, so that one reading mends them all."""

    def __init__(self, problems: Sequence[SetupError]) -> None:
        super().__init__("{problems}", problems="\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def wrong_value(kind: str, message: str, context: Mapping[str, object]) -> SetupError:
    """What is wrong with one value of a checked file, in our words where pydantic's own kind of error is known."""
    expected = str(context.get("expected", "")).replace(" or ", ", ")
    return {
        "missing": SetupError("is missing"),
        "literal_error": SetupError("must be one of {expected}", expected=expected),
        "enum": SetupError("must be one of {expected}", expected=expected),
        "int_type": SetupError("must be a whole number"),
        "int_parsing": SetupError("must be a whole number"),
        "float_parsing": SetupError("must be a number"),
        "float_type": SetupError("must be a number"),
        "string_type": SetupError('must be text in quotes ("…")'),
        "string_too_short": SetupError("must not be empty"),
        "string_pattern_mismatch": SetupError("must fit the pattern {pattern}", **context),
        "bool_type": SetupError("must be true or false"),
        "model_type": SetupError("must be a section"),
        "tuple_type": SetupError("must be a list of sections ([[…]])"),
        "greater_than": SetupError("must be more than {gt}", **context),
        "greater_than_equal": SetupError("must be at least {ge}", **context),
        "less_than_equal": SetupError("must be at most {le}", **context),
    }.get(kind) or SetupError("{why}", why=message)
