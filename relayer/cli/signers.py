"""`xvm signers`: who signs now, and who shall sign next.

Its job: show and propose sets, record this operator's own acceptance, and say how far a rotation is. SECURITY: only
`accept`, on the node's own machine and database, makes the node sign a set; nothing that others send does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from attestation.address import parse_account_text
from attestation.errors import AttestationError
from attestation.schemes import scheme_of
from attestation.signer_set import Signer, SignerSet, operator_id, signer_set_hash, verify_rules
from attestation.signer_set_file import MAXIMUM_SIGNER_SET_LENGTH, NumberedSet, encode_signer_set, parse_signer_set
from relayer.cli.output import (
    DEFAULT_DEVNET,
    ConfigOption,
    DevnetOption,
    JsonOption,
    examples,
    print_json,
    print_lines,
    print_note,
)
from relayer.cli.relayer_api import RelayerUnavailable, ask_first, relayers_of
from relayer.cli.signers_text import coming_lines, replacement_lines, set_lines, status_lines
from relayer.cli.text_file import read_text, write_new_text
from relayer.config import Settings, load_config
from relayer.errors import ConfigError
from relayer.ports.store import AcceptedSet, Commit, StoredEpoch
from relayer.store.engine import open_engine
from relayer.store.migrate import is_current
from relayer.store.sql_store import SqlStore

SetFileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The file of a signer set.", show_default=False)]
ApiOption = Annotated[
    str | None,
    typer.Option("--api", metavar="URL", help="A relayer's API; without it the first in the devnet that answers."),
]
ChainOption = Annotated[
    str | None,
    typer.Option("--chain", metavar="CAIP2", help="The set of this chain's gateway; needed only if gateways differ."),
]

_DAY_SECONDS: Final = 86_400

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Show and rotate the signer set.")


@app.command(epilog=examples("xvm signers show --api http://127.0.0.1:8600", "xvm signers show --file epoch-1.json"))
def show(
    file: Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Write the set there as well.")] = None,
    chain: ChainOption = None,
    api: ApiOption = None,
    devnet: DevnetOption = DEFAULT_DEVNET,
    as_json: JsonOption = False,
) -> None:
    """Show the present signer set, as a node has seen it applied."""
    numbered = _one_of(_present(api, devnet), chain)
    if file is not None:
        write_new_text(file, encode_signer_set(numbered))
    if as_json:
        print_json(_document(numbered))
    else:
        print_lines(*set_lines(numbered))


@app.command(
    epilog=examples(
        "xvm signers propose next.json --remove 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 "
        "--add 0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC=carol",
        "xvm signers propose next.json --valid-days 365",
    )
)
def propose(
    file: SetFileArgument,
    add: Annotated[
        list[str] | None,
        typer.Option("--add", metavar="KEY=OPERATOR", help="A signer of weight 1, with its operator's name; repeats."),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="KEY", help="A signer that leaves; repeats.")
    ] = None,
    threshold: Annotated[
        int | None, typer.Option("--threshold", metavar="N", help="The weight of a quorum; without it as it is.")
    ] = None,
    valid_days: Annotated[
        int, typer.Option("--valid-days", metavar="N", min=1, help="How long the set is valid from now.")
    ] = 365,
    chain: ChainOption = None,
    api: ApiOption = None,
    devnet: DevnetOption = DEFAULT_DEVNET,
    as_json: JsonOption = False,
) -> None:
    """Write the file of the next set: the present one with these changes. It binds nobody.

    Send it to every operator; each of them decides with `xvm signers accept`.
    """
    known = _present(api, devnet)
    present = _one_of(known, chain)
    following = NumberedSet(
        present.epoch + 1,
        replace(
            present.signer_set,
            signers=_changed(present.signer_set, add or [], remove or []),
            threshold=present.signer_set.threshold if threshold is None else threshold,
            valid_until=int(time.time()) + valid_days * _DAY_SECONDS,
        ),
    )
    _require_rules(following)
    write_new_text(file, encode_signer_set(following))
    if as_json:
        print_json(_document(following))
        return
    replaced = {name: each.signer_set for name, each in known.items() if each.epoch == present.epoch}
    print_lines(*replacement_lines(replaced, following.signer_set), "", *set_lines(following))
    print_note(f"{file}: for every operator: xvm signers accept {file} --config relayer.toml")


@app.command(
    epilog=examples(
        "xvm signers accept next.json --config relayer.toml",
        "xvm signers accept next.json --config relayer.toml --hash 0x… --json",
    )
)
def accept(
    file: SetFileArgument,
    config: ConfigOption,
    expected: Annotated[
        str | None,
        typer.Option("--hash", metavar="HEX", help="Accept without a question, if the set has this hash."),
    ] = None,
    chain: Annotated[
        str | None,
        typer.Option("--chain", metavar="CAIP2", help="Only to follow the present set of this chain's gateway."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Have this node sign the set in FILE where its epoch is next. The node may run meanwhile.

    It shows what would change at which gateways, and asks. It holds where the set that is shown to be replaced is the
    present one, and nowhere else. Compare the hash with the other operators before you say yes: once signed,
    no other set can be signed for that epoch, and sets that differ reach no quorum.
    """
    settings = load_config(config)
    following = _load_file(file)
    _require_rules(following)
    present = asyncio.run(_load_present(settings, following.epoch, chain))
    _require_scheme(present.values(), following)
    digest = f"0x{following.rotate.signer_set_hash.hex()}"
    if expected is None:
        _confirm({name: each.signer_set for name, each in present.items()}, following)
    elif expected.lower() != digest:
        raise ConfigError([f"--hash: the set in {file} has the hash {digest}, not {expected}"])
    asyncio.run(_record(settings, present.values(), following))
    if as_json:
        print_json({**_document(following), "chains": list(present)})
    else:
        print_lines(f"accepted for epoch {following.epoch} at {', '.join(present)}: {digest}")


