import os

import bcrypt
import pytest

from asr_trio.errors import ConfigError
from asr_trio.server.auth import Authenticator, TooManyFailuresError


@pytest.fixture
def htpasswd(tmp_path):
    path = tmp_path / "htpasswd"
    path.write_bytes(b"ann:" + bcrypt.hashpw(b"s3cret", bcrypt.gensalt(4)) + b"\n")
    return path


async def test_the_right_password_and_nothing_else_is_accepted(htpasswd):
    authenticator = Authenticator(htpasswd)
    assert await authenticator.verify("ann", "s3cret", "192.0.2.1")
    assert await authenticator.verify("ann", "s3cret", "192.0.2.1")  # from memory
    assert not await authenticator.verify("ann", "s3cret ", "192.0.2.1")
    assert not await authenticator.verify("bob", "s3cret", "192.0.2.1")
    assert not await authenticator.verify("ann", "nul\0", "192.0.2.1")


async def test_an_address_that_guesses_is_locked_out_and_others_are_not(htpasswd):
    authenticator = Authenticator(htpasswd)
    for _ in range(10):
        assert not await authenticator.verify("ann", "guess", "192.0.2.1")
    with pytest.raises(TooManyFailuresError):
        await authenticator.verify("ann", "s3cret", "192.0.2.1")
    assert await authenticator.verify("ann", "s3cret", "192.0.2.2")


async def test_a_changed_file_takes_effect_on_reload(htpasswd):
    authenticator = Authenticator(htpasswd)
    assert await authenticator.verify("ann", "s3cret", "192.0.2.1")
    htpasswd.write_bytes(b"ann:" + bcrypt.hashpw(b"other", bcrypt.gensalt(4)) + b"\n#changed\n")
    os.utime(htpasswd, (1, 1))
    authenticator.reload()
    assert not await authenticator.verify("ann", "s3cret", "192.0.2.1")
    assert await authenticator.verify("ann", "other", "192.0.2.1")


def test_a_missing_file_is_the_operators_error(tmp_path):
    with pytest.raises(ConfigError, match="htpasswd"):
        Authenticator(tmp_path / "none")
