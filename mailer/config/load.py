"""How is the configuration read? File and environment become one checked Config, or a list of everything that is wrong.

A wrong key names itself and the nearest known one; all that is wrong is told at once. Environment variables override the file:
`MAILER_MODE`, `MAILER_DATABASE__URL` (section and key joined by two underscores); a variable that names no key is refused like a
wrong key, which is why this is not left to pydantic-settings: it ignores what it does not know. Passwords are not part of the
Config: `read_password` fetches one when an edge is built.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mailer.config.sections import WRONG, Config, Mailbox, Smtp
from mailer.errors import SetupError, SetupErrors, wrong_value

PREFIX = "MAILER_"


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Read and check the configuration; SetupErrors name everything that is wrong and what to do."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise SetupError(
            "there is no configuration at {path}: `mailer init` writes one, --config FILE names another", path=path
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError("the configuration {path} cannot be read: {why}", path=path, why=error) from error
    return read(text, path, environ)


def read(text: str, path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration that stands, or would stand, at `path`; SetupErrors as `load`."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SetupError("the configuration {path} is not valid TOML: {why}", path=path, why=error) from error
    problems = _overlay(data, environ)
    if "base" in data:
        problems.append(
            _unknown(SetupError("{file}: {section}", file=path.name, section=SetupError("top level")), "base", _known(()))
        )
    data["base"] = path.absolute().parent
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        problems += [_problem(path, detail) for detail in error.errors()]
    if problems:
        raise SetupErrors(problems)
    return config


def read_password(server: Mailbox | Smtp, config: Config, environ: Mapping[str, str]) -> str:
    """The password of a server, from its file (one line) or environment variable; SetupError says which is missing."""
    if server.password_env is not None:
        password = environ.get(server.password_env, "")
        if not password:
            raise SetupError("the environment variable {name} that should hold a password is not set", name=server.password_env)
        return password
    if server.password_file is None:
        raise SetupError("{host}: user is set, but neither password_file nor password_env", host=server.host)
    path = config.path(server.password_file)
    try:
        password = path.read_text(encoding="utf-8-sig").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(
            "the password file {path} cannot be read: {why}", path=path, why=os.strerror(getattr(error, "errno", 0) or 22)
        ) from error
    if not password or "\n" in password:
        raise SetupError("the password file {path} must hold the password alone, on one line", path=path)
    return password


def _overlay(data: dict[str, Any], environ: Mapping[str, str]) -> list[SetupError]:
    """Lay `MAILER_…` variables over the file's values. Numbers, true/false and lists are read as TOML reads them."""
    spoken_for = {"MAILER_CONFIG"} | set(_password_variables(data))
    problems: list[SetupError] = []
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable in spoken_for:
            continue
        section, _, key = variable.removeprefix(PREFIX).lower().partition("__")
        table = data.get(section, {}) if key else data
        name = key or section
        known = _known((section,) if key else ())
        if name not in known or not isinstance(table, dict):
            variables = [_variable(section, k) if key else _variable(k, "") for k in known]
            problems.append(_unknown(SetupError("environment"), variable, variables or [_variable(k, "") for k in _known(())]))
            continue
        table[name] = _toml_value(environ[variable])
        if key:
            data[section] = table
    return problems


def _password_variables(data: Mapping[str, Any]) -> list[str]:
    """Variables that hold passwords may begin with MAILER_ too; they are not configuration."""
    mailboxes = data.get("mailbox", [])
    servers = [*(mailboxes if isinstance(mailboxes, list) else []), data.get("smtp", {})]
    return [str(server["password_env"]) for server in servers if isinstance(server, dict) and "password_env" in server]


def _variable(section: str, key: str) -> str:
    return PREFIX + (f"{section}__{key}" if key else section).upper()


def _toml_value(text: str) -> object:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value if isinstance(value, (bool, int, float, list)) else text


def _problem(path: Path, detail: ErrorDetails) -> SetupError:
    location = tuple(detail["loc"])
    where = SetupError("{file}: {section}", file=path.name, section=_section_name(location))
    key = str(location[-1]) if location and not isinstance(location[-1], int) else ""
    if detail["type"] == "extra_forbidden":
        return _unknown(where, key, _known(location[:-1]))
    context = dict(detail.get("ctx", {}))
    wording = WRONG.get(detail["type"])
    why = SetupError(wording, **context) if wording else wrong_value(detail["type"], detail["msg"], context)
    return SetupError("{where} {key}: {why}", where=where, key=key, why=why)


def _section_name(location: Sequence[int | str]) -> str | SetupError:
    match location:
        case [str() as section, int() as number, *_]:
            return f"[[{section}]] {number + 1}"
        case [str() as section, _, *_]:
            return f"[{section}]"
    return SetupError("top level")


def _known(location: Sequence[int | str]) -> list[str]:
    """The keys that a section may hold, by their names in the file."""
    model: type[BaseModel] = Config
    for step in location:
        if isinstance(step, int):
            continue
        field = model.model_fields.get(step)
        candidates = [] if field is None else [field.annotation, *getattr(field.annotation, "__args__", ())]
        found = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        if not found:
            return []
        model = found[0]
    return [field.alias or name for name, field in model.model_fields.items() if name != "base"]


def _unknown(where: SetupError, key: str, known: Sequence[str]) -> SetupError:
    nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    if nearest:
        return SetupError("{where}: unknown key {key}; did you mean {nearest}?", where=where, key=key, nearest=nearest[0])
    return SetupError("{where}: unknown key {key}; known are {known}", where=where, key=key, known=", ".join(sorted(known)))
