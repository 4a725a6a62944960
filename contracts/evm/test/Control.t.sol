// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IXvmGateway} from "../src/interfaces/IXvmGateway.sol";
import {IXvmPausable} from "../src/interfaces/IXvmPausable.sol";
import {IXvmRegistry} from "../src/interfaces/IXvmRegistry.sol";
import {IXvmRoutes} from "../src/interfaces/IXvmRoutes.sol";
import {IXvmVerifier} from "../src/interfaces/IXvmVerifier.sol";
import {Direction} from "../src/interfaces/XvmTypes.sol";
import {GatewayTest} from "./GatewayTest.sol";
import {Vm} from "./Vm.sol";

contract ControlTest is GatewayTest {
    function test_AGatewayTellsItsNeighbours() public view {
        assertEq(source.gatewayAddress(), account(address(source)), "its address");
        assertEq(source.verifier(), address(sourceVerifier), "verifier");
        assertEq(source.routes(), address(sourceRoutes), "routes");
        assertEq(source.registry(), address(registry), "registry");
        assertEq(source.treasury(), treasury, "treasury");
        assertEq(source.guardian(), guardian, "guardian");
        assertEq(source.maxPauseBlocks(), MAX_PAUSE, "longest pause");
    }

    function test_SECURITY_OnlyTheOwnerConfigures() public {
        bytes[6] memory calls = [
            abi.encodeCall(source.setVerifier, (alice)),
            abi.encodeCall(source.setTreasury, (alice)),
            abi.encodeCall(source.setGuardian, (alice)),
            abi.encodeCall(source.unpause, (Direction.REQUESTS)),
            abi.encodeCall(source.transferOwnership, (alice)),
            abi.encodeCall(source.renounceOwnership, ())
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            _refused(address(source), calls[i], guardian);
            _refused(address(source), calls[i], alice);
        }
        IXvmRoutes.Outbound memory outbound = route();
        IXvmRoutes.Price memory priced = price();
        bytes[7] memory routeCalls = [
            abi.encodeCall(sourceRoutes.setOutbound, (chain(), outbound)),
            abi.encodeCall(sourceRoutes.removeOutbound, (chain())),
            abi.encodeCall(sourceRoutes.setPrice, (chain(), priced)),
            abi.encodeCall(sourceRoutes.setInbound, (account(alice), true)),
            abi.encodeCall(sourceRoutes.unpauseOutbound, (chain())),
            abi.encodeCall(sourceRoutes.unpauseInbound, (account(alice))),
            abi.encodeCall(sourceRoutes.setGuardian, (alice))
        ];
        for (uint256 i = 0; i < routeCalls.length; ++i) {
            _refused(address(sourceRoutes), routeCalls[i], guardian);
            _refused(address(sourceRoutes), routeCalls[i], alice);
        }
        IXvmRegistry.ChainRecord memory chainRecord;
        IXvmRegistry.RouteRecord memory routeRecord;
        IXvmRegistry.Operator memory operator;
        _refused(address(registry), abi.encodeCall(registry.recordChain, (chain(), chainRecord)), alice);
        _refused(address(registry), abi.encodeCall(registry.recordRoute, (chain(), chain(), routeRecord)), alice);
        _refused(address(registry), abi.encodeCall(registry.setOperator, (bytes32("o"), operator)), alice);
    }

    function test_AnAddressThatMustNotBeZeroIsRefused() public {
        vm.expectRevert(abi.encodeWithSelector(IXvmPausable.ZeroAddress.selector));
        source.setVerifier(address(0));
        vm.expectRevert(abi.encodeWithSelector(IXvmPausable.ZeroAddress.selector));
        source.setTreasury(address(0));
        bytes memory code = bytes.concat(
            vm.getCode("XvmGateway.sol:XvmGateway"),
            abi.encode(address(this), guardian, MAX_PAUSE, treasury, address(0), registry)
        );
        address gateway;
        assembly ("memory-safe") {
            gateway := create(0, add(code, 32), mload(code))
        }
        assertEq(gateway, address(0), "no gateway without routes");
    }

    /// @dev A verifier's number has 8 bits of an account's word. One that was there before keeps its own.
    function test_AGatewayHasAtMost255Verifiers() public {
        for (uint160 i = 2; i <= 255; ++i) {
            _play(address(0x7000 + i), i);
            source.setVerifier(address(0x7000 + i));
        }
        _play(alice, 256);
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.TooManyVerifiers.selector));
        source.setVerifier(alice);
        _play(address(0x7002), 256);
        source.setVerifier(address(0x7002));
        assertEq(source.verifier(), address(0x7002), "one of the 255");
    }

    /// @dev A verifier of the source gateway whose newest epoch is this one.
    function _play(address verifier, uint256 epoch) private {
        vm.mockCall(verifier, abi.encodeCall(IXvmVerifier.gateway, ()), abi.encode(source));
        vm.mockCall(verifier, abi.encodeCall(IXvmVerifier.currentEpoch, ()), abi.encode(epoch));
    }

    function test_OwnershipMovesInTwoSteps() public {
        source.transferOwnership(alice);
        assertEq(source.owner(), address(this), "not yet");
        vm.prank(alice);
        source.acceptOwnership();
        assertEq(source.owner(), alice, "accepted");
    }

    function test_SECURITY_OnlyGuardianAndOwnerPause() public {
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmPausable.NotGuardian.selector, alice));
        source.pause(Direction.CALLBACKS, 5);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmPausable.NotGuardian.selector, alice));
        sourceRoutes.pauseOutbound(chain(), 5);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmPausable.NotGuardian.selector, alice));
        destinationRoutes.pauseInbound(account(address(source)), 5);
        // without a guardian nobody but the owner
        source.setGuardian(address(0));
        vm.prank(guardian);
        vm.expectRevert(abi.encodeWithSelector(IXvmPausable.NotGuardian.selector, guardian));
        source.pause(Direction.CALLBACKS, 5);
    }

    function test_SECURITY_AGuardianCannotPauseForEver() public {
        for (uint8 d = 0; d < 3; ++d) {
            Direction direction = Direction(d);
            vm.roll(HEIGHT);
            vm.prank(guardian);
            vm.expectRevert(
                abi.encodeWithSelector(IXvmPausable.PauseTooLong.selector, MAX_PAUSE + 1, uint256(MAX_PAUSE))
            );
            source.pause(direction, MAX_PAUSE + 1);
            vm.prank(guardian);
            vm.expectRevert(abi.encodeWithSelector(IXvmPausable.PauseTooLong.selector, 0, uint256(MAX_PAUSE)));
            source.pause(direction, 0);
            vm.recordLogs();
            vm.prank(guardian);
            source.pause(direction, MAX_PAUSE);
            Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmGateway.XVMPaused.selector);
            assertEq(uint256(log.topics[1]), d, "direction");
            assertEq(log.data, abi.encode(HEIGHT + MAX_PAUSE, guardian), "until, and by whom");
            assertEq(source.pausedUntilBlock(direction), HEIGHT + MAX_PAUSE, "until");
            uint256 rested = HEIGHT + 2 * uint256(MAX_PAUSE);
            vm.roll(rested - 1);
            assertEq(source.pausedUntilBlock(direction), 0, "it ended by itself");
            vm.prank(guardian);
            vm.expectRevert(abi.encodeWithSelector(IXvmPausable.PauseTooSoon.selector, rested));
            source.pause(direction, 1);
            vm.roll(rested);
            vm.prank(guardian);
            source.pause(direction, 1);
            source.unpause(direction);
            assertEq(source.pausedUntilBlock(direction), 0, "lifted by the owner");
            // lifting does not end the guardian's rest
            vm.prank(guardian);
            vm.expectRevert(abi.encodeWithSelector(IXvmPausable.PauseTooSoon.selector, rested + 1 + MAX_PAUSE));
            source.pause(direction, 1);
            // the owner needs no rest
            source.pause(direction, 7);
            assertEq(source.pausedUntilBlock(direction), rested + 7, "by the owner");
            source.unpause(direction);
        }
    }

    function test_RoutesRestTheirGuardianEach() public {
        vm.prank(guardian);
        destinationRoutes.pauseInbound(account(address(source)), 10);
        assertTrue(
            destinationRoutes.inbound(keccak256(account(address(source)))) == IXvmRoutes.Inbound.PAUSED, "paused"
        );
        vm.roll(HEIGHT + 10);
        vm.prank(guardian);
        vm.expectRevert(abi.encodeWithSelector(IXvmPausable.PauseTooSoon.selector, HEIGHT + 10 + uint256(MAX_PAUSE)));
        destinationRoutes.pauseInbound(account(address(source)), 10);
        destinationRoutes.setInbound(account(address(0x99)), true);
        vm.prank(guardian);
        destinationRoutes.pauseInbound(account(address(0x99)), 10);
        destinationRoutes.unpauseInbound(account(address(0x99)));
        assertTrue(destinationRoutes.inbound(keccak256(account(address(0x99)))) == IXvmRoutes.Inbound.OPEN, "lifted");
        vm.expectRevert(abi.encodeWithSelector(IXvmRoutes.Unrouted.selector, keccak256(account(address(destination)))));
        destinationRoutes.pauseInbound(account(address(destination)), 10);
    }

    function _refused(address called, bytes memory call, address caller) private {
        vm.prank(caller);
        (bool success, bytes memory reason) = called.call(call);
        assertTrue(!success, "refused");
        assertEq(reason, abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, caller), "the reason");
    }
}
