"""The surroundings in which commands are typed: English, nothing set for mailer, a clock that stands, an office for each test."""

from __future__ import annotations

import gettext
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

from mailer.cli import app
from mailer.core import reply
from mailer.core.reply import Templates
from mailer.model import Form
from mailer.service import idle, office
from tests.cli.offices import NOW, Shell, found


@pytest.fixture(scope="module", autouse=True)
def _english() -> Iterator[None]:
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("MAILER_")]:
        del os.environ[name]
    os.environ["LANGUAGE"] = "en"
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="package", autouse=True)
def _at_one_moment() -> Iterator[None]:
    """The clock of every command typed in this process stands at `NOW`, whatever day it is."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (office, idle):
            patch.setattr(module, "clock", lambda: NOW)
        yield


@pytest.fixture(scope="package", autouse=True)
def _made_once() -> Iterator[None]:
    """What each start of the program makes for one command is kept for the next: half the time of a command in a warm process.

    The commands in each language, the templates of each wording, the places of catalogues.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "_program", _programs(app._program))
        patch.setattr(reply, "load", _templates(reply.load))
        patch.setattr(gettext, "find", _catalogues(gettext.find))
        yield


def _programs(make: Callable[[Sequence[str]], Callable[..., object]]) -> Callable[[Sequence[str]], Callable[..., object]]:
    @cache
    def made(_language: object, commands: tuple[str, ...]) -> Callable[..., object]:
        return make(commands)

    return lambda arguments: made(_language(), tuple(one for one in arguments if one in app.COMMANDS))


def _templates(load: Callable[..., Templates]) -> Callable[..., Templates]:
    @cache
    def loaded(texts: frozenset[tuple[str, str]], form: Form) -> Templates:
        return load(dict(texts), form=form)

    def asked(texts: Mapping[str, str], *, form: Form) -> Templates:
        return loaded(frozenset(texts.items()), form)

    return asked


def _catalogues(find: Callable[..., object]) -> Callable[..., object]:
    @cache
    def found(_language: object, *asked: object) -> object:
        return find(*asked)

    def asked(domain: str, localedir: str | None = None, languages: object = None, all: bool = False) -> object:
        return found(_language(), domain, localedir, tuple(languages) if languages else None, all)

    return asked


def _language() -> tuple[str | None, ...]:
    return tuple(os.environ.get(name) for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"))


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """At the prompt of an office as `found` makes it, to be changed."""
    found(tmp_path / "office")
    capsys.readouterr()  # what was said while it was made
    return Shell(home=tmp_path / "office", capsys=capsys)
