"""`xvm doctor`: whether a relayer would run with this configuration, and serve.

Its job: run the checks, show all findings, and say by the exit code whether there is a fault. It changes nothing.
SECURITY: what it prints is pasted into tickets: no key, password or URL's path is in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from relayer.cli.checks.chains import Node, examine_chain
from relayer.cli.checks.disk import (
    examine_data_dir,
    examine_databases,
    examine_peer_key,
    examine_signer_key,
    examine_wallet_keys,
)
from relayer.cli.checks.finding import Finding, State, fault
from relayer.cli.checks.peers import ClosedGuard, examine_peers
from relayer.cli.output import ConfigOption, JsonOption, examples, print_json, print_lines, print_table
from relayer.config import Settings, load_config
from relayer.errors import ConfigError
from relayer.keys.local_signer import LocalSigner
from relayer.observability.logging import configure_logging
from relayer.service import registered_vms

app = typer.Typer(add_completion=False)


@app.command(epilog=examples("xvm doctor --config relayer.toml", "xvm doctor --config relayer.toml --json"))
def doctor(config: ConfigOption, as_json: JsonOption = False) -> None:
    """Look at everything that a relayer needs: configuration, keys, databases, endpoints, contracts, money, peers.

    It may run beside the relayer, and changes nothing. Exit code 0 if there is no fault; warnings are none.
    """
    # What adapters log of failing endpoints is in the findings.
    configure_logging("critical")
    findings = _examine(config)
    is_ok = not any(finding.state is State.FAULT for finding in findings)
    if as_json:
        print_json({"is_ok": is_ok, "checks": [asdict(finding) for finding in findings]})
    else:
        _print(findings)
    raise typer.Exit(0 if is_ok else 1)


def _examine(config: Path) -> Sequence[Finding]:
    try:
        settings = load_config(config)
    except ConfigError as error:
        return [fault("configuration", str(config), item, "see `xvm config example`") for item in error.faults]
    return asyncio.run(_examine_all(settings))


async def _examine_all(settings: Settings) -> list[Finding]:
    key, signer_finding = examine_signer_key(settings)
    peer_key, peer_key_findings = examine_peer_key(settings)
    chain_settings, wallet_findings = examine_wallet_keys(settings)
    findings = [signer_finding, *peer_key_findings, *wallet_findings, examine_data_dir(settings)]
    findings += await examine_databases(settings, key)
    if key is None:
        return findings
    node = Node(key.key, [peer.signer_key for peer in settings.peers])
    vms = registered_vms()
    decimals = {chain.caip2: chain.native_decimals for chain in settings.chains}
    for chain in chain_settings:
        vm = vms.get(chain.caip2.partition(":")[0])
        findings += await examine_chain(chain, vm, node, decimals[chain.caip2])
    if any(finding.state is State.FAULT for finding in peer_key_findings):
        return findings
    return [*findings, *await examine_peers(settings, LocalSigner(key, ClosedGuard(), peer_key))]


def _print(findings: Sequence[Finding]) -> None:
    rows = [(f.subject, f.check, f.state.value, f.detail + (f"\n→ {f.advice}" if f.advice else "")) for f in findings]
    print_table(("subject", "check", "state", "found"), rows)
    counts = {state: sum(finding.state is state for finding in findings) for state in State}
    print_lines(f"{counts[State.OK]} ok, {counts[State.WARNING]} warnings, {counts[State.FAULT]} faults")
