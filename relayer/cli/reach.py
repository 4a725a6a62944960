"""Where a command finds the chains and the key that it works with: a devnet's file, or what was typed.

Its job: from options to endpoints, accounts and addresses, with what is missing or contradictory named. It opens no
connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from attestation.address import Chain, InteroperableAddress, bech32_prefix, parse_account_text, parse_chain_text
from attestation.errors import AttestationError
from relayer.cli.asking import Endpoint, tools_for
from relayer.cli.devnet_file import DevnetAccount, load_devnet
from relayer.cli.keys import load_key_file
from relayer.cli.usage import WrongUsage
from relayer.errors import ConfigError
from relayer.keys.keystore import SECRET_LENGTH, Secret


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and where."""

    endpoint: Endpoint
    secret: Secret
    account: InteroperableAddress


@dataclass(frozen=True, slots=True)
class Reach:
    """What was typed. With `rpc` the devnet is not looked at. `account` counts the devnet's accounts from 0.

    Methods raise `ConfigError`. `source` and `destination` are names of the devnet's chains, or CAIP-2.
    """

    devnet: Path
    account: int
    rpc: str | None
    gateway: str | None
    key_file: Path | None
    password_file: Path | None

    def asker(self, source: str) -> Asker:
        """The account that asks, with the chain to ask on."""
        endpoint, secret = self.home(source), self.secret(source)
        account = tools_for(endpoint.chain.namespace).account_text(secret)
        return Asker(endpoint, secret, parse_account_text(f"{endpoint.chain}:{account}"))

    def home(self, source: str) -> Endpoint:
        """The chain to ask on."""
        if self.rpc is None and self.gateway is None:
            return self._in_devnet(source)
        if self.rpc is None or self.gateway is None or self.key_file is None:
            raise WrongUsage(["--rpc, --gateway and --key-file go together; without --rpc a devnet is used"])
        return Endpoint(self.chain(source), self.rpc, self.gateway)

    def away(self, chain: Chain) -> Endpoint | None:
        """The chain to look at for the receipt, or None if nothing is known of it."""
        if self.rpc is not None:
            return None
        known = {known.caip2 for known in load_devnet(self.devnet).chains}
        return self._in_devnet(str(chain)) if str(chain) in known else None

    def gateway_on(self, chain: Chain) -> str:
        """The gateway of a chain in the chain's own text form, empty if nothing is known of it."""
        away = self.away(chain)
        return "" if away is None else away.gateway

    def secret(self, source: str) -> Secret:
        """The key of the account that asks."""
        if self.key_file is not None:
            return load_key_file(self.key_file, self.password_file)
        accounts = load_devnet(self.devnet).chain(source).accounts
        if self.account >= len(accounts):
            raise WrongUsage([f"--account {self.account}: the devnet has {len(accounts)}, counted from 0"])
        return _secret_of(accounts[self.account])

    def target(self, text: str, destination: str | None) -> InteroperableAddress:
        """The account to be called: CAIP-10, or the chain's own text form on `destination`."""
        chain = None if destination is None else self.chain(destination)
        if ":" in text:
            target = self._parse_target(text)
            if chain is not None and target.chain != chain:
                raise WrongUsage([f"TARGET: it is on {target.chain}, but --to says {chain}; leave one out"])
            return target
        if chain is None:
            raise WrongUsage(["--to: name the target's chain, or write TARGET as CAIP-10, such as eip155:31338:0x…"])
        return self._parse_target(f"{chain}:{text}")

    def chain(self, text: str) -> Chain:
        """A chain by CAIP-2, or by its name in the devnet."""
        try:
            return parse_chain_text(text)
        except AttestationError as error:
            if self.rpc is not None:
                raise WrongUsage([f"{text}: {error}; without a devnet, chains are written as CAIP-2"]) from None
        return parse_chain_text(load_devnet(self.devnet).chain(text).caip2)

    def _parse_target(self, text: str) -> InteroperableAddress:
        """CAIP-10; of the bech32 prefix that accounts of the chain have, if its gateway is known to have one."""
        try:
            target = parse_account_text(text)
            return parse_account_text(text, bech32_prefix(self.gateway_on(target.chain)))
        except AttestationError as error:
            try:
                form = f"; accounts there are {parse_chain_text(text.rpartition(':')[0]).account_form}"
            except AttestationError:
                form = ""
            raise WrongUsage([f"TARGET: {error}{form}"]) from None

    def _in_devnet(self, name: str) -> Endpoint:
        chain = load_devnet(self.devnet).chain(name)
        return Endpoint(parse_chain_text(chain.caip2), chain.rpc_url, chain.gateway)


def _secret_of(account: DevnetAccount) -> Secret:
    digits = account.private_key.get_secret_value().removeprefix("0x")
    try:
        return Secret(bytes.fromhex(digits.zfill(2 * SECRET_LENGTH)))
    except ValueError:
        # SECURITY: no `from`: the library's text holds what it choked on.
        raise ConfigError([f"the devnet's private key of {account.address} is no key"]) from None
