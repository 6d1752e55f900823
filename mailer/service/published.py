"""What was published of the record outside the database, as far as the office's key signed it?"""

from __future__ import annotations

from pathlib import Path

from mailer.core import checkpointhistory, checkpoints, note
from mailer.core.checkpointhistory import History
from mailer.core.checkpoints import Published
from mailer.core.note import NoteError, PublicKey
from mailer.edge.checkpoints import CheckpointFile
from mailer.errors import SetupError
from mailer.service.office import Office
from mailer.store import checkpoints as kept


def history(office: Office, file: Path | None = None) -> History | None:
    """From `file`, or from where the office publishes; None when nothing was published yet, so nothing can be compared.

    SetupError when what should be there is not. A copy may be older than the last change of key, or declared loss or restore:
    these are taken from the office's own file and from the database, where they are signed as well.
    """
    source = office.checkpoint_file() if file is None else CheckpointFile(path=file)
    own = checkpoints.origin(office.instance)
    with office.database.reading() as tx:
        known = checkpoints.published_in("\n".join(kept.notes(tx)), own)
    if not source.exists():
        if file is None and not known:
            return None
        raise SetupError(
            "the file {path} is missing: bring it back from a copy; what the database still has of it shows "
            "`mailer audit checkpoints`",
            path=source.path,
        )
    published = checkpoints.published_in(source.text(), own)
    if not published:
        if file is None and not known:
            return None
        raise SetupError("the file {path} holds no checkpoint of this office", path=source.path)
    there = checkpoints.published_in(office.checkpoint_file().text(), own)
    codes = {one.code for one in there}
    turns = _turning_points(published, [*there, *(one for one in known if one.code not in codes)])
    return checkpointhistory.history([*published, *turns], office.signing_key().public())


def key_of(office: Office, written: str, published: History | None) -> PublicKey:
    """A public key of this office, as somebody has it on paper. SetupError if it is none, or nothing is there to compare."""
    try:
        key = note.read_key(written.strip())
    except NoteError as error:
        raise SetupError("this is no public key as checkpoint.pub holds it: {key}", key=written) from error
    if key.name != checkpoints.origin(office.instance):
        raise SetupError("the key belongs to another office: {name}", name=key.name)
    if published is None:
        raise SetupError("nothing was signed yet that a key could be compared with")
    return key


def _turning_points(published: list[Published], known: list[Published]) -> list[Published]:
    """Changes of key, declared losses and restores that came after the last checkpoint of this copy."""
    there = {one.code for one in published}
    last = max((at for at, one in enumerate(known) if one.code in there), default=-1)
    return [
        one
        for one in known[last + 1 :]
        if one.code not in there and (one.checkpoint.change is not None or one.checkpoint.restored is not None)
    ]
