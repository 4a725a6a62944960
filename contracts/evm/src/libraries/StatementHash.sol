// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {ExecuteItem, OutcomeItem} from "../interfaces/XvmTypes.sol";

/// @title Statements and their leaves
/// @notice EIP-712 struct hashes of what signers sign; a leaf is keccak256 of a struct hash, so that it can never pass for an
/// inner node of a tree.
library StatementHash {
    bytes32 internal constant EXECUTE_TYPEHASH =
        keccak256("Execute(uint256 requestId,uint64 height,bytes32 blockHash,uint32 txIndex,uint32 logIndex)");

    bytes32 internal constant OUTCOME_TYPEHASH = keccak256(
        "Outcome(uint256 requestId,uint8 kind,bool cut,bytes32 returnDataHash,uint64 height,bytes32 blockHash,uint32 txIndex,uint32 logIndex,bytes32 payee,uint32 round)"
    );

    bytes32 internal constant ROTATE_TYPEHASH = keccak256("Rotate(bytes32 signerSetHash,uint64 newEpoch)");

    /// @notice Leaf of a struct hash.
    function leaf(bytes32 structHash) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0, structHash)
            hash := keccak256(0, 32)
        }
    }

    /// @notice Struct hash of the `Execute` statement about a request.
    function execute(uint256 requestId, ExecuteItem calldata item) internal pure returns (bytes32 hash) {
        bytes32 typeHash = EXECUTE_TYPEHASH;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, typeHash)
            mstore(add(data, 32), requestId)
            // height, blockHash, txIndex, logIndex follow the request's place
            calldatacopy(add(data, 64), add(item, 32), 128)
            hash := keccak256(data, 192)
        }
    }

    /// @notice Struct hash of an `Outcome` statement, and the hash of its return data.
    function outcome(OutcomeItem calldata item) internal pure returns (bytes32 hash, bytes32 returnDataHash) {
        bytes32 typeHash = OUTCOME_TYPEHASH;
        assembly ("memory-safe") {
            let data := mload(0x40)
            let place := add(item, calldataload(add(item, 288)))
            let length := calldataload(place)
            calldatacopy(data, add(place, 32), length)
            returnDataHash := keccak256(data, length)
            mstore(data, typeHash)
            // requestId, kind, cut
            calldatacopy(add(data, 32), item, 96)
            mstore(add(data, 128), returnDataHash)
            // height, blockHash, txIndex, logIndex, payee, round
            calldatacopy(add(data, 160), add(item, 96), 192)
            hash := keccak256(data, 352)
        }
    }

    /// @notice Leaf of a `Rotate` statement.
    function rotateLeaf(bytes32 signerSetHash, uint64 newEpoch) internal pure returns (bytes32) {
        return leaf(keccak256(abi.encode(ROTATE_TYPEHASH, signerSetHash, newEpoch)));
    }
}
