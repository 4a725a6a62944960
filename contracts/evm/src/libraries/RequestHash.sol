// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {Request} from "../interfaces/XvmTypes.sol";

/// @title Request ids
/// @notice EIP-712 struct hash of `Request`: the id commits to every field.
library RequestHash {
    /// @notice Type hash of `Request`.
    bytes32 internal constant TYPEHASH = keccak256(
        "Request(bytes sourceGateway,bytes sender,bytes destinationGateway,bytes target,uint64 nonce,uint8 mode,bool ownAccount,bytes payload,uint64 executionGasLimit,uint64 callbackGasLimit,uint32 returnLimit,uint64 expiry,uint256 orderedAfter,uint256 origin,bytes32 codeHash,uint32 disputeBlocks,bytes metadata)"
    );

    /// @notice Id of a request in memory.
    function id(Request memory request) internal pure returns (uint256 requestId) {
        bytes32 typeHash = TYPEHASH;
        bytes memory words = new bytes(18 * 32);
        assembly ("memory-safe") {
            function hashBytes(pointer) -> hash {
                let value := mload(pointer)
                hash := keccak256(add(value, 32), mload(value))
            }
            let data := add(words, 32)
            mstore(data, typeHash)
            mcopy(add(data, 32), request, 544)
            mstore(add(data, 32), hashBytes(request))
            mstore(add(data, 64), hashBytes(add(request, 32)))
            mstore(add(data, 96), hashBytes(add(request, 64)))
            mstore(add(data, 128), hashBytes(add(request, 96)))
            mstore(add(data, 256), hashBytes(add(request, 224)))
            mstore(add(data, 544), hashBytes(add(request, 512)))
            requestId := keccak256(data, 576)
        }
    }

    /// @notice Id of a request in calldata. Its fixed fields are hashed as they stand, so dirty high bits give an id that nobody
    /// signed; offsets beyond the calldata read as zeros and do the same.
    /// @param request The request, or a `RequestByHash` cast to one: their heads are alike but for word 7.
    /// @param payloadByHash Word 7 is the payload's hash, not its place.
    function idOfCalldata(Request calldata request, bool payloadByHash) internal pure returns (uint256 requestId) {
        bytes32 typeHash = TYPEHASH;
        assembly ("memory-safe") {
            // Hashes the bytes field whose place is told by the head word at `position`, with memory at `free` for scratch.
            function hashBytes(base, position, free) -> hash {
                let place := add(base, calldataload(add(base, position)))
                let length := calldataload(place)
                calldatacopy(free, add(place, 32), length)
                hash := keccak256(free, length)
            }
            let data := mload(0x40)
            let free := add(data, 576)
            mstore(data, typeHash)
            calldatacopy(add(data, 32), request, 544)
            mstore(add(data, 32), hashBytes(request, 0, free))
            mstore(add(data, 64), hashBytes(request, 32, free))
            mstore(add(data, 96), hashBytes(request, 64, free))
            mstore(add(data, 128), hashBytes(request, 96, free))
            if iszero(payloadByHash) { mstore(add(data, 256), hashBytes(request, 224, free)) }
            mstore(add(data, 544), hashBytes(request, 512, free))
            requestId := keccak256(data, 576)
        }
    }
}
