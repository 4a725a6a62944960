"""Which accounts a request may have us pass on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from relayer.vms.svm.named_accounts import callback_accounts, declared_accounts, passing_fault
from tests.svm.adapter.world import RELAYER
from tests.svm.program.ledger import CONFIG, PROGRAM, payload

OWN = Pubkey(b"\x0c" * 32)
keys = st.binary(min_size=32, max_size=32).map(Pubkey)
metas = st.builds(
    lambda key, flags: AccountMeta(key, *flags), keys | st.just(OWN), st.tuples(st.booleans(), st.booleans())
)


def plain(meta: AccountMeta) -> AccountMeta:
    return AccountMeta(meta.pubkey, is_signer=False, is_writable=meta.is_writable)


@given(st.lists(metas, max_size=8), st.booleans())
def test_nobody_signs_but_the_sender_s_own_account_and_that_by_the_gateway(
    declared: list[AccountMeta],
    has_own: bool,  # noqa: FBT001
) -> None:
    """SECURITY: with our signature a target could take all that we have."""
    own = OWN if has_own else None
    passed = declared_accounts(payload(b"call", declared), own)
    is_callable = all(not meta.is_signer or meta.pubkey == own for meta in declared)
    assert passed == ([plain(meta) for meta in declared] if is_callable else None)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_payload_or_none(data: bytes) -> None:
    passed = declared_accounts(data, OWN)
    assert passed is None or not any(meta.is_signer for meta in passed)


@given(st.lists(st.tuples(keys, st.booleans()), max_size=7), st.binary(max_size=20))
def test_a_handler_s_accounts_are_those_that_metadata_lists(named: list[tuple[Pubkey, bool]], rest: bytes) -> None:
    listed = b"".join(bytes(key) + bytes([is_writable]) for key, is_writable in named)
    expected = [AccountMeta(key, is_signer=False, is_writable=is_writable) for key, is_writable in named]
    assert callback_accounts(b"xvmcb1" + bytes([len(named)]) + listed + rest) == expected


@given(st.binary(max_size=256), st.booleans())
def test_any_metadata_gives_seven_accounts_at_most_and_no_signer(tail: bytes, is_marked: bool) -> None:  # noqa: FBT001
    named = callback_accounts((b"xvmcb1" if is_marked else b"") + tail)
    assert named is None or (len(named) <= 7 and not any(meta.is_signer for meta in named))


def test_the_payer_and_what_is_the_gateway_s_are_passed_to_nobody() -> None:
    """SECURITY: whoever is called must not get at them."""

    def fault(key: Pubkey) -> str:
        return passing_fault(
            [AccountMeta(key, is_signer=False, is_writable=False)], RELAYER.pubkey(), [PROGRAM, CONFIG]
        )

    assert fault(RELAYER.pubkey()) == "PayerAmongAccounts"
    assert fault(CONFIG) == fault(PROGRAM) == "WrongTargetAccounts"
    assert fault(OWN) == ""
