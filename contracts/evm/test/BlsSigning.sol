// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IXvmVerifier} from "../src/interfaces/IXvmVerifier.sol";
import {Signer, SignerSet} from "../src/interfaces/XvmTypes.sol";
import {Bls12381} from "../src/libraries/Bls12381.sol";
import {Assertions} from "./Assertions.sol";

/// @notice Signs by scheme 2, with the precompiles that multiply.
abstract contract BlsSigning is Assertions {
    bytes internal constant SIGNATURE_TAG = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
    bytes private constant PROOF_TAG = "BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
    bytes private constant GENERATOR = hex"00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
        hex"0000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
        hex"000000000000000000000000000000000ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801"
        hex"000000000000000000000000000000000606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be";

    function _blsSet(uint256 count, uint64 threshold) internal view returns (SignerSet memory set) {
        set = SignerSet({
            scheme: 2,
            threshold: threshold,
            validUntil: uint64(block.timestamp + 365 days),
            graceSeconds: 1 days,
            signers: new Signer[](count)
        });
        for (uint256 i = 0; i < count; ++i) {
            bytes32 operator = keccak256(abi.encode("operator", i));
            set.signers[i] = Signer({key: _listedKey(_secret(i), operator), weight: 1, operator: operator});
        }
    }

    function _blsCertificate(IXvmVerifier verifier, uint256 bitmap, bytes32 root, uint256 count, uint64 epoch)
        internal
        view
        returns (bytes memory)
    {
        bytes32 digest = keccak256(
            abi.encodePacked(
                hex"1901",
                verifier.domainSeparator(),
                keccak256(abi.encode(keccak256("Batch(bytes32 root,uint32 count,uint64 epoch)"), root, count, epoch))
            )
        );
        // the sum of the signatures is the signature by the sum of the secrets
        uint256 sum = 0;
        for (uint256 i = 0; i < 256; ++i) {
            if ((bitmap >> i) & 1 == 1) sum += _secret(i);
        }
        return abi.encodePacked(
            uint8(2),
            epoch,
            bytes4(keccak256(InteroperableAddress.formatEvmV1(block.chainid))),
            bytes4(keccak256(InteroperableAddress.formatEvmV1(block.chainid, verifier.gateway()))),
            bitmap,
            _sign(sum, abi.encodePacked(digest), SIGNATURE_TAG)
        );
    }

    /// @dev Below 2^240: 256 of them add up to less than a word.
    function _secret(uint256 i) private pure returns (uint256) {
        return uint256(keccak256(abi.encode("secret", i))) >> 16;
    }

    function _listedKey(uint256 secret, bytes32 operator) internal view returns (bytes memory) {
        bytes memory publicKey = _unpadded(_call(0x0e, abi.encodePacked(GENERATOR, secret)));
        return bytes.concat(publicKey, _sign(secret, abi.encodePacked(publicKey, operator), PROOF_TAG));
    }

    function _sign(uint256 secret, bytes memory message, bytes memory tag) internal view returns (bytes memory) {
        return _unpadded(_call(0x0c, abi.encodePacked(Bls12381.hashToG1(message, tag), secret)));
    }

    function _call(uint160 precompile, bytes memory input) private view returns (bytes memory output) {
        bool success;
        (success, output) = address(precompile).staticcall(input);
        assertTrue(success && output.length != 0, "precompile");
    }

    function _unpadded(bytes memory point) internal pure returns (bytes memory data) {
        for (uint256 place = 0; place < point.length; place += 64) {
            bytes memory coordinate = new bytes(48);
            assembly ("memory-safe") {
                mcopy(add(coordinate, 32), add(add(point, 48), place), 48)
            }
            data = bytes.concat(data, coordinate);
        }
    }
}
