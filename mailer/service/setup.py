"""By what does a run work? Configuration and templates in one piece each, to be told apart from those of the run before."""

from __future__ import annotations

import json

from mailer.core.rules import Ruleset
from mailer.edge import office as texts
from mailer.flow.runs import Setup
from mailer.service.office import Office
from mailer.store import db


def setup_of(office: Office, ruleset: Ruleset) -> Setup:
    """Without secrets: passwords stand in files and variables that the configuration names, and in the URLs of the database."""
    config = office.config.model_dump(mode="json", exclude={"base"})
    config["database"] = {name: url and db.without_password(url) for name, url in config["database"].items()}
    own = office.config.templates.directory
    directory = office.config.path(own) if own else None
    templates = {**texts.template_texts(directory), "act": texts.act_text(directory)}
    return Setup(
        configuration=json.dumps(config, ensure_ascii=False, sort_keys=True),
        templates=json.dumps(templates, ensure_ascii=False, sort_keys=True),
        rules=ruleset.hash,
    )
