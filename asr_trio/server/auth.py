"""HTTP Basic against an htpasswd file: constant in time, cheap for the known, slow for the guesser.

A bcrypt or argon2 verification takes up to a second of processor time, so it runs in a thread, two at a time and one
for each address, and a success is remembered for a while as a keyed digest (never the password). So a flood of guesses
from one address delays others by one verification, and is refused without any once it has failed too often.

Failures are counted twice: for a user at an address, and for an address. Behind a proxy all users have one address;
the first count keeps one client with an old password from shutting the others out, and who was verified before and
says the same again passes the second.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio
from passlib.apache import HtpasswdFile
from passlib.context import CryptContext

from asr_trio.errors import ConfigError
from asr_trio.server.gate import address_group
from asr_trio.server.lockout import Lockout

_VERIFIED_FOR_S: Final = 300.0
_VERIFIED_USERS: Final = 1024
_VERIFICATIONS_AT_ONCE: Final = 2
_FAILURES_OF_A_USER: Final = 10
"""A minute: a person mistypes a few times; a guesser needs millions."""
_FAILURES_OF_AN_ADDRESS: Final = 60
"""A minute, whatever the user names."""


PASSWORD_SCHEMES: Final = CryptContext(["bcrypt", "argon2", "sha512_crypt", "sha256_crypt", "apr_md5_crypt"])
"""How a password may be kept, the first for new ones; what Apache knows besides has no salt, or is no hash at all."""


class TooManyFailuresError(Exception):
    """There were too many failures; nothing was verified."""


class Authenticator:
    """Verifies user names and passwords."""

    def __init__(self, htpasswd_file: Path) -> None:
        """Read the file.

        Raises:
            ConfigError: it cannot be read.
        """
        self._path = htpasswd_file
        try:
            self._file = HtpasswdFile(str(htpasswd_file), context=PASSWORD_SCHEMES)
        except (OSError, ValueError) as error:
            raise ConfigError(f"auth.htpasswd_file: {error}") from error
        for user in self._file.users():
            if PASSWORD_SCHEMES.identify(self._file.get_hash(user)) is None:
                raise ConfigError(f"auth.htpasswd_file: the password of {user} is no hash that is known here")
        self._key = secrets.token_bytes(32)
        self._verified: dict[str, tuple[bytes, float]] = {}
        self._threads = trio.CapacityLimiter(_VERIFICATIONS_AT_ONCE)
        self._turns: dict[str, trio.Lock] = {}
        self._waiting: Counter[str] = Counter()
        self._user_failures = Lockout(_FAILURES_OF_A_USER)
        self._address_failures = Lockout(_FAILURES_OF_AN_ADDRESS)

    def reload(self) -> None:
        """Read the file again if it has changed; keep the old content where it cannot be read.

        Raises:
            ConfigError: it cannot be read.
        """
        try:
            changed = self._file.load_if_changed()
        except (OSError, ValueError) as error:
            raise ConfigError(f"auth.htpasswd_file: {error}") from error
        if changed:
            self._verified.clear()

    async def verify(self, user: str, password: str, address: str) -> bool:
        """Tell whether the password is the user's.

        Raises:
            TooManyFailuresError: this user at this address, or the address, is locked out for now.
        """
        origin = address_group(address)
        digest = hmac.digest(self._key, f"{user}\0{password}".encode(), hashlib.sha256)
        if self._is_remembered(user, digest, origin):
            return True
        async with self._turn(origin):
            if self._is_remembered(user, digest, origin):  # by who came before in the queue
                return True
            # Not given up half-way: a guess that was begun is counted, and no thread outlives the server.
            right = await trio.to_thread.run_sync(self._check, user, password, limiter=self._threads)
            now_s = trio.current_time()
            if not right:
                self._user_failures.fail((origin, user), now_s)
                self._address_failures.fail(origin, now_s)
                return False
            if len(self._verified) >= _VERIFIED_USERS:
                self._verified.pop(next(iter(self._verified)))
            self._verified[user] = (digest, now_s + _VERIFIED_FOR_S)
            return True

    def _is_remembered(self, user: str, digest: bytes, origin: str) -> bool:
        """Tell whether these credentials were right a while ago.

        Raises:
            TooManyFailuresError: they may not even be looked at.
        """
        now_s = trio.current_time()
        if self._user_failures.is_locked((origin, user), now_s):
            raise TooManyFailuresError
        known, until_s = self._verified.get(user, (b"", 0.0))
        if hmac.compare_digest(known, digest) and now_s < until_s:
            return True
        if self._address_failures.is_locked(origin, now_s):
            self._user_failures.fail((origin, user), now_s)  # comparing with what is remembered was a guess as well
            raise TooManyFailuresError
        return False

    @asynccontextmanager
    async def _turn(self, origin: str) -> AsyncIterator[None]:
        """Wait until no other verification for this address is running."""
        lock = self._turns.setdefault(origin, trio.Lock())
        self._waiting[origin] += 1
        try:
            async with lock:
                yield
        finally:
            self._waiting[origin] -= 1
            if not self._waiting[origin]:
                del self._waiting[origin], self._turns[origin]

    def _check(self, user: str, password: str) -> bool:
        """Verify; an unknown user costs what a known one does, whatever scheme and cost the file's hashes have."""
        users = self._file.users()
        try:
            if user in users:
                return bool(self._file.check_password(user, password))
            if users:
                choice = int.from_bytes(hmac.digest(self._key, user.encode(), hashlib.sha256))
                self._file.check_password(users[choice % len(users)], password)
        except ValueError:  # NUL in the password, unknown hash scheme
            return False
        return False
