"""`xvm deploy`: put the contracts of a network on its chains, from a plan.

Its job: show what will be done, ask, and tell what was. The plan decides; the deployment does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from relayer.cli.keys import load_key_file
from relayer.cli.output import JsonOption, examples, print_json, print_note, print_table
from relayer.cli.plan_file import load_plan
from relayer.deployment import deploy as deploy_plan
from relayer.deployment import open_deployers
from relayer.errors import ConfigError
from relayer.ports.deployment import ChainPlan, Deployed
from relayer.vms.deployment_record import DeploymentRecord

app = typer.Typer(add_completion=False)

_COLUMNS: Final = ("gateway", "verifier", "registry", "routes", "start_block")


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
    kept = DeploymentRecord(record or plan.with_name(f"{plan.stem}.record.json"))
    deployers = open_deployers(file.plan, file.rpc_urls, owner_key.reveal(), kept)
    for deployer in deployers:
        for line in deployer.describe():
            print_note(line)
    if dry_run:
        return
    if not yes and not (sys.stdin.isatty() and typer.confirm("Do it?", err=True)):
        raise ConfigError(["nothing was done; to go on without being asked: --yes"])
    deployed = deploy_plan(deployers, print_note)
    chains = [(chain, deployed[chain.caip2]) for chain in file.plan.chains]
    if as_json:
        print_json({"chains": [{**_named(chain), **_addresses(chain, its)} for chain, its in chains]})
        return
    rows = [(chain.name, *(str(_addresses(chain, its).get(name, "")) for name in _COLUMNS)) for chain, its in chains]
    print_table(("chain", *(name.replace("_", " ") for name in _COLUMNS)), rows)


def _named(chain: ChainPlan) -> dict[str, str]:
    return {"name": chain.name, "caip2": chain.caip2}


def _addresses(chain: ChainPlan, deployed: Deployed) -> dict[str, str | int]:
    """What is there: addresses as the chain writes them, and the first block to look at."""
    addresses = {"gateway": deployed.gateway, "verifier": deployed.verifier, **deployed.others}
    texts = {name: chain.account_text(address) for name, address in addresses.items()}
    return {**texts, "start_block": deployed.start_block}
