"""What tests do with opened chains, in a word each."""

from __future__ import annotations

from collections.abc import Sequence

from relayer.domain.observations import ObservedBlock
from relayer.ports.wallet import PreparedCall, SendResult, TransactionReceipt
from relayer.vms.evm.connect import EvmOpenChain
from tests.integration.evm.network import LocalChain


async def fetch_tip(opened: EvmOpenChain) -> ObservedBlock:
    """The newest block, with what our contracts said in it."""
    head = await opened.source.fetch_head()
    (block,) = await opened.source.fetch_blocks(head.tip.number, head.tip.number)
    return block


async def mine_and_fetch(chain: LocalChain, opened: EvmOpenChain) -> ObservedBlock:
    """A new block, as the relayer sees it."""
    chain.mine()
    return await fetch_tip(opened)


async def send_all(opened: EvmOpenChain, calls: Sequence[PreparedCall]) -> list[bytes]:
    """Sign and send with the next nonces; the transactions' hashes."""
    wallet = opened.wallet
    nonce, bid = await wallet.fetch_next_nonce(), await wallet.fetch_fee_bid()
    signed = [wallet.sign(call, nonce + place, bid) for place, call in enumerate(calls)]
    assert set(await wallet.send([transaction.raw for transaction in signed])) <= {SendResult.ACCEPTED}
    return [transaction.hash for transaction in signed]


async def send_and_mine(
    chain: LocalChain, opened: EvmOpenChain, calls: Sequence[PreparedCall]
) -> list[TransactionReceipt]:
    """Send, make a block, and give the receipts."""
    hashes = await send_all(opened, calls)
    chain.mine()
    receipts = await opened.wallet.fetch_receipts(hashes)
    mined = [receipt for receipt in receipts if receipt is not None]
    assert len(mined) == len(hashes)
    return mined
