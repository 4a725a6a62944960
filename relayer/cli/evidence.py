"""`xvm evidence`: what convicts signers that contradicted themselves.

Its job: show and export what a node recorded, and judge a file with nothing but the file: `verify` reads no
configuration, opens no database and no connection. It accuses nobody by a node's word: what does not verify here is
neither shown as evidence nor exported.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from attestation.errors import AttestationError
from attestation.evidence import Equivocation, verify_equivocation
from attestation.evidence_file import MAXIMUM_EVIDENCE_LENGTH, encode_evidence, parse_evidence
from attestation.schemes import scheme_of
from attestation.signer_set_file import MAXIMUM_SIGNER_SET_LENGTH, NumberedSet, parse_signer_set
from relayer.cli.evidence_found import FoundEvidence, find_evidence
from relayer.cli.evidence_text import Membership, about, evidence_document, evidence_lines
from relayer.cli.output import DEFAULT_DEVNET, DevnetOption, JsonOption, examples, print_json, print_lines, print_table
from relayer.cli.text_file import read_text, write_new_text
from relayer.errors import ConfigError, RejectedError

SignerArgument = Annotated[
    str, typer.Argument(metavar="SIGNER", help="The signer's key, whole or as the list shows it.", show_default=False)
]
GuardKeyOption = Annotated[
    str | None,
    typer.Option("--guard-key", metavar="HEX", help="Which, if there is more than one about the signer."),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Read the database of this configuration (TOML), not an API."),
]
ApiOption = Annotated[
    str | None,
    typer.Option("--api", metavar="URL", help="A relayer's API; without it the first in the devnet that answers."),
]

_SIGNER: Final = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Show, export and verify evidence against signers.")


class EvidenceRefused(RejectedError):  # noqa: N818 - named as relayer.errors names its own
    """The evidence convicts nobody. `name` is the name of what is wrong with it."""

    code = "evidence_refused"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


@app.command(
    "list",
    epilog=examples("xvm evidence list --api http://127.0.0.1:8600", "xvm evidence list --config relayer.toml --json"),
)
def list_(
    config: ConfigOption = None,
    api: ApiOption = None,
    devnet: DevnetOption = DEFAULT_DEVNET,
    as_json: JsonOption = False,
) -> None:
    """List the evidence that a node recorded, newest first."""
    rows = find_evidence(config, api, devnet)
    if as_json:
        print_json(
            {
                "evidence": [
                    {"offence": row.offence, "signer": row.signer, "guard_key": row.guard_key, "at": row.at}
                    for row in rows
                ]
            }
        )
    elif rows:
        print_table(("signer", "offence", "about", "found"), map(_row, rows))
    else:
        print_lines("no evidence: no signer is known to have contradicted itself")


@app.command(epilog=examples(f"xvm evidence show {_SIGNER} --api http://127.0.0.1:8600"))
def show(
    signer: SignerArgument,
    guard_key: GuardKeyOption = None,
    config: ConfigOption = None,
    api: ApiOption = None,
    devnet: DevnetOption = DEFAULT_DEVNET,
    as_json: JsonOption = False,
) -> None:
    """Show what a signer signed twice, both statements side by side. It is verified here first."""
    _show(_recorded(signer, guard_key, config, api, devnet), None, as_json=as_json)


@app.command(epilog=examples(f"xvm evidence export {_SIGNER} evidence.json --config relayer.toml"))
def export(
    signer: SignerArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.", show_default=False)],
    guard_key: GuardKeyOption = None,
    config: ConfigOption = None,
    api: ApiOption = None,
    devnet: DevnetOption = DEFAULT_DEVNET,
    as_json: JsonOption = False,
) -> None:
    """Write the evidence against a signer into a file, which anybody can verify. An existing file is left alone."""
    evidence = _recorded(signer, guard_key, config, api, devnet)
    write_new_text(file, encode_evidence(evidence))
    if as_json:
        print_json({"file": str(file), "signer": f"0x{evidence.signer_key.hex()}"})
    else:
        print_lines(f"{file}: convicts 0x{evidence.signer_key.hex()}; anybody can check it: xvm evidence verify {file}")


@app.command(
    epilog=examples(
        "xvm evidence verify evidence.json",
        "xvm evidence verify evidence.json --signer-set epoch-1.json",
        "xvm evidence verify evidence.json --json",
    )
)
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The evidence file.", show_default=False)],
    signer_set: Annotated[
        Path | None,
        typer.Option(
            "--signer-set", metavar="FILE", help="A signer set, as `xvm signers show` writes it, to find the signer in."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge an evidence file: who is convicted of what. It needs no network, no configuration and no database.

    Exit code 0 if the file convicts, else 1. Whether the key was a signer's when it signed is not in the file: compare
    the printed hash of --signer-set with the gateway's XVMEpochApplied event.
    """
    try:
        evidence = _convicting(read_text(file, MAXIMUM_EVIDENCE_LENGTH))
        membership = None if signer_set is None else _membership(evidence, _load_set(signer_set))
    except EvidenceRefused as refusal:
        if not as_json:
            raise EvidenceRefused(refusal.name, f"{refusal.reason}; {file} convicts nobody") from None
        print_json({"is_convicted": False, "error": refusal.name, "reason": refusal.reason})
        raise typer.Exit(1) from None
    _show(evidence, membership, as_json=as_json)


