"""What contracts import: each function of CosmWasm's `env`, on the run that calls it.

Its job: take regions apart, charge, ask the backend, hand the answer over. Limits of lengths are those of cosmwasm-vm.

Source: `packages/vm/src/imports.rs` of CosmWasm/cosmwasm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from relayer.devnet.cosmwasm.vm import curves, gas
from relayer.devnet.cosmwasm.vm.errors import VmError
from relayer.devnet.cosmwasm.vm.memory import decode_sections, encode_sections
from relayer.devnet.cosmwasm.vm.run import Run

_KI: Final = 1024
_MI: Final = 1024 * _KI
_MAX_KEY: Final = 64 * _KI
_MAX_VALUE: Final = 128 * _KI
_MAX_CANONICAL_ADDRESS: Final = 64
_MAX_HUMAN_ADDRESS: Final = 256
_MAX_QUERY: Final = 64 * _KI
_MAX_TEXT: Final = 2 * _MI
_MAX_PUBKEY: Final = 65
_MAX_ED25519_MESSAGE: Final = 128 * _KI
_MAX_ED25519_KEY: Final = 32
_MAX_ED25519_BATCH: Final = 256
_SECTION_TAIL: Final = 4
_MAX_POINTS: Final = 2 * _MI
_MAX_HASHED: Final = 5 * _MI
_MAX_TAG: Final = 5 * _KI
_MAX_BYTE: Final = 255
_MAX_CURSORS: Final = 32_768
_ASCENDING: Final = 1
_DESCENDING: Final = 2


def db_read(run: Run, key: int) -> int:
    """Zero, or a region with the value."""
    name = run.read(key, _MAX_KEY)
    before = run.backend.sdk_gas()
    value = run.backend.storage.get(name)
    run.charge_external(before)
    return 0 if value is None else run.hand_over(value)


def db_write(run: Run, key: int, value: int) -> None:
    """Write an entry."""
    _require_writable(run)
    name, data = run.read(key, _MAX_KEY), run.read(value, _MAX_VALUE)
    before = run.backend.sdk_gas()
    run.backend.storage.set(name, data)
    run.charge_external(before)


def db_remove(run: Run, key: int) -> None:
    """Remove an entry."""
    _require_writable(run)
    name = run.read(key, _MAX_KEY)
    before = run.backend.sdk_gas()
    run.backend.storage.remove(name)
    run.charge_external(before)


def db_scan(run: Run, start: int, end: int, order: int) -> int:
    """The number of a new cursor. A pointer of zero is no bound."""
    first = run.read(start, _MAX_KEY) if start else None
    last = run.read(end, _MAX_KEY) if end else None
    if order not in (_ASCENDING, _DESCENDING):
        raise VmError(f"Got an invalid value for iteration order: {order}")
    if len(run.cursors) == _MAX_CURSORS:
        raise VmError(f"Reached iterator limit ({_MAX_CURSORS})")
    before = run.backend.sdk_gas()
    run.cursors.append(run.backend.storage.scan(first, last, descending=order == _DESCENDING))
    run.charge_external(before)
    return len(run.cursors) - 1


def db_next(run: Run, cursor: int) -> int:
    """A region with key and value as sections; an empty key after the last."""
    return run.hand_over(encode_sections(_advance(run, cursor) or (b"", b"")))


def db_next_key(run: Run, cursor: int) -> int:
    """A region with the next key; zero after the last."""
    entry = _advance(run, cursor)
    return 0 if entry is None else run.hand_over(entry[0])


def db_next_value(run: Run, cursor: int) -> int:
    """A region with the next value; zero after the last."""
    entry = _advance(run, cursor)
    return 0 if entry is None else run.hand_over(entry[1])


def addr_validate(run: Run, source: int) -> int:
    """Zero, or a region with what is wrong."""
    text = _address_text(run, source)
    if isinstance(text, int):
        return text
    run.charge(gas.VALIDATE_ADDRESS)
    try:
        is_normalized = run.backend.humanize(run.backend.canonicalize(text)) == text
    except ValueError as error:
        return run.hand_over(str(error).encode())
    return 0 if is_normalized else run.hand_over(b"address not normalized")


def addr_canonicalize(run: Run, source: int, destination: int) -> int:
    """Zero, or a region with what is wrong."""
    text = _address_text(run, source)
    if isinstance(text, int):
        return text
    run.charge(gas.CANONICALIZE_ADDRESS)
    try:
        address = run.backend.canonicalize(text)
    except ValueError as error:
        return run.hand_over(str(error).encode())
    run.write(destination, address)
    return 0


def addr_humanize(run: Run, source: int, destination: int) -> int:
    """Zero, or a region with what is wrong."""
    address = run.read(source, _MAX_CANONICAL_ADDRESS)
    run.charge(gas.HUMANIZE_ADDRESS)
    try:
        text = run.backend.humanize(address)
    except ValueError as error:
        return run.hand_over(str(error).encode())
    run.write(destination, text.encode())
    return 0


def secp256k1_verify(run: Run, digest: int, signature: int, public_key: int) -> int:
    """A code."""
    asked = _ecdsa(run, digest, signature)
    key = run.read(public_key, _MAX_PUBKEY)
    run.charge_work(gas.SECP256K1_VERIFY)
    return curves.secp256k1_verify(*asked, key)


def secp256k1_recover_pubkey(run: Run, digest: int, signature: int, recovery: int) -> int:
    """A region with the key, or a code in the high half."""
    return _recover(run, digest, signature, recovery, gas.SECP256K1_RECOVER, curves.secp256k1_recover)


def secp256r1_verify(run: Run, digest: int, signature: int, public_key: int) -> int:
    """A code."""
    asked = _ecdsa(run, digest, signature)
    key = run.read(public_key, _MAX_PUBKEY)
    run.charge_work(gas.SECP256R1_VERIFY)
    return curves.secp256r1_verify(*asked, key)


def secp256r1_recover_pubkey(run: Run, digest: int, signature: int, recovery: int) -> int:
    """A region with the key, or a code in the high half."""
    return _recover(run, digest, signature, recovery, gas.SECP256R1_RECOVER, curves.secp256r1_recover)


def ed25519_verify(run: Run, message: int, signature: int, public_key: int) -> int:
    """A code."""
    text = run.read(message, _MAX_ED25519_MESSAGE)
    signed = run.read(signature, curves.SIGNATURE_BYTES)
    key = run.read(public_key, _MAX_ED25519_KEY)
    run.charge_work(gas.ED25519_VERIFY)
    return curves.ed25519_verify(text, signed, key)


def ed25519_batch_verify(run: Run, messages: int, signatures: int, public_keys: int) -> int:
    """A code for all together."""
    limits = (_MAX_ED25519_MESSAGE, curves.SIGNATURE_BYTES, _MAX_ED25519_KEY)
    pointers = (messages, signatures, public_keys)
    texts, signed, keys = (
        decode_sections(run.read(pointer, (limit + _SECTION_TAIL) * _MAX_ED25519_BATCH))
        for pointer, limit in zip(pointers, limits, strict=True)
    )
    cost = gas.ED25519_BATCH_ONE_KEY if len(keys) == 1 else gas.ED25519_BATCH
    run.charge_work(cost.of(len(signed)))
    return curves.ed25519_batch_verify(texts, signed, keys)


def bls12_381_aggregate_g1(run: Run, points: int, out: int) -> int:
    """A code; the sum in a region of the contract's."""
    data = run.read(points, _MAX_POINTS)
    run.charge_work(gas.BLS12_381_AGGREGATE_G1.of(len(data) // curves.G1_BYTES))
    return _point_into(run, out, lambda: curves.bls12_381_aggregate_g1(data))


def bls12_381_aggregate_g2(run: Run, points: int, out: int) -> int:
    """A code; the sum in a region of the contract's."""
    data = run.read(points, _MAX_POINTS)
    run.charge_work(gas.BLS12_381_AGGREGATE_G2.of(len(data) // curves.G2_BYTES))
    return _point_into(run, out, lambda: curves.bls12_381_aggregate_g2(data))


def bls12_381_pairing_equality(run: Run, ps: int, qs: int, r: int, s: int) -> int:
    """A code."""
    left_g1, left_g2 = run.read(ps, _MAX_POINTS), run.read(qs, _MAX_POINTS)
    right_g1, right_g2 = run.read(r, curves.G1_BYTES), run.read(s, curves.G2_BYTES)
    run.charge_work(gas.BLS12_381_PAIRING_EQUALITY.of(len(left_g1) // curves.G1_BYTES + 1))
    return curves.bls12_381_pairing_equality(left_g1, left_g2, right_g1, right_g2)


def bls12_381_hash_to_g1(run: Run, hash_function: int, message: int, tag: int, out: int) -> int:
    """A code; the point in a region of the contract's."""
    data, domain = run.read(message, _MAX_HASHED), run.read(tag, _MAX_TAG)
    run.charge_work(gas.BLS12_381_HASH_TO_G1)
    return _point_into(run, out, lambda: curves.bls12_381_hash_to_g1(hash_function, data, domain))


def bls12_381_hash_to_g2(run: Run, hash_function: int, message: int, tag: int, out: int) -> int:
    """A code; the point in a region of the contract's."""
    data, domain = run.read(message, _MAX_HASHED), run.read(tag, _MAX_TAG)
    run.charge_work(gas.BLS12_381_HASH_TO_G2)
    return _point_into(run, out, lambda: curves.bls12_381_hash_to_g2(hash_function, data, domain))


def debug(run: Run, message: int) -> None:
    """Nothing: what a contract prints is no output of a chain."""
    run.read(message, _MAX_TEXT)


def abort(run: Run, message: int) -> None:
    """End the run. Raises `VmError`."""
    text = run.read(message, _MAX_TEXT)
    run.charge(gas.STRING_FROM_BYTES.of(len(text)))
    raise VmError(f"Aborted: {text.decode(errors='replace')}")


def query_chain(run: Run, request: int) -> int:
    """A region with a `SystemResult` as JSON."""
    asked = run.read(request, _MAX_QUERY)
    before = run.backend.sdk_gas()
    answer = run.backend.query(asked, run.left())
    run.charge_external(before)
    return run.hand_over(answer)


def _require_writable(run: Run) -> None:
    if run.is_readonly:
        raise VmError("Must not call a writing storage function in this context.")


def _advance(run: Run, cursor: int) -> tuple[bytes, bytes] | None:
    if cursor >= len(run.cursors):
        raise VmError(f"Iterator with ID {cursor} does not exist")
    before = run.backend.sdk_gas()
    entry = run.cursors[cursor].advance()
    run.charge_external(before)
    return entry


def _address_text(run: Run, source: int) -> str | int:
    """The text of an address, or a region that says why there is none."""
    data = run.read(source, _MAX_HUMAN_ADDRESS)
    if not data:
        return run.hand_over(b"Input is empty")
    run.charge(gas.STRING_FROM_BYTES.of(len(data)))
    try:
        return data.decode()
    except UnicodeDecodeError:
        return run.hand_over(b"Input is not valid UTF-8")


def _ecdsa(run: Run, digest: int, signature: int) -> tuple[bytes, bytes]:
    return run.read(digest, curves.HASH_BYTES), run.read(signature, curves.SIGNATURE_BYTES)


def _recover(
    run: Run, digest: int, signature: int, recovery: int, cost: int, recover: Callable[[bytes, bytes, int], bytes]
) -> int:
    asked = _ecdsa(run, digest, signature)
    if recovery > _MAX_BYTE:
        return curves.INVALID_RECOVERY_PARAM << 32
    run.charge_work(cost)
    try:
        key = recover(*asked, recovery)
    except curves.CurveError as error:
        return error.code << 32
    return run.hand_over(key)


def _point_into(run: Run, out: int, compute: Callable[[], bytes]) -> int:
    try:
        point = compute()
    except curves.CurveError as error:
        return error.code
    run.write(out, point)
    return curves.VALID


IMPORTS: Final[dict[str, tuple[Callable[..., int | None], int, int]]] = {
    "abort": (abort, 1, 0),
    "addr_canonicalize": (addr_canonicalize, 2, 32),
    "addr_humanize": (addr_humanize, 2, 32),
    "addr_validate": (addr_validate, 1, 32),
    "bls12_381_aggregate_g1": (bls12_381_aggregate_g1, 2, 32),
    "bls12_381_aggregate_g2": (bls12_381_aggregate_g2, 2, 32),
    "bls12_381_hash_to_g1": (bls12_381_hash_to_g1, 4, 32),
    "bls12_381_hash_to_g2": (bls12_381_hash_to_g2, 4, 32),
    "bls12_381_pairing_equality": (bls12_381_pairing_equality, 4, 32),
    "db_next": (db_next, 1, 32),
    "db_next_key": (db_next_key, 1, 32),
    "db_next_value": (db_next_value, 1, 32),
    "db_read": (db_read, 1, 32),
    "db_remove": (db_remove, 1, 0),
    "db_scan": (db_scan, 3, 32),
    "db_write": (db_write, 2, 0),
    "debug": (debug, 1, 0),
    "ed25519_batch_verify": (ed25519_batch_verify, 3, 32),
    "ed25519_verify": (ed25519_verify, 3, 32),
    "query_chain": (query_chain, 1, 32),
    "secp256k1_recover_pubkey": (secp256k1_recover_pubkey, 3, 64),
    "secp256k1_verify": (secp256k1_verify, 3, 32),
    "secp256r1_recover_pubkey": (secp256r1_recover_pubkey, 3, 64),
    "secp256r1_verify": (secp256r1_verify, 3, 32),
}
"""By name in the module `env`: the function, how many i32 it takes, and the bits of what it returns, if anything."""
