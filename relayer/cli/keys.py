"""`xvm keys`: key files of signers and of paying accounts.

Its job: make a key file and tell the public key of one. SECURITY: a secret goes from the generator into the file and
nowhere else: no command prints one, takes one as an argument, or overwrites one.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from attestation.address import checksum_address
from attestation.errors import AttestationError
from attestation.schemes import SECP256K1
from attestation.schemes.secp256k1 import ORDER, SECRET_LENGTH
from relayer.cli.output import JsonOption, examples, print_json, print_lines
from relayer.errors import ConfigError
from relayer.keys.keystore import Secret, load_password, load_secret, save_bare_secret, save_keystore

PASSWORD_VARIABLE: Final = "XVM_PASSWORD"  # noqa: S105 - the name of a variable, not a password

KeyFileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The key file.", show_default=False)]
PasswordFileOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help=f"File with the password, mode 0600. Without it: {PASSWORD_VARIABLE}, else a prompt.",
    ),
]

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Make key files and show the public keys in them.")


@app.command(
    epilog=examples(
        "xvm keys new signer.json", "xvm keys new wallet.json --password-file password", "xvm keys new test.key --bare"
    )
)
def new(
    file: KeyFileArgument,
    password_file: PasswordFileOption = None,
    bare: bool = typer.Option(False, "--bare", help="Write bare hex instead of an encrypted keystore; for tests."),
    as_json: JsonOption = False,
) -> None:
    """Make a new key file; print its public key.

    The file is a version 3 keystore, readable by its owner only. An existing file is never overwritten.
    """
    secret = Secret((secrets.randbelow(ORDER - 1) + 1).to_bytes(SECRET_LENGTH, "big"))
    if bare:
        save_bare_secret(file, secret)
    else:
        password = load_password(PASSWORD_VARIABLE, password_file)
        save_keystore(file, secret, _ask_password(is_new=True) if password is None else password)
    _show(file, secret, as_json=as_json)


@app.command(epilog=examples("xvm keys show signer.json", "xvm keys show signer.json --json"))
def show(file: KeyFileArgument, password_file: PasswordFileOption = None, as_json: JsonOption = False) -> None:
    """Print the public key of a key file, as signer sets and the peers' sections of configurations name it."""
    _show(file, load_key_file(file, password_file), as_json=as_json)


def load_key_file(file: Path, password_file: Path | None) -> Secret:
    """The secret of a key file; asks for its password on a terminal if it needs one. Raises `ConfigError`."""
    password = load_password(PASSWORD_VARIABLE, password_file)
    if password is None and sys.stdin.isatty() and _is_encrypted(file):
        password = _ask_password(is_new=False)
    return load_secret(file, password)


def _is_encrypted(file: Path) -> bool:
    """By its first byte; False for what cannot be read, which loading it will tell."""
    try:
        with file.open("rb") as content:
            return content.read(1) == b"{"
    except OSError:
        return False


def _show(file: Path, secret: Secret, *, as_json: bool) -> None:
    try:
        key = SECP256K1.signing_key(secret.reveal()).key
    except AttestationError as error:
        raise ConfigError([f"{file}: {error}"]) from None
    if as_json:
        print_json({"file": str(file), "signer": f"0x{key.hex()}", "account": checksum_address(key)})
    else:
        print_lines(f"signer key   0x{key.hex()}", f"account      {checksum_address(key)} (on eip155 and qvm chains)")


def _ask_password(*, is_new: bool) -> str:
    if not sys.stdin.isatty():
        raise ConfigError([f"a password is needed; name a --password-file or set {PASSWORD_VARIABLE}"])
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=is_new, err=True))
