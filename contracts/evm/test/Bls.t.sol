// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IXvmVerifier} from "../src/interfaces/IXvmVerifier.sol";
import {Signer, SignerSet} from "../src/interfaces/XvmTypes.sol";
import {Bls12381} from "../src/libraries/Bls12381.sol";
import {StatementHash} from "../src/libraries/StatementHash.sol";
import {Assertions} from "./Assertions.sol";

interface IProver {
    function prove(Signer[] calldata signers) external;
}

/// @notice What scheme 2 adds to a verifier; what makes a certificate or a set good is held against the vectors elsewhere.
/// @dev Signs by the precompiles that multiply.
contract BlsTest is Assertions {
    uint256 private constant CHAIN = 31_337;
    uint256 private constant START = 1_800_000_000;
    /// @dev The cap of a transaction's gas from Osaka on (EIP-7825).
    uint256 private constant TRANSACTION_GAS = 16_777_216;
    address private constant GATEWAY = address(0x6a7e);
    bytes32 private constant ROOT = keccak256("root");
    bytes private constant SIGNATURE_TAG = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
    bytes private constant PROOF_TAG = "BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
    bytes private constant GENERATOR = hex"00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
        hex"0000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
        hex"000000000000000000000000000000000ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801"
        hex"000000000000000000000000000000000606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be";

    IXvmVerifier private verifier;

    function setUp() public {
        vm.chainId(CHAIN);
        vm.warp(START);
        verifier = IXvmVerifier(deploy("BlsVerifier", abi.encode(GATEWAY, address(this))));
    }

    function test_MessagesMapToThePointsOfTheVectors() public view {
        string memory json = vm.readFile("../../attestation/vectors/bls12381.json");
        bytes32[] memory digests = vm.parseJsonBytes32Array(json, ".digest");
        bytes[] memory points = vm.parseJsonBytesArray(json, ".messagePoint");
        for (uint256 i = 0; i < digests.length; ++i) {
            uint256[4] memory point = Bls12381.hashToG1(abi.encodePacked(digests[i]), SIGNATURE_TAG);
            assertEq(_unpadded(abi.encodePacked(point)), points[i], "point");
        }
        assertTrue(digests.length > 1, "there are vectors");
    }

    function test_KeysAndSignaturesAreThoseOfTheVectors() public view {
        string memory json = vm.readFile("../../attestation/vectors/bls12381.json");
        bytes32[] memory secrets = vm.parseJsonBytes32Array(json, ".secret");
        bytes32[] memory digests = vm.parseJsonBytes32Array(json, ".digest");
        bytes32[] memory operators = vm.parseJsonBytes32Array(json, ".operator");
        bytes[] memory signatures = vm.parseJsonBytesArray(json, ".signature");
        bytes[] memory publicKeys = vm.parseJsonBytesArray(json, ".publicKey");
        bytes[] memory proofs = vm.parseJsonBytesArray(json, ".proof");
        for (uint256 i = 0; i < secrets.length; ++i) {
            uint256 secret = uint256(secrets[i]);
            assertEq(_sign(secret, abi.encodePacked(digests[i]), SIGNATURE_TAG), signatures[i], "signature");
            assertEq(_listedKey(secret, operators[i]), bytes.concat(publicKeys[i], proofs[i]), "listed key");
        }
    }

    /// @notice SECURITY: any subset verifies exactly if its weight reaches the threshold.
    function test_SECURITY_WeightDecides(uint8 mask, uint16[4] memory weights, uint64 threshold) public {
        SignerSet memory set = _set(4, 1);
        uint256 total = 0;
        uint256 heaviest = 0;
        for (uint256 i = 0; i < 4; ++i) {
            weights[i] = uint16(bound(weights[i], 1, 1000));
            set.signers[i].weight = weights[i];
            total += weights[i];
            if (weights[i] > heaviest) heaviest = weights[i];
        }
        set.threshold = uint64(bound(threshold, total / 2 + 1, total));
        vm.assume(heaviest < set.threshold);
        verifier.install(set);
        uint256 bitmap = bound(mask, 1, 15);
        uint256 weight = 0;
        for (uint256 i = 0; i < 4; ++i) {
            if ((bitmap >> i) & 1 == 1) weight += weights[i];
        }
        bytes memory signed = _certificate(bitmap, ROOT, 5, 1);
        if (weight < set.threshold) {
            vm.expectRevert(
                abi.encodeWithSelector(IXvmVerifier.BelowThreshold.selector, weight, uint256(set.threshold))
            );
        }
        assertEq(verifier.verify(ROOT, 5, signed), weight < set.threshold ? 0 : 1, "epoch");
    }

    /// @notice SECURITY: no other bytes pass for the sum of the same signers.
    function test_SECURITY_AnyOtherPayloadIsForged(uint16 bit) public {
        verifier.install(_set(4, 3));
        bytes memory signed = _certificate(7, ROOT, 5, 1);
        assertEq(verifier.verify(ROOT, 5, signed), 1, "as it was");
        uint256 place = bound(bit, 0, 767);
        signed[49 + place / 8] ^= bytes1(uint8(1 << (place % 8)));
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.ForgedAggregate.selector));
        verifier.verify(ROOT, 5, signed);
    }

    /// @notice SECURITY: a certificate whose verification runs short of gas reverts, and takes nobody for a signer.
    function test_SECURITY_TooLittleGasNeverVerifies(uint32 gasLimit) public {
        verifier.install(_set(4, 3));
        bytes memory light = _certificate(3, ROOT, 5, 1);
        light[48] = bytes1(uint8(7));
        (bool success,) = address(verifier).staticcall{gas: bound(gasLimit, 30_000, 400_000)}(
            abi.encodeCall(verifier.verify, (ROOT, 5, light))
        );
        assertTrue(!success, "never");
    }

    function test_AnybodyRotatesWithTheNewestEpochsCertificate() public {
        verifier.install(_set(4, 3));
        SignerSet memory set = _set(5, 4);
        bytes32 leaf = StatementHash.rotateLeaf(verifier.hashSignerSet(set), 2);
        bytes memory signed = _certificate(7, leaf, 1, 1);
        vm.prank(address(0x6003));
        verifier.rotate(set, signed);
        assertEq(verifier.currentEpoch(), 2, "the newest");
        assertEq(verifier.verify(ROOT, 5, _certificate(15, ROOT, 5, 2)), 2, "it verifies");
        assertEq(verifier.verify(ROOT, 5, _certificate(7, ROOT, 5, 1)), 1, "the former as well");
    }

    /// @notice SECURITY: a rotation's proofs are checked as those of the first set.
    function test_SECURITY_ARotationTakesNoUnprovenKey() public {
        verifier.install(_set(4, 3));
        SignerSet memory set = _set(5, 4);
        set.signers[4].operator = keccak256("thief");
        bytes32 leaf = StatementHash.rotateLeaf(verifier.hashSignerSet(set), 2);
        bytes memory signed = _certificate(7, leaf, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.UnprovenKey.selector, 4));
        verifier.rotate(set, signed);
    }

    function test_KeysProvenAheadMakeASetCheap() public {
        SignerSet memory set = _set(20, 14);
        vm.prank(address(0x6003));
        IProver(address(verifier)).prove(set.signers);
        uint256 before = gasleft();
        verifier.install(set);
        assertTrue(before - gasleft() < 2_500_000, "no proof is verified again");
        assertEq(verifier.verify(ROOT, 5, _certificate((1 << 14) - 1, ROOT, 5, 1)), 1, "it verifies");
    }

    /// @notice SECURITY: what was proven is one key, of one operator, with one proof.
    function test_SECURITY_AProvenKeyVouchesForNoOther() public {
        SignerSet memory set = _set(4, 3);
        IProver(address(verifier)).prove(set.signers);
        bytes memory good = set.signers[1].key;
        set.signers[1].key = bytes.concat(good);
        set.signers[1].key[287] ^= 0x01;
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.UnprovenKey.selector, 1));
        verifier.install(set);
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.UnprovenKey.selector, 1));
        IProver(address(verifier)).prove(set.signers);
        set.signers[1].key = good;
        set.signers[1].operator = keccak256("thief");
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.UnprovenKey.selector, 1));
        verifier.install(set);
    }

    /// @notice SECURITY: the identity would prove itself.
    function test_SECURITY_NothingElseIsProvenAhead() public {
        Signer[] memory signers = new Signer[](1);
        signers[0].key = new bytes(288);
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.UnprovenKey.selector, 0));
        IProver(address(verifier)).prove(signers);
        signers[0].key = new bytes(192);
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.MalformedKey.selector, 0));
        IProver(address(verifier)).prove(signers);
    }

    function test_FiftyKeysAreProvenInATransaction() public {
        assertTrue(_installGas(_set(50, 34)) < TRANSACTION_GAS - 1_500_000, "with its calldata");
    }

    function test_AHundredAndFiftyKeysAreInstalledInATransactionIfProvenAhead() public {
        SignerSet memory set = _set(150, 101);
        IProver(address(verifier)).prove(set.signers);
        assertTrue(_installGas(set) < TRANSACTION_GAS - 1_500_000, "with its calldata");
    }

    function test_TheLargestSetVerifies() public {
        verifier.install(_set(256, 171));
        assertEq(verifier.verify(ROOT, 5, _certificate(type(uint256).max >> 85 << 80, ROOT, 5, 1)), 1, "it verifies");
    }

    /// @dev What `install` itself takes; the test's own memory plays no part.
    function _installGas(SignerSet memory set) private returns (uint256 taken) {
        bytes memory data = abi.encodeCall(verifier.install, (set));
        uint256 before = gasleft();
        (bool success,) = address(verifier).call(data);
        taken = before - gasleft();
        assertTrue(success, "installed");
    }

    // ---- signing

    function _set(uint256 count, uint64 threshold) private view returns (SignerSet memory set) {
        set = SignerSet({
            scheme: 2,
            threshold: threshold,
            validUntil: uint64(START + 365 days),
            graceSeconds: 1 days,
            signers: new Signer[](count)
        });
        for (uint256 i = 0; i < count; ++i) {
            bytes32 operator = keccak256(abi.encode("operator", i));
            set.signers[i] = Signer({key: _listedKey(_secret(i), operator), weight: 1, operator: operator});
        }
    }

    function _certificate(uint256 bitmap, bytes32 root, uint256 count, uint64 epoch)
        private
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
            bytes4(keccak256(InteroperableAddress.formatEvmV1(CHAIN))),
            bytes4(keccak256(InteroperableAddress.formatEvmV1(CHAIN, GATEWAY))),
            bitmap,
            _sign(sum, abi.encodePacked(digest), SIGNATURE_TAG)
        );
    }

    /// @dev Below 2^240: 256 of them add up to less than a word.
    function _secret(uint256 i) private pure returns (uint256) {
        return uint256(keccak256(abi.encode("secret", i))) >> 16;
    }

    function _listedKey(uint256 secret, bytes32 operator) private view returns (bytes memory) {
        bytes memory publicKey = _unpadded(_call(0x0e, abi.encodePacked(GENERATOR, secret)));
        return bytes.concat(publicKey, _sign(secret, abi.encodePacked(publicKey, operator), PROOF_TAG));
    }

    function _sign(uint256 secret, bytes memory message, bytes memory tag) private view returns (bytes memory) {
        return _unpadded(_call(0x0c, abi.encodePacked(Bls12381.hashToG1(message, tag), secret)));
    }

    function _call(uint160 precompile, bytes memory input) private view returns (bytes memory output) {
        bool success;
        (success, output) = address(precompile).staticcall(input);
        assertTrue(success && output.length != 0, "precompile");
    }

    function _unpadded(bytes memory point) private pure returns (bytes memory data) {
        for (uint256 place = 0; place < point.length; place += 64) {
            bytes memory coordinate = new bytes(48);
            assembly ("memory-safe") {
                mcopy(add(coordinate, 32), add(add(point, 48), place), 48)
            }
            data = bytes.concat(data, coordinate);
        }
    }
}
