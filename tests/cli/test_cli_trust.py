"""Does `mailer explain --mailbox` judge senders as the configuration of that mailbox says?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.offices import Shell
from tests.e2e.bureau import request

REGISTER = "code,organisation,subscriber,address,answer_to\n290003,Стоматолог,,dent@mail.ru,\n"


@pytest.mark.parametrize(
    ("configured", "said", "verdict"),
    [
        pytest.param("", "dmarc=pass", "hold", id="public by default"),
        pytest.param("", "auth=pass smtp.auth=dent@mail.ru", "issue", id="by login"),
        pytest.param("shared_domains = ['MAIL.RU']\n", "dmarc=pass", "hold", id="public by name"),
        pytest.param("shared_domains = ['почта.рф']\n", "dmarc=pass", "issue", id="another is"),
        pytest.param("shared_domains = []\n", "dmarc=pass", "issue", id="none is"),
    ],
)
def test_a_public_mail_service_is_judged_as_configured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], configured: str, said: str, verdict: str
) -> None:
    shell = Shell(home=tmp_path, capsys=capsys)
    assert shell("init").code == 0
    config = tmp_path / "mailer.toml"
    trust = f'trust = "authentication-results"\nauthserv_id = "mx.fond.example"\n{configured}'
    text = config.read_text(encoding="utf-8")
    assert text.count('trust = "network"') == 1
    config.write_text(text.replace('trust = "network"', trust), encoding="utf-8")
    (tmp_path / "senders.csv").write_text(REGISTER, encoding="utf-8")
    assert shell("senders", "import", str(tmp_path / "senders.csv")).code == 0
    letter = tmp_path / "letter.eml"
    letter.write_bytes(f"Authentication-Results: mx.fond.example; {said}\r\n".encode() + request("Пришва А.А.", "dent@mail.ru"))

    (found,) = shell("explain", "--json", "--mailbox", "uc", str(letter)).objects
    assert (found["kind"], found["verdict"], found["sender_code"] is None) == ("request", verdict, verdict == "hold")
