// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title BLS12-381 signatures of minimal size
/// @notice Keys are points of G2, signatures of G1, checked by the precompiles of EIP-2537. In memory a point has the form that
/// those take, each coordinate padded to 64 bytes; outside it has none of the padding.
/// @dev Where the precompiles are missing, a call to them succeeds and returns nothing: every call here asks for its length.
library Bls12381 {
    /// @notice Bytes of a signature, without padding.
    uint256 internal constant SIGNATURE_LENGTH = 96;

    /// @notice Bytes of a public key, without padding.
    uint256 internal constant PUBLIC_KEY_LENGTH = 192;

    /// @dev The field's modulus.
    uint256 private constant P_HIGH = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
    uint256 private constant P_LOW = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;

    uint256 private constant MODEXP = 0x05;
    uint256 private constant G1_ADD = 0x0b;
    uint256 private constant G2_ADD = 0x0d;
    uint256 private constant PAIRING = 0x0f;
    uint256 private constant MAP_TO_G1 = 0x10;

    /// @notice A precompile is missing, or refused what it was given.
    error PrecompileFailed(uint256 precompile);

    /// @notice The point of G1 that a message stands for.
    /// @dev RFC 9380, BLS12381G1_XMD:SHA-256_SSWU_RO_ with the tag as its DST. Mapping clears the cofactor, addition keeps the
    /// subgroup.
    function hashToG1(bytes memory message, bytes memory tag) internal view returns (uint256[4] memory point) {
        bytes memory suffix = abi.encodePacked(tag, uint8(tag.length));
        // expand_message_xmd to 128 bytes: a block of zeros, the message, the length, a zero
        bytes32 seed = sha256(abi.encodePacked(new bytes(64), message, uint16(128), uint8(0), suffix));
        bytes32 first = sha256(abi.encodePacked(seed, uint8(1), suffix));
        bytes32 second = sha256(abi.encodePacked(seed ^ first, uint8(2), suffix));
        bytes32 third = sha256(abi.encodePacked(seed ^ second, uint8(3), suffix));
        bytes32 fourth = sha256(abi.encodePacked(seed ^ third, uint8(4), suffix));
        bytes memory frame = new bytes(256);
        _mapToG1(first, second, frame, 0);
        _mapToG1(third, fourth, frame, 128);
        uint256 place;
        assembly ("memory-safe") {
            place := add(frame, 32)
        }
        _call(G1_ADD, place, 256, place, 128);
        assembly ("memory-safe") {
            mcopy(point, place, 128)
        }
    }

    /// @notice Whether `signature` is the one of the message point by the holder of `key`, that is whether
    /// e(message, key) = e(signature, generator).
    /// @dev The pairing checks that each point is on its curve, in its subgroup, and canonical. SECURITY: it takes identities for
    /// anything: who calls knows that the key is none.
    function isSignature(uint256[4] memory message, uint256[8] memory key, uint256[4] memory signature)
        internal
        view
        returns (bool valid)
    {
        assembly ("memory-safe") {
            let frame := mload(0x40)
            mcopy(frame, message, 128)
            mcopy(add(frame, 128), key, 256)
            mcopy(add(frame, 384), signature, 128)
            // the opposite of G2's generator
            mstore(add(frame, 512), 0x024aa2b2f08f0a91260805272dc51051)
            mstore(add(frame, 544), 0xc6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8)
            mstore(add(frame, 576), 0x13e02b6052719f607dacd3a088274f65)
            mstore(add(frame, 608), 0x596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e)
            mstore(add(frame, 640), 0x0d1b3cc2c7027888be51d9ef691d77bc)
            mstore(add(frame, 672), 0xb679afda66c73f17f9ee3837a55024f78c71363275a75d75d86bab79f74782aa)
            mstore(add(frame, 704), 0x13fa4d4a0ad8b1ce186ed5061789213d)
            mstore(add(frame, 736), 0x993923066dddaf1040bc3ff59f825c78df74f2d75467e25e0f55f8a00fa030ed)
            valid := staticcall(gas(), PAIRING, frame, 768, 0, 32)
            valid := and(valid, and(eq(returndatasize(), 32), eq(mload(0), 1)))
        }
    }

    /// @notice Pads a signature of `SIGNATURE_LENGTH` bytes.
    function signatureOf(bytes calldata data) internal pure returns (uint256[4] memory point) {
        assembly ("memory-safe") {
            calldatacopy(add(point, 16), data.offset, 48)
            calldatacopy(add(point, 80), add(data.offset, 48), 48)
        }
    }

    /// @notice Pads a public key of `PUBLIC_KEY_LENGTH` bytes.
    function publicKeyOf(bytes calldata data) internal pure returns (uint256[8] memory point) {
        assembly ("memory-safe") {
            calldatacopy(add(point, 16), data.offset, 48)
            calldatacopy(add(point, 80), add(data.offset, 48), 48)
            calldatacopy(add(point, 144), add(data.offset, 96), 48)
            calldatacopy(add(point, 208), add(data.offset, 144), 48)
        }
    }

    /// @notice Replaces the first of two points of G2 by their sum.
    function addSecond(uint256[16] memory points) internal view {
        uint256 place;
        assembly ("memory-safe") {
            place := points
        }
        _call(G2_ADD, place, 512, place, 256);
    }

    /// @notice The opposite of the first of two points of G2 that a precompile returned.
    function negatedFirst(uint256[16] memory points) internal pure returns (uint256[8] memory point) {
        assembly ("memory-safe") {
            mcopy(point, points, 256)
            for { let place := add(point, 128) } lt(place, add(point, 256)) { place := add(place, 64) } {
                let high := mload(place)
                let low := mload(add(place, 32))
                // p itself is not a number of the field
                if or(high, low) {
                    mstore(place, sub(sub(P_HIGH, high), gt(low, P_LOW)))
                    mstore(add(place, 32), sub(P_LOW, low))
                }
            }
        }
    }

    /// @notice Whether the point is the identity.
    function isIdentity(uint256[8] memory point) internal pure returns (bool identity) {
        assembly ("memory-safe") {
            identity := 1
            for { let place := point } lt(place, add(point, 256)) { place := add(place, 32) } {
                identity := and(identity, iszero(mload(place)))
            }
        }
    }

    /// @dev Puts the point of 64 uniform bytes at `offset` of the frame.
    function _mapToG1(bytes32 high, bytes32 low, bytes memory frame, uint256 offset) private view {
        // base^1 mod p: lengths of base, exponent, modulus, then these
        bytes memory modexp = abi.encodePacked(uint256(64), uint256(1), uint256(64), high, low, uint8(1), P_HIGH, P_LOW);
        uint256 input;
        uint256 output;
        assembly ("memory-safe") {
            input := add(modexp, 32)
            output := add(add(frame, 32), offset)
        }
        _call(MODEXP, input, 225, input, 64);
        _call(MAP_TO_G1, input, 64, output, 128);
    }

    function _call(uint256 precompile, uint256 input, uint256 length, uint256 output, uint256 outputLength)
        private
        view
    {
        bool success;
        assembly ("memory-safe") {
            success := staticcall(gas(), precompile, input, length, output, outputLength)
            success := and(success, eq(returndatasize(), outputLength))
        }
        if (!success) revert PrecompileFailed(precompile);
    }
}
