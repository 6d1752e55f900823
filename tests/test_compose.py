"""Are the trial containers described so that docker-compose of Debian 12 (version 1) takes them? No engine runs here."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mailer.config.load import load
from tests.servers.services import ServiceMissing, needed

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def docker_compose() -> str:
    """The path of the program."""
    with needed():
        found = shutil.which("docker-compose")
        if found is None:
            raise ServiceMissing("docker-compose", "docker-compose")
        return found


def read(program: str, file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, "--file", str(file), "config", *arguments], capture_output=True, text=True, check=False)


def test_compose_file_is_valid(docker_compose: str) -> None:
    read_quietly = read(docker_compose, COMPOSE, "--quiet")
    assert (read_quietly.returncode, read_quietly.stdout, read_quietly.stderr) == (0, "", "")


def test_three_services(docker_compose: str) -> None:
    assert set(read(docker_compose, COMPOSE, "--services").stdout.split()) == {"handler", "postgres", "mail"}


def test_passwords_are_files_only(docker_compose: str) -> None:
    described = read(docker_compose, COMPOSE).stdout
    assert re.findall(r"\S*PASSWORD\S*: (\S+)", described) == ["/run/secrets/database_password"]
    assert re.findall(r"file: (\S+)", described) == [str(ROOT / f"docker/secrets/{name}_password") for name in ("database", "mail")]


def test_a_file_of_the_second_version_is_refused(docker_compose: str, tmp_path: Path) -> None:
    newer = tmp_path / "docker-compose.yml"
    newer.write_text("name: mailer\n" + COMPOSE.read_text(encoding="utf-8"), encoding="utf-8")
    assert read(docker_compose, newer).returncode != 0


def test_the_handler_is_an_ordinary_user_with_a_health_check() -> None:
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1] == "mailer"
    assert 'CMD ["mailer", "status"]' in DOCKERFILE


def test_what_the_image_is_built_from_is_there() -> None:
    sources = [name for line in re.findall(r"^COPY (?!--from)(.+)", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]]
    assert [name for name in sources if not (ROOT / name).exists()] == []


def test_the_trial_configuration_is_valid() -> None:
    settings = load(ROOT / "docker/mailer.toml", {"MAILER_CONFIG": "/etc/mailer/mailer.toml"})
    assert settings.database.url == "postgresql+psycopg://mailer@postgres/mailer"
