// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmGateway} from "../src/interfaces/IXvmGateway.sol";
import {IXvmVerifier} from "../src/interfaces/IXvmVerifier.sol";
import {ExecuteBatch, Kind, Request, SignerSet} from "../src/interfaces/XvmTypes.sol";
import {StatementHash} from "../src/libraries/StatementHash.sol";
import {EcdsaVerifier} from "../src/verifiers/EcdsaVerifier.sol";
import {XvmGateway} from "../src/XvmGateway.sol";
import {BlsSigning} from "./BlsSigning.sol";
import {GatewayTest} from "./GatewayTest.sol";

/// @notice A gateway that goes on with another verifier.
contract MigrationTest is GatewayTest, BlsSigning {
    bytes32 private constant ROOT = keccak256("root");

    uint256[] private leaked = [uint256(0xb1), 0xb2, 0xb3, 0xb4];

    /// @notice SECURITY: verifiers of one gateway share a domain. Were the new one's epochs to begin again, anybody could bring it
    /// the old one's public rotation, and with it the set whose keys had leaked.
    function test_SECURITY_TheFormerVerifiersRotationsAreNotReplayed() public {
        SignerSet memory first = signerSet(keys, 3);
        SignerSet memory second = signerSet(leaked, 3);
        bytes memory toSecond = _rotation(destinationVerifier, second, 1, keys);
        destinationVerifier.rotate(second, toSecond);
        bytes memory toThird = _rotation(destinationVerifier, first, 2, leaked);
        destinationVerifier.rotate(first, toThird);

        // the same signers, at the same places
        EcdsaVerifier next = newVerifier(address(destination));
        next.install(first);
        assertEq(next.currentEpoch(), 4, "the next after the former one's");
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.UnknownEpoch.selector, 1));
            next.rotate(second, toSecond);
            vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.UnknownEpoch.selector, 2));
            next.rotate(first, toThird);
            if (i == 0) destination.setVerifier(address(next));
        }
        next.rotate(second, _rotation(next, second, 4, keys));
        assertEq(next.currentEpoch(), 5, "and they rise from there");
    }

    /// @notice SECURITY: an epoch number means one signer set at a gateway, for ever.
    function test_SECURITY_AVerifierWhoseEpochsDoNotRiseIsRefused() public {
        EcdsaVerifier next = newVerifier(address(source));
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.EpochsMustRise.selector, 0, 1));
        source.setVerifier(address(next));
        next.install(signerSet(keys, 3));
        SignerSet memory second = signerSet(leaked, 3);
        sourceVerifier.rotate(second, _rotation(sourceVerifier, second, 1, keys));
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.EpochsMustRise.selector, 2, 2));
        source.setVerifier(address(next));
        next.rotate(second, _rotation(next, second, 2, keys));
        source.setVerifier(address(next));
        assertEq(source.verifier(), address(next), "above it");
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.EpochsMustRise.selector, 2, 3));
        source.setVerifier(address(sourceVerifier));
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.EpochsMustRise.selector, 3, 3));
        source.setVerifier(address(next));
    }

    /// @notice SECURITY: a verifier's domain is that of its gateway.
    function test_SECURITY_TheVerifierOfAnotherGatewayIsRefused() public {
        vm.expectRevert(
            abi.encodeWithSelector(IXvmGateway.OtherGatewaysVerifier.selector, address(destinationVerifier))
        );
        source.setVerifier(address(destinationVerifier));
    }

    function test_AVerifierWithoutEpochsIsReplacedByAnyOther() public {
        XvmGateway fresh = XvmGateway(
            deploy("XvmGateway", abi.encode(address(this), guardian, MAX_PAUSE, treasury, sourceRoutes, registry))
        );
        fresh.setVerifier(address(newVerifier(address(fresh))));
        EcdsaVerifier later = newVerifier(address(fresh));
        fresh.setVerifier(address(later));
        later.install(signerSet(keys, 3));
        assertEq(later.currentEpoch(), 1, "the first of all");
    }

    /// @notice SECURITY: after the switch the former verifier's certificates are worth nothing, and the next one's are taken.
    function test_SECURITY_AfterTheSwitchOnlyTheNextVerifierCounts() public {
        (, Request memory request) = ask(increment(1));
        EcdsaVerifier next = newVerifier(address(destination));
        next.install(signerSet(keys, 3));
        execute(executeBatch(request));
        (uint256 id, Request memory later) = ask(increment(2));
        bytes memory old = executeBatch(later)[0].certificate;
        destination.setVerifier(address(next));
        _refused(later, old, abi.encodeWithSelector(IXvmVerifier.UnknownEpoch.selector, 1));
        _taken(id, later, certificate(next, 2, executeLeaf(executeItem(later)), 1, keys));
    }

    /// @notice SECURITY: as before, from scheme to scheme.
    function test_SECURITY_AfterTheSwitchToBlsOnlyTheNextVerifierCounts() public {
        (uint256 id, Request memory request) = ask(increment(2));
        bytes memory old = executeBatch(request)[0].certificate;
        IXvmVerifier next = IXvmVerifier(deploy("BlsVerifier", abi.encode(destination, address(this))));
        next.install(_blsSet(4, 3));
        destination.setVerifier(address(next));
        _refused(request, old, abi.encodeWithSelector(IXvmVerifier.MalformedCertificate.selector));
        _taken(id, request, _blsCertificate(next, 7, executeLeaf(executeItem(request)), 1, 2));
    }

    function _refused(Request memory request, bytes memory old, bytes memory reason) private {
        ExecuteBatch[] memory batches = executeBatch(request);
        batches[0].certificate = old;
        vm.prank(relayer, relayer);
        vm.expectRevert(reason);
        destination.execute(batches, payeeWord(worker));
    }

    function _taken(uint256 id, Request memory request, bytes memory signed) private {
        ExecuteBatch[] memory batches = executeBatch(request);
        batches[0].certificate = signed;
        execute(batches);
        assertEq(uint256(destination.consumed(id)) >> 248, Kind.EXECUTED, "executed");
    }

    /// @dev The certificate of `epoch` over `set` as its successor.
    function _rotation(EcdsaVerifier verifier, SignerSet memory set, uint64 epoch, uint256[] memory secrets)
        private
        view
        returns (bytes memory)
    {
        bytes32 leaf = StatementHash.rotateLeaf(verifier.hashSignerSet(set), epoch + 1);
        return certificate(verifier, epoch, leaf, 1, secrets);
    }
}
