"""`xvm keys`: key files of signers, of what speaks to peers, and of paying accounts.

Its job: make a key file and tell the public key of one. SECURITY: a secret goes from the generator into the file and
nowhere else: no command prints one, takes one as an argument, or overwrites one.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from attestation.errors import MalformedSecret, MalformedSignerSet
from attestation.schemes import DEFAULT_SCHEME, SCHEMES_BY_NAME, Scheme, SigningKey, draw_secret
from attestation.signer_set import operator_id
from relayer.cli.asking import account_texts
from relayer.cli.output import JsonOption, examples, print_json, print_lines
from relayer.cli.scheme import SchemeOption
from relayer.errors import ConfigError
from relayer.keys.keystore import Secret, load_password, load_secret, save_bare_secret, save_keystore
from relayer.peers.wire import PEER_SCHEME

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
BareOption = Annotated[bool, typer.Option("--bare", help="Write bare hex instead of an encrypted keystore; for tests.")]
OperatorOption = Annotated[
    str | None,
    typer.Option("--operator", metavar="TEXT", help="Name of the operator: tells what a signer set lists for it."),
]

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Make key files and show the public keys in them.")


@app.command(
    epilog=examples(
        "xvm keys new signer.json",
        "xvm keys new wallet.json --password-file password",
        "xvm keys new signer.json --scheme bls12-381 --operator alice",
        "xvm keys new test.key --bare",
    )
)
def new(
    file: KeyFileArgument,
    password_file: PasswordFileOption = None,
    bare: BareOption = False,
    scheme: SchemeOption = DEFAULT_SCHEME.name,
    operator: OperatorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new key file; print its public key.

    The file is a version 3 keystore, readable by its owner only. An existing file is never overwritten.
    """
    secret = Secret(draw_secret(SCHEMES_BY_NAME[scheme], secrets.token_bytes))
    told = _Told(file, SCHEMES_BY_NAME[scheme], operator)
    _save(file, secret, password_file, is_bare=bare)
    told.show(secret, as_json=as_json)


@app.command(
    "import",
    epilog=examples(
        "xvm keys import signer.json --from exported.key",
        "xvm keys import signer.json --from exported.key --scheme bls12-381 --operator alice",
    ),
)
def import_(
    file: KeyFileArgument,
    source: Annotated[
        Path,
        typer.Option("--from", metavar="FILE", help="64 hex digits, or a version 3 keystore of the same password."),
    ],
    password_file: PasswordFileOption = None,
    bare: BareOption = False,
    scheme: SchemeOption = DEFAULT_SCHEME.name,
    operator: OperatorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key file of a secret that another program wrote into a file; print its public key.

    The source is left alone: delete it if it is bare. An existing file is never overwritten.
    """
    secret = load_key_file(source, password_file)
    told = _Told(source, SCHEMES_BY_NAME[scheme], operator)
    told.require(secret)
    _save(file, secret, password_file, is_bare=bare)
    told.show(secret, as_json=as_json)


@app.command(
    epilog=examples(
        "xvm keys show signer.json",
        "xvm keys show signer.json --scheme bls12-381 --operator alice",
        "xvm keys show signer.json --json",
    )
)
def show(
    file: KeyFileArgument,
    password_file: PasswordFileOption = None,
    scheme: SchemeOption = DEFAULT_SCHEME.name,
    operator: OperatorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the public key of a key file, as the peers' sections of configurations name it.

    With --operator also what a signer set lists: the key and, where the scheme asks for it, the proof that this
    operator holds its secret.
    """
    told = _Told(file, SCHEMES_BY_NAME[scheme], operator)
    told.show(load_key_file(file, password_file), as_json=as_json)


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


def _save(file: Path, secret: Secret, password_file: Path | None, *, is_bare: bool) -> None:
    if is_bare:
        save_bare_secret(file, secret)
        return
    password = load_password(PASSWORD_VARIABLE, password_file)
    save_keystore(file, secret, _ask_password(is_new=True) if password is None else password)


class _Told:
    """What is told of the key in `file`: the public key, its account where it is one, and what a set would list."""

    def __init__(self, file: Path, scheme: Scheme, operator: str | None) -> None:
        self._file = file
        self._scheme = scheme
        try:
            self._operator = None if operator is None else operator_id(operator)
        except MalformedSignerSet as error:
            raise typer.BadParameter(str(error), param_hint="--operator") from None

    def require(self, secret: Secret) -> SigningKey:
        """The key of the secret. Raises `ConfigError` if the scheme takes no such secret."""
        try:
            return self._scheme.signing_key(secret.reveal())
        except MalformedSecret as error:
            raise ConfigError([f"{self._file}: {error}"]) from None

    def show(self, secret: Secret, *, as_json: bool) -> None:
        """Print it. Raises as `require`."""
        key = self.require(secret)
        # A wallet's key file holds what speaks to peers could, too; a key of another scheme pays nowhere.
        accounts = account_texts(secret) if self._scheme is PEER_SCHEME else {}
        listed = None if self._operator is None else f"0x{key.listed_key(self._operator).hex()}"
        if as_json:
            document = {"file": str(self._file), "scheme": self._scheme.name, "signer": f"0x{key.key.hex()}"}
            print_json({**document, "accounts": accounts, "listed_key": listed})
            return
        print_lines(f"signer key   0x{key.key.hex()}")
        print_lines(*(f"account      {account} (on {namespace} chains)" for namespace, account in accounts.items()))
        if listed is not None:
            print_lines(f"listed key   {listed}")


def _ask_password(*, is_new: bool) -> str:
    if not sys.stdin.isatty():
        raise ConfigError([f"a password is needed; name a --password-file or set {PASSWORD_VARIABLE}"])
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=is_new, err=True))
