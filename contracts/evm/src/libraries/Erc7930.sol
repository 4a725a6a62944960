// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title Strict reading of ERC-7930 (version 1) addresses
/// @notice version(2) = 1 ‖ chain type(2) ‖ length(1) ‖ chain reference ‖ length(1) ‖ address, nothing after it. It does not
/// judge chain references: whoever compares whole byte strings needs no canonical form.
library Erc7930 {
    /// @notice Where the address part's length byte stands, or 0 if `account` is not well formed.
    /// @param account Any bytes.
    /// @return position Length of version ‖ type ‖ reference with its length: the chain's identity.
    /// @return addressLength Bytes of the address part; 0 for a chain alone.
    function split(bytes memory account) internal pure returns (uint256 position, uint256 addressLength) {
        uint256 length = account.length;
        if (length < 7) return (0, 0);
        uint256 head;
        assembly ("memory-safe") {
            head := shr(216, mload(add(account, 32)))
        }
        uint256 referenceLength = head & 0xff;
        if (head >> 24 != 1 || referenceLength == 0) return (0, 0);
        position = 5 + referenceLength;
        if (length <= position) return (0, 0);
        addressLength = uint8(account[position]);
        if (length != position + 1 + addressLength) return (0, 0);
    }

    /// @notice Hash of the chain alone: keccak256 of the first `position` bytes and a zero length byte.
    function chainHash(bytes memory account, uint256 position) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            // The length byte is zeroed for the hash and put back: no copy of the whole string.
            let data := add(account, 32)
            let lengthByte := add(data, position)
            let kept := byte(0, mload(lengthByte))
            mstore8(lengthByte, 0)
            hash := keccak256(data, add(position, 1))
            mstore8(lengthByte, kept)
        }
    }

    /// @notice The chain alone, as an ERC-7930 address.
    function chainOf(bytes memory account, uint256 position) internal pure returns (bytes memory chain) {
        chain = new bytes(position + 1);
        for (uint256 i = 0; i < position; ++i) {
            chain[i] = account[i];
        }
    }
}
