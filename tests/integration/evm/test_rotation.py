"""A signer set brought in at a real verifier, by the call that a relayer prepares."""

from __future__ import annotations

import pytest

from attestation.batch import Batch as SignedBatch
from attestation.certificate import build_certificate
from attestation.schemes import SECP256K1
from attestation.signer_set_file import NumberedSet
from relayer.domain.batch import rotate_batch
from relayer.errors import CallReverted
from relayer.vms.evm.connect import EvmOpenChain
from tests.factories import SIGNING_KEYS, make_signer_set
from tests.integration.evm.acting import fetch_tip, send_and_mine
from tests.integration.evm.network import LocalChain, Network

NEXT = NumberedSet(2, make_signer_set((*SIGNING_KEYS[:3], SECP256K1.signing_key(b"\x77" * 32))))


def certified(chain: LocalChain, numbered: NumberedSet = NEXT, epoch: int = 1) -> bytes:
    """The certificate of three of the four signers for this gateway."""
    batch = rotate_batch(chain.gateway_address, f"eip155:{chain.chain_id}", numbered)
    signed = SignedBatch(batch.verifying_gateway, batch.root, batch.count, epoch)
    signatures = {index: SIGNING_KEYS[index].sign(signed.digest()) for index in (0, 1, 2)}
    return build_certificate(signed, 1, signatures).to_bytes()


async def test_a_certified_set_becomes_the_gateways(network: Network, source: EvmOpenChain) -> None:
    call = await source.source.prepare_rotate(NEXT.signer_set, certified(network.source))
    (receipt,) = await send_and_mine(network.source, source, [call])
    assert receipt.is_success
    assert receipt.gas_used <= call.gas_limit
    (*_, newest) = await source.source.fetch_epochs((await fetch_tip(source)).ref)
    assert (newest.epoch, newest.signer_set) == (2, NEXT.signer_set)
    with pytest.raises(CallReverted):
        await source.source.prepare_rotate(NEXT.signer_set, certified(network.source))


async def test_what_the_verifier_refuses_is_named_and_costs_nothing(network: Network, source: EvmOpenChain) -> None:
    other = make_signer_set(SIGNING_KEYS[::-1])
    for signer_set, certificate, name in (
        (other, certified(network.source), "ForgedSignature"),
        (NEXT.signer_set, certified(network.destination), "OtherChain"),
        (NEXT.signer_set, certified(network.source, epoch=2), "UnknownEpoch"),
    ):
        with pytest.raises(CallReverted) as refusal:
            await source.source.prepare_rotate(signer_set, certificate)
        assert refusal.value.error_name == name


async def test_the_largest_set_fits_a_transaction(network: Network, source: EvmOpenChain) -> None:
    keys = [SECP256K1.signing_key(number.to_bytes(32, "big")) for number in range(1, 257)]
    largest = NumberedSet(2, make_signer_set(keys, threshold=171))
    call = await source.source.prepare_rotate(largest.signer_set, certified(network.source, largest))
    (receipt,) = await send_and_mine(network.source, source, [call])
    assert receipt.is_success
