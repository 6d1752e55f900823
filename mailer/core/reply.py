"""What do we write back? Templates and values become the finished bytes of a letter; where and when it goes is not asked here.

`load` checks every template with made-up values before the first letter is read; `compose` renders once and for all: the bytes are
stored, sealed and sent as they are. The same arguments give the same bytes. A password meets jinja2 only in `compose`.
This module reads no files: the texts of `templates/reply/` are given to it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from traceback import walk_tb
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import FunctionLoader, StrictUndefined, Template, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import SandboxedEnvironment
from jinja2.visitor import NodeTransformer

from mailer.core.letterhead import Letterhead, letter_bytes
from mailer.core.namewords import CAPITAL
from mailer.core.replyvalues import TEMPLATES, IssuedValues, LetterValues, RefusedValues, TermValues, names, sample_values
from mailer.core.secret import groups
from mailer.errors import SetupError
from mailer.model import Form, Mistake

WRITTEN_MAX: Final = 160  # characters of a name as read (letters.md, section 1)
_STEMS: Final = ("атрибут", "доступ")
_SHARED: Final = "shared/"
_PARTS: Final = ("subject.txt", "body.txt")
_ABOUT_PEOPLE: Final = ("organisation", "person", "surname", "initials", "written", "surname_hint")


@dataclass(frozen=True, kw_only=True, slots=True)
class Templates:
    """The checked templates of one installation, by their files, with what they include in its place: made by `load` only."""

    files: Mapping[str, Template]
    form: Form


def load(texts: Mapping[str, str], *, form: Form) -> Templates:
    """Check all templates and keep them. Keys are paths below `templates/reply/`: `issued/subject.txt`, `shared/form.txt`.

    Files under `shared/` are there to be included. Raises SetupError naming file and line: a file missing or not known, a syntax
    error, a name that does not exist (with those that do), a failing render, a subject that could be taken for a request.
    """
    needed = {f"{name}/{part}" for name in TEMPLATES for part in _PARTS}
    if missing := sorted(needed - texts.keys()):
        raise SetupError("reply templates are missing: {files}", files=", ".join(missing))
    if stray := sorted(file for file in texts.keys() - needed if not file.startswith(_SHARED)):
        raise SetupError("{files}: no such reply template; known: {known}", files=", ".join(stray), known=", ".join(sorted(needed)))
    environment = _environment(texts)
    for file in sorted(texts):
        _check_names(environment, file, texts[file], _known_names(file, form))
    for name in TEMPLATES:
        for values in sample_values(name):
            _check_render(environment, name, _context(values, form), form)
    return Templates(files={file: _joined(environment, file, texts) for file in needed}, form=form)


def compose(templates: Templates, name: str, values: LetterValues, letterhead: Letterhead) -> bytes:
    """The finished letter. Raises ValueError for values of another template, SetupError when the template fails after all."""
    if type(values) is not TEMPLATES[name]:
        raise ValueError(f"{name} is filled with {TEMPLATES[name].__name__}")
    subject, body = render(templates, name, values)
    return letter_bytes(letterhead, subject, body)


def render(templates: Templates, name: str, values: LetterValues) -> tuple[str, str]:
    """Subject and body alone: what is shown of a letter that is not written. SetupError when the template fails after all."""
    return _final_render(templates, name, _context(values, templates.form))


def local_moment(at: datetime, zone: ZoneInfo) -> str:
    """A moment as letters write it: «23.02.2027, 23:59:59 (МСК, UTC+3)», «… (МСК+2, UTC+5)» (zones as named by 107-ФЗ)."""
    return _local_moment(at.astimezone(UTC), zone)


@lru_cache(maxsize=256)  # the end of a term is the same in a batch of answers
def _local_moment(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    offset = local.utcoffset() or timedelta()
    hours = offset / timedelta(hours=1)
    moscow = hours - 3
    utc = f"UTC{hours:+g}" if hours else "UTC"
    return f"{local:%d.%m.%Y, %H:%M:%S} (МСК{f'{moscow:+g}' if moscow else ''}, {utc})"


def _environment(texts: Mapping[str, str]) -> SandboxedEnvironment:
    """Without globals and chance: a template can say what it is given, the same each time."""
    environment = SandboxedEnvironment(
        loader=FunctionLoader(lambda file: (texts[file], file, None) if file in texts else None),
        undefined=StrictUndefined,
        autoescape=False,  # plain text, never HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.globals.clear()
    del environment.filters["random"]
    return environment


class _Joiner(NodeTransformer):
    """Puts files that a template includes by their names in the place of the includes; what they set stays theirs.

    Those with blocks, which a template has once, and those that include themselves are left to jinja2.
    """

    def __init__(self, environment: SandboxedEnvironment, texts: Mapping[str, str]) -> None:
        self._environment = environment
        self._texts = texts
        self._open: list[str] = []

    def tree(self, file: str) -> nodes.Template:
        self._open.append(file)
        tree: nodes.Template = self.visit(self._environment.parse(self._texts[file], name=file))
        self._open.pop()
        return tree

    def visit_Include(self, node: nodes.Include) -> nodes.Node:
        match node:
            case nodes.Include(template=nodes.Const(value=str(file)), with_context=True):
                if file in self._texts and file not in self._open:
                    tree = self.tree(file)
                    if tree.find(nodes.Block) is None and tree.find(nodes.Extends) is None:
                        return nodes.Scope(tree.body, lineno=node.lineno)
        return node


def _joined(environment: SandboxedEnvironment, file: str, texts: Mapping[str, str]) -> Template:
    """One template with all that it includes: jinja2 takes longer to include a file than to fill it in."""
    code = environment.compile(_Joiner(environment, texts).tree(file), name=file, filename=file)
    return Template.from_code(environment, code, {})


def _known_names(file: str, form: Form) -> set[str]:
    """The names that a file may use; a shared one is checked in full where it is included."""
    directory = file.partition("/")[0]
    names = TEMPLATES.keys() & {directory} or TEMPLATES.keys()
    return {known for name in names for known in _context(sample_values(name)[0], form)}


def _check_names(environment: SandboxedEnvironment, file: str, text: str, known: set[str]) -> None:
    """Names in all branches, also in those that no made-up values reach."""
    try:
        tree = environment.parse(text, name=file)
        unknown = meta.find_undeclared_variables(tree) - known
    except TemplateSyntaxError as error:
        raise SetupError("{file}, line {line}: {problem}", file=file, line=error.lineno, problem=error.message) from error
    names = list(tree.find_all(nodes.Name))
    unknown -= {name.name for name in names if name.ctx == "store"}  # jinja2 counts what is set in one branch only
    for name in names:
        if name.name in unknown:
            raise SetupError(
                "{file}, line {line}: unknown name {name}; known: {known}",
                file=file,
                line=name.lineno,
                name=name.name,
                known=", ".join(sorted(known)),
            )


def _check_render(environment: SandboxedEnvironment, name: str, context: dict[str, object], form: Form) -> None:
    subject_file, body_file = (f"{name}/{part}" for part in _PARTS)
    try:
        body = environment.get_template(body_file).render(context)
        template = environment.get_template(subject_file)
        subjects = [_subject(template, variation) for variation in (context, _nameless(context))]
    except Exception as error:  # whatever an expression of the office's may raise
        file, line = _place(error, name)
        raise SetupError(
            "{file}, line {line}: {problem}", file=file, line=line, problem=f"{type(error).__name__}: {error}"
        ) from error
    for needed in (context[name] for name in ("login", "password") if name in context):
        if str(needed) not in body:
            raise SetupError("{file}: the letter does not hold the login and the password", file=body_file)
    for subject in subjects:
        if not subject or _could_be_request(subject, form):
            raise SetupError(
                "{file}: the subject «{subject}» is empty or could be taken for a request", file=subject_file, subject=subject
            )


def _place(error: Exception, name: str) -> tuple[str, int]:
    """The file and line of the template that failed; jinja2 puts them into the traceback as if they were code."""
    frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    return next((place for place in reversed(frames) if place[0].endswith(".txt")), (name, 0))


def _final_render(templates: Templates, name: str, context: dict[str, object]) -> tuple[str, str]:
    """Subject and body. A subject that a person's or organisation's name makes look like a request goes without names."""
    failure = ""
    try:
        subject_file, body_file = (templates.files[f"{name}/{part}"] for part in _PARTS)
        subject = _subject(subject_file, context)
        if _could_be_request(subject, templates.form):
            subject = _subject(subject_file, _nameless(context))
        return subject, body_file.render(context).strip("\n") + "\n"
    except Exception as error:  # as in _check_render
        failure = type(error).__name__
    # Raised out here, without the first error: its message may quote the password.
    raise SetupError("reply template {name} failed: {failure}", name=name, failure=failure)


def _subject(template: Template, context: dict[str, object]) -> str:
    return " ".join(template.render(context).split())


def _could_be_request(subject: str, form: Form) -> bool:
    folded, phrase = (text.casefold().replace("ё", "е") for text in (subject, form.phrase))
    return folded.startswith(phrase) or all(stem in folded for stem in _STEMS)


def _nameless(context: dict[str, object]) -> dict[str, object]:
    return context | {name: "" for name in _ABOUT_PEOPLE if name in context}


def _context(values: LetterValues, form: Form) -> dict[str, object]:
    """Every name a template may use. One of the two places where a password is revealed."""
    context: dict[str, object] = {name: getattr(values, name) for name in names(values)}
    context |= {"phrase": form.phrase, "separator": form.separator, "placeholder": form.placeholder}
    match values:
        case IssuedValues(person=person, password=password):
            context |= {"person": person.canonical, "surname": person.surname, "initials": person.initials}
            context |= {"password": password.reveal(), "password_groups": groups(password).reveal()}
        case TermValues(person=person):
            context |= {"person": person.canonical, "surname": person.surname, "initials": person.initials}
        case RefusedValues(reason=reason, written=written, surname_hint=hint, mistake=mistake):
            context |= {"reason": reason or "", "written": _cleaned(written), "surname_hint": _cleaned(hint)}
            context["mistake"] = mistake and {
                "character": _cleaned(mistake.character),
                "place": mistake.place,
                "kind": _kind(mistake),
            }
    return context


def _kind(mistake: Mistake) -> str:
    """What sort of character it is, for templates to name: capital, latin, greek, cyrillic, letter, digit, mark, invisible or sign.

    `capital` is a Russian one: right as a letter, wrong at its place.
    """
    if re.match(CAPITAL, mistake.character):
        return "capital"
    category = unicodedata.category(mistake.character[0])
    script = unicodedata.name(mistake.character[0], "").split(" ")[0].lower()
    if category[0] == "L":
        return script if script in {"latin", "greek", "cyrillic"} else "letter"
    return {"N": "digit", "M": "mark", "C": "invisible", "Z": "invisible"}.get(category[0], "sign")


def _cleaned(written: str) -> str:
    """One line of visible characters, cut to a bearable length: all that is ever quoted of a letter."""
    line = "".join(character for character in " ".join(written.split()) if unicodedata.category(character)[0] != "C")
    return line if len(line) <= WRITTEN_MAX else line[: WRITTEN_MAX - 1] + "…"
