"""Deploying a network on the chains of a plan, each by whichever VM serves it.

Its job: find the deployers (entry point group `xvm.deployers`) and have them act in the order that routes ask for: all
gateways first, then all settings, which name each other's gateways. It knows no VM and reaches no chain by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points

from relayer.errors import ConfigError
from relayer.ports.deployment import (
    DEPLOYER_GROUP,
    Deployed,
    Deployer,
    DeployerFactory,
    DeploymentPlan,
    Report,
    StepRecord,
)


def deployable_namespaces() -> frozenset[str]:
    """The CAIP-2 namespaces that something installed deploys to."""
    return frozenset(entry_points(group=DEPLOYER_GROUP).names)


def open_deployers(
    plan: DeploymentPlan, rpc_urls: Mapping[str, str], owner_key: bytes, record: StepRecord
) -> tuple[Deployer, ...]:
    """One deployer for each namespace of the plan; arguments as `DeployerFactory` has them.

    Raises:
        ConfigError: nothing that is installed deploys to one of them, or what does lacks something.
    """
    namespaces = dict.fromkeys(chain.chain.namespace.value for chain in plan.chains)
    factories: list[DeployerFactory] = []
    faults = []
    for namespace in namespaces:
        found = tuple(entry_points(group=DEPLOYER_GROUP, name=namespace))
        if not found:
            faults.append(f"nothing that is installed deploys to {namespace} chains")
            continue
        try:
            factories.append(found[0].load())
        except ModuleNotFoundError as error:
            faults.append(f"what deploys to {namespace} chains needs {error.name}, which is not installed")
    if faults:
        raise ConfigError(faults)
    return tuple(factory(plan, rpc_urls, owner_key, record) for factory in factories)


def deploy(deployers: Sequence[Deployer], report: Report) -> dict[str, Deployed]:
    """Deploy and configure every chain; what is there, by CAIP-2.

    Raises:
        RpcUnavailable: an endpoint did not answer; run again with the same record.
        DeploymentFailed: a step would fail or did, or an endpoint serves another chain.
    """
    for deployer in deployers:
        deployer.require_chains()
    deployed: dict[str, Deployed] = {}
    for deployer in deployers:
        deployed.update(deployer.create(report))
    for deployer in deployers:
        deployer.configure(deployed, report)
    return deployed
