// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title Counting bits
library Bits {
    /// @notice Number of set bits: pairwise sums, then one multiplication that adds the bytes.
    function count(uint256 word) internal pure returns (uint256 bits) {
        // 256 set bits do not fit the byte that the sum ends up in
        if (word == type(uint256).max) return 256;
        assembly ("memory-safe") {
            bits := sub(word, and(shr(1, word), 0x5555555555555555555555555555555555555555555555555555555555555555))
            bits := add(
                and(bits, 0x3333333333333333333333333333333333333333333333333333333333333333),
                and(shr(2, bits), 0x3333333333333333333333333333333333333333333333333333333333333333)
            )
            bits := and(add(bits, shr(4, bits)), 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f)
            bits := shr(248, mul(bits, 0x0101010101010101010101010101010101010101010101010101010101010101))
        }
    }
}
