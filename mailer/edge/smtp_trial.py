"""What does a mail server say to a trial letter that bears another's address?

One letter, one connection, no second try. Unlike a reply, a trial letter may be lost, so the library's own commands do; what counts
is the command at which the server said no. Nothing here looks whether the letter arrived.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPResponseException

from mailer.core.spoof import CONNECT, Answer, Handing
from mailer.edge.smtp import SmtpAccount, find_own_name, take_leave, thrown_away_on_error, trust_store, words
from mailer.errors import EdgeError
from mailer.model import Envelope

_DATA = "DATA"


@dataclass(kw_only=True, slots=True)
class _Progress:
    """The last command begun."""

    command: str = CONNECT


async def hand_in(account: SmtpAccount, envelope: Envelope, content: bytes, *, as_server: bool = False) -> Handing:
    """Hand in one letter and say what the server answered; raises nothing but cancellation.

    `as_server`: as mail servers hand letters to each other, by TLS if it is offered and without a look at the certificate. Such an
    account has no login, and a trial letter holds nothing secret.
    """
    progress = _Progress()
    try:
        client = await _client(account, as_server=as_server)
        async with asyncio.timeout(account.send_seconds):
            detail = await _deliver(client, account, envelope, content, progress)
    except (EdgeError, SMTPException, OSError, ValueError) as error:
        return Handing(answer=_answer(progress, error), command=progress.command, detail=words(_cause(error)))
    return Handing(answer=Answer.TAKEN, command=progress.command, detail=detail)


async def _client(account: SmtpAccount, *, as_server: bool) -> SMTP:
    open_line = account.tls == "none"
    return SMTP(
        hostname=account.host,
        port=account.port,
        username=account.user,
        password=account.password,
        local_hostname=await find_own_name(),
        timeout=None,  # the bounds are on the whole
        use_tls=account.tls == "implicit",
        start_tls=None if as_server else account.tls == "starttls",  # None takes what is offered: for those without a login only
        validate_certs=not as_server,
        tls_context=None if open_line else await asyncio.to_thread(trust_store, account),
    )


async def _deliver(client: SMTP, account: SmtpAccount, envelope: Envelope, content: bytes, progress: _Progress) -> str:
    with thrown_away_on_error(client):
        async with asyncio.timeout(account.connect_seconds):
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        for command, argument in (("MAIL", f"FROM:<{envelope.sender}>"), ("RCPT", f"TO:<{envelope.recipient}>")):
            progress.command = command
            response = await client.execute_command(command.encode("ascii"), argument.encode("ascii"))
            if response.code // 100 != 2:
                raise SMTPResponseException(response.code, response.message)
        progress.command = _DATA
        response = await client.data(content)
    await take_leave(client)
    return f"{response.code} {response.message}"


def _answer(progress: _Progress, error: Exception) -> Answer:
    if isinstance(error, SMTPResponseException) and not isinstance(error, SMTPAuthenticationError):
        if 500 <= error.code < 600:
            return Answer.REFUSED
        if 400 <= error.code < 500:
            return Answer.PUT_OFF
    if progress.command == _DATA:
        return Answer.TAKEN  # it may have been: whether it was is seen in the mailbox
    nobody = progress.command == CONNECT and isinstance(_cause(error), OSError) and not isinstance(_cause(error), ssl.SSLError)
    return Answer.NOBODY if nobody else Answer.NOT_ASKED


def _cause(error: Exception) -> BaseException:
    """The library wraps what TCP and TLS said."""
    return error.__cause__ if isinstance(error, SMTPException) and isinstance(error.__cause__, OSError) else error
