"""The program with a known password: the source of chance for passwords is ours, all else is as it is.

    python -m tests.e2e.canary [options of tests.crash.doomed] -- --config mailer.toml run --only intake,answer,issue,expire

And what to look for afterwards: the password, or a name, in every form in which it could stand somewhere.
"""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from mailer.core import secret
from mailer.core.secret import UNMISTAKABLE, Profile, Secret
from tests.crash import doomed

PASSWORD: Final = "zk7m3wdr8fhn4gtbsj"
IN_GROUPS: Final = " ".join(PASSWORD[place : place + 6] for place in range(0, len(PASSWORD), 6))


def forms(text: str) -> dict[str, bytes]:
    """How -> the bytes to look for, in lower and upper case where there are two."""
    found = {"plain": text.encode(), "cp1251": text.encode("cp1251"), "koi8-r": text.encode("koi8-r")}
    found |= {form: text.encode(form) for form in ("utf-16-le", "utf-16-be")}
    found |= {"url": quote(text).encode(), "json": ascii(text)[1:-1].encode()}
    found["json, every letter"] = "".join(f"\\u{ord(one):04x}" for one in text).encode()
    found["JSON, every letter"] = "".join(f"\\u{ord(one):04X}" for one in text).encode()
    for charset in ("utf-8", "cp1251", "koi8-r", "utf-16-le"):
        written = text.encode(charset)
        found |= {f"hex {charset}": written.hex().encode(), f"HEX {charset}": written.hex().upper().encode()}
        found[f"quoted-printable {charset}"] = b"".join(b"=%02X" % one if one > 126 else bytes([one]) for one in written)
        for shift in range(3):  # the symbols at the edges share bits with what stands beside
            coded = base64.b64encode(b"\0" * shift + written + b"\0" * 3).rstrip(b"=")
            found[f"base64 {charset} +{shift}"] = coded[(shift * 8 + 5) // 6 : (shift + len(written)) * 8 // 6]
    return found


def seen(content: bytes, text: str) -> list[str]:
    """In which forms this text stands there, broken lines joined; in a ZIP archive, such as an XLSX book, also in what it holds."""
    joined = content.replace(b"=\r\n", b"").replace(b"=\n", b"")
    unfolded = content.replace(b"\r\n", b"").replace(b"\n", b"")
    readings = {content, joined, unfolded}  # in most files one and the same
    found = [how for how, needle in forms(text).items() if any(needle in one for one in readings)]
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found += [f"{name}: {how}" for name in archive.namelist() for how in seen(archive.read(name), text)]
    return found


def know_the_password() -> None:
    original: Callable[..., Secret] = secret.password

    def known(profile: Profile, randbelow: secret.RandBelow) -> Secret:
        draws = iter(PASSWORD)
        return original(profile, lambda _below: UNMISTAKABLE.index(next(draws)))

    secret.password = known


if __name__ == "__main__":
    know_the_password()
    doomed.run()
