"""Measures whole transactions (intrinsic gas, calldata and refunds included) and keeps them in contracts/evm/gas.json.

`python -m tests.integration.contracts.gas_report` writes the file; the test compares. Everything that could vary is
fixed: accounts, keys, times, locations, return data.
"""

import json
import tempfile
from pathlib import Path
from typing import Final

from web3 import Web3

from attestation.keccak import keccak256
from attestation.schemes import BLS12381, SECP256K1
from tests.integration.contracts.local_gateway import ADDED_EXPIRY_SECONDS, ROOT, LocalGateway, anvil

SNAPSHOT: Final = ROOT / "contracts" / "evm" / "gas.json"

RETURN_DATA: Final = b"".join(keccak256(bytes([i])) for i in range(8)).replace(b"\x00", b"\x01")
"""256 bytes, none of them zero."""

DELIVER_ALONE_MAXIMUM: Final = 150_000
"""Gas of one delivery by 13 of 19."""

DELIVER_OF_32_MAXIMUM: Final = 43_000
"""Gas of each of 32 deliveries in one batch by 13 of 19."""

BLS_DELIVER_ALONE_MAXIMUM: Final = 260_000
"""Gas of one delivery by 67 of 100, of scheme `bls12-381`."""

BLS_DELIVER_OF_32_MAXIMUM: Final = 50_000
"""Gas of each of 32 deliveries in one batch by 67 of 100."""

SETS: Final = ((3, 4, SECP256K1), (13, 19, SECP256K1), (3, 4, BLS12381), (67, 100, BLS12381))


def measure(web3: Web3) -> dict[str, int]:
    """Gas of each case; where there are several items, of each."""
    report: dict[str, int] = {}
    for threshold, count, scheme in SETS:
        local = LocalGateway(web3, threshold, count, scheme)
        increment = bytes.fromhex(local.counter.encode_abi("increment", [1])[2:])
        # whoever is credited has a balance, whatever counts has counted
        first = local.ask(increment)
        local.send(local.executing, local.gateway.functions.execute([local.execute_batch([first])], bytes(32)))
        local.send(local.deliverer, local.gateway.functions.deliver([local.deliver_batch([first], RETURN_DATA)]))
        label = f"{threshold} of {count}" if scheme is SECP256K1 else f"{threshold} of {count}, {scheme.name}"
        for size in (1, 8, 32, 256):
            requests = [local.ask(increment, returnLimit=1024) for _ in range(size)]
            if size in {1, 32}:
                batch = local.execute_batch(requests)
                call = local.gateway.functions.execute([batch], bytes(31) + b"\x01")
                gas = local.send(local.executing, call)["gasUsed"]
                report[f"execute {size}, {label}"] = gas // size
            call = local.gateway.functions.deliver([local.deliver_batch(requests, RETURN_DATA)])
            receipt = local.send(local.deliverer, call)
            assert len(receipt["logs"]) == size
            report[f"deliver {size}, {label}"] = receipt["gasUsed"] // size
        for size in (1, 32):
            now = web3.eth.get_block("latest")["timestamp"]
            requests = [local.ask(increment, expiry=now + ADDED_EXPIRY_SECONDS) for _ in range(size)]
            web3.provider.make_request("evm_setNextBlockTimestamp", [now + 2 * ADDED_EXPIRY_SECONDS])  # type: ignore[arg-type]
            call = local.gateway.functions.expire([local.expire_batch(requests)], bytes(31) + b"\x01")
            report[f"expire {size}, {label}"] = local.send(local.executing, call)["gasUsed"] // size
        if count == 19:  # the certificate plays no part in what follows
            report |= _measure_requests(local)
    return dict(sorted(report.items()))


def _measure_requests(local: LocalGateway) -> dict[str, int]:
    """`xvmExecute` of both forms, by an account that asked before."""
    selector, parameters = bytes.fromhex("7cf5dab0"), (1).to_bytes(32, "big")
    report: dict[str, int] = {}
    for _ in range(2):
        fee = local.gateway.get_function_by_signature("quote(uint256,uint256)")(31337, 36).call()
        simple = local.gateway.get_function_by_signature("xvmExecute(uint256,address,bytes4,bytes)")
        call = simple(31337, local.counter.address, selector, parameters)
        report["xvmExecute, simple form"] = local.send(local.deliverer, call, value=fee)["gasUsed"]
    return report


def run() -> dict[str, int]:
    """Measures on a chain of its own."""
    with tempfile.TemporaryDirectory() as folder, anvil(Path(folder)) as web3:
        return measure(web3)


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(run(), indent=2) + "\n", encoding="utf-8")
