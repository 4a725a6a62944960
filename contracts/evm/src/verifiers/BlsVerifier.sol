// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Signer, SignerSet} from "../interfaces/XvmTypes.sol";
import {Bls12381} from "../libraries/Bls12381.sol";
import {CodeBlob} from "../libraries/CodeBlob.sol";
import {XvmVerifier} from "./XvmVerifier.sol";

/// @title Verifier of scheme 2, bls12-381
/// @notice A payload is one signature, the sum of the signers', whoever they are. A key is the public key and the proof that its
/// operator holds the secret. Needs EIP-2537.
/// @dev The keys of a set lie in blobs of their own, behind the opposite of the sum of all: a certificate costs one addition for
/// each signer that is missing.
contract BlsVerifier is XvmVerifier {
    /// @dev A proof that was verified, in words, to be shown again.
    struct Proof {
        bytes32 first;
        bytes32 second;
        bytes32 third;
    }

    uint256 private constant KEY_LENGTH = 288;
    /// @dev Bytes of a public key's x, which the opposite key shares.
    uint256 private constant X_LENGTH = 96;
    /// @dev As many public keys as a contract's code can hold.
    uint256 private constant KEYS_IN_BLOB = 127;
    /// @dev Precompile of EIP-2537.
    uint256 private constant G2_ADD = 0x0d;

    bytes private constant SIGNATURE_TAG = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
    bytes private constant PROOF_TAG = "BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

    /// @dev By keccak256(public key ‖ operator). There is one signature of a message only, so there is one proof only.
    mapping(bytes32 claim => Proof) private _proofs;

    constructor(address gateway_, address owner_) XvmVerifier(gateway_, owner_) {}

    /// @notice Verifies the proofs of keys and remembers them, so that a set that lists them is cheaper to apply: what a large set
    /// needs before it fits into a transaction. Anyone may; weights play no part.
    function prove(Signer[] calldata signers) external {
        for (uint256 i = 0; i < signers.length; ++i) {
            if (signers[i].key.length != KEY_LENGTH) revert MalformedKey(i);
            _prove(i, signers[i].key, signers[i].operator);
        }
    }

    /// @inheritdoc XvmVerifier
    function scheme() public pure override returns (uint8) {
        return 2;
    }

    function _payloadLength(uint256) internal pure override returns (uint256) {
        return Bls12381.SIGNATURE_LENGTH;
    }

    function _verifyPayload(bytes32 digest, address blob, uint256 count, uint256 bitmap, bytes calldata certificate)
        internal
        view
        override
        returns (uint256 weight, uint256 threshold)
    {
        uint256[8] memory key;
        (key, weight, threshold) = _sumOfKeys(blob, count, bitmap);
        // SECURITY: secrets that sum to zero give the identity, and the pairing takes that with an identity as the signature
        if (Bls12381.isIdentity(key)) revert ForgedAggregate();
        uint256[4] memory message = Bls12381.hashToG1(abi.encodePacked(digest), SIGNATURE_TAG);
        if (!Bls12381.isSignature(message, key, Bls12381.signatureOf(certificate[HEADER_LENGTH:]))) {
            revert ForgedAggregate();
        }
    }

    /// @dev The sum of the keys in the bitmap, and their weight: the opposite of all, plus each that is missing, and the opposite
    /// of that again. In assembly, as this is done for each missing signer of each certificate.
    function _sumOfKeys(address blob, uint256 count, uint256 bitmap)
        private
        view
        returns (uint256[8] memory key, uint256 weight, uint256 threshold)
    {
        uint256 missing = ~bitmap & (type(uint256).max >> (256 - count));
        uint256[16] memory points;
        assembly ("memory-safe") {
            // the blobs' addresses, which stand behind the operators; room for a key; header and signers
            let blobs := mload(0x40)
            extcodecopy(blob, blobs, add(33, shl(6, count)), shl(5, add(1, div(count, KEYS_IN_BLOB))))
            let signer := add(blobs, 288)
            extcodecopy(blob, signer, 1, add(32, shl(5, count)))
            threshold := and(mload(signer), 0xffffffffffffffff)
            weight := add(threshold, and(shr(64, mload(signer)), 0xffffffffffffffff))
            // the opposite of all, padded
            extcodecopy(mload(blobs), add(blobs, 96), 1, 192)
            mcopy(add(points, 16), add(blobs, 96), 48)
            mcopy(add(points, 80), add(blobs, 144), 48)
            mcopy(add(points, 144), add(blobs, 192), 48)
            mcopy(add(points, 208), add(blobs, 240), 48)
            for {} missing { missing := shr(1, missing) } {
                signer := add(signer, 32)
                if and(missing, 1) {
                    weight := sub(weight, and(mload(signer), 0xffffffffffffffff))
                    let i := shr(5, sub(sub(signer, blobs), 288))
                    extcodecopy(
                        mload(add(blobs, shl(5, div(i, KEYS_IN_BLOB)))),
                        add(blobs, 96),
                        add(1, mul(192, mod(i, KEYS_IN_BLOB))),
                        192
                    )
                    mcopy(add(points, 272), add(blobs, 96), 48)
                    mcopy(add(points, 336), add(blobs, 144), 48)
                    mcopy(add(points, 400), add(blobs, 192), 48)
                    mcopy(add(points, 464), add(blobs, 240), 48)
                    // These keys were added before. Without the gas for it there is none for the pairing.
                    pop(staticcall(gas(), G2_ADD, points, 512, points, 256))
                }
            }
        }
        key = Bls12381.negatedFirst(points);
    }

    function _shortKey(uint256 i, bytes calldata key) internal pure override returns (bytes20) {
        if (key.length != KEY_LENGTH) revert MalformedKey(i);
        bytes calldata x = key[:X_LENGTH];
        // SECURITY: the identity's signature of everything is the identity
        if (keccak256(x) == keccak256(new bytes(X_LENGTH))) revert ZeroKey(i);
        // SECURITY: by x alone: opposite keys cancel out, and with both in a certificate neither would have signed
        return bytes20(keccak256(x));
    }

    /// @dev SECURITY: an unproven key could be made from the others' keys, and its holder would sign alone for all.
    function _layKeys(SignerSet calldata set) internal override returns (bytes memory added) {
        uint256 count = set.signers.length;
        bytes memory keys;
        uint256[16] memory points;
        bytes[] memory parts = new bytes[](1 + count);
        for (uint256 i = 0; i < count; ++i) {
            bytes calldata key = set.signers[i].key;
            uint256[8] memory point = _prove(i, key, set.signers[i].operator);
            assembly ("memory-safe") {
                mcopy(add(points, 256), point, 256)
            }
            Bls12381.addSecond(points);
            parts[1 + i] = key[:Bls12381.PUBLIC_KEY_LENGTH];
        }
        parts[0] = _unpadded(Bls12381.negatedFirst(points));
        for (uint256 i = 0; i < parts.length; i += KEYS_IN_BLOB) {
            uint256 end = i + KEYS_IN_BLOB < parts.length ? i + KEYS_IN_BLOB : parts.length;
            keys = new bytes((end - i) * Bls12381.PUBLIC_KEY_LENGTH);
            for (uint256 j = i; j < end; ++j) {
                bytes memory part = parts[j];
                assembly ("memory-safe") {
                    mcopy(add(add(keys, 32), mul(192, sub(j, i))), add(part, 32), 192)
                }
            }
            added = bytes.concat(added, bytes32(uint256(uint160(CodeBlob.write(keys)))));
        }
    }

    function _listedKey(bytes memory blob, uint256 count, uint256 i, bytes32 operator)
        internal
        view
        override
        returns (bytes memory key)
    {
        address keys = address(uint160(_wordAt(blob, 1 + 2 * count + (1 + i) / KEYS_IN_BLOB)));
        key = new bytes(KEY_LENGTH);
        assembly ("memory-safe") {
            extcodecopy(keys, add(key, 32), add(1, mul(192, mod(add(1, i), KEYS_IN_BLOB))), 192)
            // the claim: public key ‖ operator, where the proof will stand
            mstore(add(key, 224), operator)
        }
        bytes32 claim;
        assembly ("memory-safe") {
            claim := keccak256(add(key, 32), 224)
        }
        Proof memory proof = _proofs[claim];
        assembly ("memory-safe") {
            mcopy(add(key, 224), proof, 96)
        }
    }

    /// @dev Verifies the proof of signer `i`'s key, unless it is known, and returns the padded public key.
    function _prove(uint256 i, bytes calldata key, bytes32 operator) private returns (uint256[8] memory point) {
        bytes calldata publicKey = key[:Bls12381.PUBLIC_KEY_LENGTH];
        bytes calldata proof = key[Bls12381.PUBLIC_KEY_LENGTH:];
        point = Bls12381.publicKeyOf(publicKey);
        bytes memory claim = abi.encodePacked(publicKey, operator);
        Proof memory given = abi.decode(proof, (Proof));
        Proof storage known = _proofs[keccak256(claim)];
        if (known.first != 0) {
            if (known.first != given.first || known.second != given.second || known.third != given.third) {
                revert UnprovenKey(i);
            }
            return point;
        }
        // SECURITY: the identity proves itself
        if (
            Bls12381.isIdentity(point)
                || !Bls12381.isSignature(Bls12381.hashToG1(claim, PROOF_TAG), point, Bls12381.signatureOf(proof))
        ) revert UnprovenKey(i);
        _proofs[keccak256(claim)] = given;
    }

    function _unpadded(uint256[8] memory point) private pure returns (bytes memory data) {
        data = new bytes(Bls12381.PUBLIC_KEY_LENGTH);
        assembly ("memory-safe") {
            mcopy(add(data, 32), add(point, 16), 48)
            mcopy(add(data, 80), add(point, 80), 48)
            mcopy(add(data, 128), add(point, 144), 48)
            mcopy(add(data, 176), add(point, 208), 48)
        }
    }
}
