"""A real Dovecot on loopback for the tests: own configuration, users, port and mail directory, gone without a trace afterwards.

It must not touch the machine's own Dovecot: everything it reads or writes lies in a temporary directory of its own. Works as root
(mail then belongs to `nobody`, because Dovecot refuses root as an owner of mail) and as an ordinary user.
"""

from __future__ import annotations

import grp
import ipaddress
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final

from tests.servers.services import ServiceMissing

START_SECONDS: Final = 10
STOP_SECONDS: Final = 0.5  # nothing of it needs to outlive the test

CONFIGURATION: Final = """\
protocols = imap
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/dovecot.log
listen = 127.0.0.1
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
mail_uid = {owner}
mail_gid = {owner_group}
first_valid_uid = 1
first_valid_gid = 1
# ":UTF-8": the folder «Обработано» is a directory of that name, which a test can read without a decoder.
mail_location = maildir:{home}/mail/%u:UTF-8
mail_fsync = never
mail_max_userip_connections = 100
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = {home}/users
}}
userdb {{
  driver = static
  args = home={home}/mail/%u
}}
namespace inbox {{
  inbox = yes
  prefix = {prefix}
  separator = {separator}
}}
service imap-login {{
  chroot =
  service_count = 0
  process_min_avail = 1
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
{tls}
{extra}
"""

QUOTA: Final = """\
mail_plugins = quota
protocol imap {{
  mail_plugins = quota imap_quota
}}
plugin {{
  quota = count:letters
  quota_vsizes = yes
  quota_rule = *:messages={letters}
}}
"""


def dovecot_program() -> str:
    """Path of the server; raises `ServiceMissing`. Debian keeps it in /usr/sbin, which is not on an ordinary user's PATH."""
    path = os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin" + os.pathsep + "/usr/local/sbin"
    found = shutil.which("dovecot", path=path)
    if found is None:
        raise ServiceMissing("Dovecot", "dovecot-imapd")
    return found


