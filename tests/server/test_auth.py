import os
import threading

import bcrypt
import pytest
import trio
from passlib.hash import argon2

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


async def test_argon2_is_verified(tmp_path):
    path = tmp_path / "htpasswd"
    path.write_text(f"ann:{argon2.using(rounds=1, memory_cost=64).hash('s3cret')}\n")
    authenticator = Authenticator(path)
    assert await authenticator.verify("ann", "s3cret", "192.0.2.1")
    assert not await authenticator.verify("ann", "guess", "192.0.2.1")


@pytest.mark.parametrize("kept", ["s3cret", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="])
def test_a_password_that_is_no_good_hash_is_the_operators_error(tmp_path, kept):
    path = tmp_path / "htpasswd"
    path.write_text(f"ann:{kept}\n")
    with pytest.raises(ConfigError, match="password of ann"):
        Authenticator(path)


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


async def test_one_users_old_password_behind_a_proxy_does_not_shut_the_others_out(htpasswd, autojump_clock):
    add_user(htpasswd, "bob", 4)
    authenticator = Authenticator(htpasswd)
    assert await authenticator.verify("ann", "s3cret", "192.0.2.1")
    for _ in range(10):
        assert not await authenticator.verify("old", "guess", "192.0.2.1")
    assert await authenticator.verify("bob", "bob", "192.0.2.1")
    for guess in range(50):
        await authenticator.verify(f"user {guess}", "guess", "192.0.2.1")
    with pytest.raises(TooManyFailuresError):
        await authenticator.verify("somebody else", "guess", "192.0.2.1")
    assert await authenticator.verify("ann", "s3cret", "192.0.2.1")  # verified before
    await trio.sleep(61)
    assert not await authenticator.verify("somebody else", "guess", "192.0.2.1")


async def test_what_is_remembered_is_no_faster_way_to_guess(htpasswd):
    authenticator = Authenticator(htpasswd)
    assert await authenticator.verify("ann", "s3cret", "192.0.2.1")
    for guess in range(60):
        await authenticator.verify(f"user {guess}", "guess", "192.0.2.1")
    for guess in range(10):
        with pytest.raises(TooManyFailuresError):
            await authenticator.verify("ann", f"guess {guess}", "192.0.2.1")
    with pytest.raises(TooManyFailuresError):
        await authenticator.verify("ann", "s3cret", "192.0.2.1")


async def test_a_flood_of_guesses_is_counted_while_it_waits_and_leaves_others_their_turn(htpasswd, monkeypatch):
    authenticator = Authenticator(htpasswd)
    checked = []
    check = authenticator._check
    let_in = threading.Event()

    def slow_for_guesses(user, password):
        checked.append(password)
        assert password == "s3cret" or let_in.wait(60)
        return check(user, password)

    monkeypatch.setattr(authenticator, "_check", slow_for_guesses)
    refused = 0

    async def guess(number):
        nonlocal refused
        try:
            assert not await authenticator.verify("ann", f"guess {number}", "192.0.2.1")
        except TooManyFailuresError:
            refused += 1

    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(guess, number)
        await trio.lowlevel.checkpoint()
        try:
            assert await authenticator.verify("ann", "s3cret", "192.0.2.2")
            assert len(checked) <= 2  # the flood waits for its one place
        finally:
            let_in.set()
    assert refused == 90
    assert len(checked) == 11


async def test_a_guess_that_is_given_up_is_counted(htpasswd, monkeypatch):
    authenticator = Authenticator(htpasswd)
    begun = threading.Event()
    go_on = threading.Event()
    check = authenticator._check

    def slow(user, password):
        begun.set()
        assert go_on.wait(30)
        return check(user, password)

    monkeypatch.setattr(authenticator, "_check", slow)
    for _ in range(10):
        begun.clear()
        go_on.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(authenticator.verify, "ann", "guess", "192.0.2.1")
            await trio.to_thread.run_sync(begun.wait)
            nursery.cancel_scope.cancel()
            go_on.set()
    with pytest.raises(TooManyFailuresError):
        await authenticator.verify("ann", "guess", "192.0.2.1")


def test_an_unknown_user_costs_a_verification_by_the_files_own_hashes(htpasswd, monkeypatch):
    add_user(htpasswd, "bob", 5)
    authenticator = Authenticator(htpasswd)
    verified = []
    monkeypatch.setattr(authenticator._file, "check_password", lambda user, password: verified.append(user))
    for number in range(40):
        assert not authenticator._check(f"nobody {number}", "guess")
    assert len(verified) == 40
    assert set(verified) == {"ann", "bob"}
    assert not authenticator._check("nobody 1", "guess")
    assert verified[-1] == verified[1]  # the same for the same name


def add_user(path, name, cost):
    with path.open("ab") as file:
        file.write(name.encode() + b":" + bcrypt.hashpw(name.encode(), bcrypt.gensalt(cost)) + b"\n")
