// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @notice An account that a call of a Solana program may touch.
struct SolanaAccount {
    bytes32 key;
    /// Only the asker's own account may: see `ownAccount` of the options. Anything else makes the outcome `UNREACHED`.
    bool isSigner;
    bool isWritable;
}

/// @title Payloads of requests to Solana
/// @notice Borsh, in which numbers are little-endian: contracts/svm/README.md, Payload.
library SolanaPayload {
    /// @dev ERC-7930 version 1, chain type `solana`, a chain reference of 32 bytes.
    bytes5 private constant HEAD = 0x0001000220;
    bytes1 private constant ADDRESS_LENGTH = 0x20;

    /// @notice The ERC-7930 address of a program or another account.
    /// @param genesisHash The chain's: what its CAIP-2 text has in base58.
    function target(bytes32 genesisHash, bytes32 account) internal pure returns (bytes memory) {
        return abi.encodePacked(HEAD, genesisHash, ADDRESS_LENGTH, account);
    }

    /// @notice A call of the target program, or, in a query, what that call would return.
    /// @param accounts All that the program will touch, in its order.
    /// @param data The instruction's data, in the program's own encoding.
    function call(SolanaAccount[] memory accounts, bytes memory data) internal pure returns (bytes memory payload) {
        payload = abi.encodePacked(u32(uint32(accounts.length)));
        for (uint256 i = 0; i < accounts.length; ++i) {
            SolanaAccount memory account = accounts[i];
            payload = abi.encodePacked(payload, account.key, account.isSigner, account.isWritable);
        }
        return abi.encodePacked(payload, u32(uint32(data.length)), data);
    }

    /// @notice A query of a part of the target account's data. An empty payload asks for all of them.
    function slice(uint32 offset, uint32 length) internal pure returns (bytes memory) {
        return abi.encodePacked(u32(offset), u32(length));
    }

    /// @notice A u32 as Borsh has it.
    function u32(uint32 value) internal pure returns (bytes4) {
        return bytes4(bytes8(u64(value)));
    }

    /// @notice A u64 as Borsh has it.
    function u64(uint64 value) internal pure returns (bytes8) {
        uint64 reversed = 0;
        for (uint256 i = 0; i < 8; ++i) {
            reversed = (reversed << 8) | (value & 0xff);
            value >>= 8;
        }
        return bytes8(reversed);
    }
}
