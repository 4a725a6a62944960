"""Programs that are there from the genesis on.

Its job: write a program's two accounts as the upgradeable loader leaves them behind a deployment. The runtime verifies
the code when the account is set, as the loader does. A deployment by transactions works as on any cluster and needs
nothing of this.

Source: `UpgradeableLoaderState` of solana-loader-v3-interface.
"""

from __future__ import annotations

from typing import Final

from solders.account import Account
from solders.pubkey import Pubkey

from relayer.devnet.svm.chain import Chain
from relayer.errors import ConfigError

UPGRADEABLE_LOADER: Final = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")

_ELF: Final = b"\x7fELF"
_PROGRAM: Final = (2).to_bytes(4, "little")
_PROGRAM_DATA: Final = (3).to_bytes(4, "little")
_DEPLOYED_IN_GENESIS: Final = (0).to_bytes(8, "little")


def place_program(chain: Chain, program: Pubkey, code: bytes, authority: Pubkey | None) -> None:
    """Put a program there, upgradeable by `authority`, or by nobody.

    Raises:
        ConfigError: the address is taken, or the code is no ELF file. For an ELF file that the runtime would not run,
            LiteSVM raises an error of its own, which has no public name.
    """
    if not code.startswith(_ELF):
        raise ConfigError([f"program {program}: the code is no ELF file"])
    if chain.account(program, 0) is not None:
        raise ConfigError([f"program {program}: the address is taken"])
    data_address, _ = Pubkey.find_program_address([bytes(program)], UPGRADEABLE_LOADER)
    upgradeable_by = bytes(33) if authority is None else b"\x01" + bytes(authority)
    data = _PROGRAM_DATA + _DEPLOYED_IN_GENESIS + upgradeable_by + code
    pointer = _PROGRAM + bytes(data_address)
    chain.place(data_address, _rent_exempt(chain, data, is_executable=False))
    chain.place(program, _rent_exempt(chain, pointer, is_executable=True))


def _rent_exempt(chain: Chain, data: bytes, *, is_executable: bool) -> Account:
    return Account(chain.rent_exempt_minimum(len(data)), data, UPGRADEABLE_LOADER, is_executable)