@app.command(
    epilog=examples("xvm signers status --api http://127.0.0.1:8600", "xvm signers status --devnet .devnet --json")
)
def status(api: ApiOption = None, devnet: DevnetOption = DEFAULT_DEVNET, as_json: JsonOption = False) -> None:
    """Say for each gateway which set counts, until when, and who has signed the next one."""
    answer = _ask(api, devnet)
    if as_json:
        print_json(answer)
        return
    try:
        gateways = answer["gateways"]
        standing = [line for gateway in gateways for line in status_lines(gateway, time.time())]
        print_lines(*standing, *coming_lines(gateways))
    except (KeyError, TypeError, AttestationError):
        raise RelayerUnavailable("the answer is no list of gateways; is it a relayer's API?") from None


def _ask(api: str | None, devnet: Path) -> dict[str, Any]:
    return ask_first(relayers_of(api, devnet), "/v1/signers")


def _present(api: str | None, devnet: Path) -> dict[str, NumberedSet]:
    """The present sets of the gateways, by chain."""
    answer = _ask(api, devnet)
    try:
        return {
            gateway["chain"]: parse_signer_set(json.dumps(gateway["current"]["set"]))
            for gateway in answer["gateways"]
            if gateway["current"] is not None
        }
    except (KeyError, TypeError, AttestationError):
        raise RelayerUnavailable("the answer is no list of signer sets; is it a relayer's API?") from None


def _one_of(known: Mapping[str, NumberedSet], chain: str | None) -> NumberedSet:
    """The one present set of the gateways, or of one chain's. Raises `ConfigError` if there is not one."""
    sets = {name: each for name, each in known.items() if chain in (None, name)}
    if not sets:
        raise ConfigError(["no signer set is known there" + (f" for {chain}" if chain else "")])
    if len(set(sets.values())) > 1:
        raise ConfigError([f"--chain: the gateways' sets differ; name one of {', '.join(sets)}"])
    return next(iter(sets.values()))


def _changed(present: SignerSet, add: Sequence[str], remove: Sequence[str]) -> tuple[Signer, ...]:
    """The signers with these changes; who comes takes the places of those who leave, then the end.

    Who leaves is named by the public key, or by all that the set lists.
    """
    scheme = scheme_of(present.scheme)
    leaving = [scheme.public_key(_parse_key("--remove", text)) for text in remove]
    strangers = [f"0x{key.hex()}" for key in leaving if key not in present.keys]
    if strangers:
        raise ConfigError([f"--remove: {key} is no signer of the present set" for key in strangers])
    coming = [_parse_signer(text) for text in add]
    changed: list[Signer] = []
    for key, signer in zip(present.keys, present.signers, strict=True):
        if key not in leaving:
            changed.append(signer)
        elif coming:
            changed.append(coming.pop(0))
    return (*changed, *coming)


