"""Signed notes: the examples of the specifications and of Go's sumdb/note, byte for byte, and what is no note."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mailer.core import note
from mailer.core.note import NoteError, PublicKey

# golang.org/x/mod/sumdb/note, whose format the specification describes: key, private key, text, signature.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = TEXT + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
GO_SUMDB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

# The examples of C2SP signed-note and tlog-checkpoint; their public keys are not published.
QUASIMODO = (
    "Ognuno sta solo sul cuor della terra\n"
    "trafitto da un raggio di sole:\n"
    "\n"
    "ed è subito sera.\n"
    "\n"
    "— quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)
BEHIND_THE_SOFA = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)


def signer(name: str, seed: bytes) -> note.Signer:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    return PublicKey(name=name, key=private.public_key().public_bytes_raw()), private.sign


PETER_SIGNS = signer("PeterNeumann", PETERS_SEED)


@pytest.mark.parametrize("written", [PETER, ENOCH, GO_SUMDB])
def test_published_keys_are_read_with_their_ids_and_written_back(written: str) -> None:
    assert str(note.read_key(written)) == written


def test_the_reference_note_is_signed_byte_for_byte() -> None:
    assert str(PETER_SIGNS[0]) == PETER
    assert note.sign(TEXT, [PETER_SIGNS]) == SIGNED
    read = note.read(SIGNED.encode())
    assert read.text == TEXT
    assert read.is_signed(note.read_key(PETER))
    assert not read.is_signed(note.read_key(ENOCH))
    assert not read.is_signed()


@pytest.mark.parametrize(
    ("written", "text", "name"),
    [
        (QUASIMODO, QUASIMODO.rpartition("\n— ")[0], "quasimodo.example/salvatore"),
        (BEHIND_THE_SOFA, BEHIND_THE_SOFA.rpartition("\n— ")[0], "example.com/behind-the-sofa"),
    ],
)
def test_the_examples_of_the_specification_are_read(written: str, text: str, name: str) -> None:
    read = note.read(written.encode())
    assert read.text == text
    assert [(one.name, len(one.key_id), len(one.signature)) for one in read.signatures] == [(name, 4, 64)]


def test_a_changed_text_is_not_signed() -> None:
    assert not note.read(SIGNED.replace("cryptography", "cryptographY").encode()).is_signed(PETER_SIGNS[0])


def test_signatures_of_unknown_keys_are_passed_over_and_a_wrong_one_of_ours_spoils_the_note() -> None:
    other = signer("another", b"s" * 32)
    both = note.read(note.sign(TEXT, [other, PETER_SIGNS]).encode())
    assert both.is_signed(PETER_SIGNS[0])
    assert both.is_signed(PETER_SIGNS[0], other[0])
    wrong = note.sign(TEXT, [PETER_SIGNS, (PETER_SIGNS[0], lambda _: bytes(64))])
    assert not note.read(wrong.encode()).is_signed(PETER_SIGNS[0])


def test_sixteen_signatures_are_read() -> None:
    signers = [signer(f"witness{number}", bytes([number]) * 32) for number in range(16)]
    assert note.read(note.sign(TEXT, signers).encode()).is_signed(*(key for key, _ in signers))


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(TEXT.encode(), id="not signed"),
        pytest.param(SIGNED[:-1].encode(), id="last newline missing"),
        pytest.param(SIGNED.replace("\n\n", "\n").encode(), id="no empty line"),
        pytest.param(SIGNED.replace("— ", "- ").encode(), id="a hyphen"),
        pytest.param(SIGNED.replace("then", "\tthen").encode(), id="a control character"),
        pytest.param(SIGNED.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(SIGNED.replace("x08go/", "x08go").encode(), id="broken base64"),
        pytest.param(SIGNED.replace("PeterNeumann", "Peter+Neumann").encode(), id="a plus in the name"),
        pytest.param(SIGNED.encode("utf-16"), id="UTF-16"),
        pytest.param((TEXT + "\n— PeterNeumann x08gow==\n").encode(), id="an id without a signature"),
        pytest.param((SIGNED + "\n").encode(), id="an empty line below"),
    ],
)
def test_what_is_no_note(written: bytes) -> None:
    with pytest.raises(NoteError):
        note.read(written)


@pytest.mark.parametrize("at", range(0, len(PETER), 3))
def test_a_changed_key_is_refused(at: int) -> None:
    changed = PETER[:at] + chr(ord(PETER[at]) + 1) + PETER[at + 1 :]
    with pytest.raises(NoteError):
        note.read_key(changed)


def test_the_name_is_part_of_the_keys_id() -> None:
    with pytest.raises(NoteError, match="id"):
        note.read_key(PETER.replace("Peter", "Paul"))


@pytest.mark.parametrize("name", ["", "two words", "a\u00a0b", "a+b", "a\nb"])
def test_names_that_keys_must_not_have(name: str) -> None:
    with pytest.raises(NoteError):
        PublicKey(name=name, key=bytes(32))
