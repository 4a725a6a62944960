// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmGateway} from "../src/interfaces/IXvmGateway.sol";
import {IXvmSource} from "../src/interfaces/IXvmSource.sol";
import {
    Direction,
    Kind,
    Mode,
    Options,
    OutcomeItem,
    PendingRequest,
    Request,
    State
} from "../src/interfaces/XvmTypes.sol";
import {Requester} from "./Actors.sol";
import {GatewayTest} from "./GatewayTest.sol";
import {Vm} from "./Vm.sol";

contract CancelTest is GatewayTest {
    uint256 private constant SKEW = 5 minutes;
    uint256 private constant EXECUTION_SHARE = (500_000 + 60_000 + 36 * 40) * 3e9;
    uint256 private constant CALLBACK_SHARE = (300_000 + 40_000 + 1024 * 24) * 20e9;
    uint256 private constant SIGNERS_SHARE = 1e13 + (EXECUTION_SHARE + CALLBACK_SHARE) * 5 / 100;

    function test_ACancelReturnsTheCallbackShareAtOnce() public {
        (uint256 id, Request memory request) = askAsEoa(increment(1));
        _pass(request);
        uint256 before = alice.balance;
        vm.recordLogs();
        vm.prank(alice);
        source.cancel(request);
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmSource.XVMCancelled.selector);
        assertEq(uint256(log.topics[1]), id, "event");
        assertEq(log.data, abi.encode(CALLBACK_SHARE), "event");
        assertEq(alice.balance - before, CALLBACK_SHARE, "returned");
        PendingRequest memory pending = source.pendingRequest(id);
        assertEq(pending.state, State.CANCELLED, "state");
        assertEq(pending.fee, EXECUTION_SHARE + SIGNERS_SHARE, "the rest waits");
        assertEq(pending.deadline, 0, "no deadline any more");
        assertEq(pending.requester, alice, "requester");
        assertSolvent(pending.fee);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotPending.selector, id));
        source.cancel(request);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotPending.selector, id));
        source.addFee{value: 1}(id);
    }

    function test_SECURITY_OnlyTheRequesterCancels() public {
        (, Request memory request) = askAsEoa(increment(1));
        _pass(request);
        vm.prank(relayer);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotRequester.selector, relayer));
        source.cancel(request);
    }

    function test_SECURITY_NothingIsCancelledBeforeItsDeadline() public {
        (, Request memory request) = askAsEoa(increment(1));
        vm.warp(request.expiry + SKEW + 1);
        vm.roll(HEIGHT + 120);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.DeadlineNotOver.selector, HEIGHT + 120));
        source.cancel(request);
        vm.roll(HEIGHT + 121);
        vm.prank(alice);
        source.cancel(request);
    }

    function test_SECURITY_NothingIsCancelledBeforeItsExpiry() public {
        (, Request memory request) = askAsEoa(increment(1));
        vm.roll(HEIGHT + 121);
        vm.warp(request.expiry + SKEW);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.ExpiryNotOver.selector, request.expiry + SKEW));
        source.cancel(request);
        vm.warp(request.expiry + SKEW + 1);
        vm.prank(alice);
        source.cancel(request);
    }

    function test_SECURITY_ACancelShowsItsTrueExpiry() public {
        (, Request memory request) = askAsEoa(increment(1));
        vm.roll(HEIGHT + 121);
        request.expiry = uint64(START - 10_000);
        vm.prank(alice);
        (bool success,) = address(source).call(abi.encodeCall(source.cancel, (request)));
        assertTrue(!success, "another expiry is another id");
    }

    function test_AQueryNeedsItsDeadlineAlone() public {
        Options memory options;
        options.mode = Mode.QUERY;
        vm.recordLogs();
        vm.prank(alice, alice);
        source.xvmExecute{value: 1 ether}(account(address(counter)), "", options);
        (, Request memory request) = lastRequest();
        vm.roll(HEIGHT + 121);
        vm.prank(alice);
        source.cancel(request);
    }

    function test_DeadlinesDoNotRunWhileCallbacksArePausedButCancellingIsNeverPaused() public {
        (, Request memory request) = askAsEoa(increment(1));
        vm.prank(guardian);
        source.pause(Direction.CALLBACKS, 1000);
        _pass(request);
        vm.roll(HEIGHT + 500);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.DeadlineNotOver.selector, HEIGHT + 620));
        source.cancel(request);
        vm.roll(HEIGHT + 1121);
        source.pause(Direction.CALLBACKS, 10);
        source.pause(Direction.REQUESTS, 10);
        vm.prank(alice);
        source.cancel(request);
    }

    function test_SECURITY_ALaterOutcomePaysThePayeeAndCallsNothing() public {
        Requester requester = new Requester(IXvmGateway(address(source)));
        vm.deal(address(requester), 1 ether);
        Options memory options;
        vm.recordLogs();
        requester.ask(account(address(counter)), increment(1), options);
        (uint256 id, Request memory request) = lastRequest();
        _pass(request);
        vm.prank(address(requester));
        source.cancel(request);
        deliver(outcome(id, Kind.EXECUTED, hex"01"));
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmSource.XVMCancelledConcluded.selector);
        assertEq(uint256(log.topics[1]), id, "event");
        assertEq(log.data, abi.encode(Kind.EXECUTED, relayer), "event");
        assertEq(requester.calls(), 0, "nothing is called");
        assertEq(source.credits(worker), EXECUTION_SHARE, "the payee is paid");
        assertEq(source.uncollected(relayer), SIGNERS_SHARE, "and the signers");
        assertEq(source.credits(relayer), 0, "for no callback");
        assertEq(source.pendingRequest(id).state, State.NONE, "done");
        assertSolvent(0);
        deliver(outcome(id, Kind.EXECUTED, hex"01"));
        onlyLog(vm.getRecordedLogs(), IXvmSource.XVMOutcomeSkipped.selector);
    }

    function test_ALaterExpiredReturnsTheExecutionShareButForItsFixedPart() public {
        (uint256 id, Request memory request) = askAsEoa(increment(1));
        _pass(request);
        vm.prank(alice);
        source.cancel(request);
        deliver(outcome(id, Kind.EXPIRED, ""));
        assertTrue(source.credits(worker) > 0, "the payee's part");
        assertEq(source.credits(worker) + source.credits(alice), EXECUTION_SHARE, "the rest returns");
        assertSolvent(0);
    }

    function test_SECURITY_WhatIsLeftReturnsAfterSevenDaysAndOnce() public {
        (uint256 id, Request memory request) = askAsEoa(increment(1));
        _pass(request);
        uint256 cancelled = START + 100 + SKEW + 1;
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotCancelled.selector, id));
        source.reclaim(id);
        vm.prank(alice);
        source.cancel(request);
        vm.warp(cancelled + 7 days - 1);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.TooEarlyToReclaim.selector, cancelled + 7 days));
        source.reclaim(id);
        vm.warp(cancelled + 7 days);
        vm.recordLogs();
        source.reclaim(id);
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmSource.XVMReclaimed.selector);
        assertEq(log.data, abi.encode(EXECUTION_SHARE + SIGNERS_SHARE), "event");
        assertEq(source.credits(alice), EXECUTION_SHARE + SIGNERS_SHARE, "credited");
        assertSolvent(0);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotCancelled.selector, id));
        source.reclaim(id);
        deliver(outcome(id, Kind.EXECUTED, ""));
        onlyLog(vm.getRecordedLogs(), IXvmSource.XVMOutcomeSkipped.selector);
    }

    function test_AFailedHandlerIsNotCancelled() public {
        Requester requester = new Requester(IXvmGateway(address(source)));
        vm.deal(address(requester), 1 ether);
        requester.setFailing(true);
        Options memory options;
        vm.recordLogs();
        requester.ask(account(address(counter)), increment(1), options);
        (uint256 id, Request memory request) = lastRequest();
        deliver(outcome(id, Kind.EXECUTED, ""));
        _pass(request);
        vm.prank(address(requester));
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotPending.selector, id));
        source.cancel(request);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotCancelled.selector, id));
        source.reclaim(id);
    }

    /// @dev To the first moment at which it may be cancelled.
    function _pass(Request memory request) private {
        vm.roll(HEIGHT + 121);
        vm.warp(request.expiry + SKEW + 1);
    }
}
