"""Ask a contract on another chain, and wait for the answer. Plain web3.py; nothing of the relayer is imported.

It knows the devnet's description (devnet.json), the gateway's ABI, and its own two contracts, which it deploys: an
Adder on the second chain, and on the first an Asker that has its sums done there. Run it while a devnet is up:

    python examples/ask_and_answer/ask_and_answer.py .devnet/devnet.json
"""

import json
import sys
import time
from pathlib import Path

from web3 import Web3

HERE = Path(__file__).resolve().parent
CONTRACTS = json.loads((HERE / "contracts.json").read_text())
GATEWAY_ABI = json.loads((HERE.parents[1] / "relayer/vms/evm/artifacts/XvmGateway.json").read_text())["abi"]
PATIENCE_SECONDS = 120


class Chain:
    """One chain of the devnet, used through one of its funded accounts."""

    def __init__(self, description: dict, account: int) -> None:
        self.name = description["name"]
        self.web3 = Web3(Web3.HTTPProvider(description["rpc_url"]))
        self.key = description["accounts"][account]["private_key"]
        self.address = description["accounts"][account]["address"]
        self.gateway = self.web3.eth.contract(address=description["gateway"], abi=GATEWAY_ABI)

    def send(self, call, value: int = 0):
        """Sign and send a transaction, and wait until it is mined; the receipt."""
        transaction = call.build_transaction(
            {
                "from": self.address,
                "nonce": self.web3.eth.get_transaction_count(self.address),
                "value": value,
            }
        )
        signed = self.web3.eth.account.sign_transaction(transaction, self.key)
        receipt = self.web3.eth.wait_for_transaction_receipt(
            self.web3.eth.send_raw_transaction(signed.raw_transaction), poll_latency=0.2
        )
        if receipt["status"] != 1:
            raise SystemExit(f"a transaction on {self.name} failed: 0x{receipt['transactionHash'].hex()}")
        return receipt

    def deploy(self, name: str, *arguments):
        """Put one of our contracts on this chain."""
        factory = self.web3.eth.contract(**CONTRACTS[name])
        address = self.send(factory.constructor(*arguments))["contractAddress"]
        print(f"{name} on {self.name}: {address}")
        return self.web3.eth.contract(address=address, abi=CONTRACTS[name]["abi"])


def main(devnet_file: str) -> int:
    """Ask once; 0 if the answer is right."""
    try:
        chains = json.loads(Path(devnet_file).read_text())["chains"]
    except (OSError, ValueError, KeyError) as error:
        raise SystemExit(f"{devnet_file}: not the description of a devnet that is up ({error})") from None
    here, there = (Chain(description, account=3) for description in chains[:2])
    there_id = int(chains[1]["caip2"].split(":")[1])

    adder = there.deploy("Adder")
    asker = here.deploy("Asker", here.gateway.address)

    # The fee depends on the target's chain and on the length of the payload: a selector and two words.
    fee = here.gateway.get_function_by_signature("quote(uint256,uint256)")(there_id, 4 + 2 * 32).call()
    receipt = here.send(asker.functions.ask(there_id, adder.address, 20, 22), value=fee)
    request_id = asker.events.Asked().process_log(receipt["logs"][-1])["args"]["requestId"]
    print(f"asked {there.name} for 20 + 22, for {Web3.from_wei(fee, 'ether')} ether; request 0x{request_id:064x}")

    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_SECONDS:
        answers = asker.events.Answered().get_logs(
            from_block=receipt["blockNumber"], argument_filters={"requestId": request_id}
        )
        if answers:
            answer = answers[0]["args"]
            print(f"answered after {time.monotonic() - began:.1f} s: success {answer['success']}, sum {answer['sum']}")
            return 0 if answer["success"] and answer["sum"] == asker.functions.sums(request_id).call() == 42 else 1
        time.sleep(0.2)
    print(f"no answer within {PATIENCE_SECONDS} s")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ".devnet/devnet.json"))
