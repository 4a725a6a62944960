// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {Signer, SignerSet} from "../interfaces/XvmTypes.sol";

/// @title Hash of a signer set
/// @notice EIP-712 struct hash of `SignerSet`.
library SignerSetHash {
    bytes32 internal constant SET_TYPEHASH = keccak256(
        "SignerSet(uint8 scheme,uint64 threshold,uint64 validUntil,uint64 graceSeconds,Signer[] signers)Signer(bytes key,uint64 weight,bytes32 operator)"
    );

    bytes32 internal constant SIGNER_TYPEHASH = keccak256("Signer(bytes key,uint64 weight,bytes32 operator)");

    /// @notice Struct hash of a set.
    function hash(SignerSet calldata set) internal pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](set.signers.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            Signer calldata signer = set.signers[i];
            hashes[i] = keccak256(abi.encode(SIGNER_TYPEHASH, keccak256(signer.key), signer.weight, signer.operator));
        }
        return keccak256(
            abi.encode(
                SET_TYPEHASH,
                set.scheme,
                set.threshold,
                set.validUntil,
                set.graceSeconds,
                keccak256(abi.encodePacked(hashes))
            )
        );
    }
}
