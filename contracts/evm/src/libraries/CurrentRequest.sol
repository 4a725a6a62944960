// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title The request that is being executed
/// @notice Id and sender, in transient storage: gone with the transaction, never left behind by a revert.
library CurrentRequest {
    /// @dev Id at the slot, the sender's length behind it, then its words.
    uint256 private constant SLOT = uint256(keccak256("xvm.currentRequest"));

    /// @notice Sets both.
    function set(uint256 requestId, bytes calldata sender) internal {
        uint256 slot = SLOT;
        assembly ("memory-safe") {
            tstore(slot, requestId)
            tstore(add(slot, 1), sender.length)
            for { let i := 0 } lt(mul(i, 32), sender.length) { i := add(i, 1) } {
                tstore(add(add(slot, 2), i), calldataload(add(sender.offset, mul(i, 32))))
            }
        }
    }

    /// @notice Clears both.
    function clear() internal {
        uint256 slot = SLOT;
        assembly ("memory-safe") {
            tstore(slot, 0)
            tstore(add(slot, 1), 0)
        }
    }

    /// @notice Reads both.
    function get() internal view returns (uint256 requestId, bytes memory sender) {
        uint256 slot = SLOT;
        uint256 length;
        assembly ("memory-safe") {
            requestId := tload(slot)
            length := tload(add(slot, 1))
        }
        sender = new bytes(length);
        assembly ("memory-safe") {
            let data := add(sender, 32)
            for { let i := 0 } lt(mul(i, 32), length) { i := add(i, 1) } {
                mstore(add(data, mul(i, 32)), tload(add(add(slot, 2), i)))
            }
        }
    }
}