def free_port() -> int:
    """A TCP port on loopback that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_certificate(directory: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate for localhost and 127.0.0.1: (certificate, also its own CA file; private key)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    addresses = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=subject, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "server.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "server.key").write_bytes(key.private_bytes(*form))
    return directory / "server.crt", directory / "server.key"


class Dovecot:
    """A server to start and stop; `with Dovecot(...) as server:` does both and removes its directory.

    `tls` offers STARTTLS on `port` and implicit TLS on `tls_port`, with the certificate in `ca_file`. `capabilities` replaces the
    list that the server advertises after the login (to hide MOVE, UIDPLUS or IDLE). `prefix` and `separator` shape folder names.
    `quota_letters` is how many letters a user may have in all folders; a copy counts as one more.
    """

    def __init__(
        self,
        users: Mapping[str, str] | None = None,
        *,
        tls: bool = False,
        capabilities: str | None = None,
        prefix: str = "",
        separator: str = ".",
        quota_letters: int | None = None,
    ) -> None:
        self.program = dovecot_program()
        self.host = "127.0.0.1"
        self.users = dict(users or {"desk": "desk-password"})
        self.port = free_port()
        self.tls_port = free_port() if tls else 0
        self.ca_file: Path | None = None
        self.home = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._dropped = 0
        owner = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._owner = (owner.pw_uid, owner.pw_gid)
        extra = f"imap_capability = {capabilities}\n" if capabilities else ""
        if quota_letters is not None:
            extra += QUOTA.format(letters=quota_letters)
        self._write_files(tls=tls, prefix=prefix, separator=separator, extra=extra)

    def admit(self, **users: str) -> None:
        """From now on only these users may log in, with these passwords."""
        lines = "".join(f"{user}:{{PLAIN}}{password}\n" for user, password in users.items())
        (self.home / "users").write_text(lines, encoding="utf-8")

    def _write_files(self, *, tls: bool, prefix: str, separator: str, extra: str) -> None:
        self.home.chmod(0o755)
        self.admit(**self.users)
        secure = "ssl = no"
        if tls:
            certificate, key = write_certificate(self.home)
            secure = f"ssl = yes\nssl_cert = <{certificate}\nssl_key = <{key}"
            self.ca_file = certificate
        internal, login = ("dovecot", "dovenull") if os.getuid() == 0 else (self._owner_name(), self._owner_name())
        text = CONFIGURATION.format(
            home=self.home,
            internal=internal,
            internal_group=grp.getgrgid(pwd.getpwnam(internal).pw_gid).gr_name,
            login=login,
            owner=self._owner[0],
            owner_group=self._owner[1],
            port=self.port,
            tls_port=self.tls_port,
            prefix=prefix,
            separator=separator,
            tls=secure,
            extra=extra,
        )
        (self.home / "dovecot.conf").write_text(text, encoding="utf-8")
        self._own(self.home / "mail")

    def _owner_name(self) -> str:
        return pwd.getpwuid(self._owner[0]).pw_name

    def _own(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        os.chown(directory, *self._owner)

    def start(self) -> None:
        """Returns once the server greets; raises RuntimeError with its log when it does not within 10 s."""
        command = [self.program, "-F", "-c", str(self.home / "dovecot.conf")]
        with (self.home / "console.log").open("ab") as console:
            self._process = subprocess.Popen(command, stdout=console, stderr=console, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not self._greets():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"Dovecot did not start:\n{self.log()}")
            time.sleep(0.02)

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as line:
                return line.recv(16).startswith(b"* OK")
        except OSError:
            return False

    def stop(self) -> None:
        """Stop the server that this object started; its mail stays, so `start` goes on where it ended."""
        if self._process is None:
            return
        # The master alone would give its children a second to end by themselves; they are the rest of its own process group.
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def log(self) -> str:
        """What the server said, for a failed test."""
        files = [self.home / "console.log", self.home / "dovecot.log"]
        return "\n".join(file.read_text(errors="replace") for file in files if file.exists())

    def drop(self, letters: Sequence[bytes], *, user: str = "desk", at: datetime | None = None) -> None:
        """Deliver letters to a user's inbox as a mail system does: written to `tmp`, then renamed into `new`, in this order.

        `at`: when they came, as the server will say; without it now.
        """
        box = self.home / "mail" / user
        for directory in (box, box / "tmp", box / "new", box / "cur"):
            self._own(directory)
        for letter in letters:
            self._dropped += 1
            # Dovecot numbers what it finds in the order of these names.
            name = f"{int(time.time())}.M{self._dropped:08d}.test,S={len(letter)}"
            (box / "tmp" / name).write_bytes(letter)
            os.chown(box / "tmp" / name, *self._owner)
            if at is not None:
                os.utime(box / "tmp" / name, (at.timestamp(), at.timestamp()))
            (box / "tmp" / name).rename(box / "new" / name)

    def letters(self, folder: str = "INBOX", *, user: str = "desk") -> list[bytes]:
        """What lies in a folder, read from the disk behind the server's back, in the order of arrival."""
        return [file.read_bytes() for file in self._files(folder, user)]

    def flags(self, folder: str = "INBOX", *, user: str = "desk") -> list[str]:
        """The Maildir flags of each letter in a folder ("S" is seen, "T" deleted, small letters are keywords)."""
        return [file.name.partition(":2,")[2] for file in self._files(folder, user)]

    def _files(self, folder: str, user: str) -> list[Path]:
        box = self.home / "mail" / user / ("" if folder == "INBOX" else f".{folder}")
        return sorted((file for part in ("cur", "new") for file in (box / part).glob("*")), key=lambda file: file.name)

    def damage(self, place: int, *, user: str = "desk") -> None:
        """Make the inbox's letter at this place (from 1) unreadable for the server."""
        file = self._files("INBOX", user)[place - 1]
        os.chown(file, os.getuid(), os.getgid())
        file.chmod(0)

    def renumber(self, folder: str = "INBOX", *, user: str = "desk") -> None:
        """While stopped: forget all numbers of a folder, as when it is made anew from a backup; UIDVALIDITY will be another."""
        box = self.home / "mail" / user / ("" if folder == "INBOX" else f".{folder}")
        for file in box.glob("dovecot*"):
            if file.is_file():
                file.unlink()

    def __enter__(self) -> Dovecot:
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self.home, ignore_errors=True)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
