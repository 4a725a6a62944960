// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmGateway} from "../src/interfaces/IXvmGateway.sol";
import {IXvmVerifier} from "../src/interfaces/IXvmVerifier.sol";
import {Signer, SignerSet} from "../src/interfaces/XvmTypes.sol";
import {Bls12381} from "../src/libraries/Bls12381.sol";
import {StatementHash} from "../src/libraries/StatementHash.sol";
import {BlsSigning} from "./BlsSigning.sol";

interface IProver {
    function prove(Signer[] calldata signers) external;
}

/// @notice What scheme 2 adds to a verifier; what makes a certificate or a set good is held against the vectors elsewhere.
contract BlsTest is BlsSigning {
    uint256 private constant START = 1_800_000_000;
    /// @dev The cap of a transaction's gas from Osaka on (EIP-7825).
    uint256 private constant TRANSACTION_GAS = 16_777_216;
    address private constant GATEWAY = address(0x6a7e);
    bytes32 private constant ROOT = keccak256("root");
    IXvmVerifier private verifier;

    function setUp() public {
        vm.chainId(31_337);
        vm.warp(START);
        vm.mockCall(GATEWAY, abi.encodeCall(IXvmGateway.verifier, ()), abi.encode(address(0)));
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
        SignerSet memory set = _blsSet(4, 1);
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
        bytes memory signed = _blsCertificate(verifier, bitmap, ROOT, 5, 1);
        if (weight < set.threshold) {
            vm.expectRevert(
                abi.encodeWithSelector(IXvmVerifier.BelowThreshold.selector, weight, uint256(set.threshold))
            );
        }
        assertEq(verifier.verify(ROOT, 5, signed), weight < set.threshold ? 0 : 1, "epoch");
    }

    /// @notice SECURITY: no other bytes pass for the sum of the same signers.
    function test_SECURITY_AnyOtherPayloadIsForged(uint16 bit) public {
        verifier.install(_blsSet(4, 3));
        bytes memory signed = _blsCertificate(verifier, 7, ROOT, 5, 1);
        assertEq(verifier.verify(ROOT, 5, signed), 1, "as it was");
        uint256 place = bound(bit, 0, 767);
        signed[49 + place / 8] ^= bytes1(uint8(1 << (place % 8)));
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.ForgedAggregate.selector));
        verifier.verify(ROOT, 5, signed);
    }

    /// @notice SECURITY: a certificate whose verification runs short of gas reverts, and takes nobody for a signer.
    function test_SECURITY_TooLittleGasNeverVerifies(uint32 gasLimit) public {
        verifier.install(_blsSet(4, 3));
        bytes memory light = _blsCertificate(verifier, 3, ROOT, 5, 1);
        light[48] = bytes1(uint8(7));
        (bool success,) = address(verifier).staticcall{gas: bound(gasLimit, 30_000, 400_000)}(
            abi.encodeCall(verifier.verify, (ROOT, 5, light))
        );
        assertTrue(!success, "never");
    }

    function test_AnybodyRotatesWithTheNewestEpochsCertificate() public {
        verifier.install(_blsSet(4, 3));
        SignerSet memory set = _blsSet(5, 4);
        bytes32 leaf = StatementHash.rotateLeaf(verifier.hashSignerSet(set), 2);
        bytes memory signed = _blsCertificate(verifier, 7, leaf, 1, 1);
        vm.prank(address(0x6003));
        verifier.rotate(set, signed);
        assertEq(verifier.currentEpoch(), 2, "the newest");
        assertEq(verifier.verify(ROOT, 5, _blsCertificate(verifier, 15, ROOT, 5, 2)), 2, "it verifies");
        assertEq(verifier.verify(ROOT, 5, _blsCertificate(verifier, 7, ROOT, 5, 1)), 1, "the former as well");
    }

    /// @notice SECURITY: a rotation's proofs are checked as those of the first set.
    function test_SECURITY_ARotationTakesNoUnprovenKey() public {
        verifier.install(_blsSet(4, 3));
        SignerSet memory set = _blsSet(5, 4);
        set.signers[4].operator = keccak256("thief");
        bytes32 leaf = StatementHash.rotateLeaf(verifier.hashSignerSet(set), 2);
        bytes memory signed = _blsCertificate(verifier, 7, leaf, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.UnprovenKey.selector, 4));
        verifier.rotate(set, signed);
    }

    function test_KeysProvenAheadMakeASetCheap() public {
        SignerSet memory set = _blsSet(20, 14);
        vm.prank(address(0x6003));
        IProver(address(verifier)).prove(set.signers);
        uint256 before = gasleft();
        verifier.install(set);
        assertTrue(before - gasleft() < 2_500_000, "no proof is verified again");
        assertEq(verifier.verify(ROOT, 5, _blsCertificate(verifier, (1 << 14) - 1, ROOT, 5, 1)), 1, "it verifies");
    }

    /// @notice SECURITY: what was proven is one key, of one operator, with one proof.
    function test_SECURITY_AProvenKeyVouchesForNoOther() public {
        SignerSet memory set = _blsSet(4, 3);
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
        assertTrue(_installGas(_blsSet(50, 34)) < TRANSACTION_GAS - 1_500_000, "with its calldata");
    }

    function test_AHundredAndFiftyKeysAreInstalledInATransactionIfProvenAhead() public {
        SignerSet memory set = _blsSet(150, 101);
        IProver(address(verifier)).prove(set.signers);
        assertTrue(_installGas(set) < TRANSACTION_GAS - 1_500_000, "with its calldata");
    }

    function test_TheLargestSetVerifies() public {
        verifier.install(_blsSet(256, 171));
        assertEq(
            verifier.verify(ROOT, 5, _blsCertificate(verifier, type(uint256).max >> 85 << 80, ROOT, 5, 1)),
            1,
            "it verifies"
        );
    }

    /// @dev What `install` itself takes; the test's own memory plays no part.
    function _installGas(SignerSet memory set) private returns (uint256 taken) {
        bytes memory data = abi.encodeCall(verifier.install, (set));
        uint256 before = gasleft();
        (bool success,) = address(verifier).call(data);
        taken = before - gasleft();
        assertTrue(success, "installed");
    }
}