def _show(evidence: Equivocation, membership: Membership | None, *, as_json: bool) -> None:
    if as_json:
        print_json({"is_convicted": True, **evidence_document(evidence, membership)})
    else:
        print_lines(*evidence_lines(evidence, membership))


def _recorded(signer: str, guard_key: str | None, config: Path | None, api: str | None, devnet: Path) -> Equivocation:
    """The one piece of evidence that is meant, if it convicts this signer."""
    rows = [
        row
        for row in find_evidence(config, api, devnet)
        if signer.lower() in {row.signer, row.shown_signer} and guard_key in (None, row.guard_key)
    ]
    if not rows:
        raise ConfigError([f"SIGNER: no such evidence about {signer}; `xvm evidence list` shows what there is"])
    if len(rows) > 1:
        keys = ", ".join(row.guard_key for row in rows)
        raise ConfigError([f"--guard-key: there is more than one about {signer}; name one of {keys}"])
    evidence = _convicting(rows[0].document)
    # SECURITY: a node could hand out evidence about one key as evidence about another.
    if f"0x{evidence.signer_key.hex()}" != rows[0].signer:
        raise EvidenceRefused("WrongSigner", "the document is about another signer than the node says")
    return evidence


def _convicting(text: str) -> Equivocation:
    """The evidence in the text. Raises `EvidenceRefused` unless it convicts the signer that it names."""
    try:
        evidence = parse_evidence(text)
        verify_equivocation(evidence, evidence.signer_key)
    except AttestationError as error:
        raise EvidenceRefused(error.code, str(error)) from None
    return evidence


def _load_set(file: Path) -> NumberedSet:
    try:
        return parse_signer_set(read_text(file, MAXIMUM_SIGNER_SET_LENGTH))
    except AttestationError as error:
        raise ConfigError([f"{file}: {error}"]) from None


def _membership(evidence: Equivocation, numbered: NumberedSet) -> Membership:
    """SECURITY: a signature by somebody outside the set convicts no signer of the network."""
    epochs = (evidence.first.batch.epoch, evidence.second.batch.epoch)
    if numbered.epoch not in epochs:
        raise EvidenceRefused("OtherEpoch", f"the set is epoch {numbered.epoch}'s; neither statement was signed in it")
    index = numbered.signer_set.index_of(evidence.signer_key)
    if index is None or scheme_of(evidence.scheme).number != numbered.signer_set.scheme:
        raise EvidenceRefused("UnknownSigner", f"0x{evidence.signer_key.hex()} is no signer of the set")
    return Membership(numbered, index)


def _row(row: FoundEvidence) -> tuple[str, ...]:
    try:
        subject = about(parse_evidence(row.document).first.statement)
    except AttestationError as error:
        subject = f"unreadable: {error}"
    return (row.shown_signer, row.offence, subject, datetime.fromtimestamp(row.at, UTC).strftime("%Y-%m-%d %H:%M:%SZ"))
