// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SignerSet} from "../interfaces/XvmTypes.sol";
import {Bits} from "../libraries/Bits.sol";
import {CodeBlob} from "../libraries/CodeBlob.sol";
import {XvmVerifier} from "./XvmVerifier.sol";

/// @title Verifier of scheme 1, ecdsa-secp256k1
/// @notice A payload is 64-byte compact signatures (EIP-2098), one a set bit, by ascending signer index. A key is the signer's
/// address.
contract EcdsaVerifier is XvmVerifier {
    uint256 private constant SIGNATURE_LENGTH = 64;
    uint256 private constant KEY_LENGTH = 20;
    /// @dev Half of the curve's order, rounded down (EIP-2).
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    constructor(address gateway_, address owner_) XvmVerifier(gateway_, owner_) {}

    /// @inheritdoc XvmVerifier
    function scheme() public pure override returns (uint8) {
        return 1;
    }

    function _payloadLength(uint256 bitmap) internal pure override returns (uint256) {
        return SIGNATURE_LENGTH * Bits.count(bitmap);
    }

    function _shortKey(uint256 i, bytes calldata key) internal pure override returns (bytes20 short) {
        if (key.length != KEY_LENGTH) revert MalformedKey(i);
        short = bytes20(key);
        // SECURITY: a recovery that fails yields the zero key
        if (short == 0) revert ZeroKey(i);
    }

    /// @dev The short key is the whole key, and a signature is recovered by itself: no key can borrow from another.
    function _layKeys(SignerSet calldata) internal pure override returns (bytes memory) {}

    function _listedKey(bytes memory blob, uint256, uint256 i, bytes32) internal pure override returns (bytes memory) {
        return abi.encodePacked(_keyAt(blob, i));
    }

    /// @dev Walks the bitmap; every signature must recover to the signer of its bit. If any does not, `_fault` looks again and
    /// names it, so that the straight path stays cheap.
    function _verifyPayload(bytes32 digest, address blob, uint256 count, uint256 bitmap, bytes calldata certificate)
        internal
        view
        override
        returns (uint256 weight, uint256 threshold)
    {
        bool faulty;
        assembly ("memory-safe") {
            // recovery's input: digest, v, r, s; behind it the blob's header and signers, without the leading STOP
            let input := mload(0x40)
            let header := add(input, 128)
            extcodecopy(blob, header, 1, add(32, shl(5, count)))
            threshold := and(mload(header), 0xffffffffffffffff)
            mstore(input, digest)
            // A failed recovery leaves what is here: zero at first, then the last signer, and both are not the one expected.
            mstore(0, 0)
            let signature := add(certificate.offset, 49)
            let place := header
            let faults := 0
            for {} bitmap { bitmap := shr(1, bitmap) } {
                place := add(place, 32)
                if and(bitmap, 1) {
                    let vs := calldataload(add(signature, 32))
                    let s := shr(1, shl(1, vs))
                    mstore(add(input, 32), add(27, shr(255, vs)))
                    mstore(add(input, 64), calldataload(signature))
                    mstore(add(input, 96), s)
                    pop(staticcall(gas(), 1, input, 128, 0, 32))
                    let signer := mload(place)
                    // SECURITY: a high s is the twin that anyone can make of a signature
                    faults := or(faults, or(gt(s, HALF_ORDER), xor(mload(0), shr(96, signer))))
                    // 256 weights of 64 bits reach 72 bits: none carries into the addresses, which are cut off below
                    weight := add(weight, signer)
                    signature := add(signature, 64)
                }
            }
            weight := and(weight, 0xffffffffffffffffffffffff)
            faulty := iszero(iszero(faults))
        }
        if (faulty) _fault(digest, blob, certificate);
    }

    /// @dev Names the first fault of a certificate that has one.
    function _fault(bytes32 digest, address blob, bytes calldata certificate) private view {
        bytes memory members = CodeBlob.read(blob);
        uint256 bitmap = uint256(bytes32(certificate[17:HEADER_LENGTH]));
        uint256 position = HEADER_LENGTH;
        for (uint256 index = 0;; ++index) {
            if ((bitmap >> index) & 1 == 0) continue;
            bytes32 r = bytes32(certificate[position:]);
            uint256 vs = uint256(bytes32(certificate[position + 32:]));
            position += SIGNATURE_LENGTH;
            bytes32 s = bytes32(vs << 1 >> 1);
            if (uint256(s) > HALF_ORDER) revert HighS(index);
            address recovered = ecrecover(digest, uint8(27 + (vs >> 255)), r, s);
            if (recovered == _keyAt(members, index)) continue;
            if (recovered == address(0)) revert ForgedSignature(index);
            uint256 count = (members.length - 32) / 64;
            for (uint256 i = 0; i < count; ++i) {
                if (_keyAt(members, i) != recovered) continue;
                if (i < index && (bitmap >> i) & 1 == 1) revert RepeatedSigner(index);
                revert SignerOutOfOrder(index);
            }
            revert ForgedSignature(index);
        }
    }

    function _keyAt(bytes memory blob, uint256 i) private pure returns (address) {
        return address(uint160(_wordAt(blob, 1 + i) >> 96));
    }
}
