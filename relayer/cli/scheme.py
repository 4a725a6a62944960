"""The option by which commands are told a signature scheme."""

from __future__ import annotations

from typing import Annotated

import typer

from relayer.config.values import SCHEME_NAMES, scheme_text


def _known(name: str) -> str:
    try:
        return scheme_text(name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


SchemeOption = Annotated[
    str,
    typer.Option("--scheme", metavar="NAME", callback=_known, help=f"Signature scheme of the signers: {SCHEME_NAMES}."),
]
