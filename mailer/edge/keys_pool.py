"""How is a ready pair sealed to the pool's key, and how is it opened? (`keys.py` says where that key lies)

Whoever imports makes a data key, seals it to the pool's public key, and under it each pair: issuing then opens one data key for all
the pairs of an import. That key is public: that a pair is ours must be told by its content (`store/accounts_pool.py`).

    pool number NUL "AES-256-GCM" NUL length of the sealed data key (2 bytes, big-endian) || sealed data key || nonce || ciphertext

A pair is bound to its own row, office and pool by the additional data of AES-GCM (NIST SP 800-38D); the data key to office and pool
by HPKE. The nonce counts the pairs under one data key, which never leaves the process that made it but sealed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mailer.core.custody import KeyKind
from mailer.edge.keys import Keyring
from mailer.edge.keys_file import KEY_BYTES

DATA_KEY_SUITE: Final = b"AES-256-GCM"
POOL_NUMBER: Final = re.compile(rb"[1-9]\d{0,5}")
_LENGTH: Final = 2
_NONCE: Final = 12
_KEPT: Final = 16  # data keys of so many imports: pairs are handed out in the order of their import


@dataclass(frozen=True, kw_only=True, slots=True)
class PairBinding:
    """What a sealed ready pair is bound to: the office, its own id, and the pool key, by number."""

    instance: str
    pair_id: str
    pool: int

    def info(self) -> bytes:
        return "\n".join(("mailer-pair-1", self.instance, self.pair_id, str(self.pool))).encode()


@dataclass(frozen=True, kw_only=True, slots=True)
class DataKeyBinding:
    """What a sealed data key is bound to."""

    instance: str
    pool: int

    @property
    def key(self) -> tuple[KeyKind, str]:
        return KeyKind.POOL, str(self.pool)

    def info(self) -> bytes:
        return "\n".join(("mailer-pairs-key-1", self.instance, str(self.pool))).encode()


@dataclass(frozen=True, kw_only=True, slots=True)
class _DataKey:
    """One that we made: how it lies sealed, and the nonces it has not used."""

    sealed: bytes
    cipher: AESGCM = field(repr=False)
    nonces: Iterator[int]


class PoolKeys:
    """Seals ready pairs and opens them; `instance` is the database's name, to which they are bound."""

    def __init__(self, keyring: Keyring, *, instance: str) -> None:
        if not instance:
            raise ValueError("ready pairs are bound to the database's name")
        self._keyring = keyring
        self._instance = instance
        self._made: dict[int, _DataKey] = {}
        self._opened: dict[bytes, AESGCM] = {}

    def seal_to_pool(self, content: bytes, pair_id: str) -> bytes:
        """Seal a ready pair for whoever holds the private half of the newest pool key."""
        number = max(self._keyring.pools(), default=1)
        key = self._made.get(number) or self._make(number)
        nonce = next(key.nonces).to_bytes(_NONCE, "big")
        binding = PairBinding(instance=self._instance, pair_id=pair_id, pool=number)
        sealed = key.cipher.encrypt(nonce, content, binding.info())
        return b"".join(
            (b"%d\0" % number, DATA_KEY_SUITE, b"\0", len(key.sealed).to_bytes(_LENGTH, "big"), key.sealed, nonce, sealed)
        )

    def open_from_pool(self, sealed: bytes, pair_id: str) -> bytes | None:
        """The pair, or None when these bytes were not sealed for it. SetupError when the private key is missing."""
        number, _, rest = sealed.partition(b"\0")
        if not POOL_NUMBER.fullmatch(number):
            return None
        binding = PairBinding(instance=self._instance, pair_id=pair_id, pool=int(number))
        suite, _, boxed = rest.partition(b"\0")
        if suite != DATA_KEY_SUITE:
            return None
        end = _LENGTH + int.from_bytes(boxed[:_LENGTH], "big")
        cipher = self._cipher(boxed[_LENGTH:end], binding.pool)
        nonce, content = boxed[end : end + _NONCE], boxed[end + _NONCE :]
        if cipher is None or len(nonce) != _NONCE:
            return None
        try:
            return cipher.decrypt(nonce, content, binding.info())
        except InvalidTag:
            return None

    def _make(self, number: int) -> _DataKey:
        key = AESGCM.generate_key(bit_length=8 * KEY_BYTES)
        sealed = self._keyring.seal(key, DataKeyBinding(instance=self._instance, pool=number))
        self._made[number] = _DataKey(sealed=sealed, cipher=AESGCM(key), nonces=count())
        return self._made[number]

    def _cipher(self, sealed: bytes, number: int) -> AESGCM | None:
        """None when it is no data key that was sealed to this pool's key."""
        known = self._opened.get(sealed)
        if known is not None:
            return known
        key = self._keyring.open(sealed, DataKeyBinding(instance=self._instance, pool=number))
        if key is None or len(key) != KEY_BYTES:
            return None
        if len(self._opened) >= _KEPT:
            self._opened.clear()
        self._opened[sealed] = AESGCM(key)
        return self._opened[sealed]
