// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IXvmVerifier} from "../src/interfaces/IXvmVerifier.sol";
import {Signer, SignerSet} from "../src/interfaces/XvmTypes.sol";
import {CodeBlob} from "../src/libraries/CodeBlob.sol";
import {StatementHash} from "../src/libraries/StatementHash.sol";
import {EcdsaVerifier} from "../src/verifiers/EcdsaVerifier.sol";
import {GatewayTest} from "./GatewayTest.sol";
import {Vm} from "./Vm.sol";

/// @notice Epochs; what makes a certificate or a set good is held against the vectors elsewhere.
contract VerifierTest is GatewayTest {
    bytes32 private constant ROOT = keccak256("root");

    uint256[] private next = [uint256(0xb1), 0xb2, 0xb3, 0xb4];

    function test_AnybodyRotatesWithTheNewestEpochsCertificate() public {
        SignerSet memory set = signerSet(next, 3);
        bytes memory brought = _rotation(set, 2, 1, keys);
        vm.recordLogs();
        vm.prank(alice);
        sourceVerifier.rotate(set, brought);
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmVerifier.XVMEpochApplied.selector);
        assertEq(uint256(log.topics[1]), 2, "epoch");
        assertEq(log.topics[2], sourceVerifier.hashSignerSet(set), "hash");
        assertEq(log.data, abi.encode(set.validUntil, set), "validity and the whole set");
        assertEq(sourceVerifier.currentEpoch(), 2, "the newest");
        (SignerSet memory stored,) = sourceVerifier.signerSet(2);
        assertEq(abi.encode(stored), abi.encode(set), "the set");
        assertEq(_verify(2, next), 2, "the new epoch verifies");
        assertEq(_verify(1, keys), 1, "the former as well, for its grace");
    }

    function test_SECURITY_ARotationCutsTheFormerEpochToItsGrace() public {
        _rotate(next);
        (, uint64 validUntil) = sourceVerifier.signerSet(1);
        assertEq(validUntil, START + GRACE, "cut");
        vm.warp(START + GRACE);
        assertEq(_verify(1, keys), 1, "the last second");
        vm.warp(START + GRACE + 1);
        bytes memory late = certificate(sourceVerifier, 1, ROOT, 5, keys);
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.ExpiredEpoch.selector, 1));
        sourceVerifier.verify(ROOT, 5, late);
        assertEq(_verify(2, next), 2, "the new epoch goes on");
    }

    function test_AGraceDoesNotLengthenAnEpoch() public {
        (, uint64 validUntil) = sourceVerifier.signerSet(1);
        vm.warp(validUntil - 10);
        _rotate(next);
        (, uint64 after_) = sourceVerifier.signerSet(1);
        assertEq(after_, validUntil, "its own end comes first");
    }

    function test_SECURITY_OnlyTheNewestEpochRotates() public {
        _rotate(next);
        uint256[] memory third = new uint256[](4);
        (third[0], third[1], third[2], third[3]) = (0xc1, 0xc2, 0xc3, 0xc4);
        SignerSet memory set = signerSet(third, 3);
        // the former epoch still verifies, but may not name another successor
        bytes memory byFormer = _rotation(set, 3, 1, keys);
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.NotCurrentEpoch.selector, 1));
        sourceVerifier.rotate(set, byFormer);
        sourceVerifier.rotate(set, _rotation(set, 3, 2, next));
        assertEq(sourceVerifier.currentEpoch(), 3, "the newest did");
    }

    function test_SECURITY_ARotationIsForOneSetOneEpochAndOneGateway() public {
        SignerSet memory set = signerSet(next, 3);
        bytes memory forEpoch3 = _rotation(set, 3, 1, keys);
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.ForgedSignature.selector, 0));
        sourceVerifier.rotate(set, forEpoch3);
        bytes memory forThis = _rotation(set, 2, 1, keys);
        vm.expectRevert(
            abi.encodeWithSelector(IXvmVerifier.OtherGateway.selector, bytes4(keccak256(account(address(source)))))
        );
        destinationVerifier.rotate(set, forThis);
        set.graceSeconds += 1;
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.ForgedSignature.selector, 0));
        sourceVerifier.rotate(set, forThis);
        set.graceSeconds -= 1;
        sourceVerifier.rotate(set, forThis);
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.ForgedSignature.selector, 0));
        sourceVerifier.rotate(set, forThis);
    }

    function test_SECURITY_ALapsedEpochRotatesNoMoreAndTheOwnerRevives() public {
        SignerSet memory set = signerSet(next, 3);
        set.validUntil = uint64(START + 1000 days);
        bytes memory brought = _rotation(set, 2, 1, keys);
        (, uint64 validUntil) = sourceVerifier.signerSet(1);
        vm.warp(validUntil);
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.EpochStillValid.selector, 1));
        sourceVerifier.install(set);
        vm.warp(validUntil + 1);
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.ExpiredEpoch.selector, 1));
        sourceVerifier.rotate(set, brought);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, alice));
        sourceVerifier.install(set);
        sourceVerifier.install(set);
        assertEq(sourceVerifier.currentEpoch(), 2, "the next number");
        assertEq(_verify(2, next), 2, "it verifies");
    }

    function test_SECURITY_ARotationKeepsTheRulesOfSets() public {
        SignerSet memory set = signerSet(next, 2);
        bytes memory brought = _rotation(set, 2, 1, keys);
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.ThresholdTooLow.selector, 2, 4));
        sourceVerifier.rotate(set, brought);
    }

    function test_BeforeTheFirstSetNothingVerifies() public {
        EcdsaVerifier fresh = newVerifier(address(source));
        assertEq(fresh.currentEpoch(), 0, "none");
        for (uint64 epoch = 0; epoch < 2; ++epoch) {
            bytes memory early = certificate(fresh, epoch, ROOT, 5, keys);
            vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.UnknownEpoch.selector, epoch));
            fresh.verify(ROOT, 5, early);
            vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.UnknownEpoch.selector, epoch));
            fresh.signerSet(epoch);
        }
    }

    function test_SECURITY_AfterAChainSplitSignaturesCountOnOneSideAlone() public {
        bytes memory good = certificate(sourceVerifier, 1, ROOT, 5, keys);
        bytes32 separator = sourceVerifier.domainSeparator();
        sourceVerifier.verify(ROOT, 5, good);
        vm.chainId(CHAIN + 1);
        assertTrue(sourceVerifier.domainSeparator() != separator, "another domain");
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.OtherChain.selector, bytes4(keccak256(chain()))));
        sourceVerifier.verify(ROOT, 5, good);
        // with the other side's tag the signatures are still of this side's domain
        bytes4 tag = bytes4(keccak256(InteroperableAddress.formatEvmV1(CHAIN + 1)));
        bytes4 gatewayTag = bytes4(keccak256(InteroperableAddress.formatEvmV1(CHAIN + 1, address(source))));
        for (uint256 i = 0; i < 4; ++i) {
            good[9 + i] = tag[i];
            good[13 + i] = gatewayTag[i];
        }
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.ForgedSignature.selector, 0));
        sourceVerifier.verify(ROOT, 5, good);
    }

    /// @notice SECURITY: any subset verifies exactly if its weight reaches the threshold.
    function test_SECURITY_WeightDecides(uint8 mask, uint16[4] memory weights, uint64 threshold) public {
        uint256 total = 0;
        SignerSet memory set = signerSet(next, 1);
        uint256 heaviest = 0;
        for (uint256 i = 0; i < 4; ++i) {
            weights[i] = uint16(bound(weights[i], 1, 1000));
            set.signers[i].weight = weights[i];
            total += weights[i];
            if (weights[i] > heaviest) heaviest = weights[i];
        }
        set.threshold = uint64(bound(threshold, total / 2 + 1, total));
        vm.assume(heaviest < set.threshold);
        sourceVerifier.rotate(set, _rotation(set, 2, 1, keys));
        mask = uint8(bound(mask, 0, 15));
        uint256 weight = 0;
        uint256 count = 0;
        for (uint256 i = 0; i < 4; ++i) {
            if ((mask >> i) & 1 == 1) {
                weight += weights[i];
                ++count;
            }
        }
        uint256[] memory some = new uint256[](count);
        for (uint256 i = 4; i > 0; --i) {
            if ((mask >> (i - 1)) & 1 == 1) some[--count] = next[i - 1];
        }
        bytes memory signed = certificate(sourceVerifier, 2, ROOT, 5, some);
        signed[48] = bytes1(mask);
        if (weight < set.threshold) {
            vm.expectRevert(
                abi.encodeWithSelector(IXvmVerifier.BelowThreshold.selector, weight, uint256(set.threshold))
            );
        }
        sourceVerifier.verify(ROOT, 5, signed);
    }

    function test_TheLargestSetStillRotates() public {
        uint256[] memory many = new uint256[](256);
        for (uint256 i = 0; i < 256; ++i) {
            many[i] = 0x1000 + i;
        }
        SignerSet memory set = signerSet(many, 171);
        bytes memory brought = _rotation(set, 2, 1, keys);
        uint256 before = gasleft();
        sourceVerifier.rotate(set, brought);
        assertTrue(before - gasleft() < 12_000_000, "within a transaction");
        assertEq(_verify(2, many), 2, "it verifies");
    }

    /// @notice SECURITY: with whatever gas a rotation is sent, the new epoch stands with all of its signers, or nothing happened.
    function test_SECURITY_ARotationIsWholeOrNothing() public {
        uint256[] memory many = new uint256[](64);
        for (uint256 i = 0; i < 64; ++i) {
            many[i] = 0x1000 + i;
        }
        SignerSet memory set = signerSet(many, 43);
        bytes memory call = abi.encodeCall(sourceVerifier.rotate, (set, _rotation(set, 2, 1, keys)));
        (uint256 applied, uint256 unwritten) = (0, 0);
        for (uint256 gasLimit = 400_000; gasLimit < 4_000_000; gasLimit += 20_000) {
            uint256 state = vm.snapshotState();
            (bool success, bytes memory reason) = address(sourceVerifier).call{gas: gasLimit}(call);
            if (success) {
                ++applied;
                assertEq(_verify(2, many), 2, "it verifies");
            } else {
                if (bytes4(reason) == CodeBlob.BlobNotWritten.selector) ++unwritten;
                assertEq(sourceVerifier.currentEpoch(), 1, "no new epoch");
                assertEq(_verify(1, keys), 1, "the former one is not cut");
            }
            vm.revertToState(state);
        }
        assertTrue(applied > 10 && unwritten > 1, "both were seen");
    }

    function _rotate(uint256[] memory secrets) private {
        SignerSet memory set = signerSet(secrets, 3);
        sourceVerifier.rotate(set, _rotation(set, 2, 1, keys));
    }

    function _rotation(SignerSet memory set, uint64 newEpoch, uint64 epoch, uint256[] memory secrets)
        private
        view
        returns (bytes memory)
    {
        bytes32 leaf = StatementHash.rotateLeaf(sourceVerifier.hashSignerSet(set), newEpoch);
        return certificate(sourceVerifier, epoch, leaf, 1, secrets);
    }

    function _verify(uint64 epoch, uint256[] memory secrets) private view returns (uint64) {
        return sourceVerifier.verify(ROOT, 5, certificate(sourceVerifier, epoch, ROOT, 5, secrets));
    }
}
