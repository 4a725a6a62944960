// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title Root of a batch
/// @notice OpenZeppelin's merkle-tree layout over leaves in batch order: 2n − 1 nodes, leaf i at 2n − 2 − i, node k the hash of
/// its sorted children 2k + 1 and 2k + 2. One leaf is its own root.
/// Source: `makeMerkleTree` of OpenZeppelin's npm package merkle-tree.
library Merkle {
    /// @notice Reserves the tree of `n` > 0 leaves in fresh memory; `set` every leaf before `root`.
    function reserve(uint256 n) internal pure returns (uint256 tree) {
        assembly ("memory-safe") {
            tree := mload(0x40)
            mstore(0x40, add(tree, mul(32, sub(mul(2, n), 1))))
        }
    }

    /// @notice Writes leaf `i` of `n`.
    function set(uint256 tree, uint256 n, uint256 i, bytes32 leaf) internal pure {
        assembly ("memory-safe") {
            mstore(add(tree, mul(32, sub(sub(mul(2, n), 2), i))), leaf)
        }
    }

    /// @notice Hashes the inner nodes and returns the root.
    function root(uint256 tree, uint256 n) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let parent := add(tree, mul(32, sub(n, 1)))
            let child := add(tree, mul(32, sub(mul(2, n), 1)))
            for {} gt(parent, tree) {} {
                parent := sub(parent, 32)
                child := sub(child, 64)
                let left := mload(child)
                let right := mload(add(child, 32))
                let swapped := lt(right, left)
                mstore(shl(5, swapped), left)
                mstore(shl(5, iszero(swapped)), right)
                mstore(parent, keccak256(0, 64))
            }
            hash := mload(tree)
        }
    }
}