def _parse_signer(text: str) -> Signer:
    key, _, operator = text.partition("=")
    try:
        name = operator_id(operator)
    except AttestationError:
        raise typer.BadParameter(
            f"{text}: write KEY=OPERATOR, a name of at most 32 bytes", param_hint="--add"
        ) from None
    return Signer(_parse_key("--add", key), 1, name)


def _parse_key(option: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise typer.BadParameter(f"{text} is no key; `xvm keys show FILE` prints one", param_hint=option) from None


def _load_file(file: Path) -> NumberedSet:
    try:
        return parse_signer_set(read_text(file, MAXIMUM_SIGNER_SET_LENGTH))
    except AttestationError as error:
        raise ConfigError([f"{file}: {error}"]) from None


def _require_rules(following: NumberedSet) -> None:
    try:
        verify_rules(following.signer_set, int(time.time()))
    except AttestationError as error:
        raise ConfigError([f"{error.code}: {error}; no gateway would take this set"]) from None


def _require_scheme(present: Iterable[StoredEpoch], following: NumberedSet) -> None:
    for scheme in {each.signer_set.scheme for each in present} - {following.signer_set.scheme}:
        raise ConfigError([f"the gateways verify {scheme_of(scheme).name}; a set of another scheme is refused there"])


def _confirm(present: Mapping[str, SignerSet], following: NumberedSet) -> None:
    if not sys.stdin.isatty():
        raise ConfigError(["nobody is there to be asked; compare the hash with the others and give it by --hash"])
    for line in (*replacement_lines(present, following.signer_set), "", *set_lines(following)):
        print_note(line)
    if not typer.confirm("Sign this set, and no other, for this epoch at these gateways?", err=True):
        raise ConfigError(["not accepted"])


async def _load_present(settings: Settings, epoch: int, chain: str | None) -> dict[str, StoredEpoch]:
    """What a set for `epoch` would follow, by chain, as this node has seen it applied. Raises `ConfigError`.

    With `chain` only where the present set is that of this chain's gateway.
    """
    if not await is_current(settings.store_url):
        raise ConfigError(["the node's database is not there, or of another version; start the node once: `xvm run`"])
    engine = open_engine(settings.store_url)
    try:
        store = SqlStore(engine)
        gateways = {
            each.caip2: parse_account_text(f"{each.caip2}:{each.gateway}").to_bytes() for each in settings.chains
        }
        newest = {name: known[-1] for name, gateway in gateways.items() if (known := await store.load_epochs(gateway))}
    finally:
        await engine.dispose()
    if not newest:
        raise ConfigError(["this node has seen no signer set yet; start it once: `xvm run`"])
    if chain is not None and chain not in newest:
        raise ConfigError([f"--chain: this node has seen no signer set at {chain}"])
    fitting = {
        name: each
        for name, each in newest.items()
        if each.epoch + 1 == epoch and (chain is None or each.signer_set == newest[chain].signer_set)
    }
    if not fitting:
        numbers = ", ".join(sorted({str(each.epoch) for each in newest.values()}))
        raise ConfigError([f"the set is for epoch {epoch}, but the gateways are at epoch {numbers}; propose it anew"])
    return fitting


async def _record(settings: Settings, present: Iterable[StoredEpoch], following: NumberedSet) -> None:
    predecessors = {signer_set_hash(each.signer_set) for each in present}
    accepted = tuple(AcceptedSet(following, predecessor, time.time()) for predecessor in sorted(predecessors))
    engine = open_engine(settings.store_url)
    try:
        await SqlStore(engine).commit(Commit(accepted=accepted))
    finally:
        await engine.dispose()


def _document(numbered: NumberedSet) -> dict[str, Any]:
    digest = f"0x{numbered.rotate.signer_set_hash.hex()}"
    return {"epoch": numbered.epoch, "hash": digest, "set": json.loads(encode_signer_set(numbered))}
