"""``asr-trio users``: the htpasswd file."""

from __future__ import annotations

import getpass
import json as json_module
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from passlib.apache import HtpasswdFile

from asr_trio.errors import ConfigError
from asr_trio.server.auth import PASSWORD_SCHEMES

app = App(name="users", help="Keep the password file of HTTP Basic authentication.")

PasswordFile = Annotated[Path, Parameter(help="An htpasswd file; made with mode 0600 where it is absent.")]


def _open(file: Path, *, new: bool = False) -> HtpasswdFile:
    if not file.exists() and not new:
        msg = f"{file.name} does not exist"
        raise ConfigError(msg)
    return HtpasswdFile(str(file), new=not file.exists(), context=PASSWORD_SCHEMES)


@app.command
def add(file: PasswordFile, user: str, *, password_stdin: bool = False) -> int:
    """Add a user or change the password, asked for at the terminal or read from standard input."""
    if not user or ":" in user:
        raise ConfigError("a user name is not empty and holds no colon")
    password = sys.stdin.readline().rstrip("\n") if password_stdin else getpass.getpass("Password: ")
    if not password:
        raise ConfigError("the password is empty")
    users = _open(file, new=True)
    known = user in users.users()
    users.set_password(user, password)
    if not file.exists():
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
    users.save()
    print(f"{'Changed' if known else 'Added'} {user}.")
    return 0


@app.command
def remove(file: PasswordFile, user: str) -> int:
    """Remove a user; exit 1 where there is none of that name."""
    users = _open(file)
    if not users.delete(user):
        print(f"There is no user {user}.", file=sys.stderr)
        return 1
    users.save()
    print(f"Removed {user}.")
    return 0


@app.command(name="list")
def list_users(file: PasswordFile, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """List the users, one a line or as JSON."""
    found = sorted(_open(file).users())
    if json:
        print(json_module.dumps(found))
    else:
        print("".join(f"{user}\n" for user in found), end="")
    return 0
