"""`xvm deploy`: put the contracts of a network on its chains, from a plan.

Its job: show what will be done, ask, and tell what was. The plan decides; the deployment does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from attestation.address import checksum_address
from attestation.schemes import SECP256K1
from relayer.cli.keys import load_key_file
from relayer.cli.output import JsonOption, examples, print_json, print_note, print_table
from relayer.cli.plan_file import load_plan
from relayer.errors import ConfigError
from relayer.vms.evm.deployment import deploy as deploy_contracts
from relayer.vms.evm.deployment import describe
from relayer.vms.evm.deployment_record import DeploymentRecord

app = typer.Typer(add_completion=False)


@app.command(
    epilog=examples(
        "xvm deploy --plan plan.toml --dry-run",
        "xvm deploy --plan plan.toml",
        "xvm deploy --plan plan.toml --record deployment.json --yes --json",
    )
)
def deploy(
    plan: Annotated[Path, typer.Option("--plan", metavar="FILE", help="The deployment plan (TOML).")],
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="FILE", help="Where signed steps are kept; beside the plan if not given."),
    ] = None,
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be done, and do nothing."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    as_json: JsonOption = False,
) -> None:
    """Deploy and configure the contracts of a network.

    An interrupted run goes on where it stood when the same command is typed again: what was signed is in the record.
    """
    file = load_plan(plan)
    owner_key = load_key_file(file.owner_key_file, file.owner_password_file)
    deployer = SECP256K1.signing_key(owner_key.reveal()).key
    for line in describe(file.plan, deployer):
        print_note(line)
    if dry_run:
        return
    if not yes and not (sys.stdin.isatty() and typer.confirm("Do it?", err=True)):
        raise ConfigError(["nothing was done; to go on without being asked: --yes"])
    kept = DeploymentRecord(record or plan.with_name(f"{plan.stem}.record.json"))
    deployed = deploy_contracts(file.plan, file.rpc_urls, owner_key.reveal(), kept, print_note)
    chains = [
        {
            "name": chain.name,
            "caip2": chain.caip2,
            **{
                name: checksum_address(getattr(deployed[chain.chain_id], name))
                for name in ("gateway", "verifier", "registry", "routes")
            },
            "start_block": deployed[chain.chain_id].start_block,
        }
        for chain in file.plan.chains
    ]
    if as_json:
        print_json({"chains": chains})
        return
    print_table(
        ("chain", "gateway", "verifier", "registry", "routes", "start block"),
        [
            (
                str(c["name"]),
                str(c["gateway"]),
                str(c["verifier"]),
                str(c["registry"]),
                str(c["routes"]),
                str(c["start_block"]),
            )
            for c in chains
        ],
    )
