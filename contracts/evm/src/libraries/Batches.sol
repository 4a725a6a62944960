// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IXvmGateway} from "../interfaces/IXvmGateway.sol";
import {IXvmVerifier} from "../interfaces/IXvmVerifier.sol";
import {Bits} from "./Bits.sol";

/// @title The shape of a batch
library Batches {
    /// @notice The most leaves a batch may have: bits of `given`.
    uint256 internal constant MAX_LEAVES = 256;

    /// @notice Number of leaves, having checked that `given` names as many items as there are.
    function leafCount(uint256 given, uint256 items, uint256 bare) internal pure returns (uint256 n) {
        n = items + bare;
        if (n == 0) revert IXvmVerifier.EmptyBatch();
        // SECURITY: an item that no leaf covers would be acted on uncertified
        if (n > MAX_LEAVES || (n < MAX_LEAVES && given >> n != 0) || Bits.count(given) != items) {
            revert IXvmGateway.MalformedBatch();
        }
    }
}
