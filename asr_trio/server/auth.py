"""HTTP Basic against an htpasswd file: constant in time, cheap for the known, slow for the guesser.

A bcrypt or argon2 verification takes up to hundreds of milliseconds of processor time, so it runs in a thread, two at a
time, and a success is remembered for a while as a keyed digest (never the password). Failures are counted by address;
past the limit an address is refused without any verification until its window is over.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Final

import limits
import limits.storage
import limits.strategies
import trio
from passlib.apache import HtpasswdFile

from asr_trio.errors import ConfigError
from asr_trio.server.gate import address_group

_VERIFIED_FOR_S: Final = 300.0
_VERIFIED_USERS: Final = 1024
_VERIFICATIONS_AT_ONCE: Final = 2
_FAILURES_PER_MINUTE: Final = 10
"""A person mistypes a few times; a guesser needs millions."""


class TooManyFailuresError(Exception):
    """This address has failed too often; nothing was verified."""


class Authenticator:
    """Verifies user names and passwords."""

    def __init__(self, htpasswd_file: Path) -> None:
        """Read the file.

        Raises:
            ConfigError: it cannot be read.
        """
        self._path = htpasswd_file
        try:
            self._file = HtpasswdFile(str(htpasswd_file))
        except (OSError, ValueError) as error:
            raise ConfigError(f"auth.htpasswd_file: {error}") from error
        # An unknown user must cost as much time as a known one with a wrong password.
        self._decoy = HtpasswdFile(default_scheme="bcrypt")
        self._decoy.set_password("decoy", secrets.token_hex())
        self._key = secrets.token_bytes(32)
        self._verified: dict[str, tuple[bytes, float]] = {}
        self._limiter = trio.CapacityLimiter(_VERIFICATIONS_AT_ONCE)
        self._rate = limits.strategies.FixedWindowRateLimiter(limits.storage.MemoryStorage())
        self._failure_limit = limits.RateLimitItemPerMinute(_FAILURES_PER_MINUTE)

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
            TooManyFailuresError: the address is locked out for now.
        """
        origin = address_group(address)
        if not self._rate.test(self._failure_limit, origin):
            raise TooManyFailuresError
        digest = hmac.digest(self._key, f"{user}\0{password}".encode(), hashlib.sha256)
        remembered = self._verified.get(user)
        if (
            remembered is not None
            and remembered[1] > trio.current_time()
            and hmac.compare_digest(remembered[0], digest)
        ):
            return True
        right = await trio.to_thread.run_sync(
            self._check, user, password, limiter=self._limiter, abandon_on_cancel=True
        )
        if not right:
            self._rate.hit(self._failure_limit, origin)
            return False
        if len(self._verified) >= _VERIFIED_USERS:
            self._verified.pop(next(iter(self._verified)))
        self._verified[user] = (digest, trio.current_time() + _VERIFIED_FOR_S)
        return True

    def _check(self, user: str, password: str) -> bool:
        try:
            verdict = self._file.check_password(user, password)
            if verdict is None:
                self._decoy.check_password("decoy", password)
            return bool(verdict)
        except ValueError:  # NUL in the password, unknown hash scheme
            return False
